/**
 * The feed of a room: which messages are rendered, where it is scrolled to, and how one message looks.
 */

import { MINUTE, dayOf, timeOfDay } from '../words/clock.js';
import { hueOf } from '../words/names.js';
import { fill, reasonOf, words } from '../words/words.js';

// Thousands of rendered messages make a phone slow; earlier ones come on demand.
const RENDERED = 300;
const EARLIER_STEP = 200;
// Whoever is this near to the end wants to stay there.
const PINNED_PX = 80;
// Messages of one person within this time stand together under one name.
const TOGETHER_MS = 5 * MINUTE;
// A screen reader should read what is new, not what a page full of messages brought in.
const HUSH_MS = 1500;

const LINK = /(https?:\/\/[^\s<>"]*[^\s<>"'.,:;!?)\]])/i;

/** Both lists as one, in the order of `seq`, each `seq` once. Messages are frozen: Vue need not watch them. */
export function merge(feed, arriving) {
  const fresh = arriving.map(Object.freeze);
  if (fresh.length === 1 && fresh[0].seq > (feed.at(-1)?.seq ?? 0)) return Object.freeze([...feed, ...fresh]);
  const bySeq = new Map([...feed, ...fresh].map((message) => [message.seq, message]));
  return Object.freeze([...bySeq.values()].sort((a, b) => a.seq - b.seq));
}

/** The last `seq` before which nothing is missing; null when there is none. */
export function heldUpTo(feed) {
  const gap = feed.findIndex((message, index) => message.seq !== feed[0].seq + index);
  return feed.at(gap === -1 ? -1 : gap - 1)?.seq ?? null;
}

/** The feed as plain text, a line or more per message. */
export function asText(feed) {
  return feed.map(({ user, text, at }) => `[${new Date(at).toISOString()}] ${user}: ${text}\n`).join('');
}

/** Words and links by turns: with one capturing group, `split` puts the links at odd places. */
function partsOf(text) {
  return text.split(LINK).map((words, index) => ({ words, isLink: index % 2 === 1 }));
}

function stateOf({ seq, refusal }) {
  if (seq) return 'sent';
  return refusal ? 'notSent' : 'sending';
}

const FeedMessage = {
  template: '#message-template',
  props: {
    message: Object,
    mine: Boolean,
    follows: Boolean,
    day: String,
    state: String,
    reason: String,
  },
  emits: ['again', 'discard'],
  computed: {
    parts() {
      return partsOf(this.message.text);
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
  },
};

export const Feed = {
  template: '#feed-template',
  components: { FeedMessage },
  props: {
    messages: Array,
    unsent: Array,
    user: String,
    isCurrent: Boolean,
  },
  emits: ['earlier', 'again', 'discard'],

  data: () => ({ renderedFrom: 0, isPinned: true, unseen: 0, isHushed: true }),

  computed: {
    rows() {
      const rendered = this.messages.filter((message) => message.seq >= this.renderedFrom);
      return [...rendered, ...this.unsent].map((message, index, all) => this.rowOf(message, all[index - 1]));
    },
    newest() {
      return this.unseen ? fill(words.feed.unseen, { count: this.unseen }) : words.feed.newest;
    },
    hasEarlier() {
      const first = this.messages[0]?.seq ?? 1;
      return Math.max(first, this.renderedFrom) > 1;
    },
  },

  watch: {
    messages(messages, before) {
      const last = before.at(-1)?.seq ?? 0;
      if (this.isPinned) this.renderedFrom = (messages.at(-1)?.seq ?? 0) - RENDERED + 1;
      else this.unseen += messages.filter(({ seq, user }) => seq > last && user !== this.user).length;
    },
    isCurrent: 'hush',
    'unsent.length'(length, before) {
      if (length > before) this.isPinned = true;
    },
  },

  mounted() {
    this.sizes = new ResizeObserver(() => this.isPinned && this.scrollToEnd());
    this.sizes.observe(this.$refs.log);
    this.sizes.observe(this.$refs.list);
  },

  beforeUpdate() {
    const { log } = this.$refs;
    this.fromEnd = log.scrollHeight - log.scrollTop;
    this.firstKey = log.querySelector('[data-key]')?.dataset.key;
  },

  updated() {
    const { log } = this.$refs;
    const hasNewBeginning = this.firstKey !== log.querySelector('[data-key]')?.dataset.key;
    if (this.isPinned) this.scrollToEnd();
    else if (hasNewBeginning) log.scrollTop = log.scrollHeight - this.fromEnd;
  },

  beforeUnmount() {
    this.sizes.disconnect();
    clearTimeout(this.hushTimer);
  },

  methods: {
    rowOf(message, before) {
      const day = dayOf(message.at);
      const isNewDay = !before || dayOf(before.at) !== day;
      return {
        // The same before and after it was sent, so that the row stays and only its state changes.
        id: `${message.user} ${message.key ?? message.seq}`,
        message,
        mine: message.user === this.user,
        follows: !isNewDay && before.user === message.user && message.at - before.at < TOGETHER_MS,
        day: isNewDay ? day : undefined,
        state: stateOf(message),
        reason: message.refusal && reasonOf(message.refusal),
      };
    },

    showEarlier() {
      const first = this.messages[0].seq;
      this.hush();
      this.isPinned = false;
      this.renderedFrom = Math.max(this.renderedFrom, first) - EARLIER_STEP;
      if (this.renderedFrom < first && first > 1) this.$emit('earlier');
    },

    onScroll() {
      const { log } = this.$refs;
      this.isPinned = log.scrollHeight - log.scrollTop - log.clientHeight < PINNED_PX;
      if (this.isPinned) this.unseen = 0;
    },

    scrollToEnd() {
      this.$refs.log.scrollTop = this.$refs.log.scrollHeight;
    },

    hush() {
      clearTimeout(this.hushTimer);
      this.isHushed = true;
      this.hushTimer = setTimeout(() => (this.isHushed = false), HUSH_MS);
    },
  },
};
