/** The pulse: three quiet signals of those who listen, as all see them for a minute. */

import { ask } from '../connection.js';
import { limits } from '../limits.js';
import { SECOND } from '../words/times.js';
import { reasonOf, words } from '../words/words.js';

export const RoomPulse = {
  template: '#pulse-template',
  props: {
    room: String,
    pulse: Object, // mood → how many gave it in the last minute
    listeners: Number, // how many could
    mayGive: Boolean,
  },
  emits: ['tell'],

  data: () => ({ given: null }), // the mood that this person gave just now

  computed: {
    moods() {
      // The host, who cannot give any, is shown those that were given.
      const shown = limits.moods.filter((mood) => this.mayGive || this.pulse[mood]);
      return shown.map((mood) => ({
        mood,
        name: words.pulse[mood],
        count: this.pulse[mood],
        // Drawn as a level: when everybody feels the same it is full.
        level: `${Math.min(100, (100 * this.pulse[mood]) / Math.max(1, this.listeners))}%`,
      }));
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
