/** The people of a room: who speaks, who listens, and what the host can do about it. */

import { command } from './connection.js';
import { PersonFace } from './faces.js';
import { fill, reasonOf, words } from './words.js';

export const RoomPeople = {
  template: /* html */ `
    <div class="people">
      <section aria-labelledby="speaking-title">
        <header class="people__head">
          <h3 id="speaking-title">{{ words.people.speaking }}</h3>
          <span>{{ free }}</span>
        </header>
        <ul class="people__list">
          <li v-for="person in seated" :key="person.name" class="person" :class="{ 'person--away': person.isAway }">
            <person-face :name="person.name"></person-face>
            <bdi class="person__name">{{ person.name }}</bdi>
            <span v-if="person.roles" class="person__role">{{ person.roles }}</span>
            <template v-if="hosting && !person.isHost">
              <button class="button button--icon person__more" :aria-expanded="chosen === person.name"
                :aria-label="fill(words.people.moreAbout, { user: person.name })" @click="choose(person.name)">
                <svg class="icon icon--dots" viewBox="0 0 24 24" aria-hidden="true"><path d="M5 12h.01M12 12h.01M19 12h.01" /></svg>
              </button>
              <span v-if="chosen === person.name" class="person__actions">
                <button class="button button--small" :aria-label="fill(words.people.makeHostUser, { user: person.name })"
                  @click="order('hand_over', person.name)">{{ words.people.makeHost }}</button>
                <button class="button button--small" :aria-label="fill(words.people.backToListeningUser, { user: person.name })"
                  @click="order('remove', person.name)">{{ words.people.backToListening }}</button>
              </span>
            </template>
          </li>
        </ul>
      </section>
      <section v-if="view.watching" aria-labelledby="listening-title">
        <header class="people__head">
          <h3 id="listening-title">{{ words.people.listening }}</h3>
          <span>{{ view.watching }}</span>
        </header>
        <ul class="people__list">
          <li v-for="name in view.listening" :key="name" class="person">
            <person-face :name="name"></person-face>
            <bdi class="person__name">{{ name }}</bdi>
            <span v-if="name === user" class="person__role">{{ words.people.you }}</span>
          </li>
        </ul>
        <p v-if="unnamed" class="people__more">{{ more }}</p>
      </section>
    </div>`,
  components: { PersonFace },
  props: {
    view: Object,
    user: String,
    hosting: Boolean, // the person at this page may still decide here
    lastWords: Array, // names of those who have had their last word in the closing round
    before: Function, // what must be done before the host gives somebody another role
  },
  emits: ['tell'],

  data: () => ({ chosen: null }), // the speaker whom the host is about to do something with

  computed: {
    seated() {
      const { host, speakers, away } = this.view;
      return [host, ...speakers].map((name) => {
        const isHost = name === host;
        const isAway = away.includes(name);
        const roles = { you: name === this.user, host: isHost, away: isAway, hadLastWord: this.lastWords.includes(name) };
        const said = Object.keys(roles).filter((role) => roles[role]).map((role) => words.people[role]);
        return { name, isHost, isAway, roles: said.join(words.people.comma) };
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
      await this.before();
      const answer = await command(event, { room: this.view.id, user });
      if (answer.ok) this.choose(null);
      else this.$emit('tell', reasonOf(answer));
    },

    /** Keeps the keyboard's place when the button that was pressed is gone. */
    async choose(name) {
      this.chosen = this.chosen === name ? null : name;
      await this.$nextTick();
      if (document.activeElement === document.body) this.$el.querySelector('.person button')?.focus();
    },
  },
};
