/** Choices about the page, as switches: sound, notifications, and what others see of oneself. Kept in this browser. */

import { listensUnnamed, remember, showsWriting } from './kept.js';
import { isSoundOn, notifications, setNotifications, setSound } from './noticing.js';
import { words } from './words.js';

export const PageChoices = {
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
  emits: ['unnamed'],

  data: () => ({ seen: 0 }), // how often the choices were looked at: not all of them are made here

  computed: {
    switches() {
      return this.seen >= 0 && [
        { name: 'sound', isOn: isSoundOn(), note: words.choices.soundWhen },
        {
          name: 'notifications',
          isOn: notifications() === 'on',
          isFixed: ['denied', 'missing'].includes(notifications()),
          note: words.choices[notifications()] ?? words.choices.notificationsWhen,
        },
        { name: 'writing', isOn: showsWriting(), note: words.choices.writingWhen },
        { name: 'unnamed', isOn: listensUnnamed(), note: words.choices.unnamedWhen },
      ];
    },
  },

  methods: {
    async choose(name, target) {
      const { checked } = target;
      if (name === 'sound') setSound(checked);
      else if (name === 'notifications') await setNotifications(checked);
      else remember(name, checked);
      this.seen += 1;
      // Vue sees no change where the browser said no.
      if (name === 'notifications') target.checked = notifications() === 'on';
      if (name === 'unnamed') this.$emit('unnamed');
    },
  },
};
