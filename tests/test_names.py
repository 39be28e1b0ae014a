"""What guests may be called. Each name of the corpus is shown as it stands here, or refused with its reason."""

import json
import sys
import time
import unicodedata

import pytest
from servers import ROOT

from party.model import Refused
from runtime.names import MAX_NAME, OURS, guest_name, skeletons, skeletons_of_all

UNSEEN = "That name has characters that cannot be seen. Please leave them out."
LETTERS = "A name needs a letter, a digit or an emoji."
MARKS = "That name has too many marks on one letter."
ALPHABET = "Please write that name in one alphabet."
OUR_WORD = "Please leave out “guest” and “host”: the party itself says who is which."
MISSING = "Please say what we should call you."
LONG = "A name has at most 20 characters."

# Unicode's Default_Ignorable_Code_Point, those that there are and those that are kept free for more of them.
DEFAULT_IGNORABLE = [
    *(0xAD, 0x34F, 0x61C, 0x115F, 0x1160, 0x17B4, 0x17B5, *range(0x180B, 0x1810), *range(0x200B, 0x2010)),
    *(*range(0x202A, 0x202F), *range(0x2060, 0x2070), 0x3164, *range(0xFE00, 0xFE10), 0xFEFF, 0xFFA0),
    *(*range(0xFFF0, 0xFFF9), *range(0x1BCA0, 0x1BCA4), *range(0x1D173, 0x1D17B), *range(0xE0000, 0xE1000)),
]

IGNORABLE = set(map(chr, DEFAULT_IGNORABLE))


def shown(name):
    """The name as it is shown; None where it is refused."""
    try:
        return guest_name({"name": name})[0]
    except Refused:
        return None


def reason(name):
    with pytest.raises(Refused) as refused:
        guest_name({"name": name})
    assert refused.value.ack["code"] == "bad_input"
    return refused.value.ack["error"]


def look_alike(one, other):
    return not skeletons(one).isdisjoint(skeletons(other))


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("Zoë", "Zoë"),
        ("Zoe\u0308", "Zoë"),  # as some keyboards write it
        ("  Anna   Maria ", "Anna Maria"),
        ("Anna\u00a0Maria", "Anna Maria"),
        ("Anna\u3000Maria", "Anna Maria"),
        ("Anna\u2009\u200a\u205fMaria", "Anna Maria"),
        ("Anna\n", "Anna"),  # a pasted line
        ("Ａｎｎａ", "Anna"),  # fullwidth
        ("𝓐𝓷𝓷𝓪", "Anna"),
        ("ﬁona", "fiona"),  # a ligature
        ("Ⅳ", "IV"),
        ("O'Neil-Smith Jr.", "O'Neil-Smith Jr."),
        ("R2D2", "R2D2"),
        ("ghost", "ghost"),
        ("Hostas", "Hostas"),
        ("Nguyễn Thị", "Nguyễn Thị"),
        ("Миша", "Миша"),
        ("Ελένη", "Ελένη"),
        ("नेहा", "नेहा"),
        ("ปรีชา", "ปรีชา"),
        ("山田 ハナコ", "山田 ハナコ"),
        ("山田 Hanako", "山田 Hanako"),
        ("김민수", "김민수"),
        ("\u1100\u1161", "가"),  # of its parts
        ("علي", "علي"),
        ("דָּוִד", "דָּוִד"),
        ("İrem", "İrem"),
        ("Işıl", "Işıl"),
        ("Straße", "Straße"),
        ("🦊", "🦊"),
        ("Ana 👍🏽", "Ana 👍🏽"),  # with a tone of skin
        ("🇪🇸", "🇪🇸"),
        ("🇪🇸 Ana", "🇪🇸 Ana"),
        ("🅰 Ana ❶", "🅰 Ana ❶"),
        ("Ho Chi Minh", "Ho Chi Minh"),  # words next to each other
        ("J. R. R.", "J. R. R."),
        ("❤\ufe0f", "❤"),  # the same, in colour or not
        ("Ana ☺\ufe0f\ufe0e", "Ana ☺"),
        ("x" * 20, "x" * 20),
        ("<b>&amp;'\"", "<b>&amp;'\""),  # the page escapes what it shows
    ],
)
def test_a_name_is_shown_as_one_line_in_one_way_of_writing(given, name):
    assert shown(given) == name
    assert unicodedata.is_normalized("NFKC", name) and shown(name) == name, "and is the same when it is given again"


@pytest.mark.parametrize(
    ("given", "why"),
    [
        *((nothing, MISSING) for nothing in (None, 7, ["Ana"], "", " ", "\u2003\n\t\u3000")),
        ("x" * 21, LONG),
        ("x" * 100_000, LONG),
        ("\ufdfa\ufdfa", LONG),  # one sign of a whole sentence
        *((dots, LETTERS) for dots in (".", "…", "-", "—", "()", "!?", "_", "''")),
        ("\u00b4", LETTERS),  # a space with an accent
        # Control and format
        *((f"An{control}na", UNSEEN) for control in ("\0", "\n", "\r\n", "\t", "\x1b[31m", "\x7f", "\x85")),
        *((f"An{line}na", UNSEEN) for line in ("\u2028", "\u2029")),
        # Right to left where it is not, and signs that turn what follows
        *((f"{turn}ahsa", UNSEEN) for turn in "\u202e\u202d\u202b\u2067\u2066\u2068\u200f\u200e\u061c"),
        ("علي Ali", ALPHABET),
        ("enaا", ALPHABET),  # an alef, which looks like an l and stands on the other side
        # Nothing to see
        *((f"As{nothing}ha", UNSEEN) for nothing in "\u200b\u200c\u200d\u2060\ufeff\u00ad\u034f\u180e"),
        *((nothing, UNSEEN) for nothing in ("\u3164", "\uffa0", "\u115f", "\u1160", "\u2800", "\u2800\u2800")),
        ("Anna\u1680Maria", UNSEEN),
        ("A\u180bB", UNSEEN),
        ("A\ufe0fna", UNSEEN),  # behind a letter
        ("\ufe0fAna", UNSEEN),
        ("A\U000e0100na", UNSEEN),
        ("🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", UNSEEN),  # a flag made of tags
        ("👩\u200d💻", UNSEEN),  # glued by what nobody sees
        # What some see, and some do not
        ("\ue000", UNSEEN),
        ("Ana \uf8ff", UNSEEN),  # the sign of a company, on its machines
        ("\U0010fffd", UNSEEN),
        ("\u0378", UNSEEN),  # of no meaning yet
        ("\uffff", UNSEEN),
        ("Ana\ufffd", UNSEEN),
        ("Ana\ufffc", UNSEEN),
        ("\ud800", UNSEEN),
        ("An\udc00a", UNSEEN),
        ("A\u20dd", UNSEEN),  # in a circle
        # Marks that heap up, or stand alone
        ("Z" + "\u0310\u0312\u0313\u0314", MARKS),
        ("Z" + "\u0335\u0336\u0337\u0338\u0321" * 3, MARKS),
        ("Zo\u0301\u0301", MARKS),
        ("ạ\u0323", MARKS),
        ("\u0301na", MARKS),
        ("a \u0301na", MARKS),
        # Two alphabets
        ("аsha", ALPHABET),  # the first letter is Cyrillic
        ("Миша Smith", ALPHABET),
        ("Ωmega", ALPHABET),
        # What the page itself says
        *((said, OUR_WORD) for said in ("guest", "Host", "GUEST 7", "guest7", "7guest7", "guest_7", "the host")),
        ("Ana (host)", OUR_WORD),
        *((said, OUR_WORD) for said in ("invitado", "Invitada", "ANFITRIÓN", "anfitrion", "Ana modera")),
        ("ana.host", OUR_WORD),
        *((said, OUR_WORD) for said in ("gúest", "h0st", "ｈｏｓｔ", "ɡuest", "g u e s t", "ho-st", "𝕙𝕠𝕤𝕥", "hoſt")),
        # on tiles, in circles, as flags, and flags or tiles beside it
        *((said, OUR_WORD) for said in ("🅗🅞🅢🅣", "🅶🆄🅴🆂🆃", "🄷🄾🅂🅃", "Ⓗⓞⓢⓣ", "🇭🇴🇸🇹", "the ʜ🅾st", "h⓿st", "h🄌st")),
        *((said, OUR_WORD) for said in ("🇪🇸host", "🅰host", "🇪🇸🅷🅾🆂🆃", "🆁🅷🅾🆂🆃")),
        # small capitals, and letters that are turned or struck through
        *((said, OUR_WORD) for said in ("ʜᴏsᴛ", "ɢᴜᴇsᴛ", "ɪɴᴠɪᴛᴀᴅᴏ", "ɥosʇ", "ħøsŧ", "höst", "ho\u0338st")),
        *((said, OUR_WORD) for said in ("guests", "hosts", "invitados", "INVITADAS", "anfitriones", "moderadores")),
        # in pieces
        *((said, OUR_WORD) for said in ("the g u e s t", "x g.u.e.s.t", "my h o s t", "a g u e s t 7", "the ho-st")),
    ],
)  # fmt: skip
def test_what_is_no_name_is_refused_with_its_reason(given, why):
    assert reason(given) == why


def test_none_of_the_default_ignorable_characters_is_in_a_name():
    assert len(DEFAULT_IGNORABLE) == 4_174, "as many as Unicode says"
    for character in IGNORABLE:
        for name in (f"As{character}ha", f"{character}Asha", f"Asha{character}", character):
            assert shown(name) is None, hex(ord(character))
        in_colour = character in "\ufe0e\ufe0f"
        assert shown(f"🦊{character}") == ("🦊" if in_colour else None), hex(ord(character))


def test_no_white_space_makes_another_name():
    for character in map(chr, range(sys.maxunicode + 1)):
        if character.isspace():
            assert shown(f"Anna{character}Maria") in ("Anna Maria", None), hex(ord(character))
            assert shown(f"{character}Anna Maria{character}") in ("Anna Maria", None), hex(ord(character))


def one_in_twenty(character):
    """Of the tens of thousands that are signs of one kind, and have no capitals."""
    return ord(character) % 20 == 0 or ord(character) < 0x3000 or character.upper() != character.lower()


def names_with(characters):
    """What is shown of all that these make together; where that is refused, of halves of them, down to each alone."""
    if name := shown("".join(characters)):
        return [name]
    half = len(characters) // 2
    return names_with(characters[:half]) + names_with(characters[half:]) if half else []


def test_whatever_is_shown_is_short_and_seen():
    """Whichever character is in it. Behind the ideographs there are none that are shown."""
    codes = (*range(0x40000), *range(0x40000, sys.maxunicode, 1_000))
    characters = list(filter(one_in_twenty, map(chr, codes)))
    names = [name for at in range(0, len(characters), 8) for name in names_with(characters[at : at + 8])]
    assert len(set("".join(names))) > 10_000
    for name in names:
        assert 1 <= len(name) <= MAX_NAME and name == " ".join(name.split())
        assert not {unicodedata.category(one) for one in name} & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Me"}
        assert not IGNORABLE & set(name)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("asha", "ASHA"),
        ("asha", "Asha."),
        ("asha", "a sha"),
        ("asha", "★asha★"),
        ("asha", "аsһа"),  # Cyrillic
        ("asha", "АЅНА"),
        ("asha", "αsha"),  # Greek
        ("asha", "𝖆𝖘𝖍𝖆"),
        ("lena", "Iena"),
        ("LENA", "Iena"),
        ("lena", "1ena"),
        ("lena", "|ena"),
        ("bilal", "biIaI"),
        ("bilal", "BILAL"),
        ("emeka", "ernekа"),  # an m of two letters
        ("chen", "сhen"),
        ("bob", "b0b"),
        ("irem", "İREM"),
        ("irem", "i\u0307rem"),  # a dot upon a dot is one
        ("isil", "ısıl"),
        ("lia", "Iıa"),
        ("straße", "STRASSE"),
        ("extra1", "extral"),
        ("zoë", "ZOE\u0308"),
        ("zoë", "zoe"),
        ("asha", "ashá"),
        ("asha", "asha\u0338"),
        ("chen", "chén"),
        ("farida", "farída"),
        ("lukasz", "Łukasz"),
        ("андрей", "андреи"),
        ("דוד", "דָּוִד"),  # pointed
        ("asha", "ᴀsʜᴀ"),
        ("asha", "ʌsʜʌ"),
        ("asha", "ɐsɥɐ"),
        ("asha", "🅰🆂🅷🅰"),
        ("asha", "🅐🅢🅗🅐"),
        ("asha", "🇦🇸🇭🇦"),
        ("asha", "🇪🇸 Asha"),
        ("asha", "asha 🅰"),
        ("asha", "🇪🇸🅰🆂🅷🅰"),
        ("lena", "🅸🅴🅽🅰"),
        ("extra1", "extra❶"),
        ("миша", "МИША"),
        ("Éva", "éva"),
    ],
)
def test_names_that_look_alike_share_a_skeleton(one, other):
    assert look_alike(one, other) and look_alike(other, one)
    assert look_alike(one.upper(), other) or one == "lena", "whatever the capitals"


@pytest.mark.parametrize(
    ("one", "other"),
    [("asha", "sasha"), ("chen", "cheng"), ("🦊", "🐻"), ("dana", "diana"), ("extra1", "extra2")]
    + [("🇪🇸", "🇫🇷"), ("🇪🇸 ana", "🇪🇸"), ("नेहा", "नाहा"), ("ハナ", "バナ"), ("ปา", "ปี")],  # vowels make a name
)
def test_names_that_do_not_look_alike_share_none(one, other):
    assert not look_alike(one, other)


def test_the_skeletons_of_many_are_those_of_each(people=("asha", "Iena", "Zoë", "İrem", "Anna Maria", "❤", "extra10")):
    assert skeletons_of_all(people) == set().union(*map(skeletons, people))
    assert skeletons_of_all([]) <= {""}


def test_a_hundred_thousand_friends_are_compared_with_in_a_moment():
    skeletons("asha")  # so that the tables are there
    began = time.process_time()
    known = skeletons_of_all([f"extra{n}" for n in range(100_000)])
    assert "extra77777" in known and time.process_time() - began < 2


def labels(words):
    """What stands beside a name to say who somebody is, in one word."""
    for place, said in words.items():
        if isinstance(said, dict):
            yield from labels(said)
        elif place in ("guest", "host", "hosts") and said.isalpha():
            yield said.lower()


@pytest.mark.parametrize("path", sorted((ROOT / "static" / "words").glob("*.json")), ids=lambda path: path.stem)
def test_no_guest_is_called_what_the_page_calls_them(path):
    said = set(labels(json.loads(path.read_text())))
    assert said and all(reason(word) == OUR_WORD for word in said)
    assert said <= OURS


def test_the_tables_are_there_before_the_first_guest_comes_unless_no_door_opens(clean_party, monkeypatch):
    from runtime import names, settings

    for doors in (False, True):
        names.our_words.cache_clear()
        names.looks_like.cache_clear()
        monkeypatch.setattr(settings, "DOORS", doors)
        clean_party.on_listening(8000)
        assert names.looks_like.cache_info().currsize == names.our_words.cache_info().currsize == doors
