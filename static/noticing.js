/**
 * Makes people notice what concerns them: a count and a dot on the tab, a soft sound, and a notification for who looks
 * elsewhere; and the choices about that and about what others see of oneself. It never takes the focus, and says nothing
 * about what one did oneself.
 */

import { linkTo, listensUnnamed, remember, remembered, showsWriting } from './kept.js';
import { namesOf } from './parts.js';
import { fill, language, words } from './words.js';

// The end of a room is no reason to make a noise; somebody who waits is.
const RINGING = ['request', 'approved', 'mentioned'];
const NOTES = [
  { hertz: 587, after: 0 },
  { hertz: 880, after: 0.15 },
];
const NOTE_SECONDS = 0.5;
const QUIET = 0.06; // of full volume
const RING_MS = 1500; // until the last note has died away
const TOO_LATE_MS = 1000;
// All tabs of somebody hear of an event within this time.
const SAME_EVENT_MS = 3000;
const LOOKING = 'looking'; // a lock that is held by every tab that is looked at

const icon = document.querySelector('link[rel=icon]');

const noticedRequests = new Set();
let lookAway; // ends what tells the other tabs that this one is looked at
let audio;
let resting; // the timer that lets the sound rest
let shown = []; // notifications of this page that no service worker keeps

// The count

/** Shows on the tab's icon, and on the icon of an installed page, how much waits to be seen. */
export function showUnseen(count) {
  icon.href = count ? icon.dataset.unseen : icon.dataset.seen;
  // It is refused where the page is not installed.
  navigator.setAppBadge?.(count).catch(() => {});
}

// What is noticed

/**
 * Makes the host notice the requests of a queue that were made after `since` (older ones were there when the page
 * came), each once, however often the queue is told. Gives who asks.
 */
export function noticeRequests({ room, topic, waiting, since }) {
  const idOf = ({ user, at }) => `${room} ${user} ${at}`;
  const fresh = waiting.filter((request) => request.at > since && !noticedRequests.has(idOf(request)));
  fresh.forEach((request) => noticedRequests.add(idOf(request)));
  if (fresh.length) {
    // All who wait: a newer notification takes the place of the older one.
    const users = waiting.map(({ user }) => user);
    notice('request', { room, topic, names: namesOf(users), count: users.length, id: fresh.at(-1).at });
  }
  return fresh.map(({ user }) => user);
}

/**
 * Makes somebody notice what happened: "request", "approved", "mentioned" or "fiveMinutes". `about` has the room, its
 * topic, and what the words for this kind need. `id` tells one such event from the next, and is the same in every tab.
 */
export function notice(kind, about) {
  const event = `${kind} ${about.room} ${about.id ?? ''}`;
  if (RINGING.includes(kind) && audio && isSoundOn()) inOneTab(`sound: ${event}`, ring);
  if (notifications() === 'on') notifyWhoLooksAway(event, kind, about);
}

async function notifyWhoLooksAway(event, kind, about) {
  const isLooking = navigator.locks
    ? (await navigator.locks.query()).held.some(({ name }) => name === LOOKING)
    : !document.hidden;
  if (!isLooking) inOneTab(`notification: ${event}`, () => notify(kind, about));
}

/** Does it in one of the person's tabs, though all hear of the event. (There are no locks without TLS.) */
function inOneTab(name, act) {
  if (!navigator.locks) return act();
  return navigator.locks.request(name, { ifAvailable: true }, (lock) => lock && Promise.all([act(), pause(SAME_EVENT_MS)]));
}

/** Lets the person's other tabs know that this one is looked at. */
function showThatOneLooks() {
  if (document.hidden) return lookAway?.();
  navigator.locks?.request(LOOKING, { mode: 'shared' }, () => document.hidden || new Promise((end) => (lookAway = end)));
}

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

// The sound

const isSoundOn = () => remembered('sound', true);

/** Switching it on lets it be heard. */
function setSound(isOn) {
  remember('sound', isOn);
  if (isOn && audio) ring();
}

/** Browsers let a page be heard only after somebody has touched it, and complain if it tries before. */
function allowSound({ isTrusted }) {
  if (!isTrusted || audio || !globalThis.AudioContext) return;
  audio = new AudioContext();
  // While it runs it costs battery.
  audio.suspend();
}

async function ring() {
  await Promise.race([audio.resume(), pause(TOO_LATE_MS)]);
  // Where the system holds sound back, the notes would come whenever it lets go.
  if (audio.state !== 'running') return;
  NOTES.forEach(play);
  clearTimeout(resting);
  resting = setTimeout(() => audio.suspend(), RING_MS);
}

function play({ hertz, after }) {
  const start = audio.currentTime + after;
  const loudness = new GainNode(audio, { gain: 0 });
  loudness.gain.setValueAtTime(0, start);
  loudness.gain.linearRampToValueAtTime(QUIET, start + 0.02);
  loudness.gain.exponentialRampToValueAtTime(QUIET / 100, start + NOTE_SECONDS);
  const note = new OscillatorNode(audio, { frequency: hertz });
  note.connect(loudness).connect(audio.destination);
  note.start(start);
  note.stop(start + NOTE_SECONDS);
}

// Notifications

/** "missing" here, "denied" by the browser, "on", "off", or "unasked": off, and the browser would have to be asked. */
function notifications() {
  if (!globalThis.isSecureContext || !globalThis.Notification) return 'missing';
  if (Notification.permission === 'denied') return 'denied';
  if (Notification.permission !== 'granted') return 'unasked';
  return remembered('notifications', false) ? 'on' : 'off';
}

/** Call it only for a click on something that says what the notifications are for. */
async function setNotifications(isOn) {
  if (isOn && notifications() === 'unasked') await Notification.requestPermission();
  remember('notifications', isOn);
}

/**
 * Says who and in which room, never what was written: a notification stands on locked screens, and stays in a list
 * of the system for longer than the room's words are kept anywhere. The sound is the page's own, or none.
 */
async function notify(kind, { room, topic, ...values }) {
  const title = fill(words.noticing[kind], values);
  const options = {
    body: topic,
    tag: `${kind} ${room}`,
    renotify: true,
    silent: true,
    lang: language,
    data: { link: linkTo(room) },
  };
  const worker = await navigator.serviceWorker?.getRegistration();
  // Phones show only those of a service worker, which also answers the click.
  if (worker?.active) return worker.showNotification(title, options);
  const notification = new Notification(title, options);
  notification.onclick = () => {
    focus();
    location.href = options.data.link;
  };
  shown.push(notification);
}

/** Who looks at the page needs to be told no more. */
async function closeNotifications() {
  if (document.hidden) return;
  const worker = await navigator.serviceWorker?.getRegistration();
  const kept = (await worker?.getNotifications()) ?? [];
  [...shown, ...kept].forEach((notification) => notification.close());
  shown = [];
}

// The choices

/** The choices as they are now: not all of them are made on this page. */
function switchesNow() {
  const state = notifications();
  return [
    { name: 'sound', isOn: isSoundOn(), note: words.choices.soundWhen },
    {
      name: 'notifications',
      isOn: state === 'on',
      isFixed: ['denied', 'missing'].includes(state),
      note: words.choices[state] ?? words.choices.notificationsWhen,
    },
    { name: 'writing', isOn: showsWriting(), note: words.choices.writingWhen },
    { name: 'unnamed', isOn: listensUnnamed(), note: words.choices.unnamedWhen },
  ];
}

export const PageChoices = {
  name: 'PageChoices',
  template: /* html */ `
    <ul class="choices">
      <li v-for="{ name, isOn, isFixed, note } in switches" :key="name">
        <label class="choice">
          <span class="choice__name">{{ words.choices[name] }}</span>
          <span :id="'about-' + name" class="choice__note">{{ note }}</span>
          <input type="checkbox" role="switch" :aria-label="words.choices[name]" :aria-describedby="'about-' + name"
            :checked="isOn" :disabled="isFixed" @change="choose(name, $event.target)">
        </label>
      </li>
    </ul>`,
  emits: ['chosen'],

  data: () => ({ switches: switchesNow() }),

  methods: {
    async choose(name, target) {
      const { checked } = target;
      if (name === 'sound') setSound(checked);
      else if (name === 'notifications') await setNotifications(checked);
      else remember(name, checked);
      this.switches = switchesNow();
      // Vue sees no change where the browser said no.
      if (name === 'notifications') target.checked = notifications() === 'on';
      this.$emit('chosen', name);
    },
  },
};

// The service worker asks where a tap on a notification should lead to.
navigator.serviceWorker?.addEventListener('message', ({ ports: [port] }) => port.postMessage(location.href));
addEventListener('click', allowSound, { capture: true });
addEventListener('keydown', allowSound, { capture: true });
document.addEventListener('visibilitychange', closeNotifications);
document.addEventListener('visibilitychange', showThatOneLooks);
showThatOneLooks();
