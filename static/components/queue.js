/** The queue, which the host alone sees: who asks to speak, and what they want to add. */

import { command } from '../connection.js';
import { SECOND } from '../words/times.js';
import { fill, reasonOf, words } from '../words/words.js';

// A denial is told to nobody until then: long enough to notice a slip, short enough not to keep anybody waiting.
const UNDO_MS = 5 * SECOND;
// The second tap of two on Deny falls on Undo, which comes in its place.
const NO_UNDO_MS = 500;

/** One request: the same person may ask again later. */
const idOf = ({ user, at }) => `${user} ${at}`;

export const RoomQueue = {
  template: '#queue-template',
  props: {
    view: Object,
    queue: Array,
  },
  emits: ['tell', 'queue'],

  data: () => ({ denials: {} }), // id of a request → {timer: what will deny it, mayUndo}

  computed: {
    requests() {
      return this.queue.map((request) => {
        const id = idOf(request);
        const denial = this.denials[id];
        return { ...request, id, isDenied: Boolean(denial), mayUndo: Boolean(denial?.mayUndo) };
      });
    },
    freeSeats() {
      return this.view.seats - this.view.speakers.length;
    },
    full() {
      return this.freeSeats > 0 ? '' : fill(words.queue.full, { count: this.view.seats });
    },
    allowable() {
      return this.requests.filter(({ isDenied }) => !isDenied).slice(0, Math.max(0, this.freeSeats));
    },
  },

  beforeUnmount() {
    this.denyNow();
  },

  methods: {
    async approve({ user }, { detail: taps } = {}) {
      // The second tap of two falls on whoever has moved up.
      if (taps > 1) return;
      await this.decide('approve', user);
    },

    async approveAll() {
      for (const { id, user } of this.allowable) {
        // Who has withdrawn or was denied meanwhile does not stand in the others' way.
        if (!this.allowable.some((request) => request.id === id)) continue;
        const { ok, code } = await this.decide('approve', user);
        if (!ok && code !== 'not_found') return;
      }
    },

    denySoon(request, { detail: taps }) {
      if (taps > 1) return;
      const timer = setTimeout(() => this.deny(request), UNDO_MS);
      this.denials[request.id] = { timer, mayUndo: false };
      const denial = this.denials[request.id];
      setTimeout(() => (denial.mayUndo = true), NO_UNDO_MS);
      this.keepFocus(request.id);
    },

    undo({ id }) {
      if (this.denials[id].mayUndo) this.forget(id);
    },

    forget(id) {
      clearTimeout(this.denials[id].timer);
      delete this.denials[id];
      this.keepFocus(id);
    },

    async deny(request) {
      this.forget(request.id);
      // They may have withdrawn, or asked anew with better words.
      if (this.queue.some((waiting) => idOf(waiting) === request.id)) await this.decide('deny', request.user);
    },

    /** Whoever leaves, or hands the room over, has made up their mind. */
    denyNow() {
      return Promise.all(this.requests.filter(({ isDenied }) => isDenied).map(this.deny));
    },

    /** Gives the answer. */
    async decide(decision, user) {
      const answer = await command(decision, { room: this.view.id, user });
      if (answer.ok) this.$emit('queue', this.queue.filter((request) => request.user !== user));
      else this.$emit('tell', reasonOf(answer));
      this.keepFocus();
      return answer;
    },

    /** Keeps the keyboard's place when the button that was pressed is gone: in that request, else in the next. */
    async keepFocus(id) {
      await this.$nextTick();
      if (document.activeElement !== document.body) return;
      const buttons = [...this.$el.querySelectorAll('.request button:enabled')];
      // Of a request's buttons the last one: Undo, or the Deny that was pressed by mistake.
      (buttons.findLast((button) => button.closest('.request').dataset.id === id) ?? buttons[0])?.focus();
    },
  },
};
