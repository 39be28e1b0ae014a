/**
 * What a page gets for its first script when the files of its version are gone: it was on its way for long, or the
 * party was put up anew meanwhile. It fetches the page again; not for ever, and later each time.
 */

const TRIES = 5;
const WAIT_MS = 500;

/** Which try this is. Where nothing can be kept nobody counts. */
function countTries() {
  try {
    const tries = Number(sessionStorage.getItem('outdated')) + 1;
    if (tries > TRIES) sessionStorage.removeItem('outdated');
    else sessionStorage.setItem('outdated', tries);
    return tries;
  } catch {
    return Infinity;
  }
}

const tries = countTries();
if (tries <= TRIES) setTimeout(() => location.reload(), WAIT_MS * (tries - 1));
else {
  const trouble = document.getElementById('trouble');
  trouble.textContent = trouble.dataset.notLoaded;
}
