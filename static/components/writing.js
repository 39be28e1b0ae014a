/**
 * Where a message is written. The draft, and what it replies to, are kept over a reload, a reconnect and the loss of
 * one's seat.
 */

import { messageAt } from './feed.js';
import { completions, unfinishedMention } from './mentions.js';
import { QuotedMessage } from './message.js';
import { draftName, keep, kept } from '../kept.js';
import { limits } from '../limits.js';
import { fill, words } from '../words/words.js';

const COUNT_FROM = 0.9 * limits.maxText;
// What a key event says while an input method is at work; Safari says nothing else for the Enter that ends it.
const IN_COMPOSITION = 229;

const replyName = (user, room) => `reply ${user} ${room}`;

/** Whether the keyboard is on the screen: it covers the feed, and its Enter makes a new line. */
export const hasTouchKeyboard = () => matchMedia('(pointer: coarse)').matches;

export const MessageForm = {
  template: '#writing-template',
  components: { QuotedMessage },
  props: {
    room: String,
    user: String,
    people: Array, // who can be mentioned
    messages: Array,
  },
  emits: ['say'],

  data() {
    return {
      draft: kept(draftName(this.user, this.room), ''),
      reply: kept(replyName(this.user, this.room)), // the seq that it answers to, or null
      mention: null, // the letters of the mention that is being written
      active: -1, // the place of the name that Enter would take
    };
  },

  computed: {
    length() {
      return Array.from(this.draft).length;
    },
    count() {
      return this.length > COUNT_FROM ? fill(words.writing.count, { length: this.length, most: limits.maxText }) : '';
    },
    isTooLong() {
      return this.length > limits.maxText;
    },
    quoted() {
      return messageAt(this.messages, this.reply);
    },
    offered() {
      if (this.mention === null) return [];
      return completions(this.mention, this.people.filter((name) => name !== this.user));
    },
    offeredInWords() {
      return this.offered.length ? fill(words.writing.offered, { count: this.offered.length }) : '';
    },
  },

  watch: {
    draft(text) {
      keep(draftName(this.user, this.room), text);
    },
    reply(seq) {
      keep(replyName(this.user, this.room), seq);
    },
  },

  methods: {
    say() {
      const text = this.draft.trim();
      if (!text || this.isTooLong) return;
      this.$emit('say', { text, reply: this.reply ?? undefined });
      this.draft = '';
      this.reply = null;
      this.mention = null;
    },

    replyTo({ seq }) {
      this.reply = seq;
      this.focus();
    },

    dropReply() {
      this.reply = null;
      this.focus();
    },

    /** Gives words that were taken back a second chance, unless others are being written. */
    offer({ text, reply = null }) {
      if (!this.draft.trim()) Object.assign(this, { draft: text, reply });
      if (!hasTouchKeyboard()) this.focus();
    },

    // Not v-model: it waits for the end of a composition, and on a phone every word is one.
    onInput({ target }) {
      this.draft = target.value;
      this.findMention();
    },

    findMention() {
      const { value, selectionStart, selectionEnd } = this.$refs.writing;
      this.mention = selectionStart === selectionEnd ? unfinishedMention(value.slice(0, selectionStart)) : null;
      this.active = -1;
    },

    async take(name) {
      const { writing } = this.$refs;
      const end = writing.selectionStart;
      const start = end - this.mention.length;
      this.draft = `${this.draft.slice(0, start)}${name} ${this.draft.slice(end).replace(/^ /, '')}`;
      this.mention = null;
      await this.$nextTick();
      writing.setSelectionRange(start + name.length + 1, start + name.length + 1);
    },

    onKey(event) {
      if (event.isComposing || event.keyCode === IN_COMPOSITION) return;
      if (this.offered.length && this.onKeyOfOffer(event)) event.preventDefault();
      else if (event.key === 'Enter' && !event.shiftKey && !hasTouchKeyboard()) {
        event.preventDefault();
        this.say();
      }
    },

    /** Whether the key was for the names on offer. Enter is only after one was chosen: before that it sends. */
    onKeyOfOffer({ key, shiftKey }) {
      const { offered, active } = this;
      const moves = { ArrowDown: 1, ArrowUp: active < 0 ? 0 : -1 };
      if (key in moves) this.active = (active + moves[key] + offered.length) % offered.length;
      else if (key === 'Escape') this.mention = null;
      else if (key === 'Tab' && !shiftKey) this.take(offered[Math.max(active, 0)]);
      else if (key === 'Enter' && active >= 0) this.take(offered[active]);
      else return false;
      return true;
    },

    focus() {
      this.$refs.writing.focus();
    },
  },
};
