/**
 * What stands there when the room is over, for those who were inside: why and how it ended, what one was writing, and
 * the discussion to take away, as long as the party has it and as long as this page is open.
 */

import { asMarkdown, asText, authorsOf, factsOf, quoteOf, spokeIn } from './transcript.js';
import { draftName, kept } from '../kept.js';
import { MINUTE, timeOfDay } from '../words/clock.js';
import { fill, words } from '../words/words.js';

const FORMATS = {
  md: { type: 'text/markdown', written: asMarkdown },
  txt: { type: 'text/plain', written: asText },
};
// When the party is about to forget the room, the page takes what it lacks: its copy will be the last.
const TAKE_BEFORE_MS = MINUTE;

export const RoomEnding = {
  template: '#ending-template',
  props: {
    room: String,
    user: String,
    view: Object, // null when the room could not be entered at all
    reason: String, // why it is over, as a sentence
    messages: Array,
    now: Number,
    isLost: Boolean, // the party does not know the room any more
    fetchAll: Function, // gives a promise of all messages
  },

  data() {
    return { draft: kept(draftName(this.user, this.room), ''), isPrinting: false };
  },

  computed: {
    facts() {
      const { opened_at: openedAt, closed_at: closedAt, seq } = this.view;
      const names = authorsOf(this.messages);
      return [
        closedAt && fill(words.ending.lasted, { count: Math.max(1, Math.round((closedAt - openedAt) / MINUTE)) }),
        fill(words.ending.messages, { count: seq }),
        names.length && spokeIn(names),
      ].filter(Boolean);
    },
    goneAt() {
      return this.view?.gone_at && new Date(this.view.gone_at).toISOString();
    },
    goneTime() {
      return timeOfDay(this.view.gone_at);
    },
    /** The sentence around the time. */
    goneSentence() {
      return words.ending.goneAt.split('{time}');
    },
    isGone() {
      return this.isLost || (this.view?.gone_at && this.now >= this.view.gone_at);
    },
    isAlmostGone() {
      return this.view?.gone_at && this.now >= this.view.gone_at - TAKE_BEFORE_MS;
    },
    /** The whole discussion, for the printer alone: the feed renders only a part. */
    printed() {
      return {
        ...factsOf(this.view, this.messages),
        messages: this.messages.map((message) => ({
          ...message,
          time: timeOfDay(message.at),
          quote: message.reply && quoteOf(message.reply, this.messages),
        })),
      };
    },
  },

  watch: {
    isAlmostGone: {
      immediate: true,
      handler(isAlmostGone) {
        if (isAlmostGone && !this.isGone) this.fetchAll();
      },
    },
  },

  mounted() {
    // Where one wrote is gone, and the focus with it.
    if (document.activeElement === document.body) this.$refs.reason.focus();
    addEventListener('beforeprint', this.showPrinted);
    addEventListener('afterprint', this.hidePrinted);
  },

  beforeUnmount() {
    removeEventListener('beforeprint', this.showPrinted);
    removeEventListener('afterprint', this.hidePrinted);
  },

  methods: {
    async download(format) {
      const { type, written } = FORMATS[format];
      const text = written(this.view, await this.fetchAll());
      const link = document.createElement('a');
      link.href = URL.createObjectURL(new Blob([text], { type: `${type};charset=utf-8` }));
      link.download = `${this.view.topic}.${format}`;
      link.click();
      URL.revokeObjectURL(link.href);
    },

    async print() {
      await this.fetchAll();
      print();
    },

    showPrinted() {
      this.isPrinting = true;
    },

    hidePrinted() {
      this.isPrinting = false;
    },
  },
};
