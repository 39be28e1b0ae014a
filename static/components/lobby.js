/** The lobby's parts: a card for a live room, and the dialog that opens a new one. */

import { timeLeft } from '../words/clock.js';
import { command } from '../connection.js';
import { hueOf, initial } from '../words/names.js';
import { listOf, reasonOf } from '../words/words.js';

// How long a room is open when its host does not say; the owner can set it beyond what a host may choose.
const USUAL_MINUTES = Number(document.body.dataset.minutes);
const MOST_MINUTES = 30;

export const LobbyCard = {
  template: '#card-template',
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
    timeLeft() {
      return timeLeft(this.card.closes_at - this.now);
    },
    initial() {
      return initial(this.card.host);
    },
    hue() {
      return hueOf(this.card.host);
    },
    speakers() {
      return listOf(this.card.speakers);
    },
  },
};

export const HostDialog = {
  template: '#host-template',
  emits: ['opened'],
  data: () => ({
    topic: '',
    minutes: Number.isInteger(USUAL_MINUTES) && USUAL_MINUTES <= MOST_MINUTES ? USUAL_MINUTES : '',
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
