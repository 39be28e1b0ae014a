/** Where a message is written. The draft is kept over a reload, a reconnect and the loss of one's seat. */

import { draftName, keep, kept } from '../kept.js';
import { fill, words } from '../words/words.js';

const MAX_TEXT = 2000;
const COUNT_FROM = 1800;

/** Whether the keyboard is on the screen: it covers the feed, and its Enter makes a new line. */
export const hasTouchKeyboard = () => matchMedia('(pointer: coarse)').matches;

export const MessageForm = {
  template: '#writing-template',
  props: {
    room: String,
    user: String,
  },
  emits: ['say'],

  data() {
    return { draft: kept(draftName(this.user, this.room), '') };
  },

  computed: {
    length() {
      return Array.from(this.draft).length;
    },
    count() {
      return this.length > COUNT_FROM ? fill(words.writing.count, { length: this.length, most: MAX_TEXT }) : '';
    },
    isTooLong() {
      return this.length > MAX_TEXT;
    },
  },

  watch: {
    draft(text) {
      keep(draftName(this.user, this.room), text);
    },
  },

  methods: {
    say() {
      const text = this.draft.trim();
      if (!text || this.isTooLong) return;
      this.draft = '';
      this.$emit('say', { text });
    },

    onEnterKey(event) {
      if (event.shiftKey || event.isComposing || hasTouchKeyboard()) return;
      event.preventDefault();
      this.say();
    },

    focus() {
      this.$refs.writing.focus();
    },
  },
};
