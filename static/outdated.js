/**
 * What a page gets for a script that was there in another version: the party was restarted while the page was on its
 * way, or some of its processes were. It fetches the page again; not for ever, and later each time.
 */

import { keep, kept } from './kept.js';

const TRIES = 5;
const WAIT_MS = 500;

const tries = kept('outdated', 0) + 1;
keep('outdated', tries <= TRIES ? tries : null);
// Where nothing can be kept nobody counts.
if (kept('outdated') === tries) setTimeout(() => location.reload(), WAIT_MS * (tries - 1));
else {
  const trouble = document.getElementById('trouble');
  trouble.textContent = trouble.dataset.notLoaded;
}
