/**
 * What stands there when the room is over, for those who were inside: why and how it ended, what one was writing, and
 * the discussion to take away, as long as the party has it and as long as this page is open.
 */

import { asMarkdown, asText, authorsOf, factsOf, fileNameOf, partIn, quoteOf, spokeIn } from './transcript.js';
import { draftName, kept } from '../kept.js';
import { MINUTE, SECOND, timeOfDay } from '../words/times.js';
import { fill, reasonOf, words } from '../words/words.js';

const FORMATS = {
  md: { type: 'text/markdown', written: asMarkdown },
  txt: { type: 'text/plain', written: asText },
};
// A thousand pages see the same end; they should not all ask in the same instant.
const TAKE_WITHIN_MS = 5 * SECOND;
// Safari reads a download's address only some time after the click.
const REVOKE_AFTER_MS = MINUTE;

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
    isCurrent: Boolean, // inside, so that what is missing can be had
    fetchAll: Function, // gives a promise of the server's last answer
  },
  emits: ['tell'],

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
        names.length && !this.part && spokeIn(names),
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
    /** That messages are missing, as a sentence; empty when all are held. */
    part() {
      return this.view ? partIn(this.view, this.messages) : '';
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
    // The party can forget the room at any time: the page takes what it lacks, as soon as it can.
    isCurrent: {
      immediate: true,
      handler(isCurrent) {
        clearTimeout(this.takeTimer);
        if (isCurrent) this.takeTimer = setTimeout(this.take, Math.random() * TAKE_WITHIN_MS);
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
    clearTimeout(this.takeTimer);
    removeEventListener('beforeprint', this.showPrinted);
    removeEventListener('afterprint', this.hidePrinted);
  },

  methods: {
    take() {
      this.taking ??= this.fetchAll().finally(() => (this.taking = null));
      return this.taking;
    },

    /** Whether the page has all that there is to have. Says why when it has not. */
    async hasAll() {
      const answer = this.part && !this.isGone ? await this.take() : { ok: true };
      await this.$nextTick();
      if (!this.part || this.isGone) return true;
      this.$emit('tell', answer.ok ? words.connection.notAnswering : reasonOf(answer));
      return false;
    },

    async download(format) {
      if (!(await this.hasAll())) return;
      const { type, written } = FORMATS[format];
      const text = written(this.view, this.messages);
      const link = document.createElement('a');
      link.href = URL.createObjectURL(new Blob([text], { type: `${type};charset=utf-8` }));
      link.download = fileNameOf(this.view.topic, format);
      link.click();
      setTimeout(URL.revokeObjectURL, REVOKE_AFTER_MS, link.href);
    },

    async print() {
      if (!(await this.hasAll())) return;
      // The browser draws what it prints before Vue could answer to its event.
      this.showPrinted();
      await this.$nextTick();
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
