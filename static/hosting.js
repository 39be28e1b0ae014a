/**
 * What a host decides: a room's topic, for how long and when, and whether the lobby shows it; who may come in, and the link
 * that lets guests in; how one of them is shown out. Few open it, so it comes when it is asked for, with its words.
 */

import { command } from './connection.js';
import { keep, kept, topicDraftName } from './kept.js';
import { SheetDialog, isInComposition, naming } from './parts.js';
import { momentOf } from './plans.js';
import { RoomInvitation } from './room.js';
import { HOUR, fill, limits, reasonOf, words } from './words.js';

// How long a room is open when its host does not say; the owner can set it beyond what a host may choose.
const USUAL_MINUTES = limits.roomMinutes;
const CHOICES_OF_MINUTES = [10, 20, 30];
// What is offered first: people meet in the evening.
const EVENING = 20;
const WAYS = ['closed', 'watch', 'ask'];

/** A sheet in which a host decides about one thing: it is there from the beginning. */
const ofADecision = {
  components: { SheetDialog },
  props: {
    about: [Object, String], // a closed room (`{ id, topic }`) whose discussion is to go on; or the id of a guest
    user: String,
    now: Number,
    room: String, // that is seen
    topic: String,
    plan: Object,
    door: Object,
  },
  emits: ['opened', 'tell'],

  mounted() {
    this.shown = this.$refs.sheet.show();
  },
};

// When

const twoDigits = (number) => String(number).padStart(2, '0');

/** The day and the time that a browser's own fields take, in the browser's own timezone. */
const dayField = (date) => [date.getFullYear(), twoDigits(date.getMonth() + 1), twoDigits(date.getDate())].join('-');
const timeField = (date) => `${twoDigits(date.getHours())}:${twoDigits(date.getMinutes())}`;

/** This evening; where that is over, or about to begin, the next one. */
function nextEvening(now) {
  const evening = new Date(now);
  evening.setHours(EVENING, 0, 0, 0);
  if (evening - now < HOUR) evening.setDate(evening.getDate() + 1);
  return evening.getTime();
}

/** A day and a time, in the browser's own fields; what they mean is said below, as everybody will read it. */
const WhenFields = {
  name: 'WhenFields',
  template: /* html */ `
    <fieldset class="when">
      <legend>{{ words.hosting.when }}</legend>
      <label>
        <span class="visually-hidden">{{ words.hosting.day }}</span>
        <input v-model="day" type="date" required :min="first" :max="last" aria-describedby="when-said">
      </label>
      <label>
        <span class="visually-hidden">{{ words.hosting.time }}</span>
        <input v-model="time" type="time" required aria-describedby="when-said">
      </label>
      <p id="when-said" class="when__said" :class="{ refusal }" role="status">{{ refusal || momentOf(chosen, now) }}</p>
    </fieldset>`,
  props: {
    at: Number, // what it is now
    now: Number,
  },
  emits: ['update:at'],

  data() {
    const date = new Date(this.at ?? nextEvening(this.now));
    return { day: dayField(date), time: timeField(date) };
  },

  computed: {
    first() {
      return dayField(new Date(this.now));
    },
    last() {
      return dayField(new Date(this.now + limits.plannedUntil));
    },
    /** In milliseconds. The browser knows when summer time ends. */
    chosen() {
      return new Date(`${this.day}T${this.time}`).getTime();
    },
    refusal() {
      if (Number.isNaN(this.chosen)) return words.hosting.whenMissing;
      if (this.chosen < this.now + limits.plannedFrom) return words.hosting.tooSoon;
      return this.chosen > this.now + limits.plannedUntil ? words.hosting.tooFar : '';
    },
    possible() {
      return this.refusal ? null : this.chosen;
    },
  },

  watch: {
    possible: {
      handler(at) {
        this.$emit('update:at', at);
      },
      immediate: true,
    },
  },

  methods: { momentOf },
};

/** Another time for a room that is planned. */
export const MoveSheet = {
  name: 'MoveSheet',
  template: /* html */ `
    <sheet-dialog ref="sheet" :title="words.hosting.move">
      <form class="hosting" @submit.prevent="move">
        <when-fields v-model:at="at" :at="plan.opens_at" :now="now"></when-fields>
        <p class="refusal" role="alert">{{ refusal }}</p>
        <button class="button button--main button--wide" :disabled="!at || isMoving">{{ words.hosting.moveIt }}</button>
      </form>
    </sheet-dialog>`,
  components: { WhenFields },
  mixins: [ofADecision],

  data() {
    return { at: this.plan.opens_at, refusal: '', isMoving: false };
  },

  methods: {
    async move() {
      this.isMoving = true;
      const answer = await command('move', { room: this.plan.id, at: this.at });
      this.isMoving = false;
      this.refusal = answer.ok ? '' : reasonOf(answer);
      if (answer.ok) this.$refs.sheet.close();
    },
  },
};

// Who may come in

/** Friends alone, or whoever has the link; and what they may do then. */
const DoorChoice = {
  name: 'DoorChoice',
  template: /* html */ `
    <fieldset class="chips ways">
      <legend>{{ words.door.title }}</legend>
      <label v-for="way in ways" :key="way" class="chip">
        <input class="visually-hidden" type="radio" name="door" :value="way" :checked="way === open"
          :aria-describedby="about && 'about-door'" @change="choose(way)">{{ words.door.ways[way] }}
      </label>
      <p v-if="about" id="about-door" class="ways__about">{{ about }}</p>
    </fieldset>`,
  props: {
    open: String,
    about: String, // what that means, where nothing else says so
  },
  emits: ['update:open'],
  computed: {
    ways: () => WAYS,
  },
  methods: {
    async choose(way) {
      this.$emit('update:open', way);
      await this.$nextTick();
      // Vue sees no change where the party has said meanwhile how it is.
      for (const input of this.$el.querySelectorAll('input')) input.checked = input.value === this.open;
    },
  },
};

// A new room

export const HostSheet = {
  name: 'HostSheet',
  template: /* html */ `
    <sheet-dialog ref="sheet" :title="words.hosting.title">
      <form class="hosting" @submit.prevent="open">
        <label class="field">
          <span class="visually-hidden">{{ words.hosting.topic }}</span>
          <textarea v-grow v-model="title" class="topic" required rows="1" :maxlength="limits.maxTopic" autocomplete="off" dir="auto"
            enterkeyhint="go" aria-describedby="topic-count" @keydown.enter.prevent="onEnter"></textarea>
        </label>
        <p id="topic-count" class="field__count">{{ count }}</p>
        <div class="hosting__time">
          <fieldset v-if="choices.length > 1" class="chips">
            <legend>{{ words.hosting.minutes }}</legend>
            <label v-for="choice in choices" :key="choice" class="chip">
              <input v-model="minutes" class="visually-hidden" type="radio" name="minutes" :value="choice">{{ choice }}
            </label>
          </fieldset>
          <button v-if="!about" type="button" class="button button--quiet" :aria-expanded="String(isLater)"
            @click="isLater = !isLater">
            <page-icon v-if="!isLater" name="calendar"></page-icon>{{ isLater ? words.hosting.now : words.hosting.later }}
          </button>
        </div>
        <when-fields v-if="isLater" v-model:at="at" :now="now"></when-fields>
        <door-choice v-if="limits.doors" v-model:open="way" :about="words.door.about[way]"></door-choice>
        <label class="choice">
          <span class="choice__name">{{ words.hosting.unlisted }}</span>
          <span id="about-unlisted" class="choice__note">{{ words.hosting.unlistedWhen }}</span>
          <input v-model="isUnlisted" type="checkbox" role="switch" :aria-label="words.hosting.unlisted"
            aria-describedby="about-unlisted">
        </label>
        <label v-if="limits.publishes" class="choice">
          <span class="choice__name">{{ words.hosting.publish }}</span>
          <span id="about-publish" class="choice__note">{{ words.hosting.publishWhen }}</span>
          <input v-model="publish" type="checkbox" role="switch" :aria-label="words.hosting.publish" aria-describedby="about-publish">
        </label>
        <p class="refusal" role="alert">{{ refusal }}</p>
        <button class="button button--main button--wide" :disabled="isOpening || (isLater && !at)">
          {{ isLater ? words.hosting.plan : words.hosting.open }}
        </button>
      </form>
    </sheet-dialog>`,
  components: { DoorChoice, WhenFields },
  mixins: [ofADecision],

  data() {
    return {
      title: kept(this.draftName(), this.about?.topic ?? ''),
      minutes: USUAL_MINUTES,
      isLater: false,
      at: null, // when it opens, where that is later and possible
      way: 'closed', // how its door is to be open
      isUnlisted: false,
      publish: false,
      refusal: '',
      isOpening: false,
    };
  },

  computed: {
    /** The usual time is one of them, whatever it is. */
    choices() {
      return [...new Set([...CHOICES_OF_MINUTES, USUAL_MINUTES])].filter((n) => n <= limits.mostMinutes || n === USUAL_MINUTES);
    },
    count() {
      return fill(words.writing.count, { length: Array.from(this.title).length, most: limits.maxTopic });
    },
  },

  watch: {
    title(text) {
      keep(this.draftName(), text);
    },
  },

  async mounted() {
    await this.shown;
    const field = this.$el.querySelector('textarea');
    field.focus();
    field.select();
  },

  methods: {
    draftName() {
      return topicDraftName(this.user, this.about?.id);
    },

    onEnter(event) {
      if (!isInComposition(event)) event.target.form.requestSubmit();
    },

    async open() {
      if (this.isOpening || !this.title.trim()) return;
      this.isOpening = true;
      const { answer, why } = await this.order();
      this.isOpening = false;
      this.refusal = answer.ok ? '' : reasonOf(answer);
      // Where somebody else was faster, the answer says which room it goes on in.
      if (!answer.room) return;
      const plan = this.isLater && this.planOf(answer.room);
      this.title = '';
      this.$refs.sheet.close();
      this.$emit('opened', answer.room, plan, why);
    },

    /** As the party will tell it a moment later; of an unlisted one it does not. */
    planOf(id) {
      const { title, user: host, at, minutes, way, publish } = this;
      return { id, topic: title.trim(), host, opens_at: at, minutes, coming: 0, door: way, publish };
    },

    /** Gives the party's answer; and why the room's door stayed closed, where it did. */
    async order() {
      const answer = await command('host', {
        topic: this.title.trim(),
        minutes: this.minutes === USUAL_MINUTES ? undefined : this.minutes,
        continues: this.about?.id,
        at: this.isLater ? this.at : undefined,
        listed: this.isUnlisted ? false : undefined,
        publish: this.publish || undefined,
      });
      if (!answer.ok || this.way === 'closed') return { answer };
      const opened = await command('door', { room: answer.room, open: this.way, whole: false });
      return { answer, why: opened.ok ? '' : reasonOf(opened) };
    },
  },
};

// A room that there is

/** The door of one room. What one changes counts at once; what shuts somebody out is asked first. */
export const DoorSheet = {
  name: 'DoorSheet',
  template: /* html */ `
    <sheet-dialog ref="sheet" :title="words.menu.invite">
      <door-choice v-if="limits.doors" :open="wish ?? door.open" @update:open="choose"></door-choice>
      <div v-if="question" ref="question" class="ways__question" role="group" aria-labelledby="ways-question" tabindex="-1">
        <p id="ways-question">{{ words.door.questions[question] }}</p>
        <button class="button button--wide" @click="answer(false)">{{ words.door.yes[question] }}</button>
        <button class="button button--danger button--wide" @click="answer(true)">{{ words.door.yesOut[question] }}</button>
        <button class="link" @click="think">{{ words.door.no }}</button>
      </div>
      <template v-else>
        <template v-if="isLost">
          <p>{{ words.door.lost }}</p>
          <button class="button button--main button--wide" @click="ask('change')">{{ words.door.change }}</button>
        </template>
        <room-invitation v-else :room="room" :topic="topic" :door="door" @tell="tell"></room-invitation>
        <p class="ways__said" role="status">{{ said }}</p>
        <label v-if="isOpen" class="choice">
          <span class="choice__name">{{ words.door.whole }}</span>
          <span id="about-whole" class="choice__note">{{ words.door.wholeWhen }}</span>
          <input type="checkbox" role="switch" :aria-label="words.door.whole" aria-describedby="about-whole" :checked="whole"
            @change="order({ whole: $event.target.checked })">
        </label>
        <button v-if="isOpen && !isLost" class="link" @click="ask('change')">{{ words.door.change }}</button>
      </template>
      <p class="refusal" role="alert">{{ refusal }}</p>
    </sheet-dialog>`,
  components: { DoorChoice, RoomInvitation },
  mixins: [ofADecision],
  props: {
    door: { type: Object, default: () => ({ open: 'closed', whole: false, token: null }) },
  },

  data: () => ({
    wish: null, // how it is to be open, until the party has said so
    wholeWish: null,
    question: '', // "close" or "change"
    said: '',
    refusal: '',
  }),

  computed: {
    isOpen() {
      return this.door.open !== 'closed';
    },
    /** The party has another secret key since the link was made: it holds, and nobody can tell it any more. */
    isLost() {
      return this.isOpen && !this.door.token;
    },
    whole() {
      return this.wholeWish ?? this.door.whole;
    },
  },

  watch: {
    /** In another tab the host may have done the same. */
    door() {
      this.wish = null;
      this.wholeWish = null;
    },
  },

  methods: {
    tell(sentence) {
      this.said = sentence;
    },

    async choose(way) {
      this.wish = way;
      // By the door of a plan nobody has come in.
      if (way === 'closed' && this.isOpen && !this.plan) await this.ask('close');
      else {
        this.question = '';
        await this.order({ open: way });
      }
    },

    async ask(question) {
      Object.assign(this, { question, said: '', refusal: '' });
      await this.$nextTick();
      this.$refs.question.focus();
    },

    think() {
      Object.assign(this, { question: '', wish: null });
    },

    /** `out`: whoever came by the link that ends goes with it. */
    async answer(out) {
      const { question } = this;
      this.question = '';
      const done = await this.order(question === 'close' ? { open: 'closed', out } : { renew: true, out });
      if (done) this.tell(words.door.done[question]);
    },

    /** Changes the door by what is new. Returns whether it was done. */
    async order(change) {
      Object.assign(this, { said: '', refusal: '' });
      if ('whole' in change) this.wholeWish = change.whole;
      const { open, whole } = { open: this.wish ?? this.door.open, whole: this.whole, ...change };
      const answer = await command('door', { room: this.room, ...change, open, whole });
      if (answer.ok) return true;
      Object.assign(this, { wish: null, wholeWish: null, refusal: reasonOf(answer) });
      return false;
    },
  },
};

/** Shows a guest out, and says what that does not do. */
export const OutSheet = {
  name: 'OutSheet',
  template: /* html */ `
    <sheet-dialog ref="sheet" :title="fill(words.door.putOut, { user: name })">
      <p>{{ fill(words.door.putOutWhat, { user: name }) }} {{ isOpen ? words.door.mayReturn : words.door.mayNotReturn }}</p>
      <p class="refusal" role="alert">{{ refusal }}</p>
      <button v-if="isOpen" class="button button--main button--wide" :disabled="isBusy" @click="putOut(true)">
        {{ words.door.putOutAndChange }}
      </button>
      <button class="button button--wide" :class="{ 'button--danger': !isOpen }" :disabled="isBusy" @click="putOut(false)">
        {{ words.door.putOutAlone }}
      </button>
      <button class="link" @click="$refs.sheet.close()">{{ words.door.no }}</button>
    </sheet-dialog>`,
  mixins: [ofADecision],

  data: () => ({ refusal: '', isBusy: false }),

  computed: {
    name() {
      return naming(this.about);
    },
    isOpen() {
      return Boolean(this.door) && this.door.open !== 'closed';
    },
  },

  methods: {
    async putOut(changes) {
      const { room, door } = this;
      this.isBusy = true;
      let answer = await command('put_out', { room, user: this.about });
      // Who went by themselves meanwhile is out, too; the link is another's as well.
      const isOut = answer.ok || answer.code === 'not_found';
      if (isOut && changes) answer = await command('door', { room, open: door.open, whole: door.whole, renew: true });
      this.isBusy = false;
      this.refusal = answer.ok ? '' : reasonOf(answer);
      if (!answer.ok) return;
      this.$refs.sheet.close();
      this.$emit('tell', fill(changes ? words.door.isOutAndChanged : words.door.isOut, { user: this.name }));
    },
  },
};
