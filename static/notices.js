/** What the page says by itself. Both parts stand in the lobby and again in the room's modal, which covers the lobby. */

const NOTICE_MS = 8000;

/** Words that go after a while. Whoever holds it calls `tell`. */
export const PassingNotices = {
  template: '#notices-template',
  data: () => ({ notices: [] }),
  methods: {
    tell(words) {
      this.notices.push({ words, id: performance.now() });
      setTimeout(() => this.notices.shift(), NOTICE_MS);
    },
  },
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
