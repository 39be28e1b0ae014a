/**
 * A discussion to take away, as Markdown. Pure functions of the room and its messages. Whatever people wrote stays text:
 * it can make no heading, link or list, and no line that looks like another person's.
 */

import { messageAt } from './discussion.js';
import { partsOf } from './text.js';
import { dateOf, fill, listOf, timeOfDay, words } from './words.js';

const LINE_END = /\r\n|[\n\r\v\f\u0085\u2028\u2029]/;
// What no file name may hold somewhere, or what would make it look like another. (The joiner of emoji may stay.)
const NOT_IN_A_NAME = /(?!\u200d)[\p{C}\p{Zl}\p{Zp}"*/:<>?\\|]+/gu;
// Most systems allow 255 bytes, of which a character takes up to four.
const MAX_NAME = 60;
// By kind of a part of a text; there are no mentions without names.
const AS_MARKDOWN = { text: escapedInline, link: (address) => `<${address}>`, code: (code) => code };

/** What is said of the discussion as a whole: `{ title, date, people, part }`. `room` is a room view. */
export function factsOf(room, messages) {
  const { topic, host, opened_at: openedAt } = room;
  const others = authorsOf(messages).filter((name) => name !== host);
  return {
    title: topic,
    date: `${dateOf(openedAt)}, ${timeOfDay(openedAt)}`,
    people: [fill(words.ending.hosted, { user: host }), ...(others.length ? [spokeIn(others)] : [])].join(' '),
    part: partIn(room, messages),
  };
}

/** That these are not all messages of the discussion; empty when they are. */
export function partIn(room, messages) {
  const count = Math.max(room.seq, messages.at(-1)?.seq ?? 0);
  return messages.length < count ? fill(words.ending.part, { held: messages.length, count }) : '';
}

/** A name for a file about `topic`, on every system. */
export function fileNameOf(topic) {
  const name = topic.replace(NOT_IN_A_NAME, ' ').replace(/\s+/g, ' ').replace(/^[ .]+/, '');
  const short = Array.from(name).slice(0, MAX_NAME).join('').replace(/[ .]+$/, '');
  return `${short || words.room.untitled}.md`;
}

/** Who said something, in the order of their first words. */
export function authorsOf(messages) {
  return [...new Set(messages.map(({ user }) => user))];
}

/** "asha and bilal spoke." */
export function spokeIn(names) {
  return fill(words.ending.spoke, { names: listOf(names), count: names.length });
}

export function asMarkdown(room, messages) {
  const { title, ...facts } = factsOf(room, messages);
  const lines = Object.values(facts).filter(Boolean);
  const head = `# ${escaped(title)}\n${lines.map((line) => `\n${escaped(line)}\n`).join('')}`;
  return [head, ...messages.map((message) => messageAsMarkdown(message, messages))].join('\n');
}

function messageAsMarkdown({ user, at, text, reply, taken_back: isTakenBack }, messages) {
  const said = isTakenBack ? `*${words.feed.takenBack}*` : linesOf(text).map(escaped).join('\\\n');
  const quote = reply ? `> ${escaped(quoteOf(reply, messages))}\n\n` : '';
  return `**${escaped(user)}** ${escaped(timeOfDay(at))}\n\n${quote}${said}\n`;
}

/** One line of text as Markdown that shows just that. Addresses of pages become links, as in the feed. */
function escaped(line) {
  const shown = partsOf(line, []).map(({ kind, words }) => AS_MARKDOWN[kind](words));
  // What means something at the beginning of a line. An empty line would end the paragraph.
  return shown
    .join('')
    .replace(/^\s+|^$/, (spaces) => '\u00a0'.repeat(spaces.length || 1))
    .replace(/^[#+=-]/, '\\$&')
    .replace(/^(\d+)([.)])/, '$1\\$2');
}

function escapedInline(text) {
  return text.replace(/[\\\x60*_[\]<>&~|$]/g, '\\$&').replace(/(www)(\.)/gi, '$1\\$2');
}

/** The first line of what a reply answers to. */
export function quoteOf(seq, messages) {
  const quoted = messageAt(messages, seq);
  if (!quoted) return words.feed.earlierMessage;
  const said = quoted.taken_back ? words.feed.takenBack : linesOf(quoted.text)[0];
  return fill(words.feed.said, { user: quoted.user, text: said });
}

function linesOf(text) {
  return text.split(LINE_END);
}
