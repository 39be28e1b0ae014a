/** Times in words. */

export const SECOND = 1000;
export const MINUTE = 60 * SECOND;

const timeFormat = new Intl.DateTimeFormat(undefined, { timeStyle: 'short' });
const dayFormat = new Intl.DateTimeFormat('en', { weekday: 'long', day: 'numeric', month: 'long' });

/** "24 min left", and in the last ten minutes "9:05 left". */
export function timeLeft(milliseconds) {
  // The page's clock ticks by seconds, so it may be one behind: without this a fresh room had 31 minutes.
  const left = Math.max(0, milliseconds - SECOND);
  if (left > 10 * MINUTE) return `${Math.ceil(left / MINUTE)} min left`;
  const seconds = Math.ceil(left / SECOND);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')} left`;
}

export const timeOfDay = (at) => timeFormat.format(at);

export const dayOf = (at) => dayFormat.format(at);
