/**
 * What stands there when the room is over, for those who were inside: why it ended, how to carry on, what one was writing,
 * and a copy of the discussion to save, as long as the party has it and as long as this page is open. What people wrote stays
 * text there too: it can make no heading, link or list, and no line that looks like another person's.
 */

import { ASK_WITHIN_MS, messageAt } from './discussion.js';
import { partsOf } from './feed.js';
import { draftName, kept, pitchDraftName } from './kept.js';
import { isGuest, namesOf, naming } from './parts.js';
import { MINUTE, dateOf, fill, reasonOf, timeOfDay, words } from './words.js';

// Safari reads a download's address only some time after the click.
const REVOKE_AFTER_MS = MINUTE;
const LINE_END = /\r\n|[\n\r\v\f\u0085\u2028\u2029]/;
// What no file name may hold somewhere, or what would make it look like another. (The joiner of emoji may stay.)
const NOT_IN_A_NAME = /(?!\u200d)[\p{C}\p{Zl}\p{Zp}"*/:<>?\\|]+/gu;
// Most systems allow 255 bytes, of which a character takes up to four.
const MAX_NAME = 60;
// By kind of a part of a text; there are no mentions without names.
const AS_MARKDOWN = { text: escapedInline, link: (address) => `<${address}>`, code: (code) => code };

// The copy of the discussion

/** What is said of the discussion as a whole: `{ title, date, people, part }`. `room` is a room view. */
function factsOf(room, messages, unread) {
  const { topic, host, opened_at: openedAt } = room;
  const others = authorsOf(messages).filter((user) => user !== host);
  return {
    title: topic,
    date: `${dateOf(openedAt)}, ${timeOfDay(openedAt)}`,
    people: [fill(words.ending.hosted, { user: host }), ...(others.length ? [spokeIn(others)] : [])].join(' '),
    part: partIn(room, messages, unread),
  };
}

/** That these are not all messages of the discussion; empty when they are. A guest may not read those up to `unread`. */
function partIn(room, messages, unread = 0) {
  const count = Math.max(room.seq, messages.at(-1)?.seq ?? 0);
  if (messages.length < count - unread) return fill(words.ending.part, { held: messages.length, count });
  return unread ? words.guest.since : '';
}

/** A name for a file about `topic`, on every system. */
export function fileNameOf(topic) {
  const name = topic.replace(NOT_IN_A_NAME, ' ').replace(/\s+/g, ' ').replace(/^[ .]+/, '');
  const short = Array.from(name).slice(0, MAX_NAME).join('').replace(/[ .]+$/, '');
  return `${short || words.room.untitled}.md`;
}

/** Who said something, in the order of their first words. */
function authorsOf(messages) {
  return [...new Set(messages.map(({ user }) => user))];
}

/** "asha and bilal spoke." */
function spokeIn(users) {
  return fill(words.ending.spoke, { names: namesOf(users), count: users.length });
}

export function asMarkdown(room, messages, unread) {
  const { title, ...facts } = factsOf(room, messages, unread);
  const lines = Object.values(facts).filter(Boolean);
  const head = `# ${escaped(title)}\n${lines.map((line) => `\n${escaped(line)}\n`).join('')}`;
  return [head, ...messages.map((message) => messageAsMarkdown(message, messages))].join('\n');
}

function messageAsMarkdown({ user, at, text, reply, taken_back: isTakenBack }, messages) {
  const said = isTakenBack ? `*${words.feed.takenBack}*` : linesOf(text).map(escaped).join('\\\n');
  const quote = reply ? `> ${escaped(quoteOf(reply, messages))}\n\n` : '';
  return `**${escaped(naming(user))}** ${escaped(timeOfDay(at))}\n\n${quote}${said}\n`;
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
function quoteOf(seq, messages) {
  const quoted = messageAt(messages, seq);
  if (!quoted) return words.feed.earlierMessage;
  const said = quoted.taken_back ? words.feed.takenBack : linesOf(quoted.text)[0];
  return fill(words.feed.said, { user: naming(quoted.user), text: said });
}

function linesOf(text) {
  return text.split(LINE_END);
}

// What is seen

/** The whole discussion, for the printer alone: the feed renders only a part. */
const PrintedDiscussion = {
  name: 'PrintedDiscussion',
  template: /* html */ `
    <teleport to="body">
      <article class="printed">
        <h1 dir="auto">{{ facts.title }}</h1>
        <p>{{ facts.date }}</p>
        <p>{{ facts.people }}</p>
        <p v-if="facts.part">{{ facts.part }}</p>
        <section v-for="message in messages" :key="message.seq" class="printed__message">
          <p><b><bdi>{{ naming(message.user) }}</bdi></b> <time>{{ timeOfDay(message.at) }}</time></p>
          <blockquote v-if="message.reply" dir="auto">{{ quoteOf(message.reply, messages) }}</blockquote>
          <p v-if="message.taken_back"><i>{{ words.feed.takenBack }}</i></p>
          <p v-else class="printed__text" dir="auto">{{ message.text }}</p>
        </section>
      </article>
    </teleport>`,
  props: { view: Object, messages: Array, unread: Number },
  computed: {
    facts() {
      return factsOf(this.view, this.messages, this.unread);
    },
  },
  methods: { naming, quoteOf, timeOfDay },
};

export const RoomEnding = {
  name: 'RoomEnding',
  template: /* html */ `
    <section class="ending">
      <p ref="reason" class="ending__reason" role="status" tabindex="-1">
        {{ reason }} <span v-if="facts" class="muted">{{ facts }}</span>
      </p>
      <label v-if="draft" class="field">
        <span class="field__name">{{ words.ending.youWereWriting }}</span>
        <textarea v-grow :value="draft" readonly rows="1" dir="auto"></textarea>
      </label>
      <room-publishing v-if="isMeant && (!isGone || view.published)" :discussion="discussion"
        @tell="(sentence) => $emit('tell', sentence)"></room-publishing>
      <room-worth v-if="view?.closed && !isGone && !isGuest" :room="discussion.id" :user="discussion.user"></room-worth>
      <template v-if="isGuest"></template>
      <template v-else-if="view?.closed">
        <button v-if="view.continued_in" class="button button--main button--wide" @click="$emit('go', view.continued_in)">
          {{ words.ending.goOn }}
        </button>
        <button v-else-if="!isGone" class="button button--main button--wide" @click="$emit('carry-on')">
          {{ words.ending.carryOn }}
        </button>
      </template>
      <button v-else-if="!messages.length" class="button button--main button--wide" @click="$emit('leave')">
        {{ words.ending.toTheLobby }}
      </button>
      <p v-if="part && (isGone || isWhole)" class="muted">{{ part }}</p>
      <div v-if="messages.length" class="ending__foot">
        <p v-if="isGone" class="muted" role="status">{{ words.ending.gone }}</p>
        <p v-else-if="view?.gone_at" class="muted">{{ readableUntil }}</p>
        <button class="button" @click="print">{{ words.ending.print }}</button>
        <button class="button" @click="download">{{ words.ending.saveCopy }}</button>
      </div>
      <printed-discussion v-if="isPrinting && view" :view="view" :messages="messages" :unread="discussion.unread"></printed-discussion>
    </section>`,
  components: { PrintedDiscussion },
  props: { discussion: Object, now: Number },
  emits: ['carry-on', 'go', 'leave', 'tell'],

  data() {
    const { user, id } = this.discussion;
    return {
      draft: kept(draftName(user, id), kept(pitchDraftName(user, id), '')),
      isPrinting: false,
      isMeant: false, // to be published, or it was until the host said no
    };
  },

  computed: {
    view() {
      return this.discussion.view;
    },
    messages() {
      return this.discussion.messages;
    },
    isGuest() {
      return isGuest(this.discussion.user);
    },
    reason() {
      const { absence } = this.discussion;
      const isLost = this.messages.length && absence?.code === 'not_found';
      if (!this.view?.closed && this.isGuest) return words.guest.ended;
      if (!this.view?.closed) return isLost ? words.ending.lost : reasonOf(absence);
      return fill(words.ending[this.view.closed], { user: this.view.host });
    },
    /** "30 minutes, 64 messages, 9 voices." */
    facts() {
      if (!this.view?.closed_at) return '';
      const { opened_at: openedAt, closed_at: closedAt, seq } = this.view;
      const facts = [fill(words.ending.lasted, { count: Math.max(1, Math.round((closedAt - openedAt) / MINUTE)) })];
      if (seq) facts.push(fill(words.ending.messages, { count: seq }));
      if (seq && !this.part) facts.push(fill(words.ending.voices, { count: authorsOf(this.messages).length }));
      return facts.join(words.people.comma);
    },
    readableUntil() {
      return fill(words.lobby.readableUntil, { time: timeOfDay(this.view.gone_at) });
    },
    isGone() {
      return this.discussion.absence?.code === 'not_found' || (this.view?.gone_at && this.now >= this.view.gone_at);
    },
    /** Whether the page holds all that one may read. */
    isWhole() {
      return this.part === words.guest?.since;
    },
    /** That messages are missing, as a sentence; empty when all are held. */
    part() {
      return this.view ? partIn(this.view, this.messages, this.discussion.unread) : '';
    },
  },

  watch: {
    'view.publishes_at': {
      immediate: true,
      handler(at) {
        this.isMeant ||= Boolean(at);
      },
    },
    // The party can forget the room at any time: the page takes what it lacks, as soon as it can.
    'discussion.isCurrent': {
      immediate: true,
      handler(isCurrent) {
        clearTimeout(this.takeTimer);
        if (isCurrent) this.takeTimer = setTimeout(this.take, Math.random() * ASK_WITHIN_MS);
      },
    },
  },

  mounted() {
    // Where one wrote is gone, and the focus with it.
    if (document.activeElement === document.body) this.$refs.reason.focus();
    addEventListener('beforeprint', this.showPrinted);
    addEventListener('afterprint', this.hidePrinted);
  },

  beforeUnmount() {
    clearTimeout(this.takeTimer);
    removeEventListener('beforeprint', this.showPrinted);
    removeEventListener('afterprint', this.hidePrinted);
  },

  methods: {
    take() {
      this.taking ??= this.discussion.fetchAll().finally(() => (this.taking = null));
      return this.taking;
    },

    /** Whether the page has all that there is to have. Says why when it has not. */
    async hasAll() {
      const isPart = () => this.part && !this.isWhole && !this.isGone;
      const answer = isPart() ? await this.take() : { ok: true };
      await this.$nextTick();
      if (!isPart()) return true;
      this.$emit('tell', answer.ok ? words.connection.notAnswering : reasonOf(answer));
      return false;
    },

    async download() {
      if (!(await this.hasAll())) return;
      const text = asMarkdown(this.view, this.messages, this.discussion.unread);
      const link = document.createElement('a');
      link.href = URL.createObjectURL(new Blob([text], { type: 'text/markdown;charset=utf-8' }));
      link.download = fileNameOf(this.view.topic);
      link.click();
      setTimeout(URL.revokeObjectURL, REVOKE_AFTER_MS, link.href);
    },

    async print() {
      if (!(await this.hasAll())) return;
      // The browser draws what it prints before Vue could answer to its event.
      this.showPrinted();
      await this.$nextTick();
      print();
    },

    showPrinted() {
      this.isPrinting = true;
    },

    hidePrinted() {
      this.isPrinting = false;
    },
  },
};
