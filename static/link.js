/** The link to a room: the page's own address with `#room=ID`, or `#room=ID&ask` for who should ask to speak there. */

import { words } from './words/words.js';

export function linkTo(room, asks = false) {
  return new URL(`#room=${encodeURIComponent(room)}${asks ? '&ask' : ''}`, document.baseURI).href;
}

const inAddress = () => new URLSearchParams(location.hash.slice(1));

/** What was copied with a space or a line's end means the same room. */
export const roomInAddress = () => inAddress().get('room')?.trim() || null;

export const asksInAddress = () => inAddress().has('ask');

/** Shares the link as the device does it: the phone's own sheet, else the clipboard. Gives what to tell the person. */
export async function shareLink(room, asks) {
  const url = linkTo(room, asks);
  if (navigator.share && matchMedia('(pointer: coarse)').matches) {
    await navigator.share({ url }).catch(() => {}); // closed without sharing
    return '';
  }
  try {
    await navigator.clipboard.writeText(url);
    return words.link.copied;
  } catch {
    prompt(words.link.copyIt, url); // no clipboard: a page served without TLS
    return '';
  }
}
