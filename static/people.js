/** The people of a room: who speaks, who listens, and what the host can do about it. */

import { command } from './connection.js';
import { PersonFace, isGuest, naming, seated } from './parts.js';
import { fill, reasonOf, words } from './words.js';

/** Somebody, and behind "⋯" what the host may do about them. */
const PersonRow = {
  name: 'PersonRow',
  template: /* html */ `
    <li class="person" :class="{ 'person--away': isAway }">
      <person-face :name="name"></person-face>
      <span class="person__name">
        <person-name :user="name"></person-name> <span v-if="said" class="person__role">{{ said }}</span>
      </span>
      <template v-if="mayDecide">
        <button class="button button--icon person__more" :aria-expanded="isChosen"
          :aria-label="fill(words.people.moreAbout, { user })" @click="$emit('choose', name)">
          <page-icon name="more"></page-icon>
        </button>
        <span v-if="isChosen" class="person__actions">
          <button v-if="isSeated && !isGuest" class="button button--small" :aria-label="fill(words.people.makeHostUser, { user })"
            @click="$emit('order', 'hand_over', name)">{{ words.people.makeHost }}</button>
          <button v-if="isSeated" class="button button--small" :aria-label="fill(words.people.backToListeningUser, { user })"
            @click="$emit('order', 'remove', name)">{{ words.people.backToListening }}</button>
          <button v-if="isGuest" class="button button--small button--danger" :aria-label="fill(words.people.showOutUser, { user })"
            @click="$emit('show-out', name)">{{ words.people.showOut }}</button>
        </span>
      </template>
    </li>`,
  components: { PersonFace },
  props: {
    name: String,
    said: String, // what they are here
    isAway: Boolean,
    isSeated: Boolean,
    mayDecide: Boolean, // the person at this page, about them
    isChosen: Boolean,
  },
  emits: ['choose', 'order', 'show-out'],
  computed: {
    isGuest() {
      return isGuest(this.name);
    },
    user() {
      return naming(this.name);
    },
  },
};

export const RoomPeople = {
  name: 'RoomPeople',
  template: /* html */ `
    <div class="people">
      <section aria-labelledby="speaking-title">
        <header class="people__head">
          <h2 id="speaking-title">{{ words.people.speaking }}</h2>
          <span>{{ free }}</span>
        </header>
        <ul class="people__list">
          <person-row v-for="person in seated" :key="person.name" v-bind="person" is-seated :is-chosen="chosen === person.name"
            @choose="choose" @order="order" @show-out="showOut"></person-row>
        </ul>
      </section>
      <section v-if="view.watching" aria-labelledby="listening-title">
        <header class="people__head">
          <h2 id="listening-title">{{ words.people.listening }}</h2>
          <span>{{ view.watching }}</span>
        </header>
        <ul class="people__list">
          <person-row v-for="person in listening" :key="person.name" v-bind="person" :is-chosen="chosen === person.name"
            @choose="choose" @show-out="showOut"></person-row>
        </ul>
        <p v-if="unnamed" class="people__more">{{ more }}</p>
      </section>
      <p v-if="limits.ai" class="people__more">{{ fill(words.people.summary, { model: limits.ai }) }}</p>
    </div>`,
  components: { PersonRow },
  props: {
    view: Object,
    user: String,
    isHost: Boolean, // the person at this page may decide here
    lastWords: Array, // names of those who have had their last word in the closing round
    decideFirst: Function, // about the queue, which is another's once the room is handed over
  },
  emits: ['show-out', 'tell'],

  data: () => ({ chosen: null }), // the person whom the host is about to do something with

  computed: {
    seated() {
      const { host, away } = this.view;
      return seated(this.view).map((name) => {
        const isHost = name === host;
        const isAway = away.includes(name);
        const roles = { you: name === this.user, host: isHost, away: isAway, hadLastWord: this.lastWords.includes(name) };
        const said = Object.keys(roles).filter((role) => roles[role]).map((role) => words.people[role]);
        return { name, isAway, said: said.join(words.people.comma), mayDecide: this.isHost && !isHost };
      });
    },
    listening() {
      return this.view.listening.map((name) => {
        const said = name === this.user ? words.people.you : '';
        return { name, said, mayDecide: this.isHost && isGuest(name) };
      });
    },
    free() {
      const { seats, speakers } = this.view;
      return fill(words.people.free, { count: Math.max(0, seats - speakers.length) });
    },
    unnamed() {
      return this.view.watching - this.view.listening.length;
    },
    more() {
      return fill(this.view.listening.length ? words.people.more : words.people.unnamed, { count: this.unnamed });
    },
  },

  methods: {
    async order(event, user) {
      if (event === 'hand_over') await this.decideFirst();
      const answer = await command(event, { room: this.view.id, user });
      if (answer.ok) this.choose(null);
      else this.$emit('tell', reasonOf(answer));
    },

    /** That is asked about first. */
    showOut(guest) {
      this.choose(null);
      this.$emit('show-out', guest);
    },

    /** Keeps the keyboard's place when the button that was pressed is gone. */
    async choose(name) {
      this.chosen = this.chosen === name ? null : name;
      await this.$nextTick();
      if (document.activeElement === document.body) this.$el.querySelector('.person button')?.focus();
    },
  },
};
