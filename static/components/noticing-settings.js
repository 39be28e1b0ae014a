/** The choices about sound and notifications. They stand in the lobby and again in the room's modal, which covers it. */

import { isSoundOn, notifications, setNotifications, setSound } from '../noticing.js';

export const NoticingSettings = {
  template: '#noticing-template',
  data: () => ({ isOpen: false, isSoundOn: true, notifications: 'off' }),

  methods: {
    async show() {
      this.look();
      this.isOpen = true;
      await this.$nextTick();
      this.$refs.dialog.showModal();
    },

    /** The other place, another tab or the browser's own settings may have changed them. */
    look() {
      Object.assign(this, { isSoundOn: isSoundOn(), notifications: notifications() });
    },

    chooseSound({ target }) {
      setSound(target.checked);
      this.look();
    },

    async chooseNotifications({ target }) {
      await setNotifications(target.checked);
      this.look();
      // Vue sees no change where the browser said no.
      target.checked = this.notifications === 'on';
    },
  },
};
