/** A dialog: a sheet from below on a phone, in the middle of a wide screen. Escape, and a tap beside it, close it. */

export const SheetDialog = {
  template: /* html */ `
    <dialog ref="dialog" class="sheet" :aria-labelledby="titleId" @click.self="onBackdrop" @close="isOpen = false">
      <div v-if="isOpen" class="sheet__inside">
        <header class="sheet__head">
          <h2 :id="titleId" :class="{ topic: isTopic }" dir="auto">{{ title }}</h2>
          <button type="button" class="button button--icon" :aria-label="words.sheet.close" :title="words.sheet.close"
            @click="close">
            <svg class="icon" viewBox="0 0 24 24" aria-hidden="true"><path d="M6 6l12 12M18 6L6 18" /></svg>
          </button>
        </header>
        <slot></slot>
      </div>
    </dialog>`,
  props: {
    title: String,
    isTopic: Boolean, // the title is what people wrote
  },

  data: () => ({ isOpen: false }),

  computed: {
    titleId() {
      return `sheet-${this.$.uid}`;
    },
  },

  methods: {
    async show() {
      this.isOpen = true;
      await this.$nextTick();
      this.$refs.dialog.showModal();
    },

    /** Gives the focus back to what had it. */
    close() {
      this.$refs.dialog.close();
    },

    /** A click inside that ends on the backdrop, as when text is selected, is none beside it. */
    onBackdrop({ detail }) {
      if (detail && getSelection().isCollapsed) this.close();
    },
  },
};
