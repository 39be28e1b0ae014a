/**
 * All words of the page, in the language that the browser asked for: they come from `words/<language>.json`, and
 * runtime/assets.py puts them into the page. A translation is one such file.
 */

export const words = JSON.parse(document.getElementById('words').textContent);
export const language = document.documentElement.lang;
/** The same language as its person's country writes dates. */
export const locale = navigator.languages.find((tag) => tag.split('-')[0] === language) ?? language;

// Hebrew, Arabic and all the other blocks that Unicode keeps for letters from right to left.
const TURNING = /[\u0590-\u08ff\u200f\u202a-\u202e\u2066-\u2067\ufb1d-\ufdff\ufe70-\ufefe\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;
const ISOLATED = /\u2068[^\u2069]*\u2069/g;

const plurals = new Intl.PluralRules(language);
const ordinals = new Intl.PluralRules(language, { type: 'ordinal' });
const lists = new Intl.ListFormat(language, { type: 'conjunction' });

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

/** 1 is "You are next.", 3 is "You are 3rd." */
export function placeInWords(place) {
  if (place === 1) return words.asking.next;
  return fill(words.asking.place, { place: fill(words.asking.ordinals[ordinals.select(place)], { count: place }) });
}

/** Why the server said no. Its sentences are English; a translation lists them, or at least says what the code means. */
export function reasonOf({ code, error }) {
  return words.refusals[error] ?? words.refusals[code] ?? error;
}
