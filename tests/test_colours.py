"""Nine people are told apart by their colours, in light and in dark, also by who sees few colours."""

import itertools
import math
import re

import pytest
from servers import ROOT

HUES = 9
STYLE = (ROOT / "static" / "party.css").read_text()
NAMED = dict(re.findall(r"--([\w-]+): light-dark\((#\w{6}, #\w{6})\);", STYLE))
# What somebody sees of (red, green, blue) to whom one kind of cones is missing: Machado, Oliveira and Fernandes, "A
# Physiologically-based Model for Simulation of Color Vision Deficiency" (2009), at the strongest.
SEEN = {
    "by most": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "without red": ((0.1523, 1.0526, -0.2049), (0.1145, 0.7863, 0.0992), (-0.0039, -0.0481, 1.0520)),
    "without green": ((0.3673, 0.8606, -0.2280), (0.2801, 0.6725, 0.0474), (-0.0118, 0.0429, 0.9688)),
    "without blue": ((1.2555, -0.0767, -0.1788), (-0.0784, 0.9308, 0.1476), (0.0047, 0.6914, 0.3039)),
}
# In OKLab, where 1 is from black to white. Two colours beside each other are told apart from about 0.02 on; these are
# small, and apart.
LEAST = {"by most": 0.115, "without red": 0.04, "without green": 0.04, "without blue": 0.035}


def encoded(name, theme):
    """(red, green, blue) as CSS has it, from 0 to 1."""
    digits = NAMED[name].split(", ")[theme]
    return [int(digits[i : i + 2], 16) / 255 for i in (1, 3, 5)]


def colour(name, theme):
    """Linear (red, green, blue), from 0 to 1."""
    return linear(encoded(name, theme))


def linear(parts):
    return [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]


def times(matrix, vector):
    return [sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix]


def oklab(rgb):
    """Björn Ottosson, "A perceptual color space for image processing" (2020)."""
    lms = times(((0.4122, 0.5363, 0.0514), (0.2119, 0.6807, 0.1074), (0.0883, 0.2817, 0.6300)), rgb)
    roots = [max(part, 0) ** (1 / 3) for part in lms]
    return times(((0.2105, 0.7936, -0.0041), (1.9780, -2.4286, 0.4506), (0.0259, 0.7828, -0.8087)), roots)


def contrast(one, other):
    """As WCAG 2 has it."""
    light, dark = sorted((0.2126 * r + 0.7152 * g + 0.0722 * b for r, g, b in (one, other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def hues():
    return [re.search(rf"\.hue-{n} {{ --hue: var\(--(hue-{n})\); }}", STYLE)[1] for n in range(HUES)]


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_nine_people_are_told_apart(theme):
    names = hues()
    assert len(set(names)) == HUES
    for whom, matrix in SEEN.items():
        seen = {name: oklab([min(1, max(0, part)) for part in times(matrix, colour(name, theme))]) for name in names}
        nearest = min(itertools.combinations(names, 2), key=lambda pair: math.dist(seen[pair[0]], seen[pair[1]]))
        assert math.dist(*map(seen.get, nearest)) >= LEAST[whom], (whom, nearest)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_nobody_looks_like_what_can_be_pressed(theme):
    accent = oklab(colour("clay", theme))
    for name in hues():
        assert math.dist(oklab(colour(name, theme)), accent) >= 0.12, name


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_a_name_and_a_letter_on_a_face_can_be_read(theme):
    for name in hues():
        hue, pair = colour(name, theme), zip(encoded("sheet", theme), encoded(name, theme), strict=True)
        tinted = linear([0.89 * sheet + 0.11 * own for sheet, own in pair])
        for below in ("sheet", "paper", "cream"):
            assert contrast(hue, colour(below, theme)) >= 4.5, (name, below)
        assert contrast(hue, tinted) >= 4.5, (name, "on a card of its own")
