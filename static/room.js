/** A room: its header with the burning line, the menu, and where the feed, the people, the queue and the foot stand. */

import { command, on } from './connection.js';
import { Discussion } from './discussion.js';
import { RoomFeed, mentions } from './feed.js';
import { AskToSpeak, MessageForm, SIGNS, hasTouchKeyboard } from './foot.js';
import { doorLinkTo, keep, kept, linkTo, pitchName, seenName } from './kept.js';
import { PageChoices, notice } from './noticing.js';
import {
  BurningLine,
  FacePile,
  RoomTime,
  SheetDialog,
  canGetMore,
  closingRoundSince,
  hueOf,
  isDoorOpen,
  isGuest,
  isWayOut,
  nameOf,
  namesOf,
  naming,
  neighboursIn,
  seated,
  sign,
} from './parts.js';
import { fill, limits, listOf, reasonOf, timeOfDay, words } from './words.js';

// There the people stand beside the feed, and all requests below each other. As in room.css.
const WIDE = matchMedia('(min-width: 64rem)');
// What becomes of one's words takes the place of faces there.
const NARROW = matchMedia('(max-width: 28rem)');
// Whoever comes after more messages than these can see what stood out in them.
const MUCH = 50;

/** The link to the room, and how it is shared. */
export const RoomInvitation = {
  name: 'RoomInvitation',
  template: /* html */ `
    <div class="invitation">
      <p class="invitation__about">{{ about }}</p>
      <input ref="link" class="invitation__link" :value="link" :aria-label="words.invitation.link" readonly dir="ltr"
        @focus="$event.target.select()">
      <button class="button button--main button--wide" @click="copy">{{ words.invitation.copy }}</button>
      <button v-if="canSend" class="button button--wide" @click="send">{{ words.invitation.send }}</button>
    </div>`,
  props: {
    room: String,
    topic: String,
    door: Object, // for its host: `{ open, token }`, with the token where it is open
  },
  emits: ['copied', 'tell'],
  computed: {
    link() {
      return this.door?.token ? doorLinkTo(this.room, this.door.token) : linkTo(this.room);
    },
    about() {
      return words.invitation[this.door?.token ? this.door.open : 'closed'];
    },
    canSend: () => Boolean(navigator.share),
  },
  methods: {
    async copy() {
      try {
        await navigator.clipboard.writeText(this.link);
        this.$emit('tell', words.invitation.copied);
        this.$emit('copied');
      } catch {
        // No clipboard: a page that is served without TLS. The person copies what is selected.
        this.$refs.link.focus();
        this.$emit('tell', words.invitation.copyIt);
      }
    },

    send() {
      navigator.share({ title: this.topic, url: this.link }).catch(() => {}); // closed without sending it
    },
  },
};

/** What stands behind the "⋯". */
const RoomMenu = {
  name: 'RoomMenu',
  template: /* html */ `
    <sheet-dialog ref="sheet" :title="words.menu.title">
      <ul v-if="!isGuest" class="menu">
        <li>
          <button class="menu__item" @click="choose('invite')">
            {{ words.menu.invite }} <small>{{ words.menu.inviteHint }}</small>
          </button>
        </li>
        <li v-if="isHost">
          <button class="menu__item" :disabled="!canExtend" @click="choose('extend')">
            {{ words.menu.extend }} <small>{{ wish }}</small>
          </button>
        </li>
        <li>
          <button class="menu__item" @click="choose('tell-us')">
            {{ words.party.tellUs }} <small>{{ words.menu.tellUsHint }}</small>
          </button>
        </li>
      </ul>
      <page-choices @chosen="$emit('chosen', $event)"></page-choices>
      <sure-button v-if="isGuest" class="menu__item menu__item--danger" :question="words.guest.confirmLeave" :no="words.guest.stay"
        :yes="words.guest.yesLeave" @sure="choose('leave')">
        {{ words.guest.leave }} <small>{{ words.guest.leaveHint }}</small>
      </sure-button>
      <withhold-button v-if="isHost && view.publish" class="menu__item" :room="view.id" is-hinted @done="$refs.sheet.close()"
        @tell="$emit('tell', $event)"></withhold-button>
      <sure-button v-if="isHost" class="menu__item menu__item--danger" :question="confirmClose" :no="words.menu.keepOpen"
        :yes="words.menu.yesClose" @sure="choose('close')">
        {{ words.menu.close }} <small>{{ words.menu.closeHint }}</small>
      </sure-button>
    </sheet-dialog>`,
  components: { PageChoices, SheetDialog },
  props: { view: Object, isHost: Boolean, isGuest: Boolean },
  emits: ['chosen', 'close', 'extend', 'invite', 'leave', 'tell', 'tell-us'],

  computed: {
    canExtend() {
      return canGetMore(this.view);
    },
    confirmClose() {
      return words.menu[this.view.publish ? 'confirmClosePublished' : 'confirmClose'];
    },
    wish() {
      const { more_time: count } = this.view;
      return count ? fill(words.clock.wanted, { count }) : words.menu.extendHint;
    },
  },

  methods: {
    show() {
      this.$refs.sheet.show();
    },

    choose(what) {
      this.$refs.sheet.close();
      this.$emit(what);
    },
  },
};

export const RoomPage = {
  name: 'RoomPage',
  template: /* html */ `
    <main class="room" :class="[hue, { 'room--asked': isHost && queue.length, 'room--over': isOver }]" aria-labelledby="room-topic">
      <header class="room__head">
        <button v-if="!isGuest" class="button button--icon" :aria-label="words.room.leave" :title="words.room.leave" @click="leave">
          <page-icon name="back"></page-icon>
        </button>
        <div class="room__about">
          <h1 ref="heading" id="room-topic" class="topic" tabindex="-1" dir="auto" :title="topic">{{ topic }}</h1>
          <p v-if="view" class="facts room__facts">
            <face-pile :names="people" :most="isNarrow && isLive && view.publish ? 1 : 4"></face-pile>
            <span v-if="isOver">{{ ended }}</span>
            <room-time v-else :room="view" :now="now"></room-time>
            <span v-if="isLive && listening">{{ listening }}</span>
            <span v-if="isLive && view.publish" class="room__mark room__publish">
              <page-icon name="page"></page-icon><span>{{ words.card.publish }}</span>
            </span>
            <span v-if="isLive && isDoorOpen" class="room__mark room__door">
              <page-icon name="door"></page-icon><span>{{ words.card.openDoor }}</span>
            </span>
            <span v-if="signals" role="img" :aria-label="words.pulse.title + ': ' + signals.said">{{ signals.drawn }}</span>
          </p>
          <button v-if="isLive && !isWide" class="room__who" :aria-label="words.people.title" @click="$refs.who.show()"></button>
        </div>
        <template v-if="isLive">
          <button v-if="isWide && !isGuest" class="button button--quiet" @click="invite">{{ words.menu.invite }}</button>
          <button class="button button--icon" :class="{ 'button--marked': isAnswered }" :aria-label="more" :title="more"
            @click="$refs.menu.show()">
            <page-icon name="more"></page-icon>
          </button>
        </template>
        <burning-line v-if="view" :room="view" :now="now"></burning-line>
      </header>

      <room-moments v-if="missed !== null || (view?.closed && messages.length)" :discussion="discussion" :after="missed" :is-wide="isWide"
        :feed="() => $refs.feed" @seen="missed = null; noteSeen()" @tell="tell"></room-moments>
      <room-feed v-if="!isNowhere" ref="feed" :discussion="discussion" :people="people" :closing-round="closingRound"
        :may-reply="maySpeak && !isOver" :may-like="isLive" :may-take-back="mayTakeBack" :is-alone="isAlone"
        @reply="$refs.writing.replyTo($event)" @take-back="takeBack" @tell="tell">
        <section v-if="isAlone" class="alone">
          <img :src="sign" alt="" width="72" height="72">
          <h2>{{ words.invitation.title }}</h2>
          <room-invitation :room="id" :topic="topic" :door="door" @tell="tell"></room-invitation>
          <button v-if="limits.doors" class="link" @click="$emit('door')">
            {{ isDoorOpen ? words.invitation.door : words.invitation.letGuestsIn }}
          </button>
        </section>
      </room-feed>

      <room-queue v-if="isHost && isLive" v-show="queue.length" ref="queue" :view="view" :queue="queue" :is-list="isWide"
        @queue="(queue) => $emit('queue', queue)" @answered="onAnswered" @tell="tell"></room-queue>

      <aside v-if="isWide && isLive" class="room__side" :aria-label="words.people.title">
        <room-people :view="view" :user="user" :is-host="isHost" :last-words="lastWords" :decide-first="decideFirst"
          @tell="tell" @show-out="showOut"></room-people>
      </aside>

      <footer class="foot" :class="{ 'foot--alone': isNowhere }">
        <last-minutes v-if="isLive" :view="view" :now="now" :is-host="isHost" :may-speak="maySpeak" :may-want="!isHost && !isGuest"
          :last-words="lastWords" @extend="extend" @five-minutes="onFiveMinutes" @tell="tell"></last-minutes>
        <div ref="part" class="foot__part">
          <room-ending v-if="isOver" :discussion="discussion" :now="now" @tell="tell" @go="(room) => $emit('go', room)"
            @carry-on="$emit('carry-on', { id, topic })" @leave="$emit('leave')"></room-ending>
          <message-form v-else-if="maySpeak" ref="writing" :discussion="discussion" :people="people" :pitch="pitch"
            :owes-last-word="owesLastWord" :is-alone="isAlone" @say="say"></message-form>
          <ask-to-speak v-else-if="view" :view="view" :user="user" :place="place" :pitch="pitch" :asks="asks"
            :silence="silence" @place="(place) => $emit('place', place)" @pitch="setPitch" @tell="tell"></ask-to-speak>
        </div>
      </footer>

      <template v-if="isLive">
        <sheet-dialog v-if="!isWide" ref="who" :title="topic" is-topic>
          <room-people :view="view" :user="user" :is-host="isHost" :last-words="lastWords" :decide-first="decideFirst"
            @tell="tell" @show-out="showOut"></room-people>
          <button v-if="!isGuest" class="button button--wide" @click="$refs.who.close(); invite()">{{ words.menu.invite }}</button>
        </sheet-dialog>
        <sheet-dialog ref="invitation" :title="words.menu.invite">
          <room-invitation :room="id" :topic="topic" @tell="tell" @copied="$refs.invitation.close()"></room-invitation>
        </sheet-dialog>
        <room-menu ref="menu" :view="view" :is-host="isHost" :is-guest="isGuest" @leave="$emit('leave')" @invite="invite" @extend="extend"
          @close="order('close')" @chosen="onChosen" @tell="tell" @tell-us="$emit('tell-us')"></room-menu>
      </template>
    </main>`,
  components: {
    AskToSpeak,
    BurningLine,
    FacePile,
    MessageForm,
    RoomFeed,
    RoomInvitation,
    RoomMenu,
    RoomTime,
    SheetDialog,
  },
  props: {
    id: String,
    user: String,
    card: Object,
    connection: String,
    now: Number,
    place: Number,
    queue: { type: Array, default: () => [] },
    asks: Boolean,
    door: Object, // for its host: how it is open, and the token of its link
    isAnswered: Boolean,
  },
  emits: ['carry-on', 'door', 'ends-soon', 'go', 'leave', 'news', 'other-host', 'place', 'planned', 'queue', 'show-out', 'tell', 'tell-us', 'topic'],

  provide() {
    return { neighbours: () => this.neighbours };
  },

  data() {
    return {
      discussion: new Discussion(this.id, this.user, {
        news: this.onNews,
        place: (place) => this.$emit('place', place),
        queue: (waiting) => this.$emit('queue', waiting),
        spoke: () => this.setPitch(''), // here or in another tab: they need no first words any more
      }),
      pitch: kept(pitchName(this.user, this.id), ''), // what one asked to add, kept until it is said
      isWide: WIDE.matches,
      isNarrow: NARROW.matches,
      denials: 0, // since the page came
      seen: kept(seenName(this.user, this.id), 0), // the seq up to which one has seen the feed
      missed: null, // the seq behind which one has missed much
    };
  },

  computed: {
    sign: () => sign,
    view() {
      return this.discussion.view;
    },
    messages() {
      return this.discussion.messages;
    },
    topic() {
      return this.view?.topic ?? this.card?.topic ?? words.room.untitled;
    },
    more() {
      return this.isAnswered ? words.menu.titleAnswered : words.menu.title;
    },
    hue() {
      const room = this.view ?? this.card;
      return room && hueOf(room.host, this.neighbours);
    },
    isGuest() {
      return isGuest(this.user);
    },
    /** Why a guest can only listen; empty for who may ask. */
    silence() {
      if (!this.isGuest) return '';
      const { deniedTwice, onlyListen, unnamed } = words.guest;
      // A door that has closed again leaves them what it let them do.
      if (!this.view.asks) return onlyListen;
      if (!document.body.dataset.guest) return unnamed;
      return this.denials > 1 ? deniedTwice : '';
    },
    isHost() {
      return this.view?.host === this.user;
    },
    maySpeak() {
      return this.isHost || Boolean(this.view?.speakers.includes(this.user));
    },
    role() {
      if (this.isHost) return 'host';
      if (this.maySpeak) return 'speaker';
      return this.place ? 'waiting' : 'watcher';
    },
    people() {
      return this.view ? seated(this.view) : [];
    },
    neighbours() {
      const room = this.view ?? this.card;
      return room ? neighboursIn(room) : [];
    },
    isDoorOpen() {
      return isDoorOpen(this.view);
    },
    listening() {
      return this.view.watching ? fill(words.card.listening, { count: this.view.watching }) : '';
    },
    /** How it feels to listen, for those who speak: they have no chips. */
    signals() {
      const given = this.isLive && this.maySpeak ? limits.moods.filter((mood) => this.view.pulse[mood]) : [];
      return given.length && {
        drawn: given.map((mood) => `${SIGNS[mood]} ${this.view.pulse[mood]}`).join(' '),
        said: listOf(given.map((mood) => fill(words.pulse.count, { name: words.pulse[mood], count: this.view.pulse[mood] }))),
      };
    },
    ended() {
      return this.view.closed_at ? fill(words.lobby.endedAt, { time: timeOfDay(this.view.closed_at) }) : '';
    },
    /** The seq of one's own message that can still be taken back. */
    mayTakeBack() {
      const own = this.messages.findLast(({ user }) => user === this.user);
      const isGone = !own || own.taken_back || this.isOver || this.discussion.unsent.length;
      return !isGone && this.now < own.at + limits.takeBackWithin ? own.seq : null;
    },
    isOver() {
      return Boolean(this.view?.closed || this.discussion.absence);
    },
    /** A room that one cannot enter, and has nothing of. */
    isNowhere() {
      return Boolean(this.discussion.absence && !this.messages.length && !this.discussion.unsent.length);
    },
    isLive() {
      return Boolean(this.view && !this.isOver);
    },
    /** The host of a room that nobody has come to. */
    isAlone() {
      const { view, messages } = this;
      return this.isLive && this.isHost && !messages.length && !view.speakers.length && !view.watching;
    },
    closingRound() {
      return this.view ? closingRoundSince(this.view, this.view.closed ? this.view.closed_at : this.now) : null;
    },
    /** Names of those who have said something in the closing round. */
    lastWords() {
      if (this.closingRound === null) return [];
      const before = this.messages.findLastIndex(({ at }) => at < this.closingRound);
      const said = this.messages.slice(before + 1).filter((message) => !message.taken_back);
      return [...new Set(said.map(({ user }) => user))];
    },
    owesLastWord() {
      return this.closingRound !== null && !this.lastWords.includes(this.user);
    },
  },

  watch: {
    connection: 'onConnection',
    topic(topic) {
      this.$emit('topic', topic);
    },
    'view.host'(host, before) {
      if (host !== this.user) this.$emit('other-host');
      if (!before) return;
      this.tell(host === this.user ? words.room.youAreHostNow : fill(words.room.isHostNow, { user: host }));
    },
    'view.publish'(publish, before) {
      if (before && !publish && this.isLive) this.tell(words.room.withheld);
    },
    'discussion.isCurrent'(isCurrent) {
      if (isCurrent) this.$nextTick(this.focusOnWriting);
    },
    /** Its link was opened before its time. */
    'discussion.absence'(absence) {
      if (absence?.opens_at) this.$emit('planned', absence);
    },
    now: 'noteSeen',
    role: 'keepFocus',
    closingRound: {
      immediate: true,
      handler(since) {
        if (since) this.$emit('ends-soon');
      },
    },
    queue(queue, before) {
      const users = queue.map(({ user }) => user).filter((asking) => !before.some(({ user }) => user === asking));
      if (users.length) this.tell(fill(words.room.asksToSpeak, { count: users.length, names: namesOf(users) }), users);
    },
  },

  created() {
    this.discussion.begin();
    import('./people.js').catch(() => {}); // nobody should wait for them in their sheet
    this.stops = [on('approved', this.onApproved), on('denied', this.onDenied), on('removed', this.onRemoved)];
  },

  mounted() {
    for (const width of [WIDE, NARROW]) width.addEventListener('change', this.onWidth);
    addEventListener('storage', this.onChosenElsewhere);
    document.addEventListener('keydown', this.onKey);
    this.$refs.heading.focus();
    this.onConnection();
  },

  beforeUnmount() {
    this.discussion.end();
    this.stops.forEach((stop) => stop());
    for (const width of [WIDE, NARROW]) width.removeEventListener('change', this.onWidth);
    removeEventListener('storage', this.onChosenElsewhere);
    document.removeEventListener('keydown', this.onKey);
  },

  methods: {
    onConnection() {
      this.discussion.onConnection(this.connection);
    },

    /** Whether all comes back with a reload. */
    comesBack() {
      const { isCurrent, unsent } = this.discussion;
      return isCurrent && !unsent.length && (this.view.gone_at ?? Infinity) > this.now;
    },

    /** A guest's sign-in has ended: what was said until then stays. */
    endVisit() {
      this.discussion.absence ??= { ok: false, code: 'not_found' };
    },

    onWidth() {
      [this.isWide, this.isNarrow] = [WIDE.matches, NARROW.matches];
    },

    onKey(event) {
      if (isWayOut(event) && !this.isGuest) this.leave();
    },

    /** What others have said. */
    onNews(messages) {
      this.$emit('news', messages.length);
      for (const { seq, user, text } of messages) {
        if (mentions(text, nameOf(this.user))) notice('mentioned', { room: this.id, topic: this.topic, user: naming(user), id: seq });
      }
    },

    /** Whoever was not there for much of it is offered what they missed. */
    noteSeen() {
      if (document.hidden || !this.isLive || !this.discussion.isCurrent) return;
      const [seen, last] = [Math.max(this.seen, this.discussion.unread), this.messages.at(-1)?.seq ?? 0];
      if (last > seen + MUCH) this.missed ??= seen;
      this.seen = last;
      keep(seenName(this.user, this.id), this.missed ?? this.seen);
    },

    setPitch(text) {
      this.pitch = text;
      keep(pitchName(this.user, this.id), text);
    },

    say(message) {
      this.setPitch('');
      this.discussion.say({ ...message, at: this.now });
    },

    async takeBack({ seq, text, reply }) {
      const answer = await this.discussion.takeBack(seq);
      if (answer.ok) this.$refs.writing?.offer({ text, reply });
      else this.tell(reasonOf(answer));
    },

    // The `room` that says the same comes a moment later; nobody should wait for it.

    onApproved({ room, pitch }) {
      if (room !== this.id || !this.view) return;
      this.setPitch(pitch);
      if (!this.maySpeak) this.discussion.view = { ...this.view, speakers: [...this.view.speakers, this.user] };
      // What one asked to add stands where one writes, and says it there.
      if (!pitch) this.tell(words.room.youMaySpeak);
    },

    onDenied({ room }) {
      if (room !== this.id) return;
      this.denials += 1;
      this.tell(this.silence || words.room.denied);
    },

    onRemoved({ room }) {
      if (room !== this.id || !this.view) return;
      this.discussion.view = { ...this.view, speakers: this.view.speakers.filter((name) => name !== this.user) };
      this.tell(words.room.removed);
    },

    // What the host does

    /** Gives a command about this room, and says why when it is refused. Returns whether it was done. */
    async order(event) {
      const answer = await command(event, { room: this.id });
      if (!answer.ok) this.tell(reasonOf(answer));
      return answer.ok;
    },

    async extend() {
      if (await this.order('extend')) this.tell(words.clock.gotMore);
    },

    /** Whoever leaves, or hands the room over, has made up their mind about the queue. */
    async decideFirst() {
      await this.$refs.queue?.denyNow();
    },

    /** Nobody waits any more, and what had the keyboard's place is gone. */
    onAnswered() {
      if (!hasTouchKeyboard()) this.$refs.writing?.focus();
    },

    showOut(guest) {
      this.$refs.who?.close();
      this.$emit('show-out', guest);
    },

    leave() {
      if (this.isHost && this.isLive) this.tell(words.room.leftAsHost);
      this.$emit('leave');
    },

    /** In another tab of this browser. */
    onChosenElsewhere() {
      this.discussion.changeName();
    },

    onChosen(name) {
      if (name === 'unnamed') this.discussion.changeName();
      if (name === 'writing') this.discussion.writers = [];
    },

    // Words and focus

    onFiveMinutes(count) {
      notice('fiveMinutes', { room: this.id, topic: this.topic, count, id: this.view.closes_at });
    },

    /** The host decides there who may come in. */
    invite() {
      if (this.isHost && limits.doors) this.$emit('door');
      else this.$refs.invitation.show();
    },

    tell(sentence, requests) {
      this.$emit('tell', sentence, requests);
    },

    /** When the control with the focus goes away with the old role, the focus goes to what comes in its place. */
    async keepFocus() {
      const { part } = this.$refs;
      const hadFocus = part.contains(document.activeElement);
      await this.$nextTick();
      // Never to a signal, which Enter would give, nor to what takes a request back.
      if (hadFocus) part.querySelector('textarea, .asking__place, .button')?.focus();
      else this.focusOnWriting();
    },

    /** Whoever may write starts there, unless the focus is on something already, or a keyboard would cover the feed. */
    focusOnWriting() {
      const { heading, writing } = this.$refs;
      if (document.activeElement === heading && !hasTouchKeyboard()) writing?.focus();
    },
  },
};
