/**
 * What there is of the party without a network: one page that says so, and goes on when the network is back. It also
 * shows the page's notifications, since phones allow that to nobody else.
 *
 * It keeps that page and what it looks like, and nothing else: every other page has a name and a token in it, and must
 * not be found on this phone by whoever comes next. It gives what it keeps only when the network gives nothing, so
 * nothing is ever older than the party. It sends what a page tells as it goes. All other requests pass as if it were not
 * there, those to the CDN among them.
 *
 * It is served beside the page, since a worker is asked about what lies below its own address alone; with the version
 * of our files in that address, so that a new version brings a new worker, which fetches all of it anew.
 */

// What a proxy says while no process of the party answers.
const AWAY = [502, 503, 504];
const AWAY_FOR_FORMS = [502, 504]; // to a form the party itself says 503 where it could not keep it
// Browsers let a worker open a window only for a moment after the tap. A tab that sleeps does not answer.
const REPLY_MS = 500;

const { scope } = registration;
const VERSION = location.search;
const PAGE = new URL('offline', scope).href;
const KEPT = [PAGE, ...['party.css', 'offline.js'].map((name) => new URL(`static/${name}`, scope).href)];

// What a page tells as it goes. Let pass, it would go with the page: by now it is this worker's to send.
const MEASURED = new URL('measured', scope).href;

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
  // So that the page that brought this worker can be led to a room as well.
  await clients.claim();
}

const kept = (address) => caches.match(address, { ignoreVary: true });

/** What the party answers; undefined where it cannot be reached. */
async function answerOf({ request, preloadResponse }, away = AWAY) {
  try {
    const answer = (await preloadResponse) ?? (await fetch(request));
    return away.includes(answer.status) ? undefined : answer;
  } catch {
    return undefined;
  }
}

const file = async (event) => (await answerOf(event)) ?? kept(event.request.url);

const page = async (event) => (await answerOf(event)) ?? kept(PAGE);

/** A form that could not be sent is not sent again by going on. */
const form = async (event) => (await answerOf(event, AWAY_FOR_FORMS)) ?? Response.redirect(scope, 303);

/** The address that a tab shows. A page says so itself: `tab.url` is the one that it was opened with. */
function addressOf(tab) {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = ({ data }) => resolve(data);
    setTimeout(resolve, REPLY_MS, tab.url);
    tab.postMessage('address', [port2]);
  });
}

/** Leads whoever taps a notification to its room: in the tab that shows it, else in one without a room, else in a new. */
async function answer({ data: { link } }) {
  const tabs = await clients.matchAll({ type: 'window' });
  const addresses = await Promise.all(tabs.map(addressOf));
  const there = tabs[addresses.indexOf(link)];
  if (there) return there.focus();
  const free = tabs[addresses.findIndex((address) => !new URL(address).hash)];
  if (!free) return clients.openWindow(link);
  await free.focus();
  return free.navigate(link);
}

addEventListener('notificationclick', (event) => {
  event.notification.close();
  event.waitUntil(answer(event.notification));
});
addEventListener('install', (event) => event.waitUntil(install()));
addEventListener('activate', (event) => event.waitUntil(activate()));
addEventListener('fetch', (event) => {
  const { request } = event;
  if (request.mode === 'navigate') event.respondWith(request.method === 'GET' ? page(event) : form(event));
  else if (KEPT.includes(request.url)) event.respondWith(file(event));
  else if (request.url === MEASURED) event.respondWith(fetch(request));
});
