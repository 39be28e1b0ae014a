/** Times in words. */

import { fill, locale, words } from './words.js';

export const SECOND = 1000;
export const MINUTE = 60 * SECOND;

// How the browser writes times is its person's choice; the names of days are words, and in the page's language.
const timeFormat = new Intl.DateTimeFormat(undefined, { timeStyle: 'short' });
const dayFormat = new Intl.DateTimeFormat(locale, { weekday: 'long', day: 'numeric', month: 'long' });

/** "24 min left", and in the last ten minutes "9:05 left". */
export function timeLeft(milliseconds) {
  // The page's clock ticks by seconds, so it may be one behind: without this a fresh room had 31 minutes.
  const left = Math.max(0, milliseconds - SECOND);
  if (left > 10 * MINUTE) return fill(words.clock.minutesLeft, { count: Math.ceil(left / MINUTE) });
  const seconds = Math.ceil(left / SECOND);
  return fill(words.clock.secondsLeft, {
    minutes: Math.floor(seconds / 60),
    seconds: String(seconds % 60).padStart(2, '0'),
  });
}

export const timeOfDay = (at) => timeFormat.format(at);

export const dayOf = (at) => dayFormat.format(at);
