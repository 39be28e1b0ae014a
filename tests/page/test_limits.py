"""The page keeps to the limits that its server names, and knows none by itself."""

import json
import re
from datetime import datetime, timedelta

from conftest import browser_of
from playwright.sync_api import expect
from servers import ROOT, running_server

import app
from party import model, plans, reading, rules
from runtime import settings

OTHERS = {
    "maxTopic": 7,
    "maxPitch": 8,
    "maxText": 9,
    "maxSaid": 6,
    "roomMinutes": 45,
    "mostMinutes": 19,
    "longestRoom": 30 * 60_000,
    "closedLife": 60_000,
    "takeBackWithin": 0,
    "moods": ["say_more"],
    "pulseEvery": 1_000,
    "plannedFrom": 2 * 60_000,
    "plannedUntil": 60 * 60_000,
    "doors": False,
}


def test_the_limits_in_the_page_are_the_servers(clean_party):
    page = browser_of("asha").get("/").text
    told = json.loads(re.search(r'id="limits">(.+?)</script>', page)[1])
    ours = vars(model) | vars(plans) | vars(rules) | vars(reading) | vars(settings)
    names = {name: re.sub(r"(?=[A-Z])", "_", name).upper() for name in told}
    assert told == {name: json.loads(json.dumps(ours[names[name]])) for name in told}
    assert told.keys() == OTHERS.keys(), "the next test must try each"


def test_the_page_keeps_to_the_limits_that_its_server_names(visit):
    with running_server(program=("-c", f"import app; app.LIMITS.update({OTHERS}); app.main()")) as server:
        asha, bilal = (visit(name, server.address).sign_in() for name in ("asha", "bilal"))
        asha.page.get_by_role("button", name="Host a room").click()
        topic = asha.sheet.get_by_role("textbox", name="Topic")
        topic.press_sequentially("Tea and cake")
        expect(topic).to_have_value("Tea and")
        expect(asha.sheet.get_by_text("7 of 7")).to_be_visible()
        expect(asha.sheet.locator("fieldset label")).to_have_text(["10", "45"])
        expect(asha.sheet.get_by_role("radio", name="45")).to_be_checked()
        asha.sheet.get_by_role("button", name="Later…").click()
        in_minutes(asha, 1)
        expect(asha.sheet.get_by_text("That is too soon.")).to_be_visible()
        in_minutes(asha, 62)
        expect(asha.sheet.get_by_text("At most two weeks ahead.")).to_be_visible()
        asha.sheet.get_by_role("button", name="Now").click()
        asha.sheet.get_by_role("button", name="Open the room").click()
        expect(asha.open_menu().get_by_role("button", name="Ten more minutes")).to_be_disabled()
        asha.page.keyboard.press("Escape")
        asha.say("Milk?")
        sent = asha.message("Milk?")
        expect(sent.locator("time")).to_be_visible()
        sent.get_by_text("Milk?").hover()
        expect(sent.get_by_role("button", name="Reply")).to_be_visible()
        expect(sent.get_by_role("button", name="Take back")).to_have_count(0)
        asha.writing.fill("0123456789")
        expect(asha.room.get_by_text("10 of 9")).to_be_visible()
        expect(asha.room.get_by_role("button", name="Send")).to_be_disabled()

        bilal.watch("Tea and")
        signals = bilal.room.get_by_role("group", name="How it feels to listen").get_by_role("button")
        expect(signals).to_have_count(1)
        signals.click()
        expect(signals).to_be_disabled()
        expect(signals).to_be_enabled(timeout=5_000)
        bilal.room.get_by_role("button", name="Ask to speak").click()
        bilal.pitch.fill("Honey, please")
        expect(bilal.room.get_by_text("13 of 8")).to_be_visible()
        expect(bilal.room.get_by_role("button", name="Ask to speak")).to_be_disabled()
        bilal.leave()
        asha.close_room()
        bilal.page.get_by_role("button", name="bilal: choices").click()
        bilal.sheet.get_by_role("button", name="Tell us").click()
        bilal.sheet.get_by_role("textbox").press_sequentially("A blue candle")
        expect(bilal.sheet.get_by_role("textbox")).to_have_value("A blue")
        bilal.page.keyboard.press("Escape")
        closed = bilal.page.get_by_role("region", name="Closed lately")
        expect(closed).to_contain_text("Readable until")
        ended, gone = (60 * int(hour) + int(minute) for hour, minute in re.findall(r"(\d+):(\d+)", closed.inner_text()))
        assert (gone - ended) % (24 * 60) == 1


def in_minutes(visitor, minutes):
    at = datetime.now() + timedelta(minutes=minutes)
    visitor.sheet.get_by_label("Day").fill(f"{at:%Y-%m-%d}")
    visitor.sheet.get_by_label("Time").fill(f"{at:%H:%M}")


CONSTANT = re.compile(r"^const (\w+) = ([\d_.]+)(?: \* (SECOND|MINUTE))?;", re.MULTILINE)
UNITS = {"": 1, "SECOND": 1_000, "MINUTE": 60_000}
ATTRIBUTE = re.compile(r'(?<=\s)(?:max|maxlength)="[^"{]*"')


def constants_in(script):
    return {name: float(number) * UNITS[unit] for name, number, unit in CONSTANT.findall(script)}


def test_constants_in_a_script_are_found():
    script = "const MOST = 30;\nconst REST_MS = 10 * SECOND;\nexport const tea = (cups) => cups * 2;\n"
    assert constants_in(script) == {"MOST": 30, "REST_MS": 10_000}


SCRIPTS = {path.name: path.read_text() for path in (ROOT / "static").glob("*.js")}


def test_the_page_has_no_limit_of_its_own():
    constants = {name: value for script in SCRIPTS.values() for name, value in constants_in(script).items()}
    assert len(constants) > 20, "they must be found"
    values = [value for value in app.LIMITS.values() if type(value) is int]
    # How long the feed marks a message, reads it out, waits for a sound, and a room is lively: equal by chance.
    by_chance = {"LIVELY_FOR", "MARKED_MS", "READ_OUT_MS", "TOO_LATE_MS"}
    assert {name for name, value in constants.items() if value in values} == by_chance
    pages = SCRIPTS | {path.name: path.read_text() for path in (ROOT / "templates").glob("*.html")}
    found = {name: found for name, page in pages.items() if (found := ATTRIBUTE.findall(page))}
    assert found == {"insights_forms.html": ['max="100"']}, "percent"
    assert not [name for name, script in SCRIPTS.items() for mood in rules.MOODS if f"'{mood}'" in script]


def test_the_page_knows_just_the_limits_that_it_is_told():
    """Of a misspelt one it would know nothing, and say nothing."""
    asked_for = {name for script in SCRIPTS.values() for name in re.findall(r"\blimits\.(\w+)", script)}
    assert asked_for == app.LIMITS.keys()
