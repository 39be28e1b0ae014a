/**
 * What one missed, in quotes that lead to their places: offered to who comes late or comes back, and beside a discussion
 * that is over. The party picks them; where its owner has an AI, that may say sentences of its own, each with its source.
 * Whoever says it, it stays text.
 */

import { ASK_WITHIN_MS, messageAt } from './discussion.js';
import { SheetDialog, besideOthers, hueOf, isGuest, isStillWanted, noteGuests } from './parts.js';
import { SECOND, fill, limits, timeOfDay, words } from './words.js';

const FETCH_MS = 8 * SECOND;
// An AI takes its time. Until it has spoken, the party gives what it picks itself.
const ASK_AGAIN_MS = 20 * SECOND;
const ASK_AGAIN = 4;
// A shorter discussion is seen as fast as what is picked of it.
const WORTHWHILE = 12; // messages
// A kind of a later version is a quote without a word about it.
const KINDS = ['approved', 'answered', 'question', 'central', 'last'];

/** What the party picked of a room, behind the seq `after` where one is given; undefined when it cannot be had. */
async function fetchMoments(room, after) {
  const query = after === undefined ? '' : `?after=${after}`;
  try {
    const answer = await fetch(`moments/${encodeURIComponent(room)}${query}`, { signal: AbortSignal.timeout(FETCH_MS) });
    if (!answer.ok) return undefined;
    const picked = await answer.json();
    for (const { user, name } of picked.moments.map(({ message }) => message)) {
      if (isGuest(user)) noteGuests({ guests: { [user]: name } });
    }
    return picked;
  } catch {
    return undefined;
  }
}

/** The quotes, in the order of the feed, and who picked or wrote them. */
const MomentList = {
  name: 'MomentList',
  template: /* html */ `
    <p class="moments__by">{{ by ? fill(words.moments.writtenBy, { model: by }) : fill(words.moments.picked, { count: of }) }}</p>
    <ol class="moments">
      <li v-for="({ seq, kind, text, message }, index) in moments" :key="index">
        <button class="moment" @click="$emit('go', seq)">
          <span v-if="text" class="moment__sentence" dir="auto">{{ text }}</span>
          <span v-else-if="kinds.includes(kind)" class="moment__kind">
            {{ words.moments[kind] }}
            <span v-if="kind === 'approved' && message.likes" class="like" role="img" :aria-label="fill(words.feed.likes, { count: message.likes })">
              <page-icon name="thumb"></page-icon>{{ message.likes }}
            </span>
          </span>
          <span class="moment__said" :class="hueOf(message.user, neighbours())">
            <span class="moment__who"><person-name :user="message.user"></person-name> <time class="moment__time">{{ timeOfDay(message.at) }}</time></span>
            <span class="moment__text" dir="auto">{{ message.text }}</span>
          </span>
        </button>
      </li>
    </ol>`,
  inject: besideOthers,
  props: {
    moments: Array,
    by: String, // the name of the model that wrote them; none where the party picked them
    of: Number, // messages that were looked at
  },
  emits: ['go'],
  computed: { kinds: () => KINDS },
  methods: { hueOf, timeOfDay },
};

/** The seqs of the messages in the feed that are on the screen. */
function onScreen({ log, list }) {
  const seen = log.getBoundingClientRect();
  const rows = Array.from(list.children, (row) => ({ seq: Number(row.dataset.seq), ...row.getBoundingClientRect().toJSON() }));
  return rows.filter(({ seq, top, bottom }) => seq && top < seen.bottom && bottom > seen.top).map(({ seq }) => seq);
}

export const RoomMoments = {
  name: 'RoomMoments',
  template: /* html */ `
    <aside v-if="isBeside" class="room__side" :aria-label="words.moments.title">
      <div v-if="moments.length" class="moments__beside">
        <h2>{{ words.moments.title }}</h2>
        <moment-list :moments="moments" :by="picked.by" :of="picked.of" @go="feed().jumpTo($event)"></moment-list>
      </div>
    </aside>
    <div v-else-if="isOver ? moments.length : after !== null" ref="offer" class="moments-offer" role="status">
      <button class="moments-offer__show" :aria-disabled="isAsking ? true : undefined" @click="show">{{ title }}</button>
      <button v-if="!isOver" class="button button--icon" :aria-label="words.moments.dismiss" :title="words.moments.dismiss" @click="dismiss">
        <page-icon name="close"></page-icon>
      </button>
    </div>
    <sheet-dialog ref="sheet" :title="title" @close="onClosed">
      <moment-list v-if="picked" :moments="moments" :by="picked.by" :of="picked.of" @go="go"></moment-list>
    </sheet-dialog>`,
  components: { MomentList, SheetDialog },
  props: {
    discussion: Object,
    after: Number, // the last seq that one had seen; null when nothing much was missed
    isWide: Boolean, // there is space beside the feed
    feed: Function, // gives it
  },
  emits: ['seen', 'tell'],

  data() {
    return {
      picked: null,
      isAsking: false,
      isLooked: false, // for, in a room that is over
      upTo: this.discussion.messages.at(-1).seq, // what comes later is seen as it comes
    };
  },

  computed: {
    isOver() {
      return Boolean(this.discussion.view.closed);
    },
    /** Held free until it is known that there is nothing: the feed would jump twice. */
    isBeside() {
      return this.isOver && this.isWide && (this.moments.length > 0 || this.isDue);
    },
    isDue() {
      const { isCurrent, view } = this.discussion;
      return this.isOver && isCurrent && !this.isLooked && view.seq >= WORTHWHILE;
    },
    title() {
      return this.isOver ? words.moments.title : words.moments.missed;
    },
    /** Without what was taken back meanwhile. */
    moments() {
      const { messages } = this.discussion;
      return (this.picked?.moments ?? []).filter(({ seq }) => !messageAt(messages, seq)?.taken_back);
    },
  },

  watch: {
    isDue: {
      immediate: true,
      handler(isDue) {
        clearTimeout(this.timer);
        const isNews = this.discussion.cameAfter < this.discussion.view.seq;
        if (isDue) this.timer = setTimeout(this.look, isNews ? Math.random() * ASK_WITHIN_MS : 0, ASK_AGAIN);
      },
    },
    isOver(isOver) {
      this.picked = null;
      if (isOver && this.$refs.sheet.isOpen) this.$refs.sheet.close();
    },
  },

  mounted() {
    this.readFrom = this.upTo + 1; // of what was missed, all from here to the end has been seen
    this.readTo = this.after; // and all from the beginning to here
    this.log = this.feed().$refs.log;
    this.log.addEventListener('scroll', this.noteRead, { passive: true });
    this.noteRead();
  },

  beforeUnmount() {
    clearTimeout(this.timer);
    this.log.removeEventListener('scroll', this.noteRead);
  },

  methods: {
    /** What there is of a room that is over. Asks again `times` times, where an AI may have the word later. */
    async look(times) {
      const picked = await fetchMoments(this.discussion.id);
      this.isLooked = true;
      const isUsed = this.$refs.sheet?.isOpen || document.activeElement?.closest('.moments__beside');
      if (picked && !isUsed) this.picked = picked;
      if (limits.ai && !this.picked?.by && times) this.timer = setTimeout(this.look, ASK_AGAIN_MS, times - 1);
    },

    async show() {
      if (this.isAsking) return;
      if (!this.isOver) {
        this.isAsking = true;
        const coming = fetchMoments(this.discussion.id, this.after);
        const isWanted = await isStillWanted(coming);
        this.isAsking = false;
        if (this.isOver || !isWanted) return;
        const picked = await coming;
        if (!picked) return this.$emit('tell', words.connection.notAnswering);
        this.picked = picked;
        if (!this.moments.length) {
          this.$emit('tell', words.moments.none);
          return this.dismiss();
        }
      }
      this.$refs.sheet.show();
    },

    /** To one place. The offer stays for the others. */
    go(seq) {
      this.isGoing = true;
      this.$refs.sheet.close();
      this.feed().jumpTo(seq);
    },

    onClosed() {
      if (!this.isGoing && !this.isOver) this.dismiss();
      this.isGoing = false;
    },

    dismiss() {
      // What had the focus is gone in a moment.
      if (this.$refs.offer?.contains(document.activeElement)) this.log.focus();
      this.$emit('seen');
    },

    /** All of it was read when what was seen from the end on meets what was seen from the beginning on. */
    noteRead() {
      if (this.after === null || this.isOver) return;
      const seqs = onScreen(this.feed().$refs);
      const [first, last] = [seqs[0], seqs.at(-1)];
      if (last >= this.readFrom - 1) this.readFrom = Math.min(this.readFrom, first);
      if (first <= this.readTo + 1) this.readTo = Math.max(this.readTo, last);
      if (this.readFrom <= this.readTo + 1) this.dismiss();
    },
  },
};
