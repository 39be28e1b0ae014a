/** What stands where one could write, when the room is over: why, what one was writing, and the discussion to take away. */

import { draftName, kept } from '../kept.js';
import { asText } from './feed.js';

export const RoomEnding = {
  template: '#ending-template',
  props: {
    room: String,
    user: String,
    topic: String,
    reason: String, // why it is over, as a sentence
    isEmpty: Boolean, // nothing was said
    fetchAll: Function, // gives a promise of all messages
  },

  data() {
    return { draft: kept(draftName(this.user, this.room), '') };
  },

  methods: {
    async download() {
      const link = document.createElement('a');
      link.href = URL.createObjectURL(new Blob([asText(await this.fetchAll())], { type: 'text/plain' }));
      link.download = `${this.topic}.txt`;
      link.click();
      URL.revokeObjectURL(link.href);
    },
  },
};
