/**
 * Where a message is written. The draft, and what it replies to, are kept over a reload, a reconnect and the loss of
 * one's seat.
 */

import { ask } from './connection.js';
import { messageAt } from './discussion.js';
import { PersonFace } from './faces.js';
import { QuotedMessage } from './feed.js';
import { draftName, keep, kept, showsWriting } from './kept.js';
import { completions, unfinishedMention } from './text.js';
import { SECOND, fill, limits, words } from './words.js';

const COUNT_FROM = 0.9 * limits.maxText;
// What a key event says while an input method is at work; Safari says nothing else for the Enter that ends it.
const IN_COMPOSITION = 229;
// Often enough that others see it goes on, seldom enough to cost nothing.
const SAY_WRITING_EVERY = 3 * SECOND;

const replyName = (user, room) => `reply ${user} ${room}`;

/** Whether the keyboard is on the screen: it covers the feed, and its Enter makes a new line. */
export const hasTouchKeyboard = () => matchMedia('(pointer: coarse)').matches;

/** Whether the key was for an input method: it chose, or dropped, the letters that it offers. */
export const isInComposition = (event) => event.isComposing || event.keyCode === IN_COMPOSITION;

export const MessageForm = {
  template: /* html */ `
    <form class="composer" @submit.prevent="say">
      <p v-if="pitch && draft === pitch" class="composer__let-in" role="status"><b>{{ words.writing.letIn }}</b> {{ words.writing.yourWords }}</p>
      <div v-if="reply" class="composer__reply">
        <span class="visually-hidden">{{ words.feed.inReplyTo }}</span>
        <quoted-message :message="quoted"></quoted-message>
        <button type="button" class="button button--icon" :aria-label="words.writing.dropReply" @click="dropReply">
          <svg class="icon" viewBox="0 0 24 24" aria-hidden="true"><path d="M6 6l12 12M18 6L6 18" /></svg>
        </button>
      </div>
      <ul v-if="offered.length" id="offered" class="composer__offered" role="listbox" :aria-label="words.writing.mention">
        <li v-for="(name, index) in offered" :id="'offered-' + index" :key="name" role="option"
          :aria-selected="index === active" @pointerdown.prevent @click="take(name)"><person-face :name="name"></person-face><bdi>{{ name }}</bdi></li>
      </ul>
      <textarea ref="writing" :value="draft" :aria-label="words.writing.message" aria-describedby="count"
        aria-autocomplete="list" :aria-controls="offered.length ? 'offered' : null"
        :aria-activedescendant="active < 0 ? null : 'offered-' + active"
        :placeholder="placeholder" rows="1" dir="auto" enterkeyhint="enter"
        @input="onInput" @keydown="onKey" @click="findMention" @blur="mention = null"></textarea>
      <button class="button button--main button--icon composer__send" :aria-label="words.writing.send" :title="words.writing.send" :disabled="isTooLong">
        <svg class="icon" viewBox="0 0 24 24" aria-hidden="true"><path d="M12 19V5M6 11l6-6 6 6" /></svg>
      </button>
      <p id="count" class="field__count" :class="{ refusal: isTooLong }">{{ count }}</p>
      <p class="visually-hidden" role="status">{{ offeredInWords }}</p>
    </form>`,
  components: { PersonFace, QuotedMessage },
  props: {
    discussion: Object,
    people: Array, // who can be mentioned
    pitch: String, // what one asked to add, and has not said yet
    owesLastWord: Boolean,
    isAlone: Boolean,
  },
  emits: ['say'],

  data() {
    const { user, id } = this.discussion;
    return {
      draft: kept(draftName(user, id), ''),
      reply: kept(replyName(user, id)), // the seq that it answers to, or null
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
    placeholder() {
      const { lastWord, first, placeholder } = words.writing;
      if (this.owesLastWord) return lastWord;
      return this.isAlone ? first : placeholder;
    },
    quoted() {
      return messageAt(this.discussion.messages, this.reply);
    },
    offered() {
      if (this.mention === null) return [];
      return completions(this.mention, this.people.filter((name) => name !== this.discussion.user));
    },
    offeredInWords() {
      return this.offered.length ? fill(words.writing.offered, { count: this.offered.length }) : '';
    },
  },

  watch: {
    draft(text) {
      keep(draftName(this.discussion.user, this.discussion.id), text);
    },
    reply(seq) {
      keep(replyName(this.discussion.user, this.discussion.id), seq);
    },
    pitch: { handler: 'offerPitch', immediate: true },
  },

  methods: {
    /** What one asked to add stands there, selected: to be sent as it is, or written over. */
    async offerPitch(pitch) {
      if (!pitch || this.draft.trim()) return;
      this.draft = pitch;
      await this.$nextTick();
      this.focus();
      this.$refs.writing.select();
    },

    say() {
      const text = this.draft.trim();
      if (!text || this.isTooLong) return;
      this.$emit('say', { text, reply: this.reply ?? undefined });
      this.draft = '';
      this.reply = null;
      this.mention = null;
      this.saidWritingAt = 0;
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
      this.letSeeThatOneWrites();
    },

    /** Lets the others see that one writes, and nothing of what. */
    letSeeThatOneWrites() {
      const { isCurrent, id } = this.discussion;
      if (!this.draft.trim() || !isCurrent || !showsWriting() || Date.now() < (this.saidWritingAt ?? 0) + SAY_WRITING_EVERY) return;
      this.saidWritingAt = Date.now();
      ask('writing', { room: id });
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
      if (isInComposition(event)) return;
      if ((this.offered.length && this.onKeyOfOffer(event)) || this.onKeyOfForm(event)) event.preventDefault();
    },

    /** Whether the key was for the form. */
    onKeyOfForm({ key, shiftKey }) {
      if (key === 'Enter' && !shiftKey && !hasTouchKeyboard()) this.say();
      else if (key === 'Escape' && this.reply) this.dropReply();
      else return false;
      return true;
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
