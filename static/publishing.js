/**
 * A room that becomes a page for everybody: how its host says no after all; and once it has closed, when it is published,
 * who leaves their words out, and how it will look. Few rooms are, so it comes when it is asked for, with its words.
 */

import { command } from './connection.js';
import { fill, reasonOf, timeOfDay, words } from './words.js';

/** The host's "Do not publish", in the menu, on a plan and in a room that is over. It asks first: there is no way back. */
export const WithholdButton = {
  name: 'WithholdButton',
  template: /* html */ `
    <sure-button :question="words.publishing.confirm" :no="words.publishing.keep" :yes="words.publishing.yes" @sure="withhold">
      {{ words.publishing.withhold }} <small v-if="isHinted">{{ words.publishing.withholdHint }}</small>
    </sure-button>`,
  props: {
    room: String,
    isHinted: Boolean, // as what stands beside it in a menu
  },
  emits: ['done', 'tell'],

  methods: {
    async withhold() {
      const answer = await command('withhold', { room: this.room });
      if (answer.ok) this.$emit('done');
      else this.$emit('tell', reasonOf(answer));
    },
  },
};

/** What is said and done about it once the room has closed. */
export const RoomPublishing = {
  name: 'RoomPublishing',
  template: /* html */ `
    <section class="publishing" :aria-label="words.publishing.title">
      <p ref="said" class="publishing__said" role="status" tabindex="-1">
        <page-icon name="page"></page-icon><span><b>{{ said }}</b> <span v-if="more" class="muted">{{ more }}</span></span>
      </p>
      <div v-if="view.published || isOpen" class="publishing__actions">
        <a v-if="view.published" class="button button--small" :href="'published/of/' + address" target="_blank">{{ words.lobby.readPage }}</a>
        <template v-else>
          <button v-if="hasSpoken" class="button button--small" @click="leaveOut">{{ change }}</button>
          <a v-if="hasSpoken || isHost" class="button button--small" :href="'published/preview/' + address" target="_blank">{{ words.publishing.preview }}</a>
          <withhold-button v-if="isHost" class="button button--small button--quiet publishing__no" :room="view.id" @done="onWithheld"
            @tell="(sentence) => $emit('tell', sentence)"></withhold-button>
        </template>
      </div>
    </section>`,
  props: { discussion: Object },
  emits: ['tell'],

  computed: {
    view() {
      return this.discussion.view;
    },
    address() {
      return encodeURIComponent(this.view.id);
    },
    isHost() {
      return this.view.host === this.discussion.user;
    },
    /** Whether there are words of one's own to leave out. */
    hasSpoken() {
      const { messages, user } = this.discussion;
      return messages.some((message) => message.user === user && !message.taken_back);
    },
    /** Whether anything about it can still be decided. */
    isOpen() {
      return this.view.publish && (this.hasSpoken || this.isHost);
    },
    change() {
      return this.discussion.isLeftOut ? words.publishing.putBack : words.publishing.leaveOut;
    },
    said() {
      if (this.view.published) return words.publishing.published;
      if (!this.view.publish) return words.room.withheld;
      return fill(words.publishing.at, { time: timeOfDay(this.view.publishes_at) });
    },
    more() {
      const { isLeftOut } = this.discussion;
      const { anybody, isOut, wasOut, out, stillHost } = words.publishing;
      if (!this.view.publish) return '';
      if (this.view.published) return isLeftOut ? wasOut : '';
      if (!this.hasSpoken) return anybody;
      if (!isLeftOut) return out;
      const what = fill(isOut, { time: timeOfDay(this.view.gone_at) });
      return this.isHost ? `${what} ${stillHost}` : what;
    },
  },

  methods: {
    async leaveOut() {
      const out = !this.discussion.isLeftOut;
      const answer = await command('leave_out', { room: this.view.id, out });
      if (answer.ok) this.discussion.isLeftOut = out;
      else this.$emit('tell', reasonOf(answer));
    },

    /** The button that was pressed goes away. */
    onWithheld() {
      this.$refs.said.focus();
    },
  },
};
