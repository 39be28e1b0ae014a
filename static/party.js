/**
 * Discuss Party: what the whole page holds, and which part of it is seen: the lobby, or the room that the address names
 * (`#room=ID`).
 */

import { ask, command, connect, fetchFeedback, isPassing, on, wait } from './connection.js';
import { asksInAddress, doorInAddress, keep, kept, linkTo, pitchName, readAnswers, roomInAddress, takeInvitedName, unsentName } from './kept.js';
import { LobbyPage } from './lobby.js';
import { notice, noticeRequests, showUnseen } from './noticing.js';
import { PageIcon, PersonName, SureButton, growing, isStillWanted, loadStyles, namesOf, noteGuests, seated, watchNames } from './parts.js';
import { MINUTE, SECOND, fetchAllWords, fill, limits, reasonOf, words } from './words.js';

const NOTICE_MS = 8000;
const LOOK_FOR_ANSWERS_MS = 5 * MINUTE;
// A thousand pages may be in a closing round of three minutes; they should not all ask in the same instant.
const PREPARE_WITHIN_MS = MINUTE;
// More would cover the feed of a phone.
const NOTICES = 2;

// What comes when it is asked for, and of which module.
const LATER = {
  DoorSheet: 'hosting',
  HostSheet: 'hosting',
  LastMinutes: 'closing',
  LobbyPlans: 'plans',
  MoveSheet: 'hosting',
  OutSheet: 'hosting',
  PlanPage: 'plans',
  RoomEnding: 'ending',
  RoomMoments: 'moments',
  RoomPage: 'room',
  RoomPeople: 'people',
  RoomPublishing: 'publishing',
  RoomQueue: 'queue',
  RoomWorth: 'telling',
  TellUs: 'telling',
  VisitEnd: 'guest',
  WithholdButton: 'publishing',
};
// Few open them, so their words do not come with the page either.
const WORDY = ['hosting', 'moments', 'plans', 'publishing', 'telling'];
// Without these something would be missing, and nobody would know.
const VITAL = ['closing', 'ending', 'people', 'plans', 'publishing', 'queue', 'room'];

/** Whoever had to sign in first still gets to the room of the link. */
function restoreRoomAfterSignIn() {
  const link = kept('room after sign-in');
  if (!link) return;
  keep('room after sign-in', null);
  if (!roomInAddress()) history.replaceState(null, '', link);
}

/** The lobby as it was when the server made this page. */
const lobby = JSON.parse(document.getElementById('lobby').textContent);
/** Of the files that this page is made of. */
const VERSION = document.body.dataset.version;
/** Of a guest, the room that they came into by its link, and what they are called. */
const { guest, room: roomOfGuest } = document.body.dataset;
const isGuest = guest !== undefined;
const byId = (cards = []) => Object.fromEntries(cards.map((card) => [card.id, card]));

const ConnectionNotice = {
  name: 'ConnectionNotice',
  template: /* html */ `
    <p v-if="state === 'signed-out'" class="notice notice--refusal" role="alert">
      {{ words.connection.signedOut }} <a :href="signIn">{{ words.connection.signInAgain }}</a>
    </p>
    <p v-else-if="words.connection[state]" :key="state" class="notice" :class="{ 'notice--refusal': !isPassing }"
      :role="isPassing ? 'status' : 'alert'">{{ words.connection[state] }}</p>`,
  props: { state: String },
  computed: {
    signIn() {
      return `sign-in${location.hash}`;
    },
    /** Else somebody has to mend it. */
    isPassing() {
      return ['restarting', 'reconnecting'].includes(this.state);
    },
  },
};

const Party = {
  template: /* html */ `
    <visit-end v-if="parted" v-bind="parted"></visit-end>
    <lobby-page v-if="!isGuest" v-show="!room" ref="lobby" :cards="Object.values(cards)" :plans="listedPlans" :closed-rooms="closedRooms"
      :user="user" :now="now" :places="places" :queues="queues" :coming="coming" :expected="expected" :is-away="Boolean(room)"
      :is-answered="isAnswered" @open="open" @come="come" @host="decide('host')" @tell-us="tellUs"></lobby-page>
    <plan-page v-if="plans[room]" :key="'plan ' + room" :plan="plans[room]" :user="user" :now="now" :is-coming="Boolean(coming[room])"
      :expected="expected[room]" @come="come" @door="decide('door')" @move="decide('move')" @leave="leave"
      @tell="tell"></plan-page>
    <room-page v-else-if="room && !parted" ref="room" :key="room" :id="room" :user="user" :card="cards[room]" :connection="connection" :now="now"
      :place="places[room]" :queue="queues[room]" :asks="asks" :is-answered="isAnswered" @tell-us="tellUs"
      @leave="leave" @tell="tell" @topic="(topic) => (topics[room] = topic)" @place="(place) => setPlace(room, place)"
      @queue="(queue) => setQueue(room, queue)" @news="onNews" @go="open" :door="doors[room]"
      @carry-on="(closed) => decide('host', closed)" @door="decide('door')" @show-out="(guest) => decide('out', guest)"
      @other-host="forgetAsHost(room)" @planned="showUnlistedPlan" @ends-soon="prepareEnding"></room-page>
    <div class="notices" :class="{ 'notices--room': room }">
      <connection-notice v-if="!parted" :state="connection"></connection-notice>
      <p v-if="offersReload" class="notice notice--offer" :role="isNewsOfIt ? 'status' : null">
        {{ words.party.newVersion }} <button class="link" @click="reload">{{ words.party.reload }}</button>
      </p>
      <div role="status" aria-atomic="false">
        <p v-for="notice in notices" :key="notice.id" class="notice" :class="{ 'visually-hidden': notice.requests.length }">
          {{ notice.text }}
        </p>
      </div>
    </div>
    <component :is="decision.sheet" v-if="decision" :key="decision.id" :about="decision.about" :user="user" :now="now" :room="room"
      :topic="topicOf(room)" :plan="plans[room]" :door="doors[room]" @opened="onHosted" @tell="tell"></component>
    <tell-us v-if="tellings" :key="tellings" :user="user" @read="isAnswered = false"></tell-us>`,
  components: { ConnectionNotice, LobbyPage },

  props: { client: Promise }, // of the Socket.IO client: what the page shows need not wait for it

  data: () => ({
    user: document.body.dataset.user,
    isGuest,
    parted: null, // how a guest has gone, and from where
    connection: 'away',
    cards: byId(lobby.rooms),
    plans: byId(lobby.plans), // of rooms that have not opened yet
    coming: {}, // by room that is planned: whether I said that I come
    expected: {}, // by room that is planned, where I am the host: names of those who said so
    doors: {}, // by room, where I am the host: how its door is open, and the token of its link
    topics: {}, // of rooms that have no card, by id
    places: {}, // by room: my place in its queue
    queues: {}, // by room: who waits, where I am the host
    closedRooms: [], // that I was inside, and can still read; the newest first
    room: roomOfGuest ?? roomInAddress(),
    asks: asksInAddress(),
    notices: [],
    isAnswered: false, // the owner has answered this person, who has not read it
    tellings: 0, // how often the sheet was opened in which one tells the owner something
    decision: null, // what I am deciding as a host: {sheet, about, id}
    unread: 0, // messages that came while nobody looked
    version: VERSION, // of the page, as the server has it by now
    offersReload: false,
    announced: null, // the version that was offered last
    isNewsOfIt: false, // a screen reader says it once
    localNow: Date.now(),
    clockOffset: lobby.now - Date.now(),
  }),

  computed: {
    /** The time as the server has it: the clocks of phones are minutes off. */
    now() {
      return this.localNow + this.clockOffset;
    },
    /** Of one that somebody came to by its link alone, the page knows no more than when it opens. */
    listedPlans() {
      return Object.values(this.plans).filter(({ host }) => host);
    },
    unseen() {
      const requests = Object.values(this.queues).reduce((total, queue) => total + queue.length, 0);
      return requests + this.unread;
    },
    title() {
      const topic = this.room && this.topicOf(this.room, '');
      return `${this.unseen ? `(${this.unseen}) ` : ''}${topic ? `${topic} – ` : ''}${words.party.name}`;
    },
  },

  watch: {
    title: {
      handler: (title) => (document.title = title),
      immediate: true, // a link can lead straight to a room
    },
    unseen: { handler: showUnseen, immediate: true },
    offersReload(offers) {
      if (!offers) return;
      this.isNewsOfIt = this.version !== this.announced;
      this.announced = this.version;
    },
    async room(room, before) {
      this.visited.add(room);
      this.goOut(before);
      this.unread = 0;
      this.decision = null;
      if (room) this.notices = []; // what was said before would cover its feed
      if (!this.cards[before]) this.forget(before);
      // What was refused cannot be sent by going in again.
      if (kept(unsentName(this.user, before), []).some(({ refusal }) => !refusal)) this.tell(words.party.notAllSent);
      await this.$nextTick();
      if (!room) this.$refs.lobby.focusOn(before);
    },
  },

  created() {
    this.visited = new Set([this.room]);
    on('lobby', this.onLobby);
    on('place', ({ room, place }) => this.setPlace(room, place));
    on('waiting', ({ room, waiting }) => this.setQueue(room, waiting));
    on('approved', ({ room, pitch }) => {
      keep(pitchName(this.user, room), pitch);
      if (room === this.room) this.haveAsked();
      notice('approved', { room, topic: this.topicOf(room) });
      this.onDecision(room, words.party.maySpeakIn);
    });
    on('door', ({ room, ...door }) => (this.doors[room] = door));
    on('coming', ({ room, coming }) => (this.coming[room] = coming));
    on('expected', this.onExpected);
    on('denied', ({ room }) => this.onDecision(room, words.party.deniedIn));
    on('closed', this.onClosed);
    on('put_out', () => this.part('out'));
    addEventListener('popstate', this.onAddress);
    document.addEventListener('visibilitychange', () => (this.unread = 0));
    document.addEventListener('visibilitychange', this.lookForAnswers);
    addEventListener('storage', () => (this.lookedAt = 0)); // answers were read there
    setInterval(this.onSecond, SECOND);
  },

  mounted() {
    this.passDoor();
    this.greetInvited();
    connect(this.user, this.onConnection, this.client).catch(() => {}); // the loader says so
  },

  methods: {
    onConnection(state) {
      // A guest has no other way in, and reads on here.
      if (state === 'signed-out' && isGuest) return this.endVisit();
      this.connection = state;
      if (state !== 'online') return;
      this.expectsWholeLobby = true;
      this.lookForAnswers();
      // Decisions may have been missed. What stands is told anew; the room that is open asks by itself.
      this.places = { [this.room]: this.places[this.room] };
      this.queues = { [this.room]: this.queues[this.room] ?? [] };
      this.doors = {};
    },

    /** As somebody comes, and comes back. */
    async lookForAnswers() {
      if (isGuest || document.hidden || Date.now() - this.lookedAt < LOOK_FOR_ANSWERS_MS) return;
      this.lookedAt = Date.now();
      const { answers = [] } = await fetchFeedback();
      this.isAnswered = answers.some(({ id }) => !readAnswers().includes(id));
    },

    /** Whoever is without a network as a room ends should see its end all the same. */
    prepareEnding() {
      setTimeout(() => load('ending').catch(() => {}), Math.random() * PREPARE_WITHIN_MS); // asked for again when it is over
    },

    /** Shows something that is not needed at first, once it has come, to whoever is still where they wanted it. */
    async showLater(name, show) {
      const { room } = this;
      try {
        if ((await isStillWanted(load(name))) && this.room === room) show();
      } catch {
        this.tell(words.connection.notAnswering);
      }
    },

    tellUs() {
      this.showLater('telling', () => (this.tellings += 1));
    },

    /** What a host decides: "host" a room, "move" one that is planned, its "door", or whether a guest goes "out". */
    decide(what, about) {
      this.showLater('hosting', () => (this.decision = { sheet: `${what}-sheet`, about, id: Symbol(what) }));
    },

    /** `plan` is the card of a room that opens later; `why` says what of one's wishes was refused. */
    async onHosted(room, plan, why) {
      if (plan) this.plans[room] = plan;
      this.open(room);
      await this.$nextTick();
      if (why) this.tell(why);
    },

    onSecond() {
      this.localNow = Date.now();
      // Of a plan that no lobby shows, the party does not say that it has opened.
      const { isUnlisted, opens_at: opensAt } = this.plans[this.room] ?? {};
      if (isUnlisted && opensAt + SECOND < this.now) delete this.plans[this.room];
      this.offersReload = this.version !== VERSION && this.connection === 'online' && this.comesBack();
    },

    /** Whether all comes back with a reload. Drafts would, where the browser keeps anything. */
    comesBack() {
      const isWriting = Array.from(document.querySelectorAll('textarea')).some(({ value }) => value.trim());
      return !isWriting && !document.querySelector('dialog[open]') && (!this.room || this.$refs.room?.comesBack());
    },

    reload() {
      location.reload();
    },

    onLobby({ now, rooms, plans, gone, coming, closed, version = this.version }) {
      this.version = version;
      this.clockOffset = now - Date.now();
      const isWhole = this.expectsWholeLobby;
      const [cards, planned] = isWhole ? [{}, {}] : [{ ...this.cards }, { ...this.plans }];
      for (const room of gone) {
        const card = cards[room];
        if (card && (this.visited.has(room) || seated(card).includes(this.user))) this.listClosed(room);
        delete cards[room];
        delete planned[room];
      }
      for (const card of rooms) {
        cards[card.id] = card;
        delete planned[card.id];
        // Whoever handed the room over does not see its queue any more, nor has its link.
        if (card.host !== this.user) this.forgetAsHost(card.id);
      }
      Object.assign(planned, byId(plans));
      this.tellOfPlans(this.listedPlans).catch(() => {}); // it can be seen all the same
      this.cards = cards;
      this.plans = planned;
      for (const room of [...Object.keys(this.places), ...Object.keys(this.queues)]) {
        if (!cards[room] && room !== this.room) this.forget(room);
      }
      this.expectsWholeLobby = false;
      if (closed) this.closedRooms = closed;
      if (coming) this.coming = Object.fromEntries(coming.map((room) => [room, true]));
    },

    /** Who comes to a room that one has planned; and the plan of one that no lobby shows, or null once it is none. */
    onExpected({ room, users, plan }) {
      this.expected[room] = users;
      if (plan === undefined) return;
      const { [room]: before, ...plans } = this.plans;
      if (plan) plans[room] = plan;
      else if (before?.opens_at <= this.now) notice('opened', { room, topic: before.topic });
      this.plans = plans;
    },

    showUnlistedPlan({ topic, host, opens_at, minutes, publish }) {
      this.plans[this.room] = { id: this.room, topic, host, opens_at, minutes, publish, isUnlisted: true };
    },

    /** What became of plans that concern this person: what they host, come to, or look at. */
    async tellOfPlans(before) {
      const mine = before.filter(({ id, host }) => host === this.user || this.coming[id] || id === this.room);
      if (!mine.length) return;
      const { newsOf } = await load('plans');
      for (const { id, topic, fate, said } of newsOf(mine, this.plans, this.cards, this.now)) {
        if (fate === 'hasOpened') notice('opened', { room: id, topic });
        if (fate === 'isOff' && id === this.room) this.leave();
        if (fate !== 'hasOpened' || id !== this.room) this.tell(said);
      }
    },

    /** Says that one comes to a room that is planned, or does not after all. It is seen at once. */
    async come(room, coming) {
      this.coming[room] = coming;
      const answer = await command('coming', { room, coming });
      if (answer.ok) return;
      this.coming[room] = !coming;
      this.tell(reasonOf(answer));
    },

    onClosed({ room, gone_at: goneAt }) {
      this.forget(room);
      if (this.cards[room]) this.listClosed(room, goneAt);
      delete this.cards[room]; // the lobby says so a moment later; until then it would stand there twice
    },

    /** Lists a room that one was inside of, and can still read. One that had no card is found by its link alone. */
    listClosed(room, goneAt = this.now + limits.closedLife) {
      if (this.closedRooms.some(({ id }) => id === room)) return;
      const closed = { id: room, topic: this.topicOf(room), closed_at: goneAt - limits.closedLife, gone_at: goneAt };
      this.closedRooms = [closed, ...this.closedRooms];
    },

    setPlace(room, place) {
      this.places[room] = place ?? undefined;
      if (place && room === this.room) this.haveAsked();
    },

    /** The wish that an address carried came true: it is not wished again after a reload. */
    haveAsked() {
      this.asks = false;
      if (asksInAddress()) history.replaceState(history.state, '', linkTo(this.room));
    },

    setQueue(room, waiting) {
      this.queues[room] = waiting;
      const topic = this.topicOf(room);
      const users = noticeRequests({ room, topic, waiting, since: lobby.now });
      if (room !== this.room) {
        if (users.length) this.tell(fill(words.noticing.asksIn, { count: users.length, names: namesOf(users), topic }));
        return;
      }
      // "Chen asks to speak" is no news any more once chen has been answered.
      const isAnswered = (user) => !waiting.some((request) => request.user === user);
      this.notices = this.notices.filter(({ requests }) => !requests.length || !requests.every(isAnswered));
    },

    /** Others have said something in the open room. */
    onNews(count) {
      if (document.hidden) this.unread += count;
    },

    onDecision(room, sentence) {
      this.setPlace(room, null);
      if (room !== this.room) this.tell(fill(sentence, { topic: this.topicOf(room, words.party.closedTopic) }));
    },

    topicOf(room, otherwise = words.room.untitled) {
      return (this.cards[room] ?? this.plans[room])?.topic ?? this.topics[room] ?? otherwise;
    },

    forget(room) {
      delete this.places[room];
      this.forgetAsHost(room);
    },

    forgetAsHost(room) {
      delete this.queues[room];
      delete this.doors[room];
    },

    onAddress() {
      this.isLeaving = false;
      this.greetInvited();
      this.asks = asksInAddress();
      this.passDoor();
      this.room = roomOfGuest ?? roomInAddress();
    },

    /** Who is in needs no token in the address. To another room's door a guest goes as whoever comes by its link. */
    passDoor() {
      const [room, door] = [roomInAddress(), doorInAddress()];
      if (isGuest && door && (room !== roomOfGuest || this.hasVisited)) return location.replace(`sign-in${location.hash}`);
      if (isGuest || door) history.replaceState(history.state, '', linkTo(roomOfGuest ?? room, this.asks));
    },

    /** Shows a guest, in place of the room, that the visit is over. */
    async part(how) {
      this.hasVisited = true;
      await load('guest').catch(() => {}); // else the feed stands there, and nothing more comes
      this.notices = [];
      this.parted = { how, topic: this.topicOf(this.room), hue: this.$refs.room?.hue };
    },

    /** A guest is one no more: the room is gone, or they were shown out while they were away. What is held stays. */
    endVisit() {
      this.hasVisited = true;
      this.$refs.room?.endVisit();
    },

    /** Ends a guest's sign-in: the link makes another one. */
    async signOut() {
      const form = document.getElementById('sign-out');
      try {
        await fetch(form.action, { method: 'POST', body: new URLSearchParams(new FormData(form)), redirect: 'manual' });
      } catch {
        return this.tell(words.connection.notAnswering);
      }
      this.part('left');
    },

    /** An invite link that is opened by somebody who is signed in leads to the lobby, and to no other person's. */
    greetInvited() {
      const name = takeInvitedName();
      if (name && name.toLowerCase() !== this.user.toLowerCase()) {
        this.tell(fill(words.party.signedInAs, { user: this.user, name }));
      }
    },

    open(room, asks = false) {
      this.asks = asks;
      // From room to room, the way back leads to the lobby all the same.
      history[this.room ? 'replaceState' : 'pushState'](this.room ? history.state : { isFromLobby: true }, '', linkTo(room));
      this.room = room;
    },

    /** Tells the server that this tab has left the room, unless it comes back first. */
    async goOut(room) {
      while (room && room !== this.room) {
        const answer = await ask('leave', { room });
        if (!isPassing(answer)) return;
        await wait(answer);
      }
    },

    leave() {
      if (isGuest) return this.signOut();
      // Going back takes a moment: a second tap would leave the page.
      if (this.isLeaving) return;
      this.isLeaving = Boolean(history.state?.isFromLobby);
      if (this.isLeaving) return history.back();
      history.replaceState(null, '', location.pathname + location.search);
      this.room = null;
    },

    /** Shows `text` for a while; those about `requests` (of these users) only until these are answered. */
    tell(text, requests = []) {
      const id = Symbol(text);
      // Said again, it stands there once.
      const notices = [...this.notices.filter((notice) => notice.text !== text), { id, text, requests }];
      // Those about requests are not seen in a room, so they take nobody's place.
      const tooMany = notices.filter((notice) => !notice.requests.length).slice(0, -NOTICES);
      this.notices = notices.filter((notice) => !tooMany.includes(notice));
      setTimeout(() => (this.notices = this.notices.filter((notice) => notice.id !== id)), NOTICE_MS);
    },
  },
};

/** What a room needs. The lobby is there sooner without it. */
export async function loadRoom() {
  return (await load('room')).RoomPage;
}

/** A module of parts that are not needed at first, with its style and its words. */
async function load(module) {
  const [parts] = await Promise.all([import(`./${module}.js`), loadStyles(module), WORDY.includes(module) && fetchAllWords()]);
  return parts;
}

/** Starts the page with the Vue that could be loaded, and gives it. `client` is a promise of the Socket.IO client. */
export function startParty({ createApp, defineAsyncComponent, reactive }, client, onError) {
  restoreRoomAfterSignIn();
  watchNames(reactive);
  noteGuests(lobby);
  if (guest) noteGuests({ guests: { [document.body.dataset.user]: guest } });
  const party = createApp(Party, { client });
  for (const [name, module] of Object.entries(LATER)) {
    const loader = async () => (await load(module))[name];
    party.component(name, defineAsyncComponent({ loader, onError: VITAL.includes(module) ? onError : undefined }));
  }
  // So that every template can say `words.feed.empty`, `fill(words.card.listening, { count })` and `limits.maxTopic`.
  Object.assign(party.config.globalProperties, { words, fill, limits });
  for (const part of [PageIcon, PersonName, SureButton]) party.component(part.name, part);
  party.directive('grow', growing);
  // Else Vue only prints a mistake, and nobody else hears of it. (During development it says more.)
  if (VERSION !== 'development') party.config.errorHandler = globalThis.reportError;
  return party.mount('#party');
}
