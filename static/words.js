/**
 * All words of the page, in the language that the browser asked for, and how times and lists are put in words. They come
 * with the page from `words/<language>.json`, but for those that few need; a translation is one such file.
 */

export const SECOND = 1000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;

export const words = JSON.parse(document.getElementById('words').textContent);
/** What the party takes, as its server says: texts in characters, times in milliseconds. */
export const limits = JSON.parse(document.getElementById('limits').textContent);

export const language = document.documentElement.lang;
/** The same language as its person's country writes it. */
export const locale = navigator.languages.find((tag) => tag.split('-')[0] === language) ?? language;

// Somebody may wait for them.
const FETCH_MS = 4000;

// Hebrew, Arabic and all the other blocks that Unicode keeps for letters from right to left.
const TURNING = /[\u0590-\u08ff\u200f\u202a-\u202e\u2066-\u2067\ufb1d-\ufdff\ufe70-\ufefe\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;
const ISOLATED = /\u2068[^\u2069]*\u2069/g;

const plurals = new Intl.PluralRules(language);
const ordinals = new Intl.PluralRules(language, { type: 'ordinal' });
const lists = new Intl.ListFormat(language, { type: 'conjunction' });
const times = new Intl.DateTimeFormat(locale, { timeStyle: 'short' });
const days = new Intl.DateTimeFormat(locale, { weekday: 'long', day: 'numeric', month: 'long' });
const dates = new Intl.DateTimeFormat(locale, { dateStyle: 'full' });

/** Fetches the words that did not come with the page. Throws when they cannot be had. */
export async function fetchAllWords() {
  if (words.telling) return;
  const file = await fetch(new URL(`words/${language}.json`, import.meta.url), { signal: AbortSignal.timeout(FETCH_MS) });
  Object.assign(words, await file.json());
}

/**
 * The sentence with `{name}` replaced by `values.name`. One with several forms, as `{one: …, other: …}`, is chosen by
 * `values.count`.
 */
export function fill(sentence, values) {
  const form = typeof sentence === 'string' ? sentence : sentence[plurals.select(values.count)];
  return form.replace(/\{(\w+)\}/g, (_, name) => isolated(values[name]));
}

/** Letters that run from right to left, and marks that turn the direction, would pull the words beside them along. */
function isolated(value) {
  return TURNING.test(String(value).replace(ISOLATED, '')) ? `\u2068${value}\u2069` : value;
}

/** "asha, bilal and chen". */
export const listOf = (names) => lists.format(names.map(isolated));

/** The same in pieces: each of `names` with what stands behind it, as ", " or " and ". */
export function piecesOfList(names) {
  const between = lists.formatToParts(names).filter(({ type }) => type === 'literal');
  return names.map((name, place) => [name, between[place]?.value]);
}

/** "Three discussions are on": small numbers as words, where the language has them. */
export function countInWords(sentence, count) {
  return fill(sentence, { count, number: words.lobby.numbers[count - 1] ?? count });
}

/** 1 is "You are next", 3 is "You are third in line". */
export function placeInWords(place) {
  if (place === 1) return words.asking.next;
  const ordinal = words.asking.places[place - 2];
  const { ordinals: forms } = words.asking;
  return fill(words.asking.place, { place: ordinal ?? fill(forms[ordinals.select(place)], { count: place }) });
}

/**
 * Why the server said no. Its sentences are English; a translation lists them, or at least says what the code means. Of
 * its own mistakes it gives an `id`, under which the owner finds them.
 */
export function reasonOf({ code, error, id }) {
  const reason = words.refusals?.[error] ?? words.refusals?.[code] ?? error;
  return id ? `${reason} (${id})` : reason;
}

/** "24 min", and in the last ten minutes "9:05". */
export function timeLeft(milliseconds) {
  // The page's clock ticks by seconds, so it may be one behind: without this a fresh room had 31 minutes.
  const left = Math.max(0, milliseconds - SECOND);
  if (left > 10 * MINUTE) return fill(words.clock.minutes, { count: Math.ceil(left / MINUTE) });
  const seconds = Math.ceil(left / SECOND);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}

export const timeOfDay = (at) => times.format(at);

export const dayOf = (at) => days.format(at);

export const dateOf = (at) => dates.format(at);
