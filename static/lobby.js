/** The lobby: the live rooms as cards, the closed ones that one can still read, and the sheet that opens a new room. */

import { command } from './connection.js';
import { keep, kept, topicDraftName } from './kept.js';
import { PageChoices } from './noticing.js';
import { BurningLine, FacePile, PersonFace, RoomTime, SheetDialog } from './parts.js';
import { hueOf, isClosingRound, isInComposition, isJustOpened, namesOf, seated, sign } from './parts.js';
import { countInWords, fill, limits, placeInWords, reasonOf, timeOfDay, words } from './words.js';

// How long a room is open when its host does not say; the owner can set it beyond what a host may choose.
const USUAL_MINUTES = limits.roomMinutes;
const CHOICES_OF_MINUTES = [10, 20, 30];

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
        <span class="card__names"><bdi v-if="card.speakers.length">{{ speakers }}</bdi></span>
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
    return { neighbours: () => this.people };
  },
  computed: {
    people() {
      return seated(this.card);
    },
    hue() {
      return hueOf(this.card.host);
    },
    authorHue() {
      return hueOf(this.card.last.user, this.people);
    },
    speakers() {
      return namesOf(this.card.speakers);
    },
    isNew() {
      return !this.card.last && isJustOpened(this.card, this.now);
    },
    nothingSaid() {
      return this.card.speakers.length ? words.feed.empty : fill(words.card.nothingSaid, { user: this.card.host });
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

export const HostSheet = {
  name: 'HostSheet',
  template: /* html */ `
    <sheet-dialog ref="sheet" :title="words.hosting.title">
      <form class="hosting" @submit.prevent="open">
        <label class="field">
          <span class="visually-hidden">{{ words.hosting.topic }}</span>
          <textarea v-grow v-model="topic" class="topic" required rows="1" :maxlength="limits.maxTopic" autocomplete="off" dir="auto"
            enterkeyhint="go" aria-describedby="topic-count" @keydown.enter.prevent="onEnter"></textarea>
        </label>
        <p id="topic-count" class="field__count">{{ count }}</p>
        <fieldset v-if="choices.length > 1" class="chips">
          <legend>{{ words.hosting.minutes }}</legend>
          <label v-for="choice in choices" :key="choice" class="chip">
            <input v-model="minutes" class="visually-hidden" type="radio" name="minutes" :value="choice">{{ choice }}
          </label>
        </fieldset>
        <p class="refusal" role="alert">{{ refusal }}</p>
        <button class="button button--main button--wide" :disabled="isOpening">{{ words.hosting.open }}</button>
      </form>
    </sheet-dialog>`,
  components: { SheetDialog },
  props: { user: String },
  emits: ['opened'],
  data() {
    const topic = kept(topicDraftName(this.user), '');
    return { topic, minutes: USUAL_MINUTES, continues: undefined, refusal: '', isOpening: false };
  },
  computed: {
    /** The usual time is one of them, whatever it is. */
    choices() {
      return [...new Set([...CHOICES_OF_MINUTES, USUAL_MINUTES])].filter((n) => n <= limits.mostMinutes || n === USUAL_MINUTES);
    },
    count() {
      return fill(words.writing.count, { length: Array.from(this.topic).length, most: limits.maxTopic });
    },
  },
  watch: {
    topic(text) {
      keep(topicDraftName(this.user), text);
    },
  },
  methods: {
    /** With a closed room (`{ id, topic }`) to carry on its discussion. */
    async show(continued) {
      await this.$refs.sheet.show();
      const isOther = this.continues !== continued?.id;
      Object.assign(this, { refusal: '', continues: continued?.id });
      if (isOther) this.topic = continued?.topic ?? '';
      await this.$nextTick();
      const field = this.$el.querySelector('textarea');
      field.focus();
      field.select();
    },

    onEnter(event) {
      if (!isInComposition(event)) this.open();
    },

    async open() {
      if (this.isOpening || !this.topic.trim()) return;
      this.isOpening = true;
      const minutes = this.minutes === USUAL_MINUTES ? undefined : this.minutes;
      const answer = await command('host', { topic: this.topic.trim(), minutes, continues: this.continues });
      this.isOpening = false;
      this.refusal = answer.ok ? '' : reasonOf(answer);
      // Where somebody else was faster, the answer says which room it goes on in.
      if (!answer.room) return;
      this.topic = '';
      this.$refs.sheet.close();
      this.$emit('opened', answer.room);
    },
  },
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
          <span class="closed__until">{{ until(room) }}</span>
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
        <div v-if="cards.length" class="cards">
          <lobby-card v-for="card in cards" :key="card.id" :card="card" :user="user" :now="now" :place="places[card.id]"
            :requests="queues[card.id]?.length" @open="$emit('open', card.id)" @ask="$emit('open', card.id, true)"></lobby-card>
        </div>
        <section v-else class="quiet">
          <img :src="sign" alt="" width="96" height="96">
          <p>{{ words.lobby.quietHint }}</p>
        </section>
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
    closedRooms: Array,
    user: String,
    now: Number,
    places: Object,
    queues: Object,
    isAnswered: Boolean, // by the owner, and has not read it
  },
  emits: ['host', 'open', 'tell-us'],
  computed: {
    heading() {
      return this.cards.length ? countInWords(words.lobby.heading, this.cards.length) : words.lobby.quiet;
    },
    me() {
      return fill(this.isAnswered ? words.lobby.meAnswered : words.lobby.me, { user: this.user });
    },
    sign: () => sign,
    isOwner: () => 'owner' in document.body.dataset,
    version: () => document.body.dataset.release,
  },
  methods: {
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
