/** What guests alone see: that they can leave, and, in place of the room, that they have, or were shown out. */

import { sign } from './parts.js';
import { words } from './words.js';

/** In the menu of a room. A guest who leaves is that guest no more, so it is asked once again. */
export const LeaveVisit = {
  name: 'LeaveVisit',
  template: /* html */ `
    <div class="menu__close">
      <button v-if="!isConfirming" class="menu__item menu__item--danger" @click="confirm">
        {{ words.guest.leave }} <small>{{ words.guest.leaveHint }}</small>
      </button>
      <template v-else>
        <p>{{ words.guest.confirmLeave }}</p>
        <button class="button" @click="isConfirming = false">{{ words.guest.stay }}</button>
        <button ref="yes" class="button button--danger" @click="$emit('leave')">{{ words.guest.yesLeave }}</button>
      </template>
    </div>`,
  emits: ['leave'],

  data: () => ({ isConfirming: false }),

  methods: {
    async confirm() {
      this.isConfirming = true;
      await this.$nextTick();
      this.$refs.yes.focus();
    },
  },
};

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
