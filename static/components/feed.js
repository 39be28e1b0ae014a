/**
 * The feed of a room: which messages are held and which of them rendered, where it is scrolled to, and what a screen
 * reader says of it.
 */

import { FeedMessage } from './message.js';
import { MINUTE, SECOND, dayOf } from '../words/times.js';
import { fill, reasonOf, words } from '../words/words.js';

// Thousands of rendered messages make a phone slow; others come on demand.
const RENDERED = 300;
const STEP = 200;
// Whoever is this near to the end wants to stay there.
const PINNED_PX = 80;
// Messages of one person within this time stand together under one name.
const TOGETHER_MS = 5 * MINUTE;
// Long enough to find the message that was jumped to.
const MARKED_MS = 2 * SECOND;
// More at once is a catching up: nobody wants to hear it all.
const READ_OUT = 10;
// When it has been read out, it would only be there twice.
const READ_OUT_MS = 10 * SECOND;

/** Both lists as one, in the order of `seq`, each `seq` once. Messages are frozen: Vue need not watch them. */
export function merge(feed, arriving) {
  const fresh = arriving.map(Object.freeze);
  if (fresh.length === 1 && fresh[0].seq > (feed.at(-1)?.seq ?? 0)) return Object.freeze([...feed, ...fresh]);
  const bySeq = new Map([...feed, ...fresh].map((message) => [message.seq, message]));
  return Object.freeze([...bySeq.values()].sort((a, b) => a.seq - b.seq));
}

/** The last `seq` before which nothing is missing; null when there is none. */
export function heldUpTo(feed) {
  const gap = feed.findIndex((message, index) => message.seq !== feed[0].seq + index);
  return feed.at(gap === -1 ? -1 : gap - 1)?.seq ?? null;
}

/** The message `seq`, undefined when it is not held. */
export function messageAt(feed, seq) {
  const expected = feed[seq - feed[0]?.seq];
  return expected?.seq === seq ? expected : feed.find((message) => message.seq === seq);
}

/** The messages from the seq `from` to `to`. Looks from the end, where it usually is: the feed can be long. */
function between(feed, from, to) {
  const end = feed.findLastIndex(({ seq }) => seq <= to) + 1;
  const start = feed.findLastIndex(({ seq }) => seq < from) + 1;
  return feed.slice(start, end);
}

/** The feed after the messages `seqs` were taken back. */
export function withoutWords(feed, seqs) {
  const gone = new Set(seqs);
  if (!feed.some(({ seq }) => gone.has(seq))) return feed;
  const without = (message) => Object.freeze({ ...message, text: '', taken_back: true });
  return Object.freeze(feed.map((message) => (gone.has(message.seq) ? without(message) : message)));
}

function stateOf({ seq, refusal }) {
  if (seq) return 'sent';
  return refusal ? 'notSent' : 'sending';
}

export const Feed = {
  template: '#feed-template',
  components: { FeedMessage },
  props: {
    messages: Array,
    unsent: Array,
    user: String,
    people: Array, // who has a seat
    isCurrent: Boolean,
    mayReply: Boolean,
    mayTakeBack: Number, // the seq of one's own message that can still be taken back
    fetchEarlier: Function, // gives a promise of whether there were any
  },
  emits: ['again', 'discard', 'reply', 'take-back'],

  data: () => ({
    from: 0, // the first and the last seq to render
    to: Infinity,
    isPinned: true,
    unseen: 0,
    marked: null, // the seq that was jumped to
    readOut: [], // what a screen reader should say
  }),

  computed: {
    rows() {
      const rendered = between(this.messages, this.from, this.to);
      const shown = this.to === Infinity ? [...rendered, ...this.unsent] : rendered;
      return shown.map((message, index) => this.rowOf(message, shown[index - 1], index === shown.length - 1));
    },
    last() {
      return this.messages.at(-1)?.seq ?? 0;
    },
    newest() {
      return this.unseen ? fill(words.feed.unseen, { count: this.unseen }) : words.feed.newest;
    },
    hasEarlier() {
      const first = this.messages[0]?.seq ?? 1;
      return Math.max(first, this.from) > 1;
    },
    /** Whom a mention can mean. The same list as before if it says the same, else every message would render again. */
    names(_, before) {
      const names = [...new Set([this.user, ...this.people, ...this.messages.map(({ user }) => user)])].sort();
      return String(names) === String(before) ? before : names;
    },
  },

  watch: {
    messages(messages, before) {
      const last = before.at(-1)?.seq ?? 0;
      const fresh = messages.slice(messages.findLastIndex(({ seq }) => seq <= last) + 1);
      const others = fresh.filter(({ user }) => user !== this.user);
      this.sayNew(others);
      // Words that were taken back go from there too.
      const isGone = ({ id }) => messageAt(messages, id)?.taken_back;
      if (this.readOut.some(isGone)) this.readOut = this.readOut.filter((sentence) => !isGone(sentence));
      // Before rendering moves the end: a scroll event may still be on its way.
      if (this.isPinned) this.onScroll();
      if (this.isPinned) this.from = this.last - RENDERED + 1;
      else this.unseen += others.length;
    },
    isCurrent() {
      // What was there when one came in is history.
      this.oldUpTo ??= this.last;
    },
    'unsent.length'(length, before) {
      if (length > before) this.showNewest();
    },
  },

  mounted() {
    // Also when a keyboard opens, or a message grows by its actions.
    this.sizes = new ResizeObserver(() => this.isPinned && this.scrollToEnd());
    this.sizes.observe(this.$refs.log);
    this.sizes.observe(this.$refs.list);
  },

  beforeUpdate() {
    if (this.isPinned) return;
    const { log } = this.$refs;
    this.fromEnd = log.scrollHeight - log.scrollTop;
    this.firstKey = this.firstKeyNow();
  },

  updated() {
    const { log } = this.$refs;
    if (!this.isPinned && this.firstKey !== this.firstKeyNow()) log.scrollTop = log.scrollHeight - this.fromEnd;
  },

  beforeUnmount() {
    this.sizes.disconnect();
    clearTimeout(this.markTimer);
    clearTimeout(this.readOutTimer);
  },

  methods: {
    rowOf(message, before, isLast) {
      const isNewDay = !before || new Date(before.at).getDate() !== new Date(message.at).getDate();
      return {
        // The same before and after it was sent, so that the row stays and only its state changes.
        id: `${message.user} ${message.key ?? message.seq}`,
        message,
        quoted: message.reply && messageAt(this.messages, message.reply),
        follows: !isNewDay && !message.reply && before.user === message.user && message.at - before.at < TOGETHER_MS,
        day: isNewDay ? dayOf(message.at) : undefined,
        state: stateOf(message),
        reason: message.refusal && reasonOf(message.refusal),
        isLast,
      };
    },

    async showEarlier() {
      this.isPinned = false;
      const first = this.messages[0].seq;
      this.from = Math.max(this.from, first) - STEP;
      if (this.from < first && first > 1) await this.fetchEarlier();
    },

    async showNewest() {
      this.isPinned = true;
      this.unseen = 0;
      this.from = this.last - RENDERED + 1;
      this.to = Infinity;
      await this.$nextTick();
      this.scrollToEnd();
    },

    /** Shows the message that a reply answers to, and the way back. */
    async jumpTo(seq) {
      this.isPinned = false;
      while (this.messages[0].seq > seq && (await this.fetchEarlier()));
      if (!messageAt(this.messages, seq)) return this.onScroll();
      if (seq < this.from || seq > this.to) this.showAround(seq);
      this.marked = seq;
      await this.$nextTick();
      const row = this.$refs.list.querySelector(`[data-seq="${seq}"]`);
      row.scrollIntoView({ block: 'center' });
      row.focus({ preventScroll: true });
      this.onScroll();
      clearTimeout(this.markTimer);
      this.markTimer = setTimeout(() => (this.marked = null), MARKED_MS);
    },

    showAround(seq) {
      this.from = seq - RENDERED / 2;
      this.to = seq + RENDERED / 2;
      if (this.to >= this.last) this.to = Infinity;
    },

    onScroll() {
      const { log } = this.$refs;
      const isNearEnd = log.scrollHeight - log.scrollTop - log.clientHeight < PINNED_PX;
      // A keyboard that opens moves the end away as well, but only a person scrolls up.
      const stays = this.isPinned && log.scrollTop >= this.scrollTop;
      this.scrollTop = log.scrollTop;
      this.isPinned = (isNearEnd || stays) && this.to === Infinity;
      if (this.isPinned) this.unseen = 0;
      else if (isNearEnd) this.to = this.to + STEP < this.last ? this.to + STEP : Infinity;
    },

    scrollToEnd() {
      const { log } = this.$refs;
      log.scrollTop = log.scrollHeight;
      this.scrollTop = log.scrollTop;
    },

    /** From message to message. */
    onArrow(event) {
      const row = event.target.closest('.message');
      const next = event.key === 'ArrowUp' ? row.previousElementSibling : row.nextElementSibling;
      if (!next) return;
      event.preventDefault();
      next.focus();
    },

    firstKeyNow() {
      return this.$refs.list.firstElementChild?.dataset.key;
    },

    /** The feed itself is no live region: a screen reader would say buttons and times, earlier messages and one's own. */
    sayNew(messages) {
      const fresh = messages.filter((message) => message.seq > this.oldUpTo && !message.taken_back);
      if (!fresh.length) return;
      const isMuch = fresh.length > READ_OUT;
      const sentences = isMuch ? [fill(words.feed.manyNew, { count: fresh.length })] : fresh.map(this.sentenceOf);
      const { seq } = fresh[0];
      this.readOut = [...this.readOut, ...sentences.map((words, index) => ({ id: seq + index, words }))];
      clearTimeout(this.readOutTimer);
      this.readOutTimer = setTimeout(() => (this.readOut = []), READ_OUT_MS);
    },

    sentenceOf({ user, text }) {
      return fill(words.feed.said, { user, text });
    },
  },
};
