/** The lobby: the live rooms as cards, which can be searched, what is planned, and the closed rooms that one can still read. */

import { PageChoices } from './noticing.js';
import {
  BurningLine,
  FacePile,
  PersonFace,
  RoomTime,
  SheetDialog,
  hueOf,
  isClosingRound,
  isDoorOpen,
  isJustOpened,
  neighboursIn,
  seated,
  sign,
} from './parts.js';
import { MINUTE, SECOND, countInWords, fill, piecesOfList, placeInWords, timeOfDay, words } from './words.js';

// As many cards are seen at a glance.
const CARDS_AT_A_GLANCE = 6;
// Nobody reads a card for longer, or they touch something.
const READ_WITHIN = 30 * SECOND;
// How long after its last words a room is lively, and how long it has only fallen silent; and how much time left is little.
const LIVELY_FOR = 2 * MINUTE;
const SILENT_FOR = 10 * MINUTE;
const LITTLE_TIME = 10 * MINUTE;
// A finger leaves its hover behind.
const CAN_HOVER = matchMedia('(hover: hover)');
const TOUCHES = ['pointerdown', 'pointermove', 'keydown', 'scroll', 'wheel'];

/**
 * The cards in the lobby's order: where something was said lately (or which have just opened) come first, then where it has
 * fallen silent for some minutes, then for longer; of equally lively ones those with time to take part, then the last ten
 * minutes, then the closing rounds; of these the newest. The steps are coarse, so that cards seldom change places.
 */
export function inOrder(cards, now) {
  const silence = ({ active_at: at }) => [LIVELY_FOR, SILENT_FOR].filter((step) => now - at >= step).length;
  const hurry = (card) => (isClosingRound(card, now) ? 2 : Number(card.closes_at - now < LITTLE_TIME));
  const compare = (a, b) => silence(a) - silence(b) || hurry(a) - hurry(b) || b.opened_at - a.opened_at || (a.id < b.id ? -1 : 1);
  return [...cards].sort(compare);
}

/** As it is compared: without accents, in one case. ("ß" has a case only as "SS".) */
const folded = (text) => text.normalize('NFKD').replace(/\p{M}/gu, '').toUpperCase().toLowerCase();

/** The cards in whose topic, host or speakers each of the words of `text` stands. */
export function found(cards, text) {
  const sought = folded(text).split(/\s+/);
  return cards.filter(({ topic, host, speakers = [], guests = {} }) => {
    const names = [host, ...speakers].map((name) => guests[name] ?? name);
    const all = folded([topic, ...names].join('\n'));
    return sought.every((word) => all.includes(word));
  });
}

/** A live room. The whole card opens it; what one may do besides stands above that link. */
export const LobbyCard = {
  name: 'LobbyCard',
  template: /* html */ `
    <article class="card" :class="hue" :aria-labelledby="'topic-' + card.id">
      <burning-line :room="card" :now="now"></burning-line>
      <p class="facts card__facts">
        <span class="dot" aria-hidden="true"></span>
        <span><bdi>{{ card.host }}</bdi> {{ words.card.hosts }}</span>
        <span v-if="isNew">{{ words.card.justOpened }}</span>
        <room-time v-else :room="card" :now="now"></room-time>
        <span v-if="card.watching">{{ fill(words.card.listening, { count: card.watching }) }}</span>
        <span v-if="card.publish" class="card__mark card__publish"><page-icon name="page"></page-icon><span>{{ words.card.publish }}</span></span>
        <span v-if="isDoorOpen" class="card__mark card__door"><page-icon name="door"></page-icon><span>{{ words.card.openDoor }}</span></span>
      </p>
      <h2 :id="'topic-' + card.id" class="topic" dir="auto">
        <a :id="'open-' + card.id" class="card__open" :href="'#room=' + card.id"
          @click.exact.prevent="$emit('open')">{{ card.topic }}</a>
      </h2>
      <p v-if="card.last" class="card__last" dir="auto">
        <b :class="authorHue"><person-name :user="card.last.user"></person-name></b> {{ card.last.text }}
      </p>
      <p v-else class="card__last card__last--none">{{ nothingSaid }}</p>
      <div class="card__foot">
        <face-pile :names="people"></face-pile>
        <span class="card__names">
          <span v-for="[user, then] in speakers" :key="user"><person-name :user="user"></person-name>{{ then }}</span>
        </span>
        <span v-if="requests" class="badge">{{ fill(words.card.asking, { count: requests }) }}</span>
        <span v-else-if="place" class="badge">{{ placeInWords(place) }}</span>
        <span v-else-if="mine" class="badge badge--quiet">{{ mine }}</span>
        <a v-else-if="mayAsk" class="button button--small card__ask" :href="'#room=' + card.id + '&ask'"
          :aria-label="fill(words.card.askIn, { topic: card.topic })" @click.exact.prevent="$emit('ask')">{{ words.card.ask }}</a>
      </div>
    </article>`,
  components: { BurningLine, FacePile, RoomTime },
  props: {
    card: Object,
    user: String,
    now: Number,
    place: Number, // mine in its queue
    requests: Number, // where I am the host
  },
  emits: ['ask', 'open'],
  provide() {
    return { neighbours: () => neighboursIn(this.card) };
  },
  computed: {
    people() {
      return seated(this.card);
    },
    hue() {
      return hueOf(this.card.host, neighboursIn(this.card));
    },
    authorHue() {
      return hueOf(this.card.last.user, neighboursIn(this.card));
    },
    /** Each with what stands behind the name. */
    speakers() {
      return piecesOfList(this.card.speakers);
    },
    isNew() {
      return !this.card.last && isJustOpened(this.card, this.now);
    },
    nothingSaid() {
      return this.card.speakers.length ? words.feed.empty : fill(words.card.nothingSaid, { user: this.card.host });
    },
    isDoorOpen() {
      return isDoorOpen(this.card);
    },
    mine() {
      if (this.card.host === this.user) return words.card.youHost;
      return this.card.speakers.includes(this.user) ? words.card.youSpeak : '';
    },
    mayAsk() {
      return !this.people.includes(this.user) && !isClosingRound(this.card, this.now);
    },
  },
  methods: { placeInWords },
};

/** Closed rooms that one was inside of. */
const ClosedRooms = {
  name: 'ClosedRooms',
  template: /* html */ `
    <section v-if="readable.length" class="closed" aria-labelledby="closed-title">
      <h2 id="closed-title">{{ words.lobby.closed }}</h2>
      <ul>
        <li v-for="room in readable" :key="room.id">
          <a :id="'open-' + room.id" class="closed__topic topic" :href="'#room=' + room.id" dir="auto"
            @click.exact.prevent="$emit('read', room.id)">{{ room.topic }}</a>
          <span class="closed__until">{{ until(room) }}<template v-if="room.published">{{ words.lobby.dot }}<a
            :href="'published/of/' + room.id" target="_blank">{{ words.lobby.readPage }}</a></template></span>
        </li>
      </ul>
    </section>`,
  props: { rooms: Array, now: Number },
  emits: ['read'],
  computed: {
    readable() {
      return this.rooms.filter(({ gone_at: goneAt }) => !(goneAt <= this.now));
    },
  },
  methods: {
    until({ closed_at: closedAt, gone_at: goneAt }) {
      return [
        closedAt && fill(words.lobby.endedAt, { time: timeOfDay(closedAt) }),
        goneAt && fill(words.lobby.readableUntil, { time: timeOfDay(goneAt) }),
      ].filter(Boolean).join(words.lobby.dot);
    },
  },
};

export const LobbyPage = {
  name: 'LobbyPage',
  template: /* html */ `
    <div class="lobby">
      <header class="top">
        <p class="brand"><img :src="sign" alt="" width="28" height="28">{{ words.party.name }}</p>
        <button class="button button--main top__host" @click="$emit('host')">
          <page-icon name="plus"></page-icon>{{ words.lobby.host }}
        </button>
        <button class="button button--icon top__me" :class="{ 'button--marked': isAnswered }" :aria-label="me"
          @click="$refs.me.show()">
          <person-face :name="user"></person-face>
        </button>
      </header>
      <main>
        <h1 ref="heading" tabindex="-1">{{ heading }}</h1>
        <form v-if="isSearchable" class="search" role="search" @submit.prevent="goToFirst">
          <input v-model="sought" type="search" :aria-label="words.lobby.search" :placeholder="words.lobby.search" autocomplete="off"
            enterkeyhint="search" dir="auto" @keydown.esc="sought = ''">
          <p class="visually-hidden" role="status">{{ result }}</p>
        </form>
        <div v-if="cards.length" ref="cards" class="cards">
          <lobby-card v-for="card in shownCards" :key="card.id" :card="card" :user="user" :now="now" :place="places[card.id]"
            :requests="queues[card.id]?.length" @open="$emit('open', card.id)" @ask="$emit('open', card.id, true)"></lobby-card>
        </div>
        <section v-else class="quiet">
          <img :src="sign" alt="" width="96" height="96">
          <p>{{ words.lobby.quietHint }}</p>
        </section>
        <lobby-plans v-if="shownPlans.length" :plans="shownPlans" :user="user" :now="now" :coming="coming" :expected="expected"
          @open="(id) => $emit('open', id)" @come="(...said) => $emit('come', ...said)"></lobby-plans>
        <closed-rooms :rooms="closedRooms" :now="now" @read="(id) => $emit('open', id)"></closed-rooms>
      </main>
      <sheet-dialog ref="me" :title="user">
        <page-choices></page-choices>
        <button class="button button--wide" :class="{ 'button--marked': isAnswered }" @click="tellUs">{{ words.party.tellUs }}</button>
        <a v-if="isOwner" class="button button--wide" href="insights">{{ words.party.insights }}</a>
        <button class="button button--wide" form="sign-out">{{ words.party.signOut }}</button>
        <p class="release">
          <a href="privacy">{{ words.party.privacy }}</a> <span>{{ fill(words.party.release, { version }) }}</span>
        </p>
      </sheet-dialog>
    </div>`,
  components: { ClosedRooms, LobbyCard, PageChoices, PersonFace, SheetDialog },
  props: {
    cards: Array,
    plans: Array,
    closedRooms: Array,
    user: String,
    now: Number,
    places: Object,
    queues: Object,
    coming: Object, // by room: whether this person comes
    expected: Object, // by room: who comes, where this person hosts it
    isAway: Boolean, // in a room
    isAnswered: Boolean, // by the owner, and has not read it
  },
  emits: ['come', 'host', 'open', 'tell-us'],

  data: () => ({
    order: [], // ids of the cards as they stand
    sought: '',
  }),

  computed: {
    /** In the order that stands; what has opened since then comes last. */
    orderedCards() {
      const place = ({ id }) => (this.order.includes(id) ? this.order.indexOf(id) : Infinity);
      const late = inOrder(this.cards, this.now).filter(({ id }) => !this.order.includes(id));
      const standing = this.cards.filter(({ id }) => this.order.includes(id));
      return [...standing.sort((a, b) => place(a) - place(b)), ...late];
    },
    shownCards() {
      return found(this.orderedCards, this.soughtHere);
    },
    shownPlans() {
      return found([...this.plans].sort((a, b) => a.opens_at - b.opens_at), this.soughtHere);
    },
    /** The field stays while somebody searches, however many have closed meanwhile. */
    isSearchable() {
      return this.cards.length + this.plans.length > CARDS_AT_A_GLANCE || this.sought !== '';
    },
    soughtHere() {
      return this.sought.trim();
    },
    result() {
      if (!this.soughtHere) return '';
      const count = this.shownCards.length + this.shownPlans.length;
      return count ? fill(words.lobby.found, { count }) : fill(words.lobby.notFound, { text: this.soughtHere });
    },
    heading() {
      return this.result || (this.cards.length ? countInWords(words.lobby.heading, this.cards.length) : words.lobby.quiet);
    },
    me() {
      return fill(this.isAnswered ? words.lobby.meAnswered : words.lobby.me, { user: this.user });
    },
    sign: () => sign,
    isOwner: () => 'owner' in document.body.dataset,
    version: () => document.body.dataset.release,
  },

  watch: {
    now: 'settle',
    isAway(isAway) {
      if (!isAway) this.comeBack();
    },
  },

  created() {
    this.comeBack();
    for (const touch of TOUCHES) addEventListener(touch, this.onTouch, { passive: true });
    document.addEventListener('visibilitychange', this.comeBack);
  },

  methods: {
    onTouch() {
      this.readFrom = Date.now();
    },

    /** Whoever comes, or comes back, finds the cards in order, and reads. */
    comeBack() {
      this.readFrom = 0;
      this.settle();
      this.readFrom = Date.now();
    },

    /** Puts the cards in order, unless somebody may be reading them: then none changes its place. */
    settle() {
      const isPointedAt = this.$refs.cards?.matches(CAN_HOVER.matches ? ':hover, :focus-within' : ':focus-within');
      const isSeen = !document.hidden && !this.isAway;
      if (isSeen && (isPointedAt || Date.now() - this.readFrom < READ_WITHIN)) return;
      const order = inOrder(this.cards, this.now).map(({ id }) => id);
      if (order.join() !== this.order.join()) this.order = order;
    },

    /** From the field to what was found. */
    goToFirst() {
      this.$el.querySelector('.card__open')?.focus();
    },

    tellUs() {
      this.$refs.me.close();
      this.$emit('tell-us');
    },

    /** After a room: to where it was opened, or where that is gone to the heading. */
    focusOn(room) {
      (document.getElementById(`open-${room}`) ?? this.$refs.heading).focus();
    },
  },
};
