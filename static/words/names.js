/** How people's names are shown. */

const HUES = 6;

const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' });

/** The first letter as a person sees it, be it made of several code points. */
export function initial(name) {
  const [first] = graphemes.segment(name);
  return first.segment.toUpperCase();
}

/** A class that gives the same name the same colour everywhere. */
export function hueOf(name) {
  // A plain polynomial hash, of those with small numbers one that tells the hard-coded people apart.
  const hash = Array.from(name).reduce((total, letter) => (total * 19 + letter.codePointAt(0)) % 997, 0);
  return `hue-${hash % HUES}`;
}
