/** The clock that all in a room share: how long it still is, the warnings, the closing round, and the wish for more. */

import { command } from '../connection.js';
import { limits } from '../limits.js';
import { MINUTE, timeLeft } from '../words/times.js';
import { fill, reasonOf, words } from '../words/words.js';

const WARNINGS = [1, 5]; // minutes before the end
// Long enough for eight people to say a last word each, one after the other.
const CLOSING_ROUND_MS = 3 * MINUTE;
// Nobody knows earlier whether the time will do.
const MORE_TIME_MS = 10 * MINUTE;

export const canGetMore = ({ opened_at: openedAt, closes_at: closesAt }) => closesAt - openedAt < limits.longestRoom;

/** Since when the closing round runs, once it does; null before, and in a room that was never longer than it. */
export function closingRoundSince({ opened_at: openedAt, closes_at: closesAt }, now) {
  const since = closesAt - CLOSING_ROUND_MS;
  return since > openedAt && now >= since ? since : null;
}

/** How much of `whole` is left, as a pie that gets smaller. What it says stands beside it in words. */
export const TimePie = {
  template: '#pie-template',
  props: { left: Number, whole: Number },
  computed: {
    share() {
      return Math.round(Math.min(1, Math.max(0, this.left / this.whole)) * 100);
    },
  },
};

export const RoomClock = {
  template: '#clock-template',
  components: { TimePie },
  props: {
    view: Object,
    now: Number,
    role: String,
  },
  emits: ['tell', 'five-minutes'],

  data: () => ({ wantedUntil: null }), // the end that was not late enough for the person at this page

  computed: {
    left() {
      return this.view.closes_at - this.now;
    },
    whole() {
      return this.view.closes_at - this.view.opened_at;
    },
    timeLeft() {
      return timeLeft(this.left);
    },
    isUrgent() {
      return this.left <= WARNINGS.at(-1) * MINUTE;
    },
    mayWantMore() {
      return this.role !== 'host' && this.left <= MORE_TIME_MS && canGetMore(this.view);
    },
    wanted() {
      const { wanted, wantedByYou } = words.clock;
      return fill(this.wantsMore ? wantedByYou : wanted, { count: Math.max(this.view.more_time, 1) });
    },
    wantsMore() {
      return this.wantedUntil === this.view.closes_at;
    },
    isClosingRound() {
      return closingRoundSince(this.view, this.now) !== null;
    },
  },

  watch: {
    now: 'warn',
    isClosingRound(isClosingRound) {
      if (isClosingRound && ['host', 'speaker'].includes(this.role)) this.$emit('tell', words.clock.lastWord);
    },
  },

  methods: {
    /** Says once for each end of the room that it is near. */
    warn() {
      const minutes = WARNINGS.find((warning) => this.left <= warning * MINUTE);
      const warning = `${minutes} ${this.view.closes_at}`;
      if (!minutes || this.left <= 0 || this.whole <= minutes * MINUTE || this.warned === warning) return;
      this.warned = warning;
      this.$emit('tell', fill(words.clock.warning, { count: Math.ceil(this.left / MINUTE) }));
      if (minutes === WARNINGS.at(-1)) this.$emit('five-minutes', Math.ceil(this.left / MINUTE));
    },

    async wantMore() {
      const answer = await command('more_time', { room: this.view.id });
      // A conflict says that they have asked already, before a reload or in another tab.
      if (answer.ok || answer.code === 'conflict') this.wantedUntil = this.view.closes_at;
      else this.$emit('tell', reasonOf(answer));
    },
  },
};
