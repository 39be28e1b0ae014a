/** On the page that stands in while there is no network: goes on as soon as the party answers. */

const RETRY_MS = 3000;

async function goOn() {
  try {
    await fetch(new URL('../manifest.webmanifest', import.meta.url), { method: 'HEAD', cache: 'no-store' });
    location.reload();
  } catch {
    // Not yet.
  }
}

addEventListener('online', goOn);
setInterval(goOn, RETRY_MS);
