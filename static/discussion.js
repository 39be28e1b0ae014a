/**
 * The discussion of the room that is open, as this page holds it: getting in and staying current, the messages, and what
 * is not sent yet. No part of the page that can be seen; `room.js` shows it.
 */

import { ATTEMPTS, ask, command, insist, isPassing, newKey, on, wait } from './connection.js';
import { keep, kept, listensUnnamed, unsentName } from './kept.js';

// Messages may overtake each other by a moment without any being lost.
const GAP_MS = 500;
// A thousand pages see the same end; they should not all ask in the same instant.
export const ASK_WITHIN_MS = 5000;

/** Both lists as one, in the order of `seq`, each `seq` once. Messages are frozen: Vue need not watch them. */
function merge(feed, arriving) {
  const fresh = arriving.map(Object.freeze);
  if (fresh.length === 1 && fresh[0].seq > (feed.at(-1)?.seq ?? 0)) return Object.freeze([...feed, ...fresh]);
  const bySeq = new Map([...feed, ...fresh].map((message) => [message.seq, message]));
  return Object.freeze([...bySeq.values()].sort((a, b) => a.seq - b.seq));
}

/** The last `seq` before which nothing is missing; null when there is none. */
function heldUpTo(feed) {
  const gap = feed.findIndex((message, index) => message.seq !== feed[0].seq + index);
  return feed.at(gap === -1 ? -1 : gap - 1)?.seq ?? null;
}

/** The message `seq`, undefined when it is not held. */
export function messageAt(feed, seq) {
  const expected = feed[seq - feed[0]?.seq];
  return expected?.seq === seq ? expected : feed.find((message) => message.seq === seq);
}

/** The feed after the messages `seqs` were taken back. */
function withoutWords(feed, seqs) {
  const gone = new Set(seqs);
  if (!feed.some(({ seq }) => gone.has(seq))) return feed;
  const without = (message) => Object.freeze({ ...message, text: '', taken_back: true });
  return Object.freeze(feed.map((message) => (gone.has(message.seq) ? without(message) : message)));
}

export class Discussion {
  view = null; // the room as the server says it is
  messages = Object.freeze([]);
  likes = {}; // seq → how many marks of approval
  liked = []; // the seqs of those that are one's own
  writers = []; // names of the others who are writing
  absence = null; // the refusal, when the room cannot be entered
  isOnline = false;
  isEntering = false;
  isCurrent = false; // inside, with nothing of the feed missing
  isFlushing = false; // sending what is not sent
  hasEnded = false; // one has left
  unread = 0; // the seq up to which one may not read: what was said before a guest came
  cameAfter = Infinity; // the last seq that was there when one came, once one has come
  listensUnnamed = null; // as the server was told
  isLeftOut = false; // what this person said, of the page that the room becomes

  /** `heard` has what to call: `news(messages)`, `place(place)`, `queue(waiting)`, `spoke()`. */
  constructor(id, user, heard) {
    this.id = id;
    this.user = user;
    this.heard = heard;
    this.unsent = kept(unsentName(user, id), []);
  }

  /** Call it on the object as Vue sees it, or Vue will not see what changes. */
  begin() {
    const ofThisRoom = (handler) => (event) => event.room === this.id && handler(event);
    this.stops = [
      on('room', (view) => view.id === this.id && this.onRoom(view)),
      on('message', ofThisRoom((message) => this.onMessage(message))),
      on('taken_back', ofThisRoom(({ seq }) => this.forgetWords([seq]))),
      on('likes', ofThisRoom(({ likes }) => Object.assign(this.likes, likes))),
      on('liked', ofThisRoom(({ seq, liked }) => this.markLiked(seq, liked))),
      on('writing', ofThisRoom(({ users }) => (this.writers = users.filter((name) => name !== this.user)))),
      on('closed', ofThisRoom((event) => this.onClosed(event))),
      on('left_out', ofThisRoom(({ out }) => (this.isLeftOut = out))),
    ];
  }

  end() {
    this.hasEnded = true;
    this.isCurrent = false;
    this.stops.forEach((stop) => stop());
    clearTimeout(this.gapTimer);
  }

  /** Whether there are messages before the first that is held. */
  get hasEarlier() {
    return this.messages[0]?.seq > this.unread + 1;
  }

  get isBehind() {
    const last = Math.max(this.view?.seq ?? 0, this.messages.at(-1)?.seq ?? 0);
    return last > (heldUpTo(this.messages) ?? this.unread);
  }

  // Going in, and catching up

  onConnection(state) {
    this.isOnline = state === 'online';
    this.isCurrent = false;
    this.enter();
  }

  async enter() {
    if (this.isEntering || this.isCurrent || this.hasEnded || !this.isOnline) return;
    this.isEntering = true;
    this.writers = []; // whoever goes in is told who writes, if anybody does
    let place = null;
    const stop = on('place', (event) => {
      if (event.room === this.id) place = event.place;
    });
    const last = this.messages.at(-1)?.seq ?? 0;
    const after = heldUpTo(this.messages) ?? undefined;
    this.listensUnnamed = listensUnnamed();
    const answer = await ask('watch', { room: this.id, after, unnamed: this.listensUnnamed });
    stop();
    this.isEntering = false;
    if (this.hasEnded) return;
    // The server's log was put back to how it was before: under these numbers stands, or will stand, something else.
    if (answer.ok && this.view?.seq < last) {
      this.messages = Object.freeze([]);
      this.cameAfter = Infinity;
      this.enter();
    } else if (answer.ok) {
      this.heard.place(place);
      this.onEntered(answer);
    } else if (isPassing(answer)) {
      await wait(answer);
      this.enter();
    } else {
      this.absence = answer;
      this.setUnsent(this.unsent.map((message) => ({ ...message, refusal: message.refusal ?? answer })));
    }
  }

  onEntered({ messages, earlier, later, waiting, likes, liked, taken_back: takenBack = [], left_out: isLeftOut = false }) {
    this.absence = null;
    this.isLeftOut = isLeftOut;
    if (likes) Object.assign(this, { likes, liked });
    this.forgetWords(takenBack);
    this.receive(messages);
    this.noteBeginning(earlier);
    // A long absence is caught up with in several steps.
    if (later) return this.enter();
    this.isCurrent = true;
    if (this.cameAfter === Infinity) this.cameAfter = this.messages.at(-1)?.seq ?? 0;
    if (waiting) this.heard.queue(waiting);
    this.flush();
    this.changeName();
  }

  /** Goes in anew where one chose meanwhile, maybe in another tab, to listen with or without one's name. */
  changeName() {
    if (!this.isCurrent || this.listensUnnamed === listensUnnamed()) return;
    this.isCurrent = false;
    this.enter();
  }

  onRoom(view) {
    this.view = view;
    this.checkForGap();
  }

  onMessage(message) {
    this.writers = this.writers.filter((name) => name !== message.user);
    this.receive([message]);
    this.checkForGap();
  }

  receive(messages) {
    const isHeld = ({ seq }) => this.messages.findLast((held) => held.seq <= seq)?.seq === seq;
    const isNews = (message) =>
      message.seq > this.cameAfter && message.user !== this.user && !message.taken_back && !isHeld(message);
    const news = messages.filter(isNews);
    if (news.length) this.heard.news(news);
    if (messages.some(({ user, seq }) => user === this.user && seq > this.cameAfter)) this.heard.spoke();
    this.messages = merge(this.messages, messages);
    const own = new Set(messages.filter(({ user }) => user === this.user).map(({ key }) => key));
    const unsent = this.unsentNow();
    if (unsent.some(({ key }) => own.has(key))) this.setUnsent(unsent.filter(({ key }) => !own.has(key)));
  }

  /** Where nothing stands before the first message, that is the beginning: for a guest not always of the room. */
  noteBeginning(earlier) {
    if (earlier === false) this.unread = (this.messages[0]?.seq ?? this.view.seq + 1) - 1;
  }

  forgetWords(seqs) {
    this.messages = withoutWords(this.messages, seqs);
    for (const seq of seqs) delete this.likes[seq];
  }

  checkForGap() {
    this.gapTimer ??= setTimeout(() => {
      this.gapTimer = null;
      if (!this.isCurrent || !this.isBehind) return;
      this.isCurrent = false;
      this.enter();
    }, GAP_MS);
  }

  onClosed({ reason }) {
    if (this.view) this.view = { ...this.view, closed: reason };
    this.writers = [];
  }

  /** Gives the server's answer. */
  async fetchEarlier() {
    const answer = await insist('history', { room: this.id, before: this.messages[0].seq });
    if (answer.ok) {
      this.receive(answer.messages);
      this.noteBeginning(answer.earlier);
    }
    // The party can forget a closed room before its time.
    if (answer.code === 'not_found') this.absence = answer;
    return answer;
  }

  /** Gives the server's last answer: a refusal where not all could be had. */
  async fetchAll() {
    let answer = { ok: true };
    while (answer.ok && this.hasEarlier) answer = await this.fetchEarlier();
    return answer;
  }

  // Speaking. A message leaves `unsent` only when it is in the feed, or by hand.

  setUnsent(messages) {
    this.unsent = messages;
    keep(unsentName(this.user, this.id), messages);
  }

  /** What is not sent now. An answer that comes after one has left, and come back, finds what was written since. */
  unsentNow() {
    return this.hasEnded ? kept(unsentName(this.user, this.id), []) : this.unsent;
  }

  say({ text, reply, at }) {
    this.setUnsent([...this.unsent, { user: this.user, text, reply, at, key: newKey() }]);
    this.flush();
  }

  /** Sends the unsent messages in order, one at a time. */
  async flush() {
    if (this.isFlushing) return;
    this.isFlushing = true;
    let tries = 0;
    for (let next; this.isCurrent && (next = this.unsent.find(({ refusal }) => !refusal)); ) {
      const { text, key, reply } = next;
      const answer = await ask('message', { room: this.id, text, key, reply });
      tries = answer.ok ? 0 : tries + 1;
      if (answer.ok) this.receive([answer.message]);
      else if (!isPassing(answer)) this.change(key, { ...next, refusal: answer });
      else {
        // It goes on; but why it takes so long, and the id of our mistake, should be seen.
        if (tries === ATTEMPTS) this.change(key, { ...next, delay: answer });
        await wait(answer);
      }
    }
    this.isFlushing = false;
  }

  sendAgain({ key, refusal, delay, ...message }) {
    // A conflict means that other words stand under this key.
    this.change(key, { ...message, key: refusal.code === 'conflict' ? newKey() : key });
    if (this.isCurrent) this.flush();
    else this.enter();
  }

  change(key, message) {
    this.setUnsent(this.unsentNow().map((unsent) => (unsent.key === key ? message : unsent)));
  }

  discard({ key }) {
    this.setUnsent(this.unsent.filter((unsent) => unsent.key !== key));
  }

  /** Gives the server's answer. */
  async takeBack(seq) {
    const answer = await command('take_back', { room: this.id, seq });
    if (answer.ok) this.forgetWords([seq]);
    return answer;
  }

  // Marks of approval. What one does oneself is seen at once.

  /** Gives the server's answer. */
  async like(seq) {
    const liked = !this.liked.includes(seq);
    this.markLiked(seq, liked);
    const answer = await command('like', { room: this.id, seq, liked });
    if (!answer.ok) this.markLiked(seq, !liked);
    return answer;
  }

  markLiked(seq, liked) {
    if (this.liked.includes(seq) === liked) return;
    this.liked = liked ? [...this.liked, seq] : this.liked.filter((other) => other !== seq);
    this.likes[seq] = Math.max(0, (this.likes[seq] ?? 0) + (liked ? 1 : -1));
  }
}
