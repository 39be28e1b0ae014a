/** The link to a room, the page's own address with `#room=ID` (`&ask` for who came to ask to speak), and how it is shared. */

import { words } from './words.js';

export function linkTo(room, asks = false) {
  return new URL(`#room=${encodeURIComponent(room)}${asks ? '&ask' : ''}`, document.baseURI).href;
}

const inAddress = () => new URLSearchParams(location.hash.slice(1));

/** What was copied with a space or a line's end means the same room. */
export const roomInAddress = () => inAddress().get('room')?.trim() || null;

export const asksInAddress = () => inAddress().has('ask');

/** The name of an invite link that was opened by somebody who is signed in; null for none. It leaves the address. */
export function takeInvitedName() {
  const name = inAddress().get('name');
  // The password that came with it should stay in no address bar and no history.
  if (name !== null) history.replaceState(null, '', location.pathname + location.search);
  return name;
}

export const RoomInvitation = {
  template: /* html */ `
    <div class="invitation">
      <p class="invitation__about">{{ words.invitation.about }}</p>
      <input ref="link" class="invitation__link" :value="link" :aria-label="words.invitation.link" readonly dir="ltr"
        @focus="$event.target.select()">
      <button class="button button--main button--wide" @click="copy">{{ words.invitation.copy }}</button>
      <button v-if="canSend" class="button button--wide" @click="send">{{ words.invitation.send }}</button>
    </div>`,
  props: { room: String, topic: String },
  emits: ['copied'],
  computed: {
    link() {
      return linkTo(this.room);
    },
    canSend: () => Boolean(navigator.share),
  },
  methods: {
    async copy() {
      try {
        await navigator.clipboard.writeText(this.link);
        this.$emit('copied', words.invitation.copied);
      } catch {
        // No clipboard: a page that is served without TLS. The person copies what is selected.
        this.$refs.link.focus();
        this.$emit('copied', words.invitation.copyIt);
      }
    },

    send() {
      navigator.share({ title: this.topic, url: this.link }).catch(() => {}); // closed without sending it
    },
  },
};
