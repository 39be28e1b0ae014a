/**
 * The feed of a room: which of its messages are rendered, where it is scrolled to, and what a screen reader says of it;
 * one message in it; and what in its text is a link, a mention or code. Nothing else of it means anything; it stays text.
 */

import { messageAt } from './discussion.js';
import { showsWriting } from './kept.js';
import { PersonFace, besideOthers, hueOf, nameOf, namesOf, naming } from './parts.js';
import { MINUTE, SECOND, dayOf, fill, reasonOf, timeOfDay, words } from './words.js';

// Thousands of rendered messages make a phone slow; others come on demand.
const RENDERED = 300;
const STEP = 200;
// Whoever is this near to the end wants to stay there.
const PINNED_PX = 80;
// Messages of one person within this time stand together under one name.
const TOGETHER_MS = 5 * MINUTE;
// Long enough to find the message that was jumped to.
const MARKED_MS = 2 * SECOND;
// More at once is a catching up: nobody wants to hear it all.
const READ_OUT = 10;
// When it has been read out, it would only be there twice.
const READ_OUT_MS = 10 * SECOND;
const WRITERS_SHOWN = 2;
// A bracket belongs to an address that has its other half.
const LINK = /(https?:\/\/(?:\([^\s<>"()]*\)|[^\s<>"()])*(?:\([^\s<>"()]*\)|[^\s<>"'.,:;!?()\]]))/i;
// A backtick beside another one would run two pieces of code into one where Markdown is read.
const CODE = /(?<!`)(`[^`\n]+`)(?!`)/;
// Of a longer address the beginning and the end say most.
const LONGEST_SHOWN = 48;
// What is being written: an "@" at the beginning of a word, and the letters after it.
const UNFINISHED = /(?:^|[\s("'«„“‘[])@([\p{L}\p{M}\p{N}_.-]*)$/u;

// What a text says

/**
 * Finds "@name" of any of `names`, in any case, as one capturing group. Not a part of a longer name, and not in an
 * address: neither "me@asha.example" nor "@asha@server.example" nor "site.example/@asha" speaks to asha.
 */
function mentionOf(names) {
  const longestFirst = [...names].sort((a, b) => b.length - a.length).map(literal);
  return new RegExp(
    `(?<![\\p{L}\\p{M}\\p{N}_@./+-])(@(?:${longestFirst.join('|')}))(?![\\p{L}\\p{M}\\p{N}_]|[-.@][\\p{L}\\p{N}])`,
    'iu',
  );
}

function literal(name) {
  return name.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
}

/** Whether `text` mentions `name`. */
export function mentions(text, name) {
  return partsOf(text, [name]).some(({ kind }) => kind === 'mention');
}

/** The text in parts: `{ kind: 'text', 'code', 'link' or 'mention', words }`; code with the backticks around it. */
export function partsOf(text, names) {
  const withMentions = ({ words }) => words.includes('@') && names.length;
  return inTurns(text, CODE, 'code')
    .flatMap((part) => (part.kind === 'text' ? inTurns(part.words, LINK, 'link') : [part]))
    .flatMap((part) => (part.kind === 'text' && withMentions(part) ? inTurns(part.words, mentionOf(names), 'mention') : [part]));
}

/** With one capturing group, `split` puts what was found at odd places. */
function inTurns(text, pattern, kind) {
  return text
    .split(pattern)
    .map((words, index) => ({ kind: index % 2 ? kind : 'text', words }))
    .filter(({ words }) => words);
}

/** An address short enough to look at. */
export function shortened(address) {
  const bare = address.replace(/^https?:\/\/(www\.)?/i, '').replace(/\/$/, '');
  return bare.length > LONGEST_SHOWN ? `${bare.slice(0, LONGEST_SHOWN - 13)}…${bare.slice(-12)}` : bare;
}

/** The letters of the mention that is being written at the end of `text`, null when none is. */
export function unfinishedMention(text) {
  return text.match(UNFINISHED)?.[1] ?? null;
}

/** Those of `users` whose names begin with `letters`; none when the only one stands there already. */
export function completions(letters, users) {
  const folded = letters.toLowerCase();
  const fitting = users.filter((user) => nameOf(user).toLowerCase().startsWith(folded));
  return fitting.length === 1 && nameOf(fitting[0]).length === letters.length ? [] : fitting;
}

// One message

/** What a reply answers to. The page may not hold it: earlier messages come on demand. */
export const QuotedMessage = {
  name: 'QuotedMessage',
  template: /* html */ `
    <span class="quote" :class="hue">
      <template v-if="message">
        <b><person-name :user="message.user"></person-name></b> <span class="quote__text" dir="auto">{{ message.taken_back ? words.feed.takenBack : message.text }}</span>
      </template>
      <span v-else class="quote__text">{{ words.feed.earlierMessage }}</span>
    </span>`,
  inject: besideOthers,
  props: { message: Object },
  computed: {
    hue() {
      return this.message && hueOf(this.message.user, this.neighbours());
    },
  },
};

const FeedMessage = {
  name: 'FeedMessage',
  // Between the parts of a text stands no space that nobody wrote.
  template: /* html */ `
    <li class="message" :class="{ 'message--mine': mine, 'message--follows': follows, 'message--marked': isMarked, 'message--new': isNew }"
      :tabindex="isEntry ? 0 : -1" @pointerenter="onPointer" @pointerleave="onPointer" @focusin="onFocus" @focusout="onBlur"
      @keydown.escape="onEscape">
      <p v-if="note" class="message__note">{{ note }}</p>
      <div class="message__row">
        <person-face v-if="!mine && !follows" :name="message.user"></person-face>
        <div class="message__bubble" @click="onTap">
          <p class="message__user" :class="[hue, { 'visually-hidden': mine || follows }]">
            <person-name :user="message.user"></person-name> <span v-if="isHost" class="message__role">{{ words.people.host }}</span>
          </p>
          <button v-if="message.reply" class="message__quote" @click="$emit('jump')">
            <span class="visually-hidden">{{ words.feed.inReplyTo }}</span>
            <quoted-message :message="quoted"></quoted-message>
          </button>
          <p class="message__text" :class="{ 'message__text--gone': message.taken_back }" dir="auto"><template
            v-if="message.taken_back">{{ words.feed.takenBack }}</template><template v-for="part in parts"
            ><a v-if="part.kind === 'link'" :href="part.words" :title="part.words" target="_blank" rel="noopener noreferrer nofollow ugc">{{ part.shown }}</a
            ><strong v-else-if="part.kind === 'mention'" class="mention" :class="{ 'mention--me': part.isMe }">{{ part.words }}</strong
            ><code v-else-if="part.kind === 'code'">{{ part.shown }}</code
            ><template v-else>{{ part.words }}</template></template
            ><span v-if="state === 'sending'" class="message__time">{{ words.feed.sending }}</span
            ><time v-else-if="state === 'sent'" class="message__time" :datetime="isoTime">{{ time }}</time></p>
          <p v-if="reason" class="message__reason">{{ reason }}</p>
          <p v-if="state === 'notSent'" class="message__unsent">
            <button class="link" @click="$emit('again')">{{ words.feed.notSent }}</button>
            <button class="link" @click="$emit('discard')">{{ words.feed.discard }}</button>
          </p>
          <div v-if="isOpen && (mayReply || mayTakeBack)" class="message__actions" @mousedown.prevent>
            <button v-if="mayReply" class="button button--small" @click="$emit('reply')">{{ words.feed.reply }}</button>
            <button v-if="mayTakeBack" class="button button--small" @click="$emit('take-back')">{{ words.feed.takeBack }}</button>
          </div>
        </div>
        <button v-if="mayLike && (likes || isOpen)" class="like" :class="{ 'like--mine': isLiked }" :tabindex="isOpen ? 0 : -1"
          :aria-pressed="isLiked" :aria-label="likesInWords" :title="words.feed.like" @mousedown.prevent @click="$emit('like')">
          <page-icon name="thumb"></page-icon><span v-if="likes">{{ likes }}</span>
        </button>
        <span v-else-if="likes" class="like" role="img" :aria-label="likesInWords">
          <page-icon name="thumb"></page-icon>{{ likes }}
        </span>
      </div>
    </li>`,
  components: { PersonFace, QuotedMessage },
  inject: besideOthers,
  props: {
    message: Object,
    quoted: Object,
    names: Array,
    user: String,
    follows: Boolean,
    note: String,
    state: String,
    reason: String,
    likes: Number,
    isHost: Boolean,
    isEntry: Boolean, // where the keyboard gets into the feed
    isLiked: Boolean,
    isMarked: Boolean,
    isNew: Boolean,
    mayLike: Boolean,
    mayReply: Boolean,
    mayTakeBack: Boolean,
  },
  emits: ['again', 'discard', 'jump', 'like', 'reply', 'take-back'],

  // Whether the actions are shown. The feed need not know: only this one message renders again.
  data: () => ({ isOpen: false }),

  computed: {
    mine() {
      return this.message.user === this.user;
    },
    parts() {
      return partsOf(this.message.text, this.names).map((part) => ({
        ...part,
        isMe: part.kind === 'mention' && part.words.toLowerCase() === `@${nameOf(this.user).toLowerCase()}`,
        shown: part.kind === 'link' ? shortened(part.words) : part.words.slice(1, -1),
      }));
    },
    time() {
      return timeOfDay(this.message.at);
    },
    isoTime() {
      return new Date(this.message.at).toISOString();
    },
    hue() {
      return hueOf(this.message.user, this.neighbours());
    },
    likesInWords() {
      return this.likes ? fill(words.feed.likes, { count: this.likes }) : words.feed.like;
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

    onEscape(event) {
      if (!this.isOpen) return;
      event.preventDefault();
      this.isOpen = false;
    },

    onTap({ target }) {
      const isForItself = target.closest('a, button') || !getSelection().isCollapsed;
      if (isForItself || matchMedia('(hover: hover)').matches) return;
      this.isOpen = !this.isOpen;
      this.$el.focus({ preventScroll: true });
    },
  },
};

// All of them

/** The messages from the seq `from` to `to`. Looks from the end, where it usually is: the feed can be long. */
function between(feed, from, to) {
  const end = feed.findLastIndex(({ seq }) => seq <= to) + 1;
  const start = feed.findLastIndex(({ seq }) => seq < from) + 1;
  return feed.slice(start, end);
}

function stateOf({ seq, refusal }) {
  if (seq) return 'sent';
  return refusal ? 'notSent' : 'sending';
}

export const RoomFeed = {
  name: 'RoomFeed',
  template: /* html */ `
    <div class="feed">
      <div ref="log" class="feed__log" role="region" :aria-label="words.feed.title" tabindex="0" @scroll.passive="onScroll">
        <button v-if="hasEarlier" class="button button--small feed__earlier" @click="showEarlier">{{ words.feed.earlier }}</button>
        <slot></slot>
        <p v-if="beginning" class="feed__empty">{{ beginning }}</p>
        <ol ref="list" class="feed__list" @keydown.up.exact="onArrow" @keydown.down.exact="onArrow">
          <feed-message v-for="{ key, ...row } in rows" :key="key" :data-key="key" :data-seq="row.message.seq"
            v-bind="row" :names="names" :user="discussion.user" :is-marked="row.message.seq === marked"
            @again="discussion.sendAgain(row.message)" @discard="discussion.discard(row.message)" @jump="jumpTo(row.message.reply)"
            @like="like(row.message)" @reply="$emit('reply', row.message)" @take-back="$emit('take-back', row.message)"></feed-message>
        </ol>
        <p class="feed__writing"><template v-if="writing"><span class="dots" aria-hidden="true"></span>{{ writing }}</template></p>
      </div>
      <div class="visually-hidden" role="log" :aria-label="words.feed.newMessages">
        <p v-for="sentence in readOut" :key="sentence.id">{{ sentence.words }}</p>
      </div>
      <button v-if="!isPinned" class="button button--small feed__newest" @click="showNewest">{{ newest }}</button>
    </div>`,
  components: { FeedMessage },
  props: {
    discussion: Object,
    people: Array, // who has a seat, the host first
    closingRound: Number, // since when it runs; null before
    isAlone: Boolean,
    mayLike: Boolean,
    mayReply: Boolean,
    mayTakeBack: Number, // the seq of one's own message that can still be taken back
  },
  emits: ['reply', 'take-back', 'tell'],

  data: () => ({
    from: 0, // the first and the last seq to render
    to: Infinity,
    isPinned: true,
    unseen: 0,
    oldUpTo: null, // what was there when one came in is history
    marked: null, // the seq that was jumped to
    readOut: [], // what a screen reader should say
  }),

  computed: {
    messages() {
      return this.discussion.messages;
    },
    rows() {
      const rendered = between(this.messages, this.from, this.to);
      const shown = this.to === Infinity ? [...rendered, ...this.discussion.unsent] : rendered;
      const rows = shown.map((message, index) => this.rowOf(message, shown[index - 1]));
      // Where the keyboard gets in; from there the arrows lead on.
      const entry = rows.findLast(({ mayLike, mayReply, mayTakeBack }) => mayLike || mayReply || mayTakeBack);
      if (entry) entry.isEntry = true;
      return rows;
    },
    /** Looked up for each row with each new message, and there may be hundreds of both. */
    liked() {
      return new Set(this.discussion.liked);
    },
    last() {
      return this.messages.at(-1)?.seq ?? 0;
    },
    newest() {
      return this.unseen ? fill(words.feed.unseen, { count: this.unseen }) : words.feed.newest;
    },
    hasEarlier() {
      return this.discussion.hasEarlier || this.from > this.messages[0]?.seq;
    },
    /** What stands where nothing is before: for a guest that is not always the beginning of the room. */
    beginning() {
      const { unread, view } = this.discussion;
      if (unread) return this.hasEarlier ? '' : words.guest[view?.publish ? 'fromNowPublished' : 'fromNow'];
      return this.discussion.isCurrent && !this.rows.length && !this.isAlone ? words.feed.empty : '';
    },
    /** Whom a mention can mean. The same list as before if it says the same, else every message would render again. */
    names(_, before) {
      const users = new Set([this.discussion.user, ...this.people, ...this.messages.map(({ user }) => user)]);
      const names = Array.from(users, nameOf).sort();
      return String(names) === String(before) ? before : names;
    },
    writing() {
      const users = this.discussion.writers.slice(0, WRITERS_SHOWN);
      return users.length && showsWriting() ? fill(words.feed.writing, { names: namesOf(users), count: users.length }) : '';
    },
  },

  watch: {
    messages(messages, before) {
      const last = before.at(-1)?.seq ?? 0;
      const fresh = messages.slice(messages.findLastIndex(({ seq }) => seq <= last) + 1);
      const others = fresh.filter(({ user }) => user !== this.discussion.user);
      this.sayNew(others);
      // Words that were taken back go from there too.
      const isGone = ({ id }) => messageAt(messages, id)?.taken_back;
      if (this.readOut.some(isGone)) this.readOut = this.readOut.filter((sentence) => !isGone(sentence));
      // Before rendering moves the end: a scroll event may still be on its way.
      if (this.isPinned) this.onScroll();
      if (this.isPinned) this.from = this.last - RENDERED + 1;
      else this.unseen += others.length;
    },
    'discussion.isCurrent'() {
      this.oldUpTo ??= this.last;
    },
    'discussion.unsent.length'(length, before) {
      if (length > before) this.showNewest();
    },
  },

  mounted() {
    // Also when a keyboard opens, or the phone is turned.
    this.sizes = new ResizeObserver(() => this.isPinned && this.scrollToEnd());
    this.sizes.observe(this.$refs.log);
    this.sizes.observe(this.$refs.list);
  },

  beforeUpdate() {
    if (this.isPinned) return;
    const { log } = this.$refs;
    this.fromEnd = log.scrollHeight - log.scrollTop;
    this.firstKey = this.firstKeyNow();
  },

  updated() {
    const { log } = this.$refs;
    if (!this.isPinned && this.firstKey !== this.firstKeyNow()) log.scrollTop = log.scrollHeight - this.fromEnd;
  },

  beforeUnmount() {
    this.sizes.disconnect();
    clearTimeout(this.markTimer);
    clearTimeout(this.readOutTimer);
  },

  methods: {
    /** What one message in the feed is given; `before` is the message above it. */
    rowOf(message, before) {
      const state = stateOf(message);
      const isSaid = state === 'sent' && !message.taken_back;
      const note = this.noteAbove(message, before);
      const why = message.refusal ?? message.delay;
      return {
        // The same before and after it was sent, so that the row stays and only its state changes.
        key: `${message.user} ${message.key ?? message.seq}`,
        message,
        quoted: message.reply && messageAt(this.messages, message.reply),
        follows: !note && !message.reply && before?.user === message.user && message.at - before.at < TOGETHER_MS,
        note,
        state,
        reason: why && reasonOf(why),
        likes: this.discussion.likes[message.seq] ?? 0,
        isLiked: this.liked.has(message.seq),
        isHost: message.user === this.people[0],
        isNew: this.oldUpTo !== null && !(message.seq <= this.oldUpTo),
        mayLike: this.mayLike && isSaid && message.user !== this.discussion.user,
        mayReply: this.mayReply && isSaid,
        mayTakeBack: message.seq === this.mayTakeBack,
      };
    },

    /** A new day, or that the closing round has begun. */
    noteAbove(message, before) {
      if (before && new Date(before.at).getDate() !== new Date(message.at).getDate()) return dayOf(message.at);
      const since = this.closingRound;
      if (since === null || message.at < since || before?.at >= since) return undefined;
      return fill(words.feed.closingRound, { time: timeOfDay(since) });
    },

    async showEarlier() {
      this.isPinned = false;
      const first = this.messages[0].seq;
      this.from = Math.max(this.from, first) - STEP;
      if (this.from < first && this.discussion.hasEarlier) await this.fetchEarlier();
    },

    /** Gives whether there were any. */
    async fetchEarlier() {
      const answer = await this.discussion.fetchEarlier();
      if (!answer.ok) this.$emit('tell', reasonOf(answer));
      return answer.ok && answer.messages.length > 0;
    },

    async showNewest() {
      this.isPinned = true;
      this.unseen = 0;
      this.from = this.last - RENDERED + 1;
      this.to = Infinity;
      await this.$nextTick();
      this.scrollToEnd();
    },

    /** Shows the message that a reply answers to, and the way back. */
    async jumpTo(seq) {
      this.isPinned = false;
      while (this.messages[0].seq > seq && (await this.fetchEarlier()));
      if (!this.$refs.list) return; // left meanwhile
      if (!messageAt(this.messages, seq)) return this.onScroll();
      this.isPinned = false; // again: what was fetched has moved the end meanwhile
      if (seq < this.from || seq > this.to) this.showAround(seq);
      this.marked = seq;
      await this.$nextTick();
      const row = this.$refs.list.querySelector(`[data-seq="${seq}"]`);
      row.scrollIntoView({ block: 'center' });
      row.focus({ preventScroll: true });
      this.onScroll();
      clearTimeout(this.markTimer);
      this.markTimer = setTimeout(() => (this.marked = null), MARKED_MS);
    },

    showAround(seq) {
      this.from = seq - RENDERED / 2;
      this.to = seq + RENDERED / 2;
      if (this.to >= this.last) this.to = Infinity;
    },

    async like({ seq }) {
      const answer = await this.discussion.like(seq);
      if (!answer.ok) this.$emit('tell', reasonOf(answer));
    },

    onScroll() {
      const { log } = this.$refs;
      // A keyboard that opens and a phone that is turned move the end away as well, but only a person scrolls up.
      if (this.isPinned && this.sizeNow() !== this.size) return this.scrollToEnd();
      const isNearEnd = log.scrollHeight - log.scrollTop - log.clientHeight < PINNED_PX;
      const stays = this.isPinned && log.scrollTop >= this.scrollTop;
      this.scrollTop = log.scrollTop;
      this.isPinned = (isNearEnd || stays) && this.to === Infinity;
      if (this.isPinned) this.unseen = 0;
      else if (isNearEnd) this.to = this.to + STEP < this.last ? this.to + STEP : Infinity;
    },

    scrollToEnd() {
      const { log } = this.$refs;
      log.scrollTop = log.scrollHeight;
      this.scrollTop = log.scrollTop;
      this.size = this.sizeNow();
    },

    sizeNow() {
      const { clientWidth, clientHeight, scrollHeight } = this.$refs.log;
      return `${clientWidth} ${clientHeight} ${scrollHeight}`;
    },

    /** From message to message. */
    onArrow(event) {
      const row = event.target.closest('.message');
      const next = event.key === 'ArrowUp' ? row.previousElementSibling : row.nextElementSibling;
      if (!next) return;
      event.preventDefault();
      next.focus();
    },

    firstKeyNow() {
      return this.$refs.list.firstElementChild?.dataset.key;
    },

    /** The feed itself is no live region: a screen reader would say buttons and times, earlier messages and one's own. */
    sayNew(messages) {
      if (this.oldUpTo === null) return;
      const fresh = messages.filter((message) => message.seq > this.oldUpTo && !message.taken_back);
      if (!fresh.length) return;
      const isMuch = fresh.length > READ_OUT;
      const sentences = isMuch ? [fill(words.feed.manyNew, { count: fresh.length })] : fresh.map(this.sentenceOf);
      const { seq } = fresh[0];
      this.readOut = [...this.readOut, ...sentences.map((words, index) => ({ id: seq + index, words }))];
      clearTimeout(this.readOutTimer);
      this.readOutTimer = setTimeout(() => (this.readOut = []), READ_OUT_MS);
    },

    sentenceOf({ user, text }) {
      return fill(words.feed.said, { user: naming(user), text });
    },
  },
};
