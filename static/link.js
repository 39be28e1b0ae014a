/** The link to a room: the page's own address with `#room=ID`. */

import { words } from './words/words.js';

export function linkTo(room) {
  return new URL(`#room=${encodeURIComponent(room)}`, document.baseURI).href;
}

export function roomInAddress() {
  return new URLSearchParams(location.hash.slice(1)).get('room');
}

/** Copies the link, or shows it where there is no clipboard (a page served without TLS). */
export async function shareLink(room) {
  const link = linkTo(room);
  try {
    await navigator.clipboard.writeText(link);
    return words.card.linkCopied;
  } catch {
    prompt(words.card.theLink, link);
    return '';
  }
}
