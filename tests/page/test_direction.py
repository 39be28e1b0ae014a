"""A language may run from right to left: then the page does too, and its file of words is all that it takes."""

import re

import pytest
from conftest import browser_of
from playwright.sync_api import expect
from servers import ROOT, running_server
from visitor import seat

from runtime import words

# Urdu, with English words: what counts here is where they stand.
FROM_RIGHT_TO_LEFT = """
import app
from runtime import words
words.IN["ur"] = words.IN["en"] | {"direction": "rtl"}
app.main()
"""


@pytest.fixture(scope="module")
def turned_party():
    with running_server(program=("-c", FROM_RIGHT_TO_LEFT)) as server:
        yield server


@pytest.mark.parametrize("language, direction", [("en", "ltr"), ("es", "ltr"), ("ur", "rtl")])
def test_each_page_runs_in_the_direction_of_its_language(clean_party, monkeypatch, language, direction):
    monkeypatch.setitem(words.IN, "ur", words.IN["en"] | {"direction": "rtl"})
    asha, nobody = browser_of("asha"), clean_party.app.test_client()
    for browser, path in ((asha, "/"), (nobody, "/sign-in"), (nobody, "/offline")):
        page = browser.get(path, headers={"Accept-Language": language}).text
        assert f'<html lang="{language}" dir="{direction}">' in page, path


def test_from_right_to_left_everything_stands_on_the_other_side(visit, turned_party):
    asha, bilal = (visit(name, turned_party.address, locale="ur") for name in ("asha", "bilal"))
    for visitor in (asha, bilal):
        visitor.context.route("**/words/ur.json", lambda route: route.fulfill(path=ROOT / "static/words/en.json"))
        visitor.sign_in()
    asha.host("Tea")
    seat(asha, bilal, "Tea")
    asha.say("With milk")
    bilal.say("Without")
    expect(bilal.message("With milk")).to_be_visible()
    theirs, own, feed = (
        where.bounding_box()
        for where in (
            bilal.message("With milk").locator(".message__bubble"),
            bilal.message("Without").locator(".message__bubble"),
            bilal.feed,
        )
    )
    people = bilal.room.get_by_role("complementary", name="People").bounding_box()
    middle = feed["x"] + feed["width"] / 2
    assert own["x"] + own["width"] < middle < theirs["x"], (own, theirs, feed)
    assert people["x"] < feed["x"], "beside the feed, where lines end"
    assert offset_of_the_flame(bilal.room) < 0, "it burns down to where lines begin"
    assert (
        bilal.room.get_by_role("button", name="Back to the lobby")
        .locator("svg")
        .evaluate("(arrow) => getComputedStyle(arrow).scale")
        == "-1 1"
    ), "back is where lines begin"


def offset_of_the_flame(room):
    """How far right of the line's middle the flame stands, in a room that has just been opened."""
    return room.locator(".room__head .burn").evaluate("""(line) => {
      const { left, width } = getComputedStyle(line, '::after');
      return parseFloat(left) + parseFloat(width) / 2 - line.offsetWidth / 2;
    }""")


SIDE = re.compile(r"\b(?:left|right)\b")
# Where a screen ends is no matter of language.
PHONES_EDGE = re.compile(r"env\(safe-area-inset-\w+\)")
LENGTH = r"((?:[^\s;()]|\([^()]*\))+)"
FOUR_SIDES = re.compile(rf"\b(?:padding|margin|inset): {LENGTH} {LENGTH} {LENGTH} {LENGTH};")


def sides_in(style):
    style = PHONES_EDGE.sub("0", style)
    different = [found[0] for found in FOUR_SIDES.finditer(style) if found[2] != found[4]]
    return different + SIDE.findall(style)


@pytest.mark.parametrize(
    "style, found",
    [
        (".tea { margin-left: 1rem; text-align: right; }", ["left", "right"]),
        (".tea { padding: 1rem 2rem 1rem 3rem; }", ["padding: 1rem 2rem 1rem 3rem;"]),
        (".tea { padding: 0 env(safe-area-inset-right) 0 env(safe-area-inset-left); margin-inline-start: 1rem; }", []),
    ],
)
def test_sides_in_a_style_are_found(style, found):
    assert sides_in(style) == found


def test_the_styles_name_no_side():
    styles = {path.name: path.read_text() for path in (ROOT / "static").glob("*.css")}
    assert len(styles) > 5, "they must be found"
    assert {name: found for name, style in styles.items() if (found := sides_in(style))} == {}
