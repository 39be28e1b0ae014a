/**
 * What this browser keeps: which room is open, in the address; drafts, unsent messages and where to go after signing in,
 * in sessionStorage, so that nothing stays behind on a borrowed computer, and two tabs do not overwrite each other. Only
 * choices about the page itself are remembered for later visits.
 */

// In the address: `#room=ID`, and `&ask` for who came to ask to speak

export function linkTo(room, asks = false) {
  return new URL(`./#room=${encodeURIComponent(room)}${asks ? '&ask' : ''}`, document.baseURI).href;
}

/** For guests: who has it comes in by the room's door. */
export const doorLinkTo = (room, door) => `${linkTo(room)}&door=${encodeURIComponent(door)}`;

/** The token of a link for guests; null for none. It should stay in no address bar. */
export const doorInAddress = () => inAddress().get('door');

const inAddress = () => new URLSearchParams(location.hash.slice(1));

/** What was copied with a space or a line's end means the same room. */
export const roomInAddress = () => inAddress().get('room')?.trim() || null;

export const asksInAddress = () => inAddress().has('ask');

/** The name of an invite link that was opened by somebody who is signed in; null for none. It leaves the address. */
export function takeInvitedName() {
  const name = inAddress().get('name');
  // The password that came with it should stay in no address bar and no history.
  if (name !== null) history.replaceState(null, '', location.pathname + location.search);
  return name;
}

// In this tab, over a reload

export const draftName = (user, room) => `draft ${user} ${room}`;

export const pitchDraftName = (user, room) => `pitch draft ${user} ${room}`;

export const tellingDraftName = (user) => `telling draft ${user}`;

/** Of a room that continues another, its own. */
export const topicDraftName = (user, continued = '') => `topic draft ${user} ${continued}`.trim();

export const pitchName = (user, room) => `pitch ${user} ${room}`;

/** The seq up to which one has seen its feed. */
export const seenName = (user, room) => `seen ${user} ${room}`;

export const unsentName = (user, room) => `unsent ${user} ${room}`;

/** Keeps `value` under `name`; forgets the name when the value is empty or null. */
export function keep(name, value) {
  try {
    if (value === null || value.length === 0) sessionStorage.removeItem(name);
    else sessionStorage.setItem(name, JSON.stringify(value));
  } catch {
    // Storage can be forbidden or full: the page works on, it only forgets on reload.
  }
}

/** What is kept under `name`, else `otherwise`. */
export function kept(name, otherwise = null) {
  try {
    return JSON.parse(sessionStorage.getItem(name)) ?? otherwise;
  } catch {
    return otherwise;
  }
}

// In this browser, for later visits

/** Remembers a choice about the page for later visits, never anybody's words. */
export function remember(choice, value) {
  try {
    localStorage.setItem(`party ${choice}`, JSON.stringify(value));
  } catch {
    // Storage can be forbidden: then the choice stays as it was.
  }
}

/** The choice as it was made last with this browser, else `otherwise`. */
export function remembered(choice, otherwise) {
  try {
    return JSON.parse(localStorage.getItem(`party ${choice}`)) ?? otherwise;
  } catch {
    return otherwise;
  }
}

/** Whether one is shown who is writing, and is shown to others oneself. */
export const showsWriting = () => remembered('writing', true);

/** The ids of the owner's answers that have been read. */
export const readAnswers = () => remembered('read answers', []);

/** Whether one listens without one's name being shown. */
export const listensUnnamed = () => remembered('unnamed', false);
