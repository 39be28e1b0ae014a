/** On the page that stands in while there is no network: goes on as soon as the party answers. */

const RETRY_MS = 3000;

async function goOn() {
  try {
    const answer = await fetch(new URL('../manifest.webmanifest', import.meta.url), { method: 'HEAD', cache: 'no-store' });
    // Else a proxy answers in place of the party.
    if (answer.ok) location.reload();
  } catch {
    // Not yet.
  }
}

addEventListener('online', goOn);
setInterval(goOn, RETRY_MS);
