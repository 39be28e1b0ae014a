/**
 * What stands there when the room is over, for those who were inside: why it ended, how to carry on, what one was writing,
 * and the discussion to take away, as long as the party has it and as long as this page is open.
 */

import { draftName, kept } from './kept.js';
import { asMarkdown, authorsOf, factsOf, fileNameOf, partIn, quoteOf } from './transcript.js';
import { MINUTE, SECOND, fill, reasonOf, timeOfDay, words } from './words.js';

// A thousand pages see the same end; they should not all ask in the same instant.
const TAKE_WITHIN_MS = 5 * SECOND;
// Safari reads a download's address only some time after the click.
const REVOKE_AFTER_MS = MINUTE;

/** The whole discussion, for the printer alone: the feed renders only a part. */
const PrintedDiscussion = {
  template: /* html */ `
    <teleport to="body">
      <article class="printed">
        <h1 dir="auto">{{ facts.title }}</h1>
        <p>{{ facts.date }}</p>
        <p>{{ facts.people }}</p>
        <p v-if="facts.part">{{ facts.part }}</p>
        <section v-for="message in messages" :key="message.seq" class="printed__message">
          <p><b><bdi>{{ message.user }}</bdi></b> <time>{{ timeOfDay(message.at) }}</time></p>
          <blockquote v-if="message.reply" dir="auto">{{ quoteOf(message.reply, messages) }}</blockquote>
          <p v-if="message.taken_back"><i>{{ words.feed.takenBack }}</i></p>
          <p v-else class="printed__text" dir="auto">{{ message.text }}</p>
        </section>
      </article>
    </teleport>`,
  props: { view: Object, messages: Array },
  computed: {
    facts() {
      return factsOf(this.view, this.messages);
    },
  },
  methods: { quoteOf, timeOfDay },
};

export const RoomEnding = {
  template: /* html */ `
    <section class="ending">
      <p ref="reason" class="ending__reason" role="status" tabindex="-1">{{ reason }} <span v-if="facts" class="muted">{{ facts }}</span></p>
      <label v-if="draft" class="field">
        <span class="field__name">{{ words.ending.youWereWriting }}</span>
        <textarea :value="draft" readonly rows="1" dir="auto"></textarea>
      </label>
      <template v-if="view?.closed">
        <button v-if="view.continued_in" class="button button--main button--wide" @click="$emit('go', view.continued_in)">{{ words.ending.goOn }}</button>
        <button v-else-if="!isGone" class="button button--main button--wide" @click="$emit('carry-on')">{{ words.ending.carryOn }}</button>
      </template>
      <button v-else-if="!messages.length" class="button button--main button--wide" @click="$emit('leave')">{{ words.ending.toTheLobby }}</button>
      <p v-if="part && isGone" class="muted">{{ part }}</p>
      <div v-if="messages.length" class="ending__foot">
        <p v-if="isGone" class="muted" role="status">{{ words.ending.gone }}</p>
        <p v-else-if="view?.gone_at" class="muted">{{ readableUntil }}</p>
        <button class="button" @click="print">{{ words.ending.print }}</button>
        <button class="button" @click="download">{{ words.ending.takeAway }}</button>
      </div>
      <printed-discussion v-if="isPrinting && view" :view="view" :messages="messages"></printed-discussion>
    </section>`,
  components: { PrintedDiscussion },
  props: { discussion: Object, now: Number },
  emits: ['carry-on', 'go', 'leave', 'tell'],

  data() {
    const { user, id } = this.discussion;
    return { draft: kept(draftName(user, id), ''), isPrinting: false };
  },

  computed: {
    view() {
      return this.discussion.view;
    },
    messages() {
      return this.discussion.messages;
    },
    reason() {
      const { absence, closedBy } = this.discussion;
      const isLost = this.messages.length && absence?.code === 'not_found';
      if (!this.view?.closed) return isLost ? words.ending.lost : reasonOf(absence);
      return closedBy ? fill(words.ending.closedBy, { user: closedBy }) : words.ending[this.view.closed];
    },
    /** "30 minutes, 64 messages, 9 voices." */
    facts() {
      if (!this.view?.closed_at) return '';
      const { opened_at: openedAt, closed_at: closedAt, seq } = this.view;
      const facts = [fill(words.ending.lasted, { count: Math.max(1, Math.round((closedAt - openedAt) / MINUTE)) })];
      if (seq) facts.push(fill(words.ending.messages, { count: seq }));
      if (seq && !this.part) facts.push(fill(words.ending.voices, { count: authorsOf(this.messages).length }));
      return facts.join(words.people.comma);
    },
    readableUntil() {
      return fill(words.ending.readableUntil, { time: timeOfDay(this.view.gone_at) });
    },
    isGone() {
      return this.discussion.absence?.code === 'not_found' || (this.view?.gone_at && this.now >= this.view.gone_at);
    },
    /** That messages are missing, as a sentence; empty when all are held. */
    part() {
      return this.view ? partIn(this.view, this.messages) : '';
    },
  },

  watch: {
    // The party can forget the room at any time: the page takes what it lacks, as soon as it can.
    'discussion.isCurrent': {
      immediate: true,
      handler(isCurrent) {
        clearTimeout(this.takeTimer);
        if (isCurrent) this.takeTimer = setTimeout(this.take, Math.random() * TAKE_WITHIN_MS);
      },
    },
  },

  mounted() {
    // Where one wrote is gone, and the focus with it.
    if (document.activeElement === document.body) this.$refs.reason.focus();
    addEventListener('beforeprint', this.showPrinted);
    addEventListener('afterprint', this.hidePrinted);
  },

  beforeUnmount() {
    clearTimeout(this.takeTimer);
    removeEventListener('beforeprint', this.showPrinted);
    removeEventListener('afterprint', this.hidePrinted);
  },

  methods: {
    take() {
      this.taking ??= this.discussion.fetchAll().finally(() => (this.taking = null));
      return this.taking;
    },

    /** Whether the page has all that there is to have. Says why when it has not. */
    async hasAll() {
      const answer = this.part && !this.isGone ? await this.take() : { ok: true };
      await this.$nextTick();
      if (!this.part || this.isGone) return true;
      this.$emit('tell', answer.ok ? words.connection.notAnswering : reasonOf(answer));
      return false;
    },

    async download() {
      if (!(await this.hasAll())) return;
      const text = asMarkdown(this.view, this.messages);
      const link = document.createElement('a');
      link.href = URL.createObjectURL(new Blob([text], { type: 'text/markdown;charset=utf-8' }));
      link.download = fileNameOf(this.view.topic);
      link.click();
      setTimeout(URL.revokeObjectURL, REVOKE_AFTER_MS, link.href);
    },

    async print() {
      if (!(await this.hasAll())) return;
      // The browser draws what it prints before Vue could answer to its event.
      this.showPrinted();
      await this.$nextTick();
      print();
    },

    showPrinted() {
      this.isPrinting = true;
    },

    hidePrinted() {
      this.isPrinting = false;
    },
  },
};
