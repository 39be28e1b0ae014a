/**
 * The one door to the server: a socket that comes back by itself, and questions that always get an answer.
 */

import { noteGuests } from './parts.js';
import { fetchAllWords, language, words } from './words.js';

const REPLY_MS = 8000;
// A shorter absence is not worth a word.
const QUIET_MS = 2500;
const RETRY_MS = 1500;
// What somebody has to mend takes its time.
const RETRY_REFUSED_MS = 6000;
export const ATTEMPTS = 4;
// The WebSocket close code of a server that is restarted on purpose.
const SERVICE_RESTART = 1012;

const NO_ANSWER = { ok: false, code: 'unavailable', error: words.connection.notAnswering };
// Why there is no connection, by the status that says so.
const REFUSED = { 403: 'notAllowed', 429: 'tooManyTabs' };
// A handshake would be taken. So often in a row, something between takes none.
const TAKEN = 400;
const BLOCKED_AFTER = 3;
// After these refusals the same words may well be accepted a little later.
const PASSING = ['unavailable', 'slow_down', 'signed_out'];

const running = new Map(); // a command as text → the promise of its answer
const handlers = new Map(); // event → those who want to hear it

let socket; // none until the client has been loaded
let waitedFor; // words of refusals

/**
 * Connects for `user` once `client` (a promise of Socket.IO's client) is there, and comes back for ever. Calls `onState`
 * with "online", "away" (too short to speak of), "reconnecting", "restarting", "signed-out", "notAllowed" (from this
 * address), "tooManyTabs" or "blocked" (by something between).
 */
export async function connect(user, onState, client) {
  let quiet;
  let failures = 0;
  let refusal; // that was told last
  let isTaken = false;

  function report(state) {
    clearTimeout(quiet);
    onState(state);
  }

  function reportAway() {
    report('away');
    quiet = setTimeout(onState, QUIET_MS, 'reconnecting');
  }

  async function comeBack() {
    const signedIn = await whoIsSignedIn();
    if (signedIn === null) {
      socket.disconnect();
      report('signed-out');
    } else if (signedIn && signedIn !== user) {
      // Somebody else signed in, in another tab: this page and its words are not theirs.
      location.reload();
    } else {
      const why = signedIn && (await askWhy());
      if (socket.connected) return;
      if (why) {
        report(why);
        socket.disconnect();
      } else if (refusal) report('reconnecting'); // it is the reason no more
      refusal = why;
      // Where the server said no, Socket.IO takes that as final; a page that is still signed in does not.
      if (!socket.active) setTimeout(() => socket.connect(), why ? RETRY_REFUSED_MS : RETRY_MS);
    }
  }

  /** A browser does not say why a handshake is refused. A plain request is refused as one. */
  async function askWhy() {
    const { status } = await fetch('socket.io/', { method: 'POST' }).catch(() => ({}));
    failures = status === TAKEN ? failures + 1 : 0;
    return failures < BLOCKED_AFTER ? REFUSED[status] : 'blocked';
  }

  // A phone that wakes up should not wait for the next attempt; nor a tab that was signed in again elsewhere.
  function hurry() {
    if (!socket.connected && document.visibilityState === 'visible') socket.disconnect().connect();
  }

  reportAway();
  await client;
  socket = globalThis.io({
    path: new URL('socket.io/', document.baseURI).pathname,
    transports: ['websocket'],
    auth: { user },
    reconnectionDelay: 500,
    reconnectionDelayMax: 3000,
    timeout: REPLY_MS,
  });
  socket.on('connect', () => (failures = 0));
  socket.onAny((event, payload) => {
    // The party says no, too, on a line that stands. One that it takes it tells of the lobby.
    if (!isTaken) report('online');
    isTaken = true;
    refusal = null;
    noteGuests(payload);
    handlers.get(event)?.forEach((handler) => handler(payload));
  });
  socket.on('connect_error', comeBack);
  socket.on('disconnect', (reason, details) => {
    if (details?.context?.code === SERVICE_RESTART) report('restarting');
    else if (isTaken) reportAway();
    isTaken = false;
    if (!socket.active) comeBack();
  });
  addEventListener('online', hurry);
  document.addEventListener('visibilitychange', hurry);
}

/**
 * The name that this browser is signed in with, null for none, undefined when there is no telling now.
 * (The handshake's refusal says nothing; the page itself names its person, or redirects to the sign-in.)
 */
async function whoIsSignedIn() {
  try {
    const page = await fetch('./', { redirect: 'manual', cache: 'no-store' });
    if (page.type === 'opaqueredirect') return null;
    return new DOMParser().parseFromString(await page.text(), 'text/html').body.dataset.user;
  } catch {
    return undefined;
  }
}

/** What the owner answered this person, and whether it is time to ask how much the party is liked. Empty when not known. */
export async function fetchFeedback() {
  try {
    return await (await fetch('feedback')).json();
  } catch {
    return {};
  }
}

/** Calls `handler` on each `event`. Returns how to stop that. */
export function on(event, handler) {
  if (!handlers.has(event)) handlers.set(event, new Set());
  handlers.get(event).add(handler);
  return () => handlers.get(event).delete(handler);
}

/** The server's answer: {ok: true, …} or {ok: false, code, error}. Never throws, never waits for a connection. */
export async function ask(event, payload) {
  if (!socket?.connected) return NO_ANSWER;
  const start = performance.now();
  const answer = await socket.timeout(REPLY_MS).emitWithAck(event, payload).catch(() => NO_ANSWER);
  // For measuring.js, and for whoever looks into a browser.
  performance.measure('ask', { start, end: performance.now(), detail: answer.code });
  if (answer.code === 'signed_out') socket.disconnect();
  if (!answer.ok && answer !== NO_ANSWER && language !== 'en') {
    const fetched = fetchAllWords().catch(() => {});
    await (waitedFor ??= fetched); // once: without them the reason is in English
  }
  return answer;
}

/** Like `ask`, but asks a few times when the answer got lost or was "not now". */
export async function insist(event, payload) {
  for (let attempt = 1; ; attempt += 1) {
    const answer = await ask(event, payload);
    if (answer.ok || !isPassing(answer) || attempt === ATTEMPTS) return answer;
    await wait(answer);
  }
}

/** Insists on what should happen once: every attempt carries the same key, and a double tap is one command. */
export function command(event, payload) {
  const name = JSON.stringify([event, payload]);
  if (!running.has(name)) {
    const answer = insist(event, { ...payload, key: newKey() });
    running.set(name, answer.finally(() => running.delete(name)));
  }
  return running.get(name);
}

export function isPassing(refusal) {
  return PASSING.includes(refusal.code);
}

/** Waits as long as the refusal asks for. */
export function wait(refusal) {
  return new Promise((resolve) => setTimeout(resolve, refusal.retry_after * 1000 || RETRY_MS));
}

/** A key for one intention. (`crypto.randomUUID` is missing where the page is served without TLS.) */
export function newKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
