"""The owner's page in a browser: its answer is seen at once, everywhere, by everybody."""

import re
from urllib.parse import urlsplit

import pytest
from conftest import browser_of
from playwright.sync_api import expect
from stores import keep_feedback, keep_report, sample
from visitor import PHONE, STICKS_OUT, violations

from services import insights
from services.reckoning import share

DESK = {"viewport": {"width": 1280, "height": 800}}
SIZES = pytest.mark.parametrize("how", [DESK, PHONE], ids=["desk", "phone"])
SAID = (
    {"id": "1", "at": 1, "about": "problem", "text": "It is slow", "name": "bilal", "error": "TypeError: " + "x" * 69},
    {"id": "2", "at": 2, "about": "room", "choice": "yes", "text": "A long word: " + "tea" * 99},
    {"id": "3", "at": 3, "about": "idea", "text": "More tea", "answer": "There is some now.", "answered_at": 4},
)
OPEN_ALL = "document.querySelectorAll('details').forEach((part) => (part.open = true))"
WEEKS = [{"first_day": "2026-11-08", "yes": share(12, 15)}, {"first_day": "2026-11-15", "yes": share(3, 4)}]


@pytest.fixture
def look(browser, stores):
    """The owner's page of the party of this process, in a browser: as it is sent, headers included."""
    owner, contexts, trouble = browser_of("asha"), [], []

    def fulfill(route):
        asked = urlsplit(route.request.url)
        request = {"method": route.request.method, "data": route.request.post_data, "headers": route.request.headers}
        answer = owner.open(f"{asked.path}?{asked.query}", **request)
        while answer.status_code in (302, 303):  # a browser is not given these by Playwright
            answer = owner.get(answer.headers["Location"])
        route.fulfill(status=answer.status_code, headers=dict(answer.headers), body=answer.data)

    def look(**how):
        contexts.append(browser.new_context(base_url="http://party.example/", locale="en-GB", **how))
        contexts[-1].route("**/*", fulfill)
        page = contexts[-1].new_page()
        page.on("console", lambda message: trouble.append(message.text))
        page.goto("insights")
        return page

    yield look
    for context in contexts:
        context.close()
    assert not trouble, "the policy that is sent with the page forbids nothing of it"


def keep(stores, name):
    keep_report(stores, sample(name))
    keep_feedback(stores, *SAID, sentiment={"weeks": WEEKS, "losing": share(6, 14), "mark": 40})


def is_on_first_screen(thing):
    box, size = thing.bounding_box(), thing.page.viewport_size
    return box["y"] >= 0 and box["y"] + box["height"] <= size["height"] and box["x"] + box["width"] <= size["width"]


@SIZES
def test_whether_it_works_stands_on_the_first_screen(look, stores, how):
    keep(stores, "thriving")
    page = look(**how)
    for name, word in (("thriving", "Yes:"), ("dying", "No:"), ("too_early", "Too early to tell:")):
        keep(stores, name)
        page.reload()
        expect(page.locator(".verdict__word")).to_have_text(word)
        seen = [page.locator(".verdict"), page.get_by_role("table").first, page.get_by_role("heading", level=1)]
        if how is DESK:
            seen += page.get_by_role("img").all()[:3]
        assert len(seen) == (6 if how is DESK else 3)
        assert all(map(is_on_first_screen, seen)), name
        expect(seen[1].get_by_role("row", name=re.compile("^Spoke"))).to_be_visible()


@SIZES
def test_it_is_accessible(look, stores, how):
    keep(stores, "dying")
    page, found = look(**how, reduced_motion="reduce"), {}
    page.evaluate(OPEN_ALL)
    found["light"] = violations(page)
    page.emulate_media(color_scheme="dark")
    found["dark"] = violations(page, "color-contrast", "link-in-text-block")
    assert not {how: trouble for how, trouble in found.items() if trouble}


def test_nothing_sticks_out(look, stores):
    keep(stores, "dying")
    page, found = look(**DESK, reduced_motion="reduce"), {}
    page.evaluate(OPEN_ALL)
    for width in (1280, 768, 390, 320):
        page.set_viewport_size({"width": width, "height": 800})
        for direction in ("rtl", "ltr"):
            page.evaluate("(direction) => (document.dir = direction)", direction)
            found[width, direction] = page.evaluate(STICKS_OUT)
    page.set_viewport_size({"width": 390, "height": 800})
    page.evaluate("document.documentElement.style.fontSize = '200%'")
    found["twice the text"] = page.evaluate(STICKS_OUT)
    page.evaluate("document.documentElement.style.fontSize = ''")
    page.emulate_media(media="print")
    found["in print"] = page.evaluate(STICKS_OUT)
    assert not {how: trouble for how, trouble in found.items() if trouble}


def test_in_print_each_table_is_open_and_nothing_waits_for_a_press(look, stores):
    keep(stores, "thriving")
    page = look(**DESK)
    table = page.get_by_role("table", include_hidden=True).nth(1)
    expect(table).to_be_hidden()
    page.emulate_media(media="print")
    expect(table).to_be_visible()
    expect(page.get_by_role("button")).to_have_count(0)


def test_the_owner_answers_by_keyboard(look, stores, monkeypatch, clean_party):
    monkeypatch.setattr(insights, "PATIENCE_SECONDS", 0)
    keep(stores, "thriving")
    page = look(**DESK)
    page.get_by_role("textbox", name="Your answer to: It is slow").focus()
    page.keyboard.type("It is mended")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_have_text(re.compile("^Kept"))
    (said,) = [command for _, command in clean_party.journal.replay() if command["kind"] == "answer"]
    assert (said["to"], said["text"]) == ("1", "It is mended")
