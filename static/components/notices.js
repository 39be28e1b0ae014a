/** What the page says by itself. Both parts stand in the lobby and again in the room's modal, which covers the lobby. */

/** Words that go after a while. Those about requests are said by screen readers alone: others see the queue. */
export const PassingNotices = {
  template: '#notices-template',
  props: { notices: Array },
};

/** What is wrong with the connection, for as long as it is. */
export const ConnectionNotice = {
  template: '#connection-template',
  props: { state: String },
  computed: {
    signIn() {
      return `sign-in${location.hash}`;
    },
  },
};
