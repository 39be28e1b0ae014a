/** What stands where one could write, for who may not yet: asking for a seat, and waiting for it. */

import { command } from '../connection.js';
import { keep, kept, pitchDraftName } from '../kept.js';
import { fill, placeInWords, reasonOf, words } from '../words/words.js';

export const AskToSpeak = {
  template: '#asking-template',
  props: {
    view: Object,
    user: String,
    place: Number, // in the queue; none for who only watches
    asks: Boolean, // came to ask: from a card, or by a link that carries the wish
  },
  emits: ['tell', 'place', 'pitch'],

  data() {
    const pitch = kept(pitchDraftName(this.user, this.view.id), '');
    return { isAsking: this.asks || pitch !== '', pitch };
  },

  computed: {
    placeInWords() {
      return placeInWords(this.place);
    },
    allSeatsTaken() {
      const { seats, speakers } = this.view;
      return speakers.length < seats ? '' : fill(words.asking.allSeatsTaken, { count: seats });
    },
  },

  watch: {
    place() {
      // Who was denied, or withdrew, starts afresh.
      if (this.place) this.isAsking = false;
    },
    pitch(text) {
      keep(pitchDraftName(this.user, this.view.id), text);
    },
  },

  mounted() {
    if (this.isAsking && !this.place) this.$refs.pitch.focus();
  },

  methods: {
    async begin() {
      this.isAsking = true;
      await this.$nextTick();
      this.$refs.pitch.focus();
    },

    async stop() {
      this.isAsking = false;
      await this.$nextTick();
      this.$refs.ask.focus();
    },

    async request() {
      const pitch = this.pitch.trim();
      const answer = await command('request', { room: this.view.id, pitch: pitch || undefined });
      if (!answer.ok) return this.$emit('tell', reasonOf(answer));
      this.pitch = '';
      this.$emit('pitch', pitch);
      this.$emit('place', answer.place);
    },

    async withdraw() {
      const answer = await command('withdraw', { room: this.view.id });
      // Forbidden is what it is to who does not wait any more: they have withdrawn in another tab.
      if (!answer.ok && answer.code !== 'forbidden') return this.$emit('tell', reasonOf(answer));
      this.$emit('pitch', '');
      this.$emit('place', null);
    },
  },
};
