/**
 * The foot of a room: where one writes; and what stands there for who listens (three quiet signals, asking for a seat,
 * waiting for it).
 *
 * What one writes, and what it replies to, is kept over a reload, a reconnect and the loss of one's seat.
 */

import { ask, command } from './connection.js';
import { messageAt } from './discussion.js';
import { QuotedMessage, completions, unfinishedMention } from './feed.js';
import { draftName, keep, kept, pitchDraftName, showsWriting } from './kept.js';
import { PersonFace, isGuest, isInComposition, nameOf } from './parts.js';
import { SECOND, fill, limits, placeInWords, reasonOf, words } from './words.js';

export const SIGNS = { agree: '👏', say_more: '👂', off_topic: '🧭' };
const COUNT_FROM = 0.9 * limits.maxText;
// Often enough that others see it goes on, seldom enough to cost nothing.
const SAY_WRITING_EVERY = 3 * SECOND;

// Listening

/** The signals: how it feels to listen, as all see it for a minute. Small chips; the one that was given says its name. */
const RoomPulse = {
  name: 'RoomPulse',
  template: /* html */ `
    <div class="pulse" role="group" :aria-label="words.pulse.title">
      <button v-for="{ mood, sign, name, label, count } in moods" :key="mood" class="chip" :class="{ 'chip--on': given === mood }"
        :aria-label="label" :title="name" :aria-disabled="isResting ? true : undefined" @click="give(mood)">
        <span aria-hidden="true">{{ sign }}</span>
        <span v-if="given === mood">{{ name }}</span>
        <span v-if="count">{{ count }}</span>
      </button>
    </div>`,
  props: {
    room: String,
    pulse: Object, // mood → how many gave it in the last minute
  },
  emits: ['tell'],

  data: () => ({
    given: null, // the mood that this person gave just now
    isResting: false, // it is too soon for another
  }),

  computed: {
    moods() {
      return limits.moods.map((mood) => {
        const name = words.pulse[mood];
        const count = this.pulse[mood];
        return { mood, name, count, sign: SIGNS[mood], label: count ? fill(words.pulse.count, { name, count }) : name };
      });
    },
  },

  beforeUnmount() {
    clearTimeout(this.timer);
  },

  methods: {
    async give(mood) {
      if (this.isResting) return;
      this.given = mood;
      this.restFor(limits.pulseEvery);
      const answer = await ask('pulse', { room: this.room, mood });
      if (answer.ok) return;
      this.given = null;
      this.restFor((answer.retry_after ?? 0) * SECOND);
      this.$emit('tell', reasonOf(answer));
    },

    restFor(milliseconds) {
      clearTimeout(this.timer);
      this.isResting = true;
      this.timer = setTimeout(() => Object.assign(this, { given: null, isResting: false }), milliseconds);
    },
  },
};

export const AskToSpeak = {
  name: 'AskToSpeak',
  template: /* html */ `
    <div class="asking">
      <template v-if="place">
        <blockquote v-if="pitch" class="asking__pitch" dir="auto">{{ pitch }}</blockquote>
        <p class="asking__place" role="status" tabindex="-1">
          <b>{{ placeInWords(place) }}</b> <span class="muted">{{ allSeatsTaken || words.asking.keepsPlace }}</span>
        </p>
      </template>
      <form v-else-if="isAsking && !silence" class="asking__form" @submit.prevent="request" @keydown.escape="onEscape">
        <label class="field">
          <span class="field__name">{{ words.asking.pitch }}</span>
          <span id="pitch-hint" class="field__hint">{{ allSeatsTaken || fill(words.asking.hint, { user: view.host }) }}</span>
          <textarea v-grow ref="pitch" v-model="draft" rows="1" autocomplete="off" dir="auto" enterkeyhint="send"
            :aria-label="words.asking.pitch" aria-describedby="publish pitch-hint pitch-count"
            @keydown.enter.exact.prevent="onEnter"></textarea>
        </label>
        <p v-if="view.publish" id="publish" class="asking__publish">{{ words.asking.publish }}</p>
        <div class="asking__foot">
          <p id="pitch-count" class="field__count" :class="{ refusal: isTooLong }">{{ count }}</p>
          <button type="button" class="button button--quiet" @click="stop">{{ words.asking.cancel }}</button>
          <button class="button button--main" :disabled="isTooLong">{{ words.asking.ask }}</button>
        </div>
      </form>
      <div v-show="place || !isAsking || silence" class="listening" :class="{ 'listening--guest': isGuest }">
        <room-pulse v-if="!isGuest" :room="view.id" :pulse="view.pulse" @tell="(sentence) => $emit('tell', sentence)"></room-pulse>
        <button v-if="place" class="button" @click="withdraw">{{ words.asking.neverMind }}</button>
        <p v-else-if="silence" class="listening__how">{{ silence }}</p>
        <template v-else>
          <p class="listening__how">{{ fill(words.asking.how, { user: view.host }) }}</p>
          <button ref="ask" class="button button--main" @click="begin">{{ words.asking.ask }}</button>
        </template>
      </div>
    </div>`,
  components: { RoomPulse },
  props: {
    view: Object,
    user: String,
    place: Number, // in the queue; none for who only listens
    pitch: String, // what one asked with
    silence: String, // why one can only listen; empty for who may ask
    asks: Boolean, // came to ask: from a card, or by a link that carries the wish
  },
  emits: ['tell', 'place', 'pitch'],

  data() {
    // Words that were not let in while one was elsewhere are there for another time.
    const draft = kept(pitchDraftName(this.user, this.view.id), this.place ? '' : this.pitch);
    return { isAsking: this.asks || draft !== '', draft };
  },

  computed: {
    isGuest() {
      return isGuest(this.user);
    },
    length() {
      return Array.from(this.draft.trim()).length;
    },
    count() {
      return fill(words.writing.count, { length: this.length, most: limits.maxPitch });
    },
    isTooLong() {
      return this.length > limits.maxPitch;
    },
    allSeatsTaken() {
      const { seats, speakers } = this.view;
      return speakers.length < seats ? '' : fill(words.asking.allSeatsTaken, { count: seats });
    },
  },

  watch: {
    place(place) {
      if (place) this.isAsking = false;
      // Who withdrew, or was not let in this time, has the words for another.
      else if (this.pitch) {
        this.draft = this.pitch;
        this.$emit('pitch', '');
      }
    },
    draft(text) {
      keep(pitchDraftName(this.user, this.view.id), text);
    },
  },

  mounted() {
    if (this.isAsking && !this.place) this.$refs.pitch?.focus();
  },

  methods: {
    placeInWords,

    async begin() {
      this.isAsking = true;
      await this.$nextTick();
      this.$refs.pitch.focus();
    },

    async stop() {
      this.isAsking = false;
      await this.$nextTick();
      this.$refs.ask.focus();
    },

    onEscape(event) {
      if (isInComposition(event)) return;
      event.preventDefault();
      this.stop();
    },

    onEnter(event) {
      if (!isInComposition(event)) this.request();
    },

    async request() {
      if (this.isTooLong) return;
      const pitch = this.draft.trim();
      const answer = await command('request', { room: this.view.id, pitch: pitch || undefined });
      if (!answer.ok) return this.$emit('tell', reasonOf(answer));
      this.draft = '';
      this.$emit('pitch', pitch);
      this.$emit('place', answer.place);
    },

    async withdraw() {
      const answer = await command('withdraw', { room: this.view.id });
      // Forbidden is what it is to who does not wait any more: they have withdrawn in another tab.
      if (!answer.ok && answer.code !== 'forbidden') return this.$emit('tell', reasonOf(answer));
      this.$emit('place', null);
    },
  },
};

// Writing

const replyName = (user, room) => `reply ${user} ${room}`;

/** Whether the keyboard is on the screen: it covers the feed, and its Enter makes a new line. */
export const hasTouchKeyboard = () => matchMedia('(pointer: coarse)').matches;

export const MessageForm = {
  name: 'MessageForm',
  template: /* html */ `
    <form class="composer" @submit.prevent="say">
      <p v-if="pitch && draft === pitch" class="composer__let-in" role="status"><b>{{ words.writing.letIn }}</b> {{ words.writing.yourWords }}</p>
      <p v-else-if="mustKnow" class="composer__let-in muted" role="status">{{ words.asking.publish }}</p>
      <div v-if="reply" class="composer__reply">
        <span class="visually-hidden">{{ words.feed.inReplyTo }}</span>
        <quoted-message :message="quoted"></quoted-message>
        <button type="button" class="button button--icon" :aria-label="words.writing.dropReply" @click="dropReply">
          <page-icon name="close"></page-icon>
        </button>
      </div>
      <ul v-if="offered.length" id="offered" class="composer__offered" role="listbox" :aria-label="words.writing.mention">
        <li v-for="(user, index) in offered" :id="'offered-' + index" :key="user" role="option"
          :aria-selected="index === active" @pointerdown.prevent @click="take(user)"><person-face :name="user"></person-face><person-name :user="user"></person-name></li>
      </ul>
      <textarea v-grow ref="writing" :value="draft" :aria-label="words.writing.message" aria-describedby="count"
        aria-autocomplete="list" :aria-controls="offered.length ? 'offered' : null"
        :aria-activedescendant="active < 0 ? null : 'offered-' + active"
        :placeholder="placeholder" rows="1" dir="auto" enterkeyhint="enter"
        @input="onInput" @keydown="onKey" @click="findMention" @blur="mention = null"></textarea>
      <button class="button button--main button--icon composer__send" :aria-label="words.writing.send" :title="words.writing.send" :disabled="isTooLong">
        <page-icon name="send"></page-icon>
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
    /** Whether one has a seat here without having asked, as in a room that goes on, and has not spoken yet. */
    mustKnow() {
      const { user, view, messages } = this.discussion;
      return view.publish && view.host !== user && !messages.some((message) => message.user === user);
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
    /** What one asked to add stands there, selected: to be sent as it is, or written over. Not where Enter is a letter. */
    async offerPitch(pitch, before) {
      // Said in another tab.
      if (!pitch && before && this.draft === before) this.draft = '';
      if (!pitch || this.draft.trim()) return;
      this.draft = pitch;
      await this.$nextTick();
      this.focus();
      this.$refs.writing.setSelectionRange(hasTouchKeyboard() ? pitch.length : 0, pitch.length);
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

    async take(user) {
      const name = nameOf(user);
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
      // Who was writing does not mean to leave.
      else if (key === 'Escape' && this.draft.trim()) this.$refs.writing.blur();
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
