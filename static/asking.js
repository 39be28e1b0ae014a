/** What stands where one could write, for who listens: three quiet signals, asking for a seat, and waiting for it. */

import { ask, command } from './connection.js';
import { keep, kept, pitchDraftName } from './kept.js';
import { SECOND, fill, limits, placeInWords, reasonOf, words } from './words.js';

const SIGNS = { agree: '👏', say_more: '👂', off_topic: '🧭' };

/** The signals: how it feels to listen, as all see it for a minute. Small chips; the one that was given says its name. */
const RoomPulse = {
  template: /* html */ `
    <div class="pulse" role="group" :aria-label="words.pulse.title">
      <button v-for="{ mood, sign, name, label, count } in moods" :key="mood" class="chip" :class="{ 'chip--on': given === mood }"
        :aria-label="label" :title="name" :aria-disabled="given ? true : undefined" @click="give(mood)">
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

  data: () => ({ given: null }), // the mood that this person gave just now

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
    clearTimeout(this.rest);
  },

  methods: {
    async give(mood) {
      if (this.given) return;
      this.restAfter(mood, limits.pulseEvery);
      const answer = await ask('pulse', { room: this.room, mood });
      if (answer.ok) return;
      if (answer.retry_after) this.restAfter(mood, answer.retry_after * SECOND);
      else this.restAfter(null, 0);
      this.$emit('tell', reasonOf(answer));
    },

    restAfter(mood, milliseconds) {
      clearTimeout(this.rest);
      this.given = mood;
      this.rest = setTimeout(() => (this.given = null), milliseconds);
    },
  },
};

export const AskToSpeak = {
  template: /* html */ `
    <div v-if="place" class="waiting">
      <blockquote v-if="pitch" class="waiting__pitch" dir="auto">{{ pitch }}</blockquote>
      <p role="status"><b>{{ placeInWords(place) }}</b> <span class="muted">{{ allSeatsTaken || words.asking.keepsPlace }}</span></p>
      <div class="listening">
        <room-pulse :room="view.id" :pulse="view.pulse" @tell="(sentence) => $emit('tell', sentence)"></room-pulse>
        <button class="button" @click="withdraw">{{ words.asking.neverMind }}</button>
      </div>
    </div>
    <form v-else-if="isAsking" class="asking" @submit.prevent="request" @keydown.escape.prevent="stop">
      <label class="field">
        <span class="field__name">{{ words.asking.pitch }}</span>
        <span id="pitch-hint" class="field__hint">{{ allSeatsTaken || fill(words.asking.hint, { user: view.host }) }}</span>
        <textarea ref="pitch" v-model="draft" rows="1" autocomplete="off" dir="auto" enterkeyhint="send"
          :aria-label="words.asking.pitch" aria-describedby="pitch-hint pitch-count" @keydown.enter.exact.prevent="onEnter"></textarea>
      </label>
      <div class="asking__foot">
        <p id="pitch-count" class="field__count" :class="{ refusal: isTooLong }">{{ count }}</p>
        <button type="button" class="button button--quiet" @click="stop">{{ words.asking.cancel }}</button>
        <button class="button button--main" :disabled="isTooLong">{{ words.asking.ask }}</button>
      </div>
    </form>
    <div v-else class="listening">
      <room-pulse :room="view.id" :pulse="view.pulse" @tell="(sentence) => $emit('tell', sentence)"></room-pulse>
      <p class="listening__how">{{ fill(words.asking.how, { user: view.host }) }}</p>
      <button ref="ask" class="button button--main" @click="begin">{{ words.asking.ask }}</button>
    </div>`,
  components: { RoomPulse },
  props: {
    view: Object,
    user: String,
    place: Number, // in the queue; none for who only listens
    pitch: String, // what one asked with
    asks: Boolean, // came to ask: from a card, or by a link that carries the wish
  },
  emits: ['tell', 'place', 'pitch'],

  data() {
    const draft = kept(pitchDraftName(this.user, this.view.id), '');
    return { isAsking: this.asks || draft !== '', draft };
  },

  computed: {
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
    place() {
      // Who was denied, or withdrew, starts afresh.
      if (this.place) this.isAsking = false;
    },
    draft(text) {
      keep(pitchDraftName(this.user, this.view.id), text);
    },
  },

  mounted() {
    if (this.isAsking && !this.place) this.$refs.pitch.focus();
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

    onEnter(event) {
      if (!event.isComposing) this.request();
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
      // What one wanted to say is not lost by taking the request back.
      this.draft = this.pitch;
      this.$emit('pitch', '');
      this.$emit('place', null);
    },
  },
};
