/** What guests alone see, in place of the room: that they have left, or were shown out. */

import { sign } from './parts.js';
import { words } from './words.js';

/** After the visit. */
export const VisitEnd = {
  name: 'VisitEnd',
  template: /* html */ `
    <main class="door" :class="hue">
      <header class="door__head">
        <p class="brand"><img :src="sign" alt="" width="28" height="28">{{ words.party.name }}</p>
        <h1 class="topic" dir="auto">{{ topic }}</h1>
      </header>
      <div ref="part" role="status" tabindex="-1">
        <h2>{{ said.what }}</h2>
        <p>{{ said.then }}</p>
      </div>
    </main>`,
  props: {
    how: String, // it ended: "left", or "out"
    topic: String,
    hue: String,
  },

  computed: {
    sign: () => sign,
    said() {
      const { left, leftWhy, out, outWhy } = words.guest;
      return this.how === 'left' ? { what: left, then: leftWhy } : { what: out, then: outWhy };
    },
  },

  mounted() {
    this.$refs.part.focus();
  },
};
