/** People as they are seen everywhere: a letter on a colour. The letter tells them apart too, and so does the name. */

const HUES = 9; // as many as can speak in a room

// Firefox knows it since 2024 only.
const graphemes = Intl.Segmenter && new Intl.Segmenter(undefined, { granularity: 'grapheme' });

const hues = new Map(); // name → the number of its colour, for as long as this page lives

/** The first letter as a person sees it, be it made of several code points. */
function initial(name) {
  const [first] = graphemes ? Array.from(graphemes.segment(name), ({ segment }) => segment) : name;
  return first.toUpperCase();
}

/** A class that gives the same name the same colour everywhere, and the first nine names nine colours. */
export function hueOf(name) {
  if (!hues.has(name)) {
    const taken = new Set(hues.values());
    const wished = hashOf(name) % HUES;
    const free = Array.from({ length: HUES }, (_, step) => (wished + step) % HUES).find((hue) => !taken.has(hue));
    hues.set(name, free ?? wished);
  }
  return `hue-${hues.get(name)}`;
}

/** A plain polynomial hash, so that most names have the same colour on every screen: the hard-coded ones have six. */
function hashOf(name) {
  return Array.from(name).reduce((total, letter) => (total * 40 + letter.codePointAt(0)) % 65521, 0);
}

export const PersonFace = {
  template: /* html */ `<span class="face" :class="hue" aria-hidden="true">{{ letter }}</span>`,
  props: { name: String },
  computed: {
    hue() {
      return hueOf(this.name);
    },
    letter() {
      return initial(this.name);
    },
  },
};

/** Some faces that overlap, and how many more there are. Whoever cannot see them finds the names elsewhere. */
export const FacePile = {
  template: /* html */ `
    <span class="faces" aria-hidden="true">
      <person-face v-for="name in names.slice(0, shown)" :key="name" :name="name"></person-face>
      <span v-if="names.length > shown" class="face face--more">+{{ names.length - shown }}</span>
    </span>`,
  components: { PersonFace },
  props: { names: Array, most: { type: Number, default: 5 } },
  computed: {
    /** "+1" would take the place of the face that it stands for. */
    shown() {
      return this.names.length === this.most + 1 ? this.most + 1 : this.most;
    },
  },
};
