/** The people of a room: who speaks, who listens, and what the host can do about it. */

import { command } from './connection.js';
import { PersonFace, isGuest, naming, seated } from './parts.js';
import { fill, reasonOf, words } from './words.js';

const ShowOut = {
  name: 'ShowOut',
  template: /* html */ `
    <button class="button button--small button--danger" :aria-label="fill(words.people.showOutUser, { user: naming(user) })">
      {{ words.people.showOut }}
    </button>`,
  props: { user: String },
  methods: { naming },
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
          <li v-for="person in seated" :key="person.name" class="person" :class="{ 'person--away': person.isAway }">
            <person-face :name="person.name"></person-face>
            <span class="person__name">
              <person-name :user="person.name"></person-name> <span v-if="person.roles" class="person__role">{{ person.roles }}</span>
            </span>
            <template v-if="isHost && !person.isHost">
              <button class="button button--icon person__more" :aria-expanded="chosen === person.name"
                :aria-label="fill(words.people.moreAbout, { user: naming(person.name) })" @click="choose(person.name)">
                <page-icon name="more"></page-icon>
              </button>
              <span v-if="chosen === person.name" class="person__actions">
                <button v-if="!isGuest(person.name)" class="button button--small" :aria-label="fill(words.people.makeHostUser, { user: person.name })"
                  @click="order('hand_over', person.name)">{{ words.people.makeHost }}</button>
                <button class="button button--small" :aria-label="fill(words.people.backToListeningUser, { user: naming(person.name) })"
                  @click="order('remove', person.name)">{{ words.people.backToListening }}</button>
                <show-out v-if="isGuest(person.name)" :user="person.name" @click="showOut(person.name)"></show-out>
              </span>
            </template>
          </li>
        </ul>
      </section>
      <section v-if="view.watching" aria-labelledby="listening-title">
        <header class="people__head">
          <h2 id="listening-title">{{ words.people.listening }}</h2>
          <span>{{ view.watching }}</span>
        </header>
        <ul class="people__list">
          <li v-for="name in view.listening" :key="name" class="person">
            <person-face :name="name"></person-face>
            <span class="person__name">
              <person-name :user="name"></person-name> <span v-if="name === user" class="person__role">{{ words.people.you }}</span>
            </span>
            <template v-if="isHost && isGuest(name)">
              <button class="button button--icon person__more" :aria-expanded="chosen === name"
                :aria-label="fill(words.people.moreAbout, { user: naming(name) })" @click="choose(name)">
                <page-icon name="more"></page-icon>
              </button>
              <span v-if="chosen === name" class="person__actions">
                <show-out :user="name" @click="showOut(name)"></show-out>
              </span>
            </template>
          </li>
        </ul>
        <p v-if="unnamed" class="people__more">{{ more }}</p>
      </section>
    </div>`,
  components: { PersonFace, ShowOut },
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
    isGuest,
    naming,

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
