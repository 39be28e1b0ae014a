/** The candle: how long a room still is, as words, and as a thin line that burns down along a card's or header's edge. */

import { command } from './connection.js';
import { MINUTE, fill, limits, reasonOf, timeLeft, words } from './words.js';

const WARNINGS = [1, 5]; // minutes before the end
// Nobody knows earlier whether the time will do.
const MORE_TIME_MS = 10 * MINUTE;
// Long enough for eight people to say a last word each, one after the other.
const CLOSING_ROUND_MS = 3 * MINUTE;
// What is said of a room before there is anything to say.
const JUST_OPENED_MS = MINUTE;

export const canGetMore = ({ opened_at: openedAt, closes_at: closesAt }) => closesAt - openedAt < limits.longestRoom;

/** Since when the closing round runs, once it does; null before, and in a room that was never longer than it. */
export function closingRoundSince({ opened_at: openedAt, closes_at: closesAt }, now) {
  const since = closesAt - CLOSING_ROUND_MS;
  return since > openedAt && now >= since ? since : null;
}

export const isJustOpened = ({ opened_at: openedAt }, now) => now - openedAt < JUST_OPENED_MS;

/** The time of a live room, as a card or a header says it. */
export const RoomTime = {
  template: /* html */ `<span class="time" :class="{ 'time--last': isClosingRound }">{{ said }}</span>`,
  props: { room: Object, now: Number },
  computed: {
    isClosingRound() {
      return closingRoundSince(this.room, this.now) !== null;
    },
    said() {
      const left = timeLeft(this.room.closes_at - this.now);
      return this.isClosingRound ? fill(words.clock.lastWords, { left }) : left;
    },
  },
};

export const BurningLine = {
  template: /* html */ `
    <span class="burn" :class="{ 'burn--last': isClosingRound, 'burn--out': !share }" :style="{ '--share': share }"
      aria-hidden="true"></span>`,
  props: { room: Object, now: Number },
  computed: {
    isClosingRound() {
      return closingRoundSince(this.room, this.now) !== null;
    },
    share() {
      const { opened_at: openedAt, closes_at: closesAt, closed } = this.room;
      if (closed) return 0;
      return Math.min(1, Math.max(0, (closesAt - this.now) / (closesAt - openedAt)));
    },
  },
};

/** What is to be said and done near the end of a room: warnings, last words, the wish for more time. */
export const LastMinutes = {
  template: /* html */ `
    <p v-if="isSeen" class="last-minutes">
      <span v-if="isClosingRound">{{ saidTheirs }}</span>
      <span v-if="view.more_time || wantsMore">{{ wanted }}</span>
      <button v-if="isHost && canGetMore" class="link" @click="$emit('extend')">{{ words.clock.extend }}</button>
      <button v-else-if="!isHost && canGetMore && !wantsMore" class="link" @click="wantMore">{{ words.clock.want }}</button>
    </p>`,
  props: {
    view: Object,
    now: Number,
    isHost: Boolean,
    maySpeak: Boolean,
    lastWords: Array, // names of those who have said something in the closing round
  },
  emits: ['extend', 'five-minutes', 'tell'],

  data: () => ({ wantedUntil: null }), // the end that was not late enough for the person at this page

  computed: {
    left() {
      return this.view.closes_at - this.now;
    },
    isClosingRound() {
      return closingRoundSince(this.view, this.now) !== null;
    },
    canGetMore() {
      return this.left <= MORE_TIME_MS && canGetMore(this.view);
    },
    isSeen() {
      return this.isClosingRound || this.canGetMore || Boolean(this.view.more_time);
    },
    saidTheirs() {
      const people = [this.view.host, ...this.view.speakers];
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
