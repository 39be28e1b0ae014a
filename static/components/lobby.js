/** The lobby's parts: a card for a live room, the dialog that opens a new one, and the closed rooms one can still read. */

import { command } from '../connection.js';
import { limits } from '../limits.js';
import { timeLeft, timeOfDay } from '../words/times.js';
import { hueOf, initial } from '../words/names.js';
import { fill, reasonOf, words } from '../words/words.js';
import { TimePie } from './clock.js';

// How long a room is open when its host does not say; the owner can set it beyond what a host may choose.
const USUAL_MINUTES = limits.roomMinutes;

export const LobbyCard = {
  template: '#card-template',
  components: { TimePie },
  props: {
    card: Object,
    user: String,
    now: Number,
    place: Number,
    requests: Number,
  },
  emits: ['watch', 'ask', 'share'],
  computed: {
    isSeated() {
      return [this.card.host, ...this.card.speakers].includes(this.user);
    },
    left() {
      return this.card.closes_at - this.now;
    },
    whole() {
      return this.card.closes_at - this.card.opened_at;
    },
    timeLeft() {
      return timeLeft(this.left);
    },
    faces() {
      return [this.card.host, ...this.card.speakers].map((name) => ({ name, initial: initial(name), hue: hueOf(name) }));
    },
    speakers() {
      return this.card.speakers.join(words.card.comma);
    },
  },
};

export const HostDialog = {
  template: '#host-template',
  emits: ['opened'],
  data: () => ({
    topic: '',
    minutes: Number.isInteger(USUAL_MINUTES) && USUAL_MINUTES <= limits.mostMinutes ? USUAL_MINUTES : '',
    usual: USUAL_MINUTES,
    refusal: '',
    isOpening: false,
  }),
  methods: {
    show() {
      this.refusal = '';
      this.$refs.dialog.showModal();
    },

    async open() {
      if (this.isOpening) return;
      this.isOpening = true;
      const answer = await command('host', { topic: this.topic.trim(), minutes: this.minutes || undefined });
      this.isOpening = false;
      this.refusal = answer.ok ? '' : reasonOf(answer);
      if (!answer.ok) return;
      this.topic = '';
      this.$refs.dialog.close();
      this.$emit('opened', answer.room);
    },
  },
};

export const ClosedRooms = {
  template: '#closed-template',
  props: {
    rooms: Array,
    now: Number,
  },
  emits: ['read'],
  computed: {
    readable() {
      return this.rooms.filter(({ gone_at: goneAt }) => !(goneAt <= this.now));
    },
  },
  methods: {
    goneAt: (room) => fill(words.lobby.goneAt, { time: timeOfDay(room.gone_at) }),
  },
};
