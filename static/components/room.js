/**
 * The room: a modal over the lobby with the feed, the people and, for the host, the queue.
 */

import { ask, command, insist, isPassing, newKey, on, wait } from '../connection.js';
import { keep, kept, pitchName, unsentName } from '../kept.js';
import { limits } from '../limits.js';
import { shareLink } from '../link.js';
import { notice } from '../noticing.js';
import { fill, listOf, reasonOf, words } from '../words/words.js';
import { AskToSpeak } from './asking.js';
import { RoomClock, closingRoundSince } from './clock.js';
import { RoomEnding } from './ending.js';
import { Feed, heldUpTo, merge, withoutWords } from './feed.js';
import { ConnectionNotice, PassingNotices } from './notices.js';
import { NoticingSettings } from './noticing-settings.js';
import { RoomPeople } from './people.js';
import { RoomPulse } from './pulse.js';
import { MessageForm, hasTouchKeyboard } from './writing.js';

// Messages may overtake each other by a moment without any being lost.
const GAP_MS = 500;

export const RoomDialog = {
  template: '#room-template',
  components: {
    AskToSpeak,
    ConnectionNotice,
    Feed,
    MessageForm,
    NoticingSettings,
    PassingNotices,
    RoomClock,
    RoomEnding,
    RoomPeople,
    RoomPulse,
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
    notices: Array,
  },
  emits: ['leave', 'news', 'place', 'queue', 'tell'],

  data() {
    return {
      view: null,
      messages: Object.freeze([]),
      unsent: kept(unsentName(this.user, this.id), []),
      pitch: kept(pitchName(this.user, this.id), ''), // what one asked to add, kept until it is said
      closedBy: '',
      absence: null, // the refusal, when the room cannot be entered
      isCurrent: false, // inside, with nothing of the feed missing
    };
  },

  computed: {
    topic() {
      return this.view?.topic ?? this.card?.topic ?? words.room.untitled;
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
      return this.view ? [this.view.host, ...this.view.speakers] : [];
    },
    /** The seq of one's own message that can still be taken back. */
    mayTakeBack() {
      const own = this.messages.findLast(({ user }) => user === this.user);
      const isGone = !own || own.taken_back || this.isOver || this.unsent.length;
      return !isGone && this.now < own.at + limits.takeBackWithin ? own.seq : null;
    },
    isOver() {
      return Boolean(this.view?.closed || this.absence);
    },
    /** A room that one cannot enter, and has nothing of. */
    isNowhere() {
      return Boolean(this.absence && !this.messages.length && !this.unsent.length);
    },
    ending() {
      const isLost = this.messages.length && this.absence?.code === 'not_found';
      if (!this.view?.closed) return isLost ? words.ending.lost : reasonOf(this.absence);
      return this.closedBy ? fill(words.ending.closedBy, { user: this.closedBy }) : words.ending[this.view.closed];
    },
    isLive() {
      return Boolean(this.view && !this.isOver);
    },
    closingRound() {
      return this.isLive ? closingRoundSince(this.view, this.now) : null;
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
    listeners() {
      return this.view.watching + this.view.speakers.length;
    },
    isBehind() {
      const last = Math.max(this.view?.seq ?? 0, this.messages.at(-1)?.seq ?? 0);
      return last > (heldUpTo(this.messages) ?? 0);
    },
  },

  watch: {
    connection() {
      this.isCurrent = false;
      this.enter();
    },
    pitch(text) {
      keep(pitchName(this.user, this.id), text);
    },
    unsent(messages) {
      keep(unsentName(this.user, this.id), messages);
    },
    role: 'keepFocus',
    queue(queue, before) {
      const names = queue.map(({ user }) => user).filter((name) => !before.some(({ user }) => user === name));
      if (!names.length) return;
      this.tell(fill(words.room.asksToSpeak, { count: names.length, names: listOf(names) }), names);
    },
  },

  mounted() {
    this.stops = [
      on('room', this.onRoom),
      on('message', this.onMessage),
      on('taken_back', this.onTakenBack),
      on('approved', this.onApproved),
      on('denied', this.onDenied),
      on('removed', this.onRemoved),
      on('closed', this.onClosed),
    ];
    this.$refs.dialog.showModal();
    this.enter();
  },

  beforeUnmount() {
    this.hasLeft = true;
    this.isCurrent = false;
    this.stops.forEach((stop) => stop());
    clearTimeout(this.gapTimer);
    // Closing gives the focus back to the button that opened the room; mere removal would not.
    this.$refs.dialog.close();
  },

  methods: {
    // Going in, and catching up.

    async enter() {
      if (this.isEntering || this.isCurrent || this.hasLeft || this.connection !== 'online') return;
      this.isEntering = true;
      let place = null;
      const stop = on('place', (event) => {
        if (event.room === this.id) place = event.place;
      });
      const answer = await ask('watch', { room: this.id, after: heldUpTo(this.messages) ?? undefined });
      stop();
      this.isEntering = false;
      if (this.hasLeft) return;
      if (answer.ok) {
        this.$emit('place', place);
        this.onEntered(answer);
      } else if (isPassing(answer)) {
        await wait(answer);
        this.enter();
      } else {
        this.absence = answer;
        this.unsent = this.unsent.map((message) => ({ ...message, refusal: message.refusal ?? answer }));
      }
    },

    async onEntered({ messages, waiting, taken_back: takenBack = [] }) {
      this.absence = null;
      this.messages = withoutWords(this.messages, takenBack);
      this.receive(messages);
      // A long absence is caught up with in several steps.
      if (this.isBehind && messages.length) return this.enter();
      this.isCurrent = true;
      this.cameAfter ??= this.messages.at(-1)?.seq ?? 0;
      if (waiting) this.$emit('queue', waiting);
      this.flush();
      await this.$nextTick();
      this.focusOnWriting();
    },

    onRoom(view) {
      if (view.id !== this.id) return;
      if (this.view && this.view.host !== view.host) {
        const { youAreHostNow, isHostNow } = words.room;
        this.tell(view.host === this.user ? youAreHostNow : fill(isHostNow, { user: view.host }));
      }
      this.view = view;
      this.checkForGap();
    },

    onMessage(message) {
      if (message.room !== this.id) return;
      // Said in another tab: whoever has begun to speak needs no first words any more.
      if (message.user === this.user) this.pitch = '';
      this.receive([message]);
      this.checkForGap();
    },

    onTakenBack({ room, seq }) {
      if (room === this.id) this.messages = withoutWords(this.messages, [seq]);
    },

    receive(messages) {
      const isHeld = ({ seq }) => this.messages.findLast((held) => held.seq <= seq)?.seq === seq;
      const isNews = (message) =>
        message.seq > this.cameAfter && message.user !== this.user && !message.taken_back && !isHeld(message);
      const news = messages.filter(isNews);
      if (news.length) this.$emit('news', news);
      this.messages = merge(this.messages, messages);
      const own = new Set(messages.filter(({ user }) => user === this.user).map(({ key }) => key));
      if (this.unsent.some(({ key }) => own.has(key))) this.unsent = this.unsent.filter(({ key }) => !own.has(key));
    },

    checkForGap() {
      this.gapTimer ??= setTimeout(() => {
        this.gapTimer = null;
        if (!this.isCurrent || !this.isBehind) return;
        this.isCurrent = false;
        this.enter();
      }, GAP_MS);
    },

    async askEarlier() {
      const answer = await insist('history', { room: this.id, before: this.messages[0].seq });
      if (answer.ok) this.receive(answer.messages);
      // The party can forget a closed room before its time.
      if (answer.code === 'not_found') this.absence = answer;
      return answer;
    },

    async fetchEarlier() {
      const answer = await this.askEarlier();
      if (!answer.ok) this.tell(reasonOf(answer));
      return answer.ok && answer.messages.length > 0;
    },

    /** Gives the server's last answer: a refusal where not all could be had. */
    async fetchAll() {
      let answer = { ok: true };
      while (answer.ok && this.messages[0]?.seq > 1) answer = await this.askEarlier();
      return answer;
    },

    onClosed({ room, reason, by }) {
      if (room !== this.id) return;
      if (reason === 'host' && by) this.closedBy = by;
      if (this.view) this.view = { ...this.view, closed: reason };
    },

    // Speaking. A message leaves `unsent` only when it is in the feed, or by hand.

    say({ text, reply }) {
      // Whoever has begun to speak needs no first words any more.
      this.pitch = '';
      this.unsent = [...this.unsent, { user: this.user, text, reply, at: this.now, key: newKey() }];
      this.flush();
    },

    /** Sends the unsent messages in order, one at a time. */
    async flush() {
      if (this.isFlushing) return;
      this.isFlushing = true;
      for (let next; this.isCurrent && (next = this.unsent.find(({ refusal }) => !refusal)); ) {
        const { text, key, reply } = next;
        const answer = await ask('message', { room: this.id, text, key, reply });
        if (answer.ok) this.receive([answer.message]);
        else if (isPassing(answer)) await wait(answer);
        else this.change(key, { ...next, refusal: answer });
      }
      this.isFlushing = false;
    },

    sendAgain({ key, refusal, ...message }) {
      // A conflict means that other words stand under this key.
      this.change(key, { ...message, key: refusal.code === 'conflict' ? newKey() : key });
      if (this.isCurrent) this.flush();
      else this.enter();
    },

    change(key, message) {
      this.unsent = this.unsent.map((unsent) => (unsent.key === key ? message : unsent));
    },

    discard({ key }) {
      this.unsent = this.unsent.filter((unsent) => unsent.key !== key);
    },

    async takeBack({ seq, text, reply }) {
      const answer = await command('take_back', { room: this.id, seq });
      if (!answer.ok) return this.tell(reasonOf(answer));
      this.onTakenBack({ room: this.id, seq });
      this.$refs.writing?.offer({ text, reply });
    },

    async sayPitch() {
      this.say({ text: this.pitch });
      await this.$nextTick();
      if (!hasTouchKeyboard()) this.$refs.writing.focus();
    },

    // The `room` that says the same comes a moment later; nobody should wait for it.

    onApproved({ room, pitch }) {
      if (room !== this.id || !this.view) return;
      this.pitch = pitch;
      if (!this.maySpeak) this.view = { ...this.view, speakers: [...this.view.speakers, this.user] };
      this.tell(words.room.youMaySpeak);
    },

    onDenied({ room }) {
      if (room !== this.id) return;
      this.pitch = '';
      this.tell(words.room.denied);
    },

    onRemoved({ room }) {
      if (room !== this.id || !this.view) return;
      this.view = { ...this.view, speakers: this.view.speakers.filter((name) => name !== this.user) };
      this.tell(words.room.removed);
    },

    leave() {
      if (this.isHost && this.isLive) this.tell(words.room.leftAsHost);
      this.$emit('leave');
    },

    // Words and focus.

    onFiveMinutes(count) {
      notice('fiveMinutes', { room: this.id, topic: this.topic, count, id: this.view.closes_at });
    },

    async share(asks) {
      this.$refs.invite.hidePopover?.();
      const sentence = await shareLink(this.id, asks);
      if (sentence) this.tell(sentence);
    },

    tell(sentence, requests) {
      this.$emit('tell', sentence, requests);
    },

    /** When the control with the focus goes away with the old role, the focus goes to what comes in its place. */
    async keepFocus() {
      const { part } = this.$refs;
      const hadFocus = part.contains(document.activeElement);
      await this.$nextTick();
      if (hadFocus) (part.querySelector('textarea') ?? part.querySelector('input, button'))?.focus();
      else this.focusOnWriting();
    },

    /** Whoever may write starts there, unless the focus is on something already, or a keyboard would cover the feed. */
    focusOnWriting() {
      const { heading, writing } = this.$refs;
      if (document.activeElement === heading && !hasTouchKeyboard()) writing?.focus();
    },
  },
};
