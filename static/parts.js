/** The small parts that stand in several places: names and faces, the candle that is a room's clock, and sheets. */

import { MINUTE, fill, limits, listOf, timeLeft, words } from './words.js';

const HUES = 9; // as many as can speak in a room
// Long enough for eight people to say a last word each, one after the other.
const CLOSING_ROUND_MS = 3 * MINUTE;
// What is said of a room before there is anything to say.
const JUST_OPENED_MS = MINUTE;

/** Who may speak in a room, as its card or its view says: the host, then the speakers. */
export const seated = ({ host, speakers }) => [host, ...speakers];

/** Whether guests may come in, as a card or a view says. */
export const isDoorOpen = ({ door }) => Boolean(door) && door !== 'closed';

// Names. A friend's stands for the friend; a guest has an id, and a name that anybody could have chosen.

let known = {}; // what guests are called, by their ids

/** Lets what shows a name follow when it is learned later. `reactive` is Vue's. */
export function watchNames(reactive) {
  known = reactive(known);
}

/** Learns the names of the guests that a payload, or a card in it, speaks of. */
export function noteGuests(payload) {
  for (const { guests } of [payload, ...(payload.rooms ?? [])]) Object.assign(known, guests);
}

export const isGuest = (user) => user.startsWith('~');

/** What somebody is called. Where it stands, it stands with the word "guest": in `PersonName`, or as `naming` says. */
export const nameOf = (user) => (isGuest(user) ? (known[user] ?? words.people.noName) : user);

/** "asha", and "Maya (guest)", for sentences. */
export const naming = (user) => (isGuest(user) ? fill(words.people.guestNamed, { user: nameOf(user) }) : user);

/** "asha, bilal and Maya (guest)". */
export const namesOf = (users) => listOf(users.map(naming));

export const PersonName = {
  name: 'PersonName',
  template: /* html */ `<bdi>{{ nameOf(user) }}</bdi><template v-if="isGuest(user)">{{ ' ' }}<small class="guest">{{ words.people.guest }}</small></template>`,
  props: { user: String },
  methods: { isGuest, nameOf },
};

// Faces

// Firefox knows it since 2024 only.
const graphemes = Intl.Segmenter && new Intl.Segmenter(undefined, { granularity: 'grapheme' });

/** The first letter as a person sees it, be it made of several code points. */
export function initialOf(name) {
  const [first] = graphemes ? Array.from(graphemes.segment(name), ({ segment }) => segment) : name;
  return first.toUpperCase();
}

/**
 * A class for the colour of a name: the same on every screen. Of `neighbours`, those who have a seat in the same room, nine
 * have nine colours: who comes later takes the next one that is free, and who has no seat yet is seen in it already.
 */
export function hueOf(name, neighbours = []) {
  const taken = new Set();
  const hueBeside = (other) => {
    const wished = hashOf(other) % HUES;
    return Array.from({ length: HUES }, (_, step) => (wished + step) % HUES).find((hue) => !taken.has(hue)) ?? wished;
  };
  // Where few are free, all who listen would be seen in the same.
  const before = neighbours.includes(name) || neighbours.length < HUES / 2 ? neighbours : [];
  for (const other of before) {
    if (other === name) break;
    taken.add(hueBeside(other));
  }
  return `hue-${hueBeside(name)}`;
}

const neighbours = {}; // by room

/**
 * Who has a seat in the room of that card or view, behind those who had one: nobody's colour changes because somebody goes, or
 * another becomes host. When they are too many for the colours, those who are there are given theirs anew.
 */
export function neighboursIn(room) {
  const all = new Set([...(neighbours[room.id] ?? []), ...seated(room)]);
  return (neighbours[room.id] = all.size > HUES ? seated(room) : [...all]);
}

/** A plain polynomial hash; the hard-coded names have six colours by it. */
function hashOf(name) {
  return Array.from(name).reduce((total, letter) => (total * 40 + letter.codePointAt(0)) % 65521, 0);
}

/** What a part needs to give people their colours: a card and a room provide `neighbours`, a function. */
export const besideOthers = { neighbours: { default: () => () => [] } };

export const PersonFace = {
  name: 'PersonFace',
  template: /* html */ `<span class="face" :class="hue" aria-hidden="true">{{ letter }}</span>`,
  inject: besideOthers,
  props: { name: String },
  computed: {
    hue() {
      return hueOf(this.name, this.neighbours());
    },
    letter() {
      return initialOf(nameOf(this.name));
    },
  },
};

/** Some faces that overlap, and how many more there are. Whoever cannot see them finds the names elsewhere. */
export const FacePile = {
  name: 'FacePile',
  template: /* html */ `
    <span class="faces" aria-hidden="true">
      <person-face v-for="name in names.slice(0, shown)" :key="name" :name="name"></person-face>
      <span v-if="names.length > shown" class="face face--more">+{{ names.length - shown }}</span>
    </span>`,
  components: { PersonFace },
  props: { names: Array, most: { type: Number, default: 5 } },
  computed: {
    /** "+1" would take the place of the face that it stands for. */
    shown() {
      return this.names.length === this.most + 1 ? this.most + 1 : this.most;
    },
  },
};

// Icons

const ICONS = {
  back: 'M15 5l-7 7 7 7',
  calendar: 'M8 3v4M16 3v4M4 10h16M4 5h16v15H4z',
  check: 'M5 12.5l4.5 4.5L19 7.5',
  close: 'M6 6l12 12M18 6L6 18',
  door: 'M3 21h18M6 21V3h12v18M14.5 12v.01',
  more: 'M5 12h.01M12 12h.01M19 12h.01',
  next: 'M9 5l7 7-7 7',
  page: 'M6 3h8l4 4v14H6zM9.5 12h5M9.5 16h5',
  plus: 'M12 5v14M5 12h14',
  send: 'M12 19V5M6 11l6-6 6 6',
  thumb: 'M7 11v9H4v-9zM7 11l4-8c1.7 0 3 1.3 3 3v3h5.3a2 2 0 0 1 2 2.3l-1.2 7a2 2 0 0 1-2 1.7H7',
};

/** The party's own sign, as the browser's tab shows it. */
export const sign = document.querySelector('link[rel=icon]').dataset.seen;

export const PageIcon = {
  name: 'PageIcon',
  template: /* html */ `
    <svg class="icon" :class="'icon--' + name" viewBox="0 0 24 24" aria-hidden="true"><path :d="path" /></svg>`,
  props: { name: String },
  computed: {
    path() {
      return ICONS[this.name];
    },
  },
};

// The candle

export const canGetMore = ({ opened_at: openedAt, closes_at: closesAt }) => closesAt - openedAt < limits.longestRoom;

/** Since when the closing round runs, once it does; null before, and in a room that was never longer than it. */
export function closingRoundSince({ opened_at: openedAt, closes_at: closesAt }, now) {
  const since = closesAt - CLOSING_ROUND_MS;
  return since > openedAt && now >= since ? since : null;
}

export const isClosingRound = (room, now) => closingRoundSince(room, now) !== null;

export const isJustOpened = ({ opened_at: openedAt }, now) => now - openedAt < JUST_OPENED_MS;

/** The time of a live room, as a card or a header says it. */
export const RoomTime = {
  name: 'RoomTime',
  template: /* html */ `
    <span class="time" :class="{ 'time--last': isClosingRound }"><span class="time__what">{{ what[0] }}</span>{{ left }}{{ what[1] }}</span>`,
  props: { room: Object, now: Number },
  computed: {
    isClosingRound() {
      return isClosingRound(this.room, this.now);
    },
    left() {
      return timeLeft(this.room.closes_at - this.now);
    },
    /** What is said before it and behind it. */
    what() {
      return this.isClosingRound ? words.clock.lastWords.split('{left}') : [];
    },
  },
};

/** From 1 down to 0. */
export const shareLeft = ({ opened_at: openedAt, closes_at: closesAt }, now) =>
  Math.min(1, Math.max(0, (closesAt - now) / (closesAt - openedAt)));

export const BurningLine = {
  name: 'BurningLine',
  template: /* html */ `
    <span class="burn" :class="{ 'burn--last': isClosingRound, 'burn--out': !share }" :style="{ '--share': share }"
      aria-hidden="true"></span>`,
  props: { room: Object, now: Number },
  computed: {
    isClosingRound() {
      return isClosingRound(this.room, this.now);
    },
    share() {
      return this.room.closed ? 0 : shareLeft(this.room, this.now);
    },
  },
};

// Styles that come later

const styles = {}; // promises

/** Resolves when the styles of that part, which were not fetched before, can be used. */
export function loadStyles(part) {
  const links = Array.from(document.querySelectorAll(`link[data-part=${part}]`));
  styles[part] ??= Promise.all(
    links.map((link) => new Promise((resolve) => Object.assign(link, { onload: resolve, onerror: resolve, disabled: false }))),
  );
  return styles[part];
}

// What is asked for twice

/** A button for what cannot be undone: once it was pressed it asks `question`, and "sure" is who answers with `yes`. */
export const SureButton = {
  name: 'SureButton',
  template: /* html */ `
    <button v-if="!isAsking" ref="button" v-bind="$attrs" @click="turn"><slot></slot></button>
    <div v-else class="sure" role="group" :aria-label="question">
      <p>{{ question }}</p>
      <button class="button" @click="turn">{{ no }}</button>
      <button ref="button" class="button button--danger" @click="$emit('sure')">{{ yes }}</button>
    </div>`,
  props: { question: String, no: String, yes: String },
  emits: ['sure'],
  inheritAttrs: false,

  data: () => ({ isAsking: false }),

  methods: {
    async turn() {
      this.isAsking = !this.isAsking;
      await this.$nextTick();
      this.$refs.button.focus();
    },
  },
};

// Sheets

/**
 * Resolves when what a press asked for is there: to whether it is still wanted. Until then Escape gives it up, and means
 * nothing else.
 */
export async function isStillWanted(coming) {
  const wish = new AbortController();
  const giveUp = (event) => {
    if (event.key !== 'Escape') return;
    event.preventDefault();
    wish.abort();
  };
  addEventListener('keydown', giveUp, { capture: true, signal: wish.signal });
  try {
    await coming;
    return !wish.signal.aborted;
  } finally {
    wish.abort();
  }
}

/** A dialog: a sheet from below on a phone, in the middle of a wide screen. Escape, and a tap beside it, close it. */
export const SheetDialog = {
  name: 'SheetDialog',
  template: /* html */ `
    <dialog ref="dialog" class="sheet" :aria-labelledby="titleId" @click.self="onBackdrop" @close="isOpen = false">
      <div v-if="isOpen" class="sheet__inside">
        <header class="sheet__head">
          <h2 :id="titleId" :class="{ topic: isTopic }" dir="auto">{{ title }}</h2>
          <button type="button" class="button button--icon" :aria-label="words.sheet.close" :title="words.sheet.close"
            @click="close">
            <page-icon name="close"></page-icon>
          </button>
        </header>
        <slot></slot>
      </div>
    </dialog>`,
  props: {
    title: String,
    isTopic: Boolean, // the title is what people wrote
  },

  data: () => ({ isOpen: false }),

  computed: {
    titleId() {
      return `sheet-${this.$.uid}`;
    },
  },

  methods: {
    async show() {
      this.isOpen = true;
      await this.$nextTick();
      this.$refs.dialog.showModal();
    },

    /** Gives the focus back to what had it. */
    close() {
      this.$refs.dialog.close();
    },

    /** A click inside that ends on the backdrop, as when text is selected, is none beside it. */
    onBackdrop({ detail }) {
      if (detail && getSelection().isCollapsed) this.close();
    },
  },
};

// Fields

// What a key event says while an input method is at work; Safari says nothing else for the Enter that ends it.
const IN_COMPOSITION = 229;

/** Whether the key was for an input method, as an Enter that takes what it offers. */
export const isInComposition = ({ isComposing, keyCode }) => isComposing || keyCode === IN_COMPOSITION;

/** Whether the key is Escape, and meant nothing nearer than the whole of what is seen. */
export const isWayOut = (event) =>
  event.key === 'Escape' && !event.defaultPrevented && !isInComposition(event) && !document.querySelector('dialog[open]');

function fit(field) {
  field.style.blockSize = 'auto';
  field.style.blockSize = `${field.scrollHeight + field.offsetHeight - field.clientHeight}px`;
}

/** `v-grow`: a field is as high as what is written in it. Safari does not do that by CSS. */
export const growing = CSS.supports('field-sizing', 'content') ? {} : { mounted: fit, updated: fit };
