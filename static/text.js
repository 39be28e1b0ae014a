/** What people write, in parts: links, mentions and code. Nothing else of it means anything; all of it stays text. */

const LINK = /(https?:\/\/[^\s<>"]*[^\s<>"'.,:;!?)\]])/i;
const CODE = /(`[^`\n]+`)/;
// Of a longer address the beginning and the end say most.
const LONGEST_SHOWN = 48;
// What is being written: an "@" at the beginning of a word, and the letters after it.
const UNFINISHED = /(?:^|[\s("'«„“‘[])@([\p{L}\p{M}\p{N}_.-]*)$/u;

/**
 * Finds "@name" of any of `names`, in any case, as one capturing group. Not a part of a longer name, and not in an
 * address: neither "me@asha.example" nor "@asha@server.example" nor "site.example/@asha" speaks to asha.
 */
function mentionOf(names) {
  const longestFirst = [...names].sort((a, b) => b.length - a.length).map(literal);
  return new RegExp(
    `(?<![\\p{L}\\p{M}\\p{N}_@./+-])(@(?:${longestFirst.join('|')}))(?![\\p{L}\\p{M}\\p{N}_]|[-.@][\\p{L}\\p{N}])`,
    'iu',
  );
}

function literal(name) {
  return name.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
}

/** Whether `text` mentions `name`. */
export function mentions(text, name) {
  return partsOf(text, [name]).some(({ kind }) => kind === 'mention');
}

/** The text in parts: `{ kind: 'text', 'code', 'link' or 'mention', words }`; code with the backticks around it. */
export function partsOf(text, names) {
  const withMentions = ({ words }) => words.includes('@') && names.length;
  return inTurns(text, CODE, 'code')
    .flatMap((part) => (part.kind === 'text' ? inTurns(part.words, LINK, 'link') : [part]))
    .flatMap((part) => (part.kind === 'text' && withMentions(part) ? inTurns(part.words, mentionOf(names), 'mention') : [part]));
}

/** With one capturing group, `split` puts what was found at odd places. */
function inTurns(text, pattern, kind) {
  return text
    .split(pattern)
    .map((words, index) => ({ kind: index % 2 ? kind : 'text', words }))
    .filter(({ words }) => words);
}

/** An address short enough to look at. */
export function shortened(address) {
  const bare = address.replace(/^https?:\/\/(www\.)?/i, '').replace(/\/$/, '');
  return bare.length > LONGEST_SHOWN ? `${bare.slice(0, LONGEST_SHOWN - 13)}…${bare.slice(-12)}` : bare;
}

/** The letters of the mention that is being written at the end of `text`, null when none is. */
export function unfinishedMention(text) {
  return text.match(UNFINISHED)?.[1] ?? null;
}

/** Those of `names` that begin with `letters`; none when the only one stands there already. */
export function completions(letters, names) {
  const folded = letters.toLowerCase();
  const fitting = names.filter((name) => name.toLowerCase().startsWith(folded));
  return fitting.length === 1 && fitting[0].length === letters.length ? [] : fitting;
}
