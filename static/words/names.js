/** How people's names are shown. */

const HUES = 6;

// Firefox knows it since 2024 only.
const graphemes = Intl.Segmenter && new Intl.Segmenter(undefined, { granularity: 'grapheme' });

/** The first letter as a person sees it, be it made of several code points. */
export function initial(name) {
  const [first] = graphemes ? Array.from(graphemes.segment(name), ({ segment }) => segment) : name;
  return first.toUpperCase();
}

/** A class that gives the same name the same colour everywhere. */
export function hueOf(name) {
  // A plain polynomial hash, of those with small numbers one that tells the hard-coded people apart.
  const hash = Array.from(name).reduce((total, letter) => (total * 19 + letter.codePointAt(0)) % 997, 0);
  return `hue-${hash % HUES}`;
}
