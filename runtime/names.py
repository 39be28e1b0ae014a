"""What guests may be called: a line that says one thing to everybody who sees it, and looks like nobody else's name.

Two names look alike where a skeleton of theirs is the same, as Unicode's Technical Standard 39 has it. Which letters
look alike, and which alphabet each is of, is what confusable-homoglyphs knows; it is loaded once the party listens.
"""

import re
import unicodedata
from functools import cache
from string import ascii_uppercase

from party.model import Refused

MAX_NAME = 20  # characters
MARKS_IN_A_ROW = 3  # above or below one letter: a pointed Hebrew letter has as many
BESIDE_AN_EMOJI = re.compile("(?<=[^\\w\\s])[\ufe0e\ufe0f]")  # what says whether it is in colour
# Letters, marks, numbers, punctuation and symbols; `Zs` is one space by then.
SEEN = {"Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Nd", "Nl", "No", "Zs"}
SEEN |= {"Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "Sm", "Sc", "Sk", "So"}
# Those of these categories that nobody sees all the same: what Unicode calls default-ignorable, and blanks.
UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef"
    "\u1680\u2800\ufffc\ufffd\U00013441\U00013442\U00016fe4\U0001d159]"
)
# One alphabet a name; these are written together. Signs that are of none, and of several, go with each.
TOGETHER = [
    {"LATIN", "HAN", "HIRAGANA", "KATAKANA"},
    {"LATIN", "HAN", "BOPOMOFO"},
    {"LATIN", "HAN", "HANGUL"},
]
OF_NONE = {"COMMON", "INHERITED"}
# What the page calls them itself, in each of its languages, one and many.
OURS = {"guest", "host", "invitado", "invitada", "modera", "moderador", "moderadora", "anfitrión", "anfitriona"}
OURS |= {word + many for word in OURS for many in ("s", "es")}
# Two such signs are the flag of a country, and more of them a word.
FLAGS = dict(zip(range(ord("🇦"), ord("🇿") + 1), ascii_uppercase, strict=True))
# How Unicode names a letter in another shape: a small capital, on a tile, turned; also with a hook or a stroke.
SHAPED = re.compile(r"(?:LATIN|MODIFIER|SCRIPT|TURNED|REVERSED|ROTATED|.*NEGATIVE)\b.*? ([A-Z])(?: WITH .*)?")
TURNED = {"V": "A", "M": "W", "W": "M"}  # which look like others then


def guest_name(data):
    """(the name, its skeletons) of what somebody wants to be called. Refuses what is no name for a guest."""
    given = data.get("name")
    if not isinstance(given, str) or not given.strip():
        raise Refused("bad_input", "Please say what we should call you.")
    name = unicodedata.normalize("NFKC", BESIDE_AN_EMOJI.sub("", given.strip()))
    if UNSEEN.search(name) or any(unicodedata.category(character) not in SEEN for character in name):
        raise Refused("bad_input", "That name has characters that cannot be seen. Please leave them out.")
    name = " ".join(name.split())
    if len(name) > MAX_NAME:
        raise Refused("bad_input", "A name has at most 20 characters.")
    if not any(unicodedata.category(character)[0] in "LNS" for character in name):
        raise Refused("bad_input", "A name needs a letter, a digit or an emoji.")
    if has_heaped_marks(name):
        raise Refused("bad_input", "That name has too many marks on one letter.")
    if not is_of_one_alphabet(name):
        raise Refused("bad_input", "Please write that name in one alphabet.")
    if says_what_we_say(name):
        raise Refused("bad_input", "Please leave out “guest” and “host”: the party itself says who is which.")
    return name, sorted(skeletons(name))


def get_ready():
    """Load the tables of letters, which takes up to a third of a second."""
    is_of_one_alphabet("a")
    our_words()


def has_heaped_marks(name):
    """Whether marks stand without a letter, twice, or so many in a row that they would reach into other lines."""
    row = []
    for character in " " + unicodedata.normalize("NFD", name):
        if unicodedata.category(character) != "Mn":
            row = [character]
        elif row[0] == " " or row[-1] == character or len(row) > MARKS_IN_A_ROW:
            return True
        else:
            row.append(character)
    return False


def is_of_one_alphabet(name):
    from confusable_homoglyphs import categories

    alphabets = set(map(categories.alias, name)) - OF_NONE
    return len(alphabets) < 2 and "Unknown" not in alphabets or any(alphabets <= some for some in TOGETHER)


def says_what_we_say(name):
    """Whether some of it looks like "guest" or "host": a word, one beside digits, or one in pieces, down to letters."""
    pieces = re.findall(r"[^\W\d_]+|[^\s_]", name)
    readings = ["".join(pieces[i:j]) for i in range(len(pieces)) for j in range(i + 1, len(pieces) + 1)]
    return not our_words().isdisjoint(skeletons_of_all(readings))


@cache
def our_words():
    return skeletons_of_all(OURS)


# --- Skeletons --------------------------------------------------------------------------------------------------------


def skeletons(name):
    """What names share that look alike in any capitals: "Iena" and "lena", "IENA" and "iena", "BlLAL" and "bilal".
    What stands between and around letters and digits counts for nothing."""
    return skeletons_of_all([name])


def skeletons_of_all(names):
    """The same of many, in a fraction of the time that each alone would take."""
    lines = "\n".join(names)
    tiles = lines.translate(on_tiles())
    spellings = {lines, tiles, tiles.translate(FLAGS)}  # these are an ornament, or letters
    ways = [folded(way) for text in spellings for way in (text, skeleton(text), skeleton(text.upper()))]
    return frozenset(letters_of(one) for way in ways for one in way.split("\n"))


def letters_of(skeleton):
    """Its letters, digits and marks; all of it where it has none of these."""
    if skeleton.isalnum():  # as most are
        return skeleton
    return "".join(filter(is_of_a_word, skeleton)) or skeleton


def is_of_a_word(character):
    return character.isalnum() or unicodedata.category(character)[0] == "M"


def folded(text):
    """Without capitals, and each letter the one that stands for all that look like it."""
    while (more := skeleton(text.casefold())) != text:
        text = more
    return text


def skeleton(text):
    """As Unicode's Technical Standard 39 makes it, but without accents. It is for comparing alone."""
    while (more := unicodedata.normalize("NFD", text).translate(looks_like())) != text:
        text = more
    return text


@cache
def looks_like():
    """{code point: the characters that stand for it and for all that look like it}, of those that look like others.

    confusable-homoglyphs says of each character which others look like it: of the one that stands for them, all of
    them; of each of them, that one alone. Unicode's names say the rest.
    """
    from confusable_homoglyphs.confusables import confusables_data

    alike = {plain(shape): [plain(other["c"]) for other in others] for shape, others in confusables_data.items()}
    stands_for = {code: letter for code, letter in shaped().items() if chr(code).isalnum()}
    for shape, others in alike.items():
        if len(others) == 1 and len(shape) == 1:
            (other,) = others
            # Of two that only look like each other, the longer one stands for both, or the one without capitals.
            centre = other if len(alike[other]) > 1 else max(shape, other, key=how_well_it_stands)
            if centre != shape:
                stands_for[ord(shape)] = centre
    return stands_for | {code: None for code in range(0x300, 0x20000) if is_accent(chr(code))}


@cache
def on_tiles():
    return {code: letter for code, letter in shaped().items() if not chr(code).isalnum()}


@cache
def shaped():
    """{code point: the letter or digit that it is another shape of}, as Unicode names it."""
    letters = {}
    for code in (*range(0x80, 0x2E80), *range(0xA720, 0xAC00), *range(0x1DF00, 0x1F200)):  # where these have been put
        name = unicodedata.name(chr(code), "")
        if letter := SHAPED.fullmatch(name):
            letters[code] = TURNED.get(letter[1], letter[1]) if "TURNED" in name else letter[1]
        elif "CIRCLED" in name and (number := unicodedata.numeric(chr(code), None)) is not None:
            letters[code] = f"{number:g}"
    return letters


def is_accent(character):
    """Whether it is a mark upon a letter, and no vowel or tone, nor what makes another letter of it."""
    place = unicodedata.combining(character)
    return 0 < place < 7 or 9 < place < 40 or place >= 200


def how_well_it_stands(shape):
    return len(shape), shape.casefold() == shape, shape


def plain(shape):
    """Without the marks of direction between which the library has what is written from right to left."""
    return shape.strip("\u200e") or shape
