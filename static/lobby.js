/** The lobby's parts: a card for a live room, and the dialog that opens a new one. */

import { timeLeft } from './clock.js';
import { command } from './connection.js';
import { hueOf, initial, listOf } from './names.js';

const DEFAULT_MINUTES = 30;

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
  data: () => ({ topic: '', minutes: DEFAULT_MINUTES, refusal: '', isOpening: false }),
  methods: {
    show() {
      this.refusal = '';
      this.$refs.dialog.showModal();
    },

    async open() {
      if (this.isOpening) return;
      this.isOpening = true;
      // Left as it is, the server's own default counts: it can be set.
      const minutes = this.minutes === DEFAULT_MINUTES ? undefined : this.minutes;
      const answer = await command('host', { topic: this.topic.trim(), minutes });
      this.isOpening = false;
      this.refusal = answer.error ?? '';
      if (!answer.ok) return;
      this.topic = '';
      this.$refs.dialog.close();
      this.$emit('opened', answer.room);
    },
  },
};
