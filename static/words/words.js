/**
 * All words of the page, in the language that the browser asked for: the server puts `words/<language>.json` into the
 * page. A translation is one such file.
 */

export const words = JSON.parse(document.getElementById('words').textContent);
export const language = document.documentElement.lang;

const plurals = new Intl.PluralRules(language);
const ordinals = new Intl.PluralRules(language, { type: 'ordinal' });
const lists = new Intl.ListFormat(language, { type: 'conjunction' });

/**
 * The sentence with `{name}` replaced by `values.name`. One with several forms, as `{one: …, other: …}`, is chosen by
 * `values.count`.
 */
export function fill(sentence, values) {
  const form = typeof sentence === 'string' ? sentence : sentence[plurals.select(values.count)];
  return form.replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

/** "asha, bilal and chen". */
export const listOf = (names) => lists.format(names);

/** 1 is "You are next.", 3 is "You are 3rd." */
export function placeInWords(place) {
  if (place === 1) return words.asking.next;
  return fill(words.asking.place, { place: fill(words.asking.ordinals[ordinals.select(place)], { count: place }) });
}

/** Why the server said no. Its sentences are English; a translation lists them, or at least says what the code means. */
export function reasonOf({ code, error }) {
  return words.refusals[error] ?? words.refusals[code] ?? error;
}
