/**
 * The people of a room: who has a seat, and for the host the queue and what only the host can do.
 */

import { MINUTE } from '../words/clock.js';
import { command } from '../connection.js';
import { hueOf, initial } from '../words/names.js';
import { reasonOf, words } from '../words/words.js';

const MAX_ROOM_MS = 120 * MINUTE;

export const RoomPeople = {
  template: '#people-template',
  props: {
    view: Object,
    queue: Array,
    hosting: Boolean, // the person at this page may still decide here
  },
  emits: ['queue', 'tell'],

  data: () => ({ isConfirming: false }),

  computed: {
    seats() {
      const { host, speakers } = this.view;
      return [host, ...speakers].map((name) => ({
        name,
        initial: initial(name),
        hue: hueOf(name),
        isHost: name === host,
      }));
    },
    canExtend() {
      return this.view.closes_at - this.view.opened_at < MAX_ROOM_MS;
    },
  },

  methods: {
    /** Gives a command about this room, and says why when it is refused. Returns whether it was done. */
    async order(event, more = {}) {
      const answer = await command(event, { room: this.view.id, ...more });
      if (!answer.ok) this.$emit('tell', reasonOf(answer));
      return answer.ok;
    },

    async decide(decision, user, { detail: taps }) {
      // The second tap of two falls on whoever has moved up.
      if (taps > 1) return;
      const isDone = await this.order(decision, { user });
      if (!isDone) return;
      this.$emit('queue', this.queue.filter((request) => request.user !== user));
      this.focusOn('.request button, .room__host button');
    },

    /** Keeps the keyboard's place when the button that was pressed is gone. */
    async focusOn(selector) {
      await this.$nextTick();
      if (document.activeElement === document.body) this.$el.querySelector(selector)?.focus();
    },

    async extend() {
      if (await this.order('extend')) this.$emit('tell', words.people.gotMore);
    },

    confirmClosing(isConfirming) {
      this.isConfirming = isConfirming;
      this.focusOn('.room__host button');
    },
  },
};
