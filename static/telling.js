/**
 * What people tell the owner: how a room was, once it is over; an idea, a problem or praise at any time; and what the owner
 * answered. Few open this part, so it comes when it is asked for, with its words.
 */

import { command, fetchFeedback } from './connection.js';
import { keep, kept, readAnswers, remember, remembered, tellingDraftName } from './kept.js';
import { lastError } from './measuring.js';
import { SheetDialog } from './parts.js';
import { dayOf, fill, reasonOf, words } from './words.js';

// Whoever does not want to say is not asked again for as long as whoever has said.
const ASK_AGAIN_MS = 90 * 24 * 60 * 60 * 1000;
// Rooms that one has said something of. More than one can come back to before they are gone.
const JUDGED = 50;
const KINDS = ['idea', 'problem', 'praise'];
const LOSSES = ['very', 'somewhat', 'not'];
const MOUTHS = { yes: 'M7.5 13.5c1.25 4 7.75 4 9 0', partly: 'M8 15h8', no: 'M7.5 16.5c1.25-3.5 7.75-3.5 9 0' };

/** A sentence or more, and whether one may be talked to. */
const TellingForm = {
  name: 'TellingForm',
  template: /* html */ `
    <form class="telling" @submit.prevent="$emit('send')">
      <label class="field">
        <span class="visually-hidden">{{ label }}</span>
        <textarea v-grow :value="text" :placeholder="label" :required="isAll" :rows="isAll ? 3 : 1" :maxlength="limits.maxSaid"
          dir="auto" @input="$emit('update:text', $event.target.value)"></textarea>
      </label>
      <slot></slot>
      <label class="choice">
        <span class="choice__name">{{ words.telling.talk }}</span>
        <span id="about-talk" class="choice__note">{{ words.telling.talkWhen }}</span>
        <input type="checkbox" role="switch" :aria-label="words.telling.talk" aria-describedby="about-talk" :checked="talk"
          @change="$emit('update:talk', $event.target.checked)">
      </label>
      <p class="refusal" role="alert">{{ refusal }}</p>
      <button v-if="isAll || text.trim() || talk" class="button button--main" :class="{ 'button--wide': isAll }"
        :disabled="isSending">{{ words.telling.send }}</button>
      <button v-else type="button" class="button" :disabled="isSending" @click="$emit('go-on')">
        {{ words.telling.noWords }}
      </button>
    </form>`,
  props: {
    label: String,
    text: String,
    talk: Boolean,
    isAll: Boolean, // that is told; else it goes with a choice, and nobody need say a word
    isSending: Boolean,
    refusal: String,
  },
  emits: ['go-on', 'send', 'update:talk', 'update:text'],
};

// A room that is over

/** "Was it worth your time?", answered by one tap; then a sentence for who likes, and now and then another question. */
export const RoomWorth = {
  name: 'RoomWorth',
  template: /* html */ `
    <section v-if="question" ref="part" class="worth" aria-labelledby="worth-title" tabindex="-1">
      <h2 id="worth-title">{{ question }}</h2>
      <div v-if="step === 'losing'" class="chips worth__losses">
        <button v-for="loss in losses" :key="loss" class="chip" @click="sayLoss(loss)">{{ words.telling.losses[loss] }}</button>
        <button class="link" @click="dismiss">{{ words.telling.notNow }}</button>
      </div>
      <div v-else class="worth__faces">
        <button v-for="(mouth, face) in mouths" :key="face" class="worth__face" :aria-pressed="String(face === choice)"
          @click="judge(face)">
          <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
            <circle cx="12" cy="12" r="9.5" /><path d="M9 9.5v.01M15 9.5v.01" class="worth__eyes" /><path :d="mouth" />
          </svg>
          {{ words.telling.faces[face] }}
        </button>
      </div>
      <p v-if="!choice" class="refusal" role="alert">{{ refusal }}</p>
      <telling-form v-else v-model:text="text" v-model:talk="talk" :label="words.telling.why" :refusal="refusal"
        :is-sending="isSending" @send="explain" @go-on="goOn"></telling-form>
    </section>
    <p v-else-if="isTold" ref="part" class="worth" role="status" tabindex="-1">{{ words.telling.thanks }}</p>`,
  components: { TellingForm },
  props: { room: String, user: String },

  data() {
    return {
      step: 'worth', // then "done"; or first "losing", where the party says that it is time to ask about that
      choice: '',
      text: '',
      talk: false,
      isTold: false,
      refusal: '',
      isSending: false,
    };
  },

  computed: {
    mouths: () => MOUTHS,
    losses: () => LOSSES,
    /** Of this room, for this person, among those that were judged. */
    name() {
      return `${this.user} ${this.room}`;
    },
    question() {
      return words.telling.questions[this.step];
    },
    draft() {
      return this.text.trim() ? { choice: this.choice, text: this.text } : null;
    },
  },

  watch: {
    draft(draft) {
      keep(tellingDraftName(this.name), draft);
    },
  },

  created() {
    Object.assign(this, kept(tellingDraftName(this.name)));
    if (!this.choice && remembered('judged', []).includes(this.name)) this.askOn();
  },

  methods: {
    /** Returns whether the party has it. */
    async send(what) {
      if (this.isSending) return false;
      this.isSending = true;
      const answer = await command('feedback', what);
      this.isSending = false;
      this.refusal = answer.ok ? '' : reasonOf(answer);
      return answer.ok;
    },

    /** What one chooses is seen at once. Whether one may be talked to goes with "Send": before that it is not said yet. */
    async judge(choice) {
      if (this.isSending) return;
      const { choice: before, name, room } = this;
      this.choice = choice;
      if (!(await this.send({ about: 'room', room, choice, talk: false }))) this.choice = before;
      else remember('judged', [...remembered('judged', []).filter((one) => one !== name), name].slice(-JUDGED));
    },

    /** The choice is told again, with its reason: the one takes the place of the other. */
    async explain() {
      const { room, choice, talk } = this;
      if (await this.send({ about: 'room', room, choice, text: this.text.trim() || undefined, talk })) this.goOn();
    },

    async goOn() {
      Object.assign(this, { choice: '', text: '', isTold: true });
      await this.askOn();
      this.keepFocus();
    },

    /** What had it is gone. */
    async keepFocus() {
      await this.$nextTick();
      if (document.activeElement === document.body) this.$refs.part?.focus();
    },

    /** Asks how much the party would be missed, where the party says that it is time. */
    async askOn() {
      this.step = 'done';
      if (Date.now() - remembered('dismissed', 0) < ASK_AGAIN_MS) return;
      const { asks } = await fetchFeedback();
      if (asks) this.step = 'losing';
    },

    async sayLoss(choice) {
      if (!(await this.send({ about: 'losing', choice, talk: false }))) return;
      this.isTold = true;
      this.step = 'done';
      this.keepFocus();
    },

    dismiss() {
      remember('dismissed', Date.now());
      this.step = 'done';
      this.keepFocus();
    },
  },
};

// At any time

const AnswerList = {
  name: 'AnswerList',
  template: /* html */ `
    <ol class="answers">
      <li v-for="{ id, text, answer, answered_at: at } in answers" :key="id" class="answer">
        <blockquote v-if="text" class="answer__said" dir="auto">{{ text }}</blockquote>
        <p class="answer__text" dir="auto">{{ answer }}</p>
        <p class="answer__day">{{ dayOf(at) }}</p>
      </li>
    </ol>`,
  props: { answers: Array },
  methods: { dayOf },
};

/** The sheet in which one tells the owner something, and reads what the owner answered. */
export const TellUs = {
  name: 'TellUs',
  template: /* html */ `
    <sheet-dialog ref="sheet" :title="words.party.tellUs">
      <section v-if="fresh.length" aria-labelledby="fresh-answers">
        <h3 id="fresh-answers" class="telling__title">{{ words.telling.answered }}</h3>
        <answer-list :answers="fresh"></answer-list>
      </section>
      <p v-if="isTold" ref="thanks" class="telling__thanks" role="status" tabindex="-1">
        {{ words.telling.thanks }} {{ words.telling.answersHere }}
      </p>
      <template v-else>
        <fieldset class="chips">
          <legend class="visually-hidden">{{ words.telling.kind }}</legend>
          <label v-for="kind in kinds" :key="kind" class="chip">
            <input v-model="about" class="visually-hidden" type="radio" name="about" :value="kind">{{ words.telling.kinds[kind] }}
          </label>
        </fieldset>
        <telling-form v-model:text="text" v-model:talk="talk" is-all :label="words.telling.hints[about]" :refusal="refusal"
          :is-sending="isSending" @send="send">
          <p v-if="along" class="telling__along">{{ along }}</p>
        </telling-form>
      </template>
      <details v-if="old.length" class="telling__old">
        <summary>{{ words.telling.earlier }}</summary>
        <answer-list :answers="old"></answer-list>
      </details>
    </sheet-dialog>`,
  components: { AnswerList, SheetDialog, TellingForm },
  props: { user: String },
  emits: ['read'],

  data() {
    const text = kept(tellingDraftName(this.user), '');
    return { about: 'idea', text, talk: false, refusal: '', isSending: false, isTold: false, fresh: [], old: [] };
  },

  computed: {
    kinds: () => KINDS,
    /** What goes with a problem, in words. */
    along() {
      if (this.about !== 'problem') return '';
      const { along, alongWithError } = words.telling;
      return fill(lastError ? alongWithError : along, { version: document.body.dataset.release, error: lastError });
    },
  },

  watch: {
    text(text) {
      keep(tellingDraftName(this.user), text);
    },
  },

  mounted() {
    this.$refs.sheet.show();
    this.fetchAnswers();
  },

  methods: {
    async fetchAnswers() {
      const { answers = [] } = await fetchFeedback();
      const isRead = ({ id }) => readAnswers().includes(id);
      this.old = answers.filter(isRead);
      this.fresh = answers.filter((answer) => !isRead(answer));
      if (answers.length) remember('read answers', answers.map(({ id }) => id));
      this.$emit('read');
    },

    async send() {
      if (this.isSending || !this.text.trim()) return;
      this.isSending = true;
      const { about, talk } = this;
      const along = about === 'problem' ? { version: document.body.dataset.release, error: lastError } : {};
      const answer = await command('feedback', { about, text: this.text.trim(), talk, ...along });
      this.isSending = false;
      this.refusal = answer.ok ? '' : reasonOf(answer);
      if (!answer.ok) return;
      this.text = '';
      this.isTold = true;
      await this.$nextTick();
      this.$refs.thanks.focus(); // what had the focus is gone
    },
  },
};
