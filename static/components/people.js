/** The people of a room: who has a seat, and what the host can do about it. */

import { command } from '../connection.js';
import { hueOf, initial } from '../words/names.js';
import { fill, reasonOf, words } from '../words/words.js';
import { canGetMore } from './clock.js';
import { RoomQueue } from './queue.js';

export const RoomPeople = {
  template: '#people-template',
  components: { RoomQueue },
  props: {
    view: Object,
    queue: Array,
    hosting: Boolean, // the person at this page may still decide here
    lastWords: Array, // names of those who have had their last word in the closing round
  },
  emits: ['queue', 'tell'],

  data: () => ({
    chosen: null, // the speaker whom the host is about to do something with
    isConfirming: false,
  }),

  computed: {
    seated() {
      const { host, speakers, away } = this.view;
      return [host, ...speakers].map((name) => ({
        name,
        initial: initial(name),
        hue: hueOf(name),
        isHost: name === host,
        isAway: away.includes(name),
        hadLastWord: this.lastWords.includes(name),
      }));
    },
    taken() {
      return fill(words.people.seats, { taken: this.view.speakers.length, seats: this.view.seats });
    },
    canExtend() {
      return canGetMore(this.view);
    },
  },

  methods: {
    /** Gives a command about this room, and says why when it is refused. Returns whether it was done. */
    async order(event, more = {}) {
      const answer = await command(event, { room: this.view.id, ...more });
      if (!answer.ok) this.$emit('tell', reasonOf(answer));
      return answer.ok;
    },

    async orderAbout(event, user) {
      await this.$refs.queue.denyNow();
      if (await this.order(event, { user })) this.choose(null);
    },

    choose(name) {
      this.chosen = this.chosen === name ? null : name;
      this.focusOn('.person button');
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
