/**
 * The queue of a room, which its host alone sees, and which comes for a host alone. It shows one request at a time above the
 * place where one writes, or all below each other where there is space.
 */

import { command } from './connection.js';
import { PersonFace, besideOthers, hueOf, naming } from './parts.js';
import { SECOND, fill, reasonOf, words } from './words.js';

// A denial is told to nobody until then: long enough to notice a slip, short enough not to keep anybody waiting.
const UNDO_MS = 5 * SECOND;
// The second tap of two on "Not now" falls on Undo, which comes in its place.
const NO_UNDO_MS = 500;

/** One request: the same person may ask again later. */
const idOf = ({ user, at }) => `${user} ${at}`;

export const RoomQueue = {
  name: 'RoomQueue',
  template: /* html */ `
    <section class="queue" :class="{ 'queue--list': isList }" aria-labelledby="queue-title">
      <header class="queue__head">
        <h2 id="queue-title" :class="{ 'visually-hidden': !isList && requests.length }">{{ title }}</h2>
        <button v-if="isList && allowable.length > 1" class="link" @click="approveAll">{{ words.queue.letAllIn }}</button>
      </header>
      <p v-if="full" class="queue__full">{{ full }}</p>
      <ol>
        <li v-for="request in shown" :key="request.id" class="request" :class="[request.hue, { 'request--denied': request.isDenied }]"
          :data-id="request.id">
          <p class="request__who">
            <person-face :name="request.user"></person-face>
            <b><person-name :user="request.user"></person-name><span v-if="!isList" class="request__wants">{{ words.queue.wants }}</span></b>
          </p>
          <button v-if="!isList && requests.length > 1" class="button button--quiet request__next" :aria-label="words.queue.next" @click="step">
            {{ fill(words.queue.of, { number: at + 1, all: requests.length }) }}
            <page-icon name="next"></page-icon>
          </button>
          <p v-if="request.pitch" class="request__pitch" dir="auto" tabindex="0">{{ request.pitch }}</p>
          <div class="request__answers">
            <template v-if="request.isDenied">
              <span>{{ words.queue.denied }}</span>
              <button class="button" :aria-disabled="!request.mayUndo" :aria-label="fill(words.queue.undoUser, { user: naming(request.user) })"
                @click="undo(request, $event)">{{ words.queue.undo }}</button>
            </template>
            <template v-else>
              <button class="button" :aria-label="fill(words.queue.notNowUser, { user: naming(request.user) })"
                @click="denySoon(request, $event)">{{ words.queue.notNow }}</button>
              <button class="button button--main" :disabled="Boolean(full)" :aria-label="fill(words.queue.letInUser, { user: naming(request.user) })"
                @click="approve(request, $event)">{{ words.queue.letIn }}</button>
            </template>
          </div>
        </li>
      </ol>
    </section>`,
  components: { PersonFace },
  inject: besideOthers,
  props: {
    view: Object,
    queue: Array,
    isList: Boolean,
  },
  emits: ['answered', 'queue', 'tell'],

  data: () => ({
    denials: {}, // id of a request → {timer: what will deny it, mayUndo}
    at: 0, // which request is seen, where it is one at a time
  }),

  computed: {
    requests() {
      return this.queue.map((request) => {
        const id = idOf(request);
        const denial = this.denials[id];
        return { ...request, id, hue: hueOf(request.user, this.neighbours()), isDenied: Boolean(denial), mayUndo: Boolean(denial?.mayUndo) };
      });
    },
    shown() {
      return this.isList ? this.requests : this.requests.slice(this.at, this.at + 1);
    },
    title() {
      return fill(words.queue.title, { count: this.requests.length });
    },
    freeSeats() {
      return this.view.seats - this.view.speakers.length;
    },
    full() {
      return this.freeSeats > 0 || !this.queue.length ? '' : fill(words.queue.full, { count: this.view.seats });
    },
    allowable() {
      return this.requests.filter(({ isDenied }) => !isDenied).slice(0, Math.max(0, this.freeSeats));
    },
  },

  watch: {
    /** Whoever is read about stays in place while others come and go. */
    queue(queue, before) {
      const seen = before[this.at] && idOf(before[this.at]);
      const index = queue.findIndex((request) => idOf(request) === seen);
      // After an answer, whoever has waited longest for one is next.
      const next = queue.findIndex((request) => !this.denials[idOf(request)]);
      this.at = Math.max(index >= 0 ? index : next, 0);
    },
  },

  beforeUnmount() {
    this.denyNow();
  },

  methods: {
    naming,

    step() {
      this.at = (this.at + 1) % this.requests.length;
    },

    async approve({ user }, { detail: taps }) {
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

    undo({ id }, { detail: taps }) {
      // The second tap of two on another's button falls here, too.
      if (this.denials[id].mayUndo && taps < 2) this.forget(id);
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

    /** Keeps the keyboard's place when the button that was pressed is gone: in that request, else in the next, if any. */
    async keepFocus(id) {
      await this.$nextTick();
      if (document.activeElement !== document.body) return;
      const buttons = [...this.$el.querySelectorAll('.request__answers button:enabled')];
      // Of a request's buttons the first one: Undo, or the "Not now" that was pressed by mistake.
      const own = buttons.find((button) => button.closest('.request').dataset.id === id);
      const next = own ?? buttons.find((button) => button.matches('.button--main')) ?? buttons[0];
      if (next) next.focus();
      else this.$emit('answered');
    },
  },
};
