/** What is to be said and done near the end of a room. The room is there sooner without it. */

import { command } from './connection.js';
import { canGetMore, isClosingRound, seated } from './parts.js';
import { MINUTE, fill, reasonOf, words } from './words.js';

const WARNINGS = [1, 5]; // minutes before the end
// Nobody knows earlier whether the time will do.
const MORE_TIME_MS = 10 * MINUTE;

/** Warnings, last words, and the wish for more time. */
export const LastMinutes = {
  name: 'LastMinutes',
  template: /* html */ `
    <p v-if="isSeen" class="last-minutes">
      <span v-if="isClosingRound">{{ saidTheirs }}</span>
      <span v-if="view.more_time || wantsMore">{{ wanted }}</span>
      <button v-if="isHost && canGetMore" class="link" @click="$emit('extend')">{{ words.clock.extend }}</button>
      <button v-else-if="mayWant && canGetMore && !wantsMore" class="link" @click="wantMore">{{ words.clock.want }}</button>
    </p>`,
  props: {
    view: Object,
    now: Number,
    isHost: Boolean,
    maySpeak: Boolean,
    mayWant: Boolean, // ask for more time
    lastWords: Array, // names of those who have said something in the closing round
  },
  emits: ['extend', 'five-minutes', 'tell'],

  data: () => ({ wantedUntil: null }), // the end that was not late enough for the person at this page

  computed: {
    left() {
      return this.view.closes_at - this.now;
    },
    isClosingRound() {
      return isClosingRound(this.view, this.now);
    },
    canGetMore() {
      return this.left <= MORE_TIME_MS && canGetMore(this.view);
    },
    isSeen() {
      return this.isClosingRound || this.canGetMore || Boolean(this.view.more_time);
    },
    saidTheirs() {
      const people = seated(this.view);
      const count = people.filter((name) => this.lastWords.includes(name)).length;
      return fill(words.clock.saidTheirs, { count, all: people.length });
    },
    wantsMore() {
      return this.wantedUntil === this.view.closes_at;
    },
    wanted() {
      const { wanted, wantedByYou } = words.clock;
      return fill(this.wantsMore ? wantedByYou : wanted, { count: Math.max(this.view.more_time, 1) });
    },
  },

  watch: {
    now: 'warn',
    isClosingRound(isClosingRound) {
      if (isClosingRound && this.maySpeak) this.$emit('tell', words.clock.lastWord);
    },
  },

  methods: {
    /** Says once for each end of the room that it is near. */
    warn() {
      const { left } = this;
      const whole = this.view.closes_at - this.view.opened_at;
      const minutes = WARNINGS.find((warning) => left <= warning * MINUTE);
      const warning = `${minutes} ${this.view.closes_at}`;
      if (!minutes || left <= 0 || whole <= minutes * MINUTE || this.warned === warning) return;
      this.warned = warning;
      const count = Math.ceil(left / MINUTE);
      this.$emit('tell', fill(words.clock.warning, { count }));
      if (minutes === WARNINGS.at(-1)) this.$emit('five-minutes', count);
    },

    async wantMore() {
      const answer = await command('more_time', { room: this.view.id });
      // A conflict says that they have asked already, before a reload or in another tab.
      if (answer.ok || answer.code === 'conflict') this.wantedUntil = this.view.closes_at;
      else this.$emit('tell', reasonOf(answer));
    },
  },
};
