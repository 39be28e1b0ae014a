/**
 * Loads Vue and the Socket.IO client, from the CDN or else the server's own copy, then starts the page.
 */

import { on } from './connection.js';
import { keep, kept, roomInAddress } from './kept.js';
import { loadRoom, startParty } from './party.js';

// Somebody waits for this: long enough for a slow phone, short enough not to look dead.
const CDN_MS = 1800;

/** The module at the CDN. The script element comes first because import() alone cannot check the integrity. */
async function loadFromCdn({ cdn, integrity }) {
  const script = document.createElement('script');
  Object.assign(script, { type: 'module', crossOrigin: 'anonymous', integrity, src: cdn });
  await new Promise((resolve, reject) => {
    script.onload = resolve;
    script.onerror = reject;
    setTimeout(reject, CDN_MS);
    document.head.append(script);
  });
  return import(cdn);
}

async function load(library) {
  if (library.cdn && !kept('cdn failed')) {
    try {
      return await loadFromCdn(library);
    } catch {
      keep('cdn failed', 'yes');
    }
  }
  return import(new URL(library.own, document.baseURI));
}

async function start() {
  if (roomInAddress()) loadRoom().catch(() => {}); // the page says so itself
  const [vue, client] = JSON.parse(document.getElementById('libraries').textContent).map(load);
  const party = startParty(await vue, client, sayThatItIsNotLoaded);
  await client;
  keep('outdated', null);
  // Only now, so that nobody waits for them. (Without TLS browsers know no service workers.)
  const stop = on('lobby', () => {
    stop();
    const live = performance.now();
    loadRoom().catch(() => {}); // asked for again when one is opened
    import('./measuring.js').then(({ measure }) => measure(party, live), () => {});
    navigator.serviceWorker?.register(`service-worker.js?${document.body.dataset.version}`).catch(() => {});
  });
}

/** A browser does not try a module again that it could not load; a page that is loaded anew does. */
function sayThatItIsNotLoaded(error) {
  const trouble = document.getElementById('trouble');
  trouble.textContent = trouble.dataset.notLoaded;
  throw error;
}

start().catch(sayThatItIsNotLoaded);
