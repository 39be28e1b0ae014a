/**
 * What the page tells the party of itself, once for each time that it is seen: for how long, how fast it was, and what went
 * wrong. Never what somebody wrote, and nothing at all where the browser asks not to be tracked.
 */

const DAY_SECONDS = 86_400; // the party takes no more for one time
// Enough to find a mistake by.
const ERRORS = 5;
const ERROR_LENGTH = 80;
// From the first quotation mark, or slash, to the last: what stands there may be what somebody wrote, or an address.
const QUOTED = /["'`‘“«/].*["'`’”»/]/su;

export let lastError; // its first words, once there is one

let party; // the whole page
let own; // addresses of the scripts whose mistakes are told
let live; // when the page was live, until that has been told
let shownAt = null; // since when the page is seen; null while it is not
let countedAt; // up to when that time has been counted
let figures = none();

function none() {
  return { seconds: 0, inside: 0, errors: [], failed: 0, reconnections: 0 };
}

/** Tells the party, from a page with a form, and waits for nothing: the page may be gone before there is an answer. */
export function tell(what) {
  if (navigator.doNotTrack === '1' || navigator.globalPrivacyControl) return;
  const token = document.querySelector('form [name=token]').value;
  navigator.sendBeacon('measured', new URLSearchParams({ token, ...what }));
}

/** Begins to measure the page, which was live `at` that time, in milliseconds since it was asked for. */
export function measure(page, at) {
  [party, live] = [page, at];
  const libraries = JSON.parse(document.getElementById('libraries').textContent);
  own = [new URL('.', import.meta.url).href, ...libraries.flatMap(({ cdn }) => cdn ?? [])];
  party.$watch('room', count, { flush: 'sync' }); // while the part that it was is still there
  party.$watch('connection', (state) => (figures.reconnections += state === 'online'));
  addEventListener('error', ({ error }) => note(error));
  addEventListener('unhandledrejection', ({ reason }) => note(reason));
  // Which of these come, and in which order, depends on the browser and on why the page is hidden.
  document.addEventListener('visibilitychange', () => (document.hidden ? end() : begin()));
  addEventListener('pagehide', end);
  addEventListener('pageshow', () => begin());
  begin(paintedAt());
}

const paintedAt = () => performance.getEntriesByName('first-contentful-paint')[0]?.startTime;

function begin(at = performance.now()) {
  if (document.hidden || shownAt !== null) return;
  [shownAt, countedAt] = [at, at];
}

function end() {
  if (shownAt === null) return;
  count();
  const { seconds, inside } = figures;
  const rounded = { seconds: inSeconds(seconds), inside: inSeconds(inside) };
  tell({ measured: JSON.stringify({ ...figures, ...rounded, ...timesOfLoading(), ...timesOfWaiting() }) });
  [figures, shownAt] = [none(), null];
}

const inSeconds = (milliseconds) => Math.min(Math.round(milliseconds / 100) / 10, DAY_SECONDS);

/** Counts the time that has passed, as time in a room where somebody was in one. */
function count() {
  if (shownAt === null) return;
  const now = performance.now();
  figures.seconds += now - countedAt;
  // Not where there is no such room: there is nothing to see of it.
  if (party.$refs.room?.discussion.view) figures.inside += now - countedAt;
  countedAt = now;
}

/** When there was something to see, and when it was live. A page that was opened behind another is painted late. */
function timesOfLoading() {
  const [paint, wasLive] = [paintedAt(), live];
  live = null;
  return paint < wasLive ? { paint: Math.round(paint), live: Math.round(wasLive) } : {};
}

/** What was asked of the party since this was told last, and how long people looked at the page and waited. */
function timesOfWaiting() {
  const asks = performance.getEntriesByName('ask');
  performance.clearMeasures('ask');
  const waits = asks.filter(({ startTime }) => startTime >= shownAt).map(({ duration }) => Math.round(duration));
  waits.sort((a, b) => a - b);
  return {
    asked: asks.length,
    unavailable: asks.filter(({ detail }) => detail === 'unavailable').length,
    wait: waits.length ? { median: waits[Math.floor(waits.length / 2)], slowest: waits.at(-1) } : undefined,
  };
}

/** Others run scripts in this page too: what a browser was extended with, or what some app put in. */
function note(error) {
  if (!(error instanceof Error) || !own.some((address) => error.stack?.includes(address))) return;
  lastError = String(error).replace(QUOTED, '…').slice(0, ERROR_LENGTH);
  figures.failed += 1;
  if (figures.errors.length < ERRORS && !figures.errors.includes(lastError)) figures.errors.push(lastError);
}
