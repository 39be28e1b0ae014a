/**
 * What there is of the party without a network: one page that says so, and goes on when the network is back. It also
 * shows the page's notifications, since phones allow that to nobody else.
 *
 * It keeps that page and what it looks like, and nothing else: every other page has a name and a token in it, and must
 * not be found on this phone by whoever comes next. It gives what it keeps only when the network gives nothing, so
 * nothing is ever older than the party. All other requests pass as if it were not there, those to the CDN among them.
 *
 * It is served beside the page, since a worker is asked about what lies below its own address alone; with the version
 * of our files in that address, so that a new version brings a new worker, which fetches all of it anew.
 */

const { scope } = registration;
const VERSION = location.search;
const PAGE = new URL('offline', scope).href;
const KEPT = [PAGE, ...['page.css', 'offline.js', 'favicon.svg'].map((name) => new URL(`static/${name}`, scope).href)];

async function install() {
  const cache = await caches.open(scope + VERSION);
  await cache.addAll(KEPT.map((address) => new Request(address, { cache: 'no-cache' })));
  await skipWaiting();
}

async function activate() {
  // Other parties may live beside this one, below other paths.
  const old = (await caches.keys()).filter((name) => name.split('?')[0] === scope && name !== scope + VERSION);
  await Promise.all(old.map((name) => caches.delete(name)));
  // So that no page waits until this worker has woken up.
  await registration.navigationPreload?.enable();
}

const kept = (address) => caches.match(address, { ignoreVary: true });

async function page({ request, preloadResponse }) {
  try {
    return (await preloadResponse) ?? (await fetch(request));
  } catch {
    // A form that could not be sent is not sent again by going on.
    return request.method === 'GET' ? kept(PAGE) : Response.redirect(scope, 303);
  }
}

/** Leads whoever taps a notification to its room: in a tab of the party that is open, else in a new one. */
async function answer({ data: { link } }) {
  const [tab] = await clients.matchAll({ type: 'window' });
  if (!tab) return clients.openWindow(link);
  await tab.focus();
  return tab.navigate(link);
}

addEventListener('notificationclick', (event) => {
  event.notification.close();
  event.waitUntil(answer(event.notification));
});
addEventListener('install', (event) => event.waitUntil(install()));
addEventListener('activate', (event) => event.waitUntil(activate()));
addEventListener('fetch', (event) => {
  const { request } = event;
  if (request.mode === 'navigate') event.respondWith(page(event));
  else if (KEPT.includes(request.url)) event.respondWith(fetch(request).catch(() => kept(request.url)));
});
