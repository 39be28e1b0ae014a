/** One message, as it stands in the feed, and as others quote it. */

import { partsOf } from './mentions.js';
import { timeOfDay } from '../words/times.js';
import { hueOf } from '../words/names.js';

/** What a reply answers to. The page may not hold it: earlier messages come on demand. */
export const QuotedMessage = {
  template: '#quote-template',
  props: { message: Object },
  computed: {
    hue() {
      return this.message && hueOf(this.message.user);
    },
  },
};

export const FeedMessage = {
  template: '#message-template',
  components: { QuotedMessage },
  props: {
    message: Object,
    quoted: Object,
    names: Array,
    user: String,
    follows: Boolean,
    day: String,
    state: String,
    reason: String,
    isLast: Boolean,
    isMarked: Boolean,
    mayReply: Boolean,
    mayTakeBack: Boolean,
  },
  emits: ['again', 'discard', 'jump', 'reply', 'take-back'],

  // Whether the actions are shown. The feed need not know: only this one message renders again.
  data: () => ({ isOpen: false }),

  computed: {
    mine() {
      return this.message.user === this.user;
    },
    parts() {
      return partsOf(this.message.text, this.names).map((part) => ({
        ...part,
        isMe: part.kind === 'mention' && part.words.toLowerCase() === `@${this.user.toLowerCase()}`,
      }));
    },
    time() {
      return timeOfDay(this.message.at);
    },
    isoTime() {
      return new Date(this.message.at).toISOString();
    },
    hue() {
      return hueOf(this.message.user);
    },
    hasActions() {
      return this.mayReply || this.mayTakeBack;
    },
  },

  methods: {
    onPointer({ type, pointerType }) {
      if (pointerType !== 'mouse') return;
      this.isOpen = type === 'pointerenter' || this.$el.matches(':focus-visible, :has(:focus-visible)');
    },

    /** With the keyboard; a tap gives focus too, but decides for itself. */
    onFocus({ target }) {
      if (target.matches(':focus-visible')) this.isOpen = true;
    },

    onBlur({ relatedTarget }) {
      if (!this.$el.contains(relatedTarget)) this.isOpen = false;
    },

    async onTap({ target }) {
      const isForItself = target.closest('a, button') || !getSelection().isCollapsed;
      if (isForItself || matchMedia('(hover: hover)').matches) return;
      this.isOpen = !this.isOpen;
      this.$el.focus({ preventScroll: true });
      await this.$nextTick();
      this.$el.scrollIntoView({ block: 'nearest' });
    },
  },
};
