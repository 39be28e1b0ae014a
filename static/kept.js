/**
 * What this tab keeps over a reload: drafts, unsent messages, where to go after signing in.
 * In sessionStorage, so that nothing stays behind on a borrowed computer, and two tabs do not overwrite each other.
 * Only choices about the page itself are remembered for later visits.
 */

export const draftName = (user, room) => `draft ${user} ${room}`;

export const pitchDraftName = (user, room) => `pitch draft ${user} ${room}`;

export const pitchName = (user, room) => `pitch ${user} ${room}`;

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

/** Whether one listens without one's name being shown. */
export const listensUnnamed = () => remembered('unnamed', false);
