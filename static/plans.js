/**
 * Rooms that are planned: their cards in the lobby, and the page of one, where its link leads until it opens. It comes when
 * there is a plan to show.
 */

import { command } from './connection.js';
import { PersonFace, SheetDialog, hueOf, isDoorOpen, isWayOut, sign } from './parts.js';
import { RoomInvitation } from './room.js';
import { HOUR, dayOf, fill, language, listOf, locale, reasonOf, timeLeft, timeOfDay, words } from './words.js';

const DAY = 24 * HOUR;
const weekdays = new Intl.DateTimeFormat(locale, { weekday: 'long' });
const nearDays = new Intl.RelativeTimeFormat(language, { numeric: 'auto' });

/** "today 20:00", "tomorrow 20:00", "Thursday 20:00", and from a week on with the date. As it is here, in every timezone. */
export function momentOf(at, now) {
  const midnights = [at, now].map((time) => new Date(time).setHours(0, 0, 0, 0));
  const daysAhead = Math.round((midnights[0] - midnights[1]) / DAY); // one of them may have 23 hours, or 25
  let day = dayOf(at);
  if (daysAhead < 2) day = nearDays.format(daysAhead, 'day');
  else if (daysAhead < 7) day = weekdays.format(at);
  return fill(words.plans.moment, { day, time: timeOfDay(at) });
}

/**
 * What became of those `before`: `fate` is "hasOpened", "hasMoved" or "isOff", and `said` is how it is told. Nothing of what
 * stands, nor of what has come and gone while nobody looked.
 */
export function newsOf(before, plans, cards, now) {
  const news = before.map(({ id, topic, opens_at: opensAt }) => {
    const { opens_at: at = opensAt } = plans[id] ?? {};
    let fate = null;
    if (cards[id]) fate = 'hasOpened';
    else if (at !== opensAt) fate = 'hasMoved';
    else if (!plans[id] && at > now) fate = 'isOff';
    return { id, topic, fate, said: fate && fill(words.plans[fate], { topic, moment: momentOf(at, now) }) };
  });
  return news.filter(({ fate }) => fate);
}

/** What a card and the page of a plan have in common. */
const ofAPlan = {
  props: {
    plan: Object,
    user: String,
    now: Number,
    isComing: Boolean, // this person said so
    expected: Array, // names of who said so, which the host alone is told
  },
  computed: {
    hue() {
      return this.plan.host && hueOf(this.plan.host);
    },
    when() {
      return momentOf(this.plan.opens_at, this.now);
    },
    moment() {
      return new Date(this.plan.opens_at).toISOString();
    },
    isMine() {
      return this.plan.host === this.user;
    },
    calendarFile() {
      return `plans/${encodeURIComponent(this.plan.id)}.ics`;
    },
    isDoorOpen() {
      return isDoorOpen(this.plan);
    },
    /** How many come; for the host who. */
    whoComes() {
      const { coming: count } = this.plan;
      if (!count) return this.isMine ? words.plans.nobody : '';
      if (this.expected?.length) return fill(words.plans.namesComing, { count, names: listOf(this.expected) });
      return fill(words.plans.countComing, { count });
    },
  },
};

/** "I'll come", and "Coming" for who said so; a tap turns it round. */
const ComingButton = {
  name: 'ComingButton',
  template: /* html */ `
    <button class="button" :class="{ 'button--coming': isComing }" :aria-pressed="String(isComing)" :aria-label="label">
      <page-icon v-if="isComing" name="check"></page-icon>{{ said }}
    </button>`,
  props: { topic: String, isComing: Boolean },
  computed: {
    said() {
      return this.isComing ? words.plans.coming : words.plans.come;
    },
    label() {
      return fill(words.plans.about, { what: this.said, topic: this.topic });
    },
  },
};

const PlanCard = {
  name: 'PlanCard',
  mixins: [ofAPlan],
  template: /* html */ `
    <article class="card card--plan" :class="hue" :aria-labelledby="'topic-' + plan.id">
      <p class="facts card__facts">
        <page-icon name="calendar"></page-icon>
        <time class="plan__when" :datetime="moment">{{ when }}</time>
        <span><bdi>{{ plan.host }}</bdi> {{ words.card.hosts }}</span>
        <span v-if="plan.publish" class="card__mark card__publish"><page-icon name="page"></page-icon>{{ words.card.publish }}</span>
        <span v-if="isDoorOpen" class="card__mark card__door"><page-icon name="door"></page-icon>{{ words.card.openDoor }}</span>
      </p>
      <h3 :id="'topic-' + plan.id" class="topic" dir="auto">
        <a :id="'open-' + plan.id" class="card__open" :href="'#room=' + plan.id"
          @click.exact.prevent="$emit('open', plan.id)">{{ plan.topic }}</a>
      </h3>
      <p v-if="whoComes" class="card__last card__last--none">{{ whoComes }}</p>
      <div class="card__foot">
        <a class="plan__file" :href="calendarFile" download
          :aria-label="fill(words.plans.about, { what: words.plans.calendar, topic: plan.topic })">{{ words.plans.calendar }}</a>
        <span v-if="isMine" class="badge badge--quiet">{{ words.card.youHost }}</span>
        <coming-button v-else class="button--small card__ask" :topic="plan.topic" :is-coming="isComing"
          @click="$emit('come', plan.id, !isComing)"></coming-button>
      </div>
    </article>`,
  components: { ComingButton },
  emits: ['come', 'open'],
};

/** The planned rooms below the live ones, the next one first. */
export const LobbyPlans = {
  name: 'LobbyPlans',
  template: /* html */ `
    <section class="plans" aria-labelledby="plans-title">
      <h2 id="plans-title">{{ words.plans.title }}</h2>
      <div class="cards">
        <plan-card v-for="plan in plans" :key="plan.id" :plan="plan" :user="user" :now="now" :is-coming="Boolean(coming[plan.id])"
          :expected="expected[plan.id]" @open="(id) => $emit('open', id)" @come="(...said) => $emit('come', ...said)"></plan-card>
      </div>
    </section>`,
  components: { PlanCard },
  props: {
    plans: Array,
    user: String,
    now: Number,
    coming: Object, // by room: whether this person comes
    expected: Object, // by room: names
  },
  emits: ['come', 'open'],
};

/** Where the link to a room leads before it opens. When it does, the room stands here by itself. */
export const PlanPage = {
  name: 'PlanPage',
  mixins: [ofAPlan],
  template: /* html */ `
    <main class="plan" :class="hue" aria-labelledby="plan-topic">
      <header class="plan__head">
        <button class="button button--icon" :aria-label="words.room.leave" :title="words.room.leave" @click="$emit('leave')">
          <page-icon name="back"></page-icon>
        </button>
        <p v-if="plan.host" class="facts">
          <person-face :name="plan.host"></person-face>
          <span class="plan__host"><bdi>{{ plan.host }}</bdi> {{ words.card.hosts }}</span>
          <span>{{ fill(words.clock.minutes, { count: plan.minutes }) }}</span>
          <span v-if="isDoorOpen">{{ words.card.openDoor }}</span>
        </p>
      </header>
      <section class="plan__about">
        <img :src="sign" alt="" width="72" height="72">
        <p class="plan__time"><time class="plan__when" :datetime="moment">{{ when }}</time></p>
        <h1 id="plan-topic" ref="heading" class="topic" tabindex="-1" dir="auto">{{ plan.topic }}</h1>
        <p class="plan__opens">{{ opens }} {{ isMine ? words.plans.waitsForYou : '' }}</p>
        <p v-if="whoComes" class="plan__coming">{{ whoComes }}</p>
        <p v-if="plan.publish" class="plan__publish"><page-icon name="page"></page-icon> {{ words.asking.publish }}</p>
        <div class="plan__actions">
          <coming-button v-if="!isMine" class="button--wide" :class="{ 'button--main': !isComing }" :topic="plan.topic"
            :is-coming="isComing" @click="$emit('come', plan.id, !isComing)"></coming-button>
          <button class="button button--wide" :class="{ 'button--main': isMine }" @click="invite">{{ words.menu.invite }}</button>
          <a class="button button--wide" :href="calendarFile" download>{{ words.plans.calendar }}</a>
          <template v-if="isMine">
            <button class="button button--wide" @click="$emit('move')">{{ words.plans.move }}</button>
            <withhold-button v-if="plan.publish" class="button button--wide button--quiet" :room="plan.id" @done="onWithheld"
              @tell="(sentence) => $emit('tell', sentence)"></withhold-button>
            <sure-button class="button button--wide button--quiet plan__off" :question="words.plans.confirmCallOff" :no="words.plans.keep"
              :yes="words.plans.yesCallOff" @sure="callOff">{{ words.plans.callOff }}</sure-button>
          </template>
        </div>
      </section>
      <sheet-dialog ref="invitation" :title="words.menu.invite">
        <room-invitation :room="plan.id" :topic="plan.topic" @tell="(sentence) => $emit('tell', sentence)"
          @copied="$refs.invitation.close()"></room-invitation>
      </sheet-dialog>
    </main>`,
  components: { ComingButton, PersonFace, RoomInvitation, SheetDialog },
  emits: ['come', 'door', 'leave', 'move', 'tell'],

  computed: {
    sign: () => sign,
    opens() {
      const left = this.plan.opens_at - this.now;
      return left < HOUR ? fill(words.plans.opensIn, { left: timeLeft(Math.max(left, 0)) }) : words.plans.opens;
    },
  },

  mounted() {
    this.$refs.heading.focus();
    document.addEventListener('keydown', this.onKey);
  },

  beforeUnmount() {
    document.removeEventListener('keydown', this.onKey);
  },

  methods: {
    onKey(event) {
      if (isWayOut(event)) this.$emit('leave');
    },

    /** The host decides there who may come in. */
    invite() {
      if (this.isMine) this.$emit('door');
      else this.$refs.invitation.show();
    },

    /** The button that was pressed goes away. */
    onWithheld() {
      this.$refs.heading.focus();
      this.$emit('tell', words.room.withheld);
    },

    async callOff() {
      const answer = await command('call_off', { room: this.plan.id });
      if (!answer.ok) this.$emit('tell', reasonOf(answer));
    },
  },
};
