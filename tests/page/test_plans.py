"""Rooms that are planned, as they are seen: in every timezone, by who comes, by their host, and as they open."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import expect
from servers import running_server
from visitor import PHONE, STICKS_OUT, close_rooms, people_without_a_page, violations

DAY = 24 * 3_600_000


def milliseconds(at):
    return int(datetime.fromisoformat(at).timestamp() * 1000)


def now():
    return int(datetime.now(UTC).timestamp() * 1000)


def choose_time(visitor, day, time):
    visitor.sheet.get_by_label("Day").fill(day)
    visitor.sheet.get_by_label("Time").fill(time)


def said(visitor):
    """What the day and the time mean, as everybody will read it."""
    return visitor.sheet.locator("#when-said")


@pytest.fixture
def host(party):
    """asha without a page, whose plans are called off at the end."""
    with people_without_a_page(party.address, "asha") as (host,):
        yield host
    close_rooms(party, ["asha"])


def between(visitor, at, answers):
    """Stands between the page and the party, which says that it is the time `at`, and lets answers of its own come from
    there: {event: acknowledgement}. Gives the bodies of these events, in order."""
    bodies = []

    def connect(page):
        server = page.connect_to_server()

        def pass_on(frame):
            known = re.match(r'42(\d+)\["(\w+)",(.*)\]$', str(frame))
            if known and known[2] in answers:
                bodies.append(json.loads(known[3]))
                page.send(f"43{known[1]}[{json.dumps(answers[known[2]])}]")
            else:
                server.send(frame)

        def tell(frame):
            is_lobby = str(frame).startswith('42["lobby"')
            page.send(re.sub(r'"now":\d+', f'"now":{milliseconds(at)}', frame) if is_lobby else frame)

        page.on_message(pass_on)
        server.on_message(tell)

    visitor.page.clock.install(time=datetime.fromisoformat(at))
    visitor.page.route_web_socket(re.compile("socket.io"), connect)
    return bodies


# --- When -------------------------------------------------------------------------------------------------------------

# A Thursday, ten days before summer time ends in Europe.
THURSDAY = "2026-10-15T10:00+02:00"


@pytest.mark.parametrize(
    "zone, day, time, at, words",
    [
        ("Europe/Berlin", "2026-10-15", "20:00", "2026-10-15T20:00+02:00", "today 20:00"),
        ("Europe/Berlin", "2026-10-16", "20:00", "2026-10-16T20:00+02:00", "tomorrow 20:00"),
        ("Europe/Berlin", "2026-10-21", "20:00", "2026-10-21T20:00+02:00", "Wednesday 20:00"),
        ("Europe/Berlin", "2026-10-22", "20:00", "2026-10-22T20:00+02:00", "Thursday 22 October 20:00"),
        ("Europe/Berlin", "2026-10-25", "20:00", "2026-10-25T20:00+01:00", "Sunday 25 October 20:00"),
        ("Europe/Berlin", "2026-10-29", "09:00", "2026-10-29T09:00+01:00", "Thursday 29 October 09:00"),
        ("Asia/Kolkata", "2026-10-15", "20:00", "2026-10-15T20:00+05:30", "today 20:00"),
        ("America/New_York", "2026-10-16", "00:30", "2026-10-16T00:30-04:00", "tomorrow 00:30"),
        ("Pacific/Auckland", "2026-10-16", "00:30", "2026-10-16T00:30+13:00", "tomorrow 00:30"),
    ],
)
def test_a_time_is_what_the_clock_on_the_wall_will_show(visit, zone, day, time, at, words):
    asha = visit("asha", timezone_id=zone)
    bodies = between(asha, THURSDAY, {"host": {"ok": False, "code": "limit", "error": "Not today."}})
    asha.sign_in()
    plan(asha, "Tea", day, time)
    expect(said(asha)).to_have_text(words)
    asha.sheet.get_by_role("button", name="Plan the room").click()
    expect(asha.sheet.get_by_text("Not today.")).to_be_visible()
    assert [body["at"] for body in bodies] == [milliseconds(at)]


@pytest.mark.parametrize(
    "now, day, time, words",
    [
        (THURSDAY, "2026-10-15", "10:00", "That is too soon."),
        (THURSDAY, "2026-10-14", "20:00", "That is too soon."),
        (THURSDAY, "2026-10-29", "20:00", "At most two weeks ahead."),
        (THURSDAY, "", "20:00", "Please choose a day and a time."),
        (THURSDAY, "2026-10-16", "", "Please choose a day and a time."),
        # Clocks go forward in that night: half past two is an hour later.
        ("2026-03-28T10:00+01:00", "2026-03-29", "02:30", "tomorrow 03:30"),
    ],
)
def test_what_cannot_be_is_said_before_it_is_asked_for(visit, now, day, time, words):
    asha = visit("asha", timezone_id="Europe/Berlin")
    between(asha, now, {})
    asha.sign_in()
    plan(asha, "Tea", day, time)
    expect(said(asha)).to_have_text(words)
    is_possible = words.startswith("tomorrow")
    expect(asha.sheet.get_by_role("button", name="Plan the room")).to_be_enabled(enabled=is_possible)


@pytest.mark.parametrize(
    "now, offered",
    [("2026-10-15T10:00+02:00", "today 20:00"), ("2026-10-15T19:30+02:00", "tomorrow 20:00")],
    ids=["morning", "evening"],
)
def test_the_next_evening_is_offered_first_and_now_is_a_tap_away(visit, now, offered):
    asha = visit("asha", timezone_id="Europe/Berlin")
    between(asha, now, {})
    asha.sign_in()
    asha.page.get_by_role("button", name="Host a room").click()
    asha.sheet.get_by_role("textbox", name="Topic").fill("Tea")
    asha.page.wait_for_function(f"Date.now() >= {milliseconds(now)}")
    asha.sheet.get_by_role("button", name="Later…").click()
    expect(said(asha)).to_have_text(offered)
    asha.sheet.get_by_role("button", name="Now").click()
    expect(said(asha)).to_have_count(0)
    expect(asha.sheet.get_by_role("button", name="Open the room")).to_be_enabled()


def test_a_card_says_the_time_of_who_looks_and_the_same_one_after_summer_time_has_ended(visit, party):
    """Planned before, for after: what was said at first is what the clock shows then."""
    plan = {"id": "p1", "topic": "After", "host": "bilal", "minutes": 30, "coming": 0, "door": "closed"}
    plan["opens_at"] = milliseconds("2026-10-29T09:00+01:00")
    for zone, before, after in [
        ("Europe/Berlin", "Thursday 29 October 09:00", "today 09:00"),
        ("Asia/Kolkata", "Thursday 29 October 13:30", "today 13:30"),
    ]:
        asha = visit("asha", timezone_id=zone).sign_in()
        texts = asha.page.evaluate(
            """async ([plan, times]) => {
              const { src } = document.querySelector('script[src$="loader.js"]');
              const [{ momentOf }, { fetchAllWords }] = await Promise.all(
                ['plans.js', 'words.js'].map((name) => import(new URL(name, src))),
              );
              await fetchAllWords();
              return times.map((now) => momentOf(plan.opens_at, now));
            }""",
            [plan, [milliseconds(THURSDAY), milliseconds("2026-10-29T08:00+01:00")]],
        )
        assert texts == [before, after]


# --- What is planned --------------------------------------------------------------------------------------------------


def plan(visitor, topic, day, time):
    """Fills the dialog, for later."""
    visitor.page.get_by_role("button", name="Host a room").click()
    visitor.sheet.get_by_role("textbox", name="Topic").fill(topic)
    visitor.sheet.get_by_role("button", name="Later…").click()
    choose_time(visitor, day, time)


def tomorrow():
    return f"{datetime.now() + timedelta(days=1):%Y-%m-%d}"


def page_of(visitor, topic):
    """That of a plan."""
    heading = visitor.page.get_by_role("heading", name=topic, level=1)
    return visitor.page.locator(".plan").filter(has=heading)


def test_a_plan_is_made_come_to_moved_and_called_off(asha, bilal):
    plan(asha, "The roof", tomorrow(), "20:00")
    asha.sheet.get_by_text("By link: ask too", exact=True).click()
    asha.sheet.get_by_role("button", name="Plan the room").click()
    expect(page_of(asha, "The roof")).to_contain_text("Nobody has said they are coming yet.")
    expect(page_of(asha, "The roof")).to_contain_text("It waits ten minutes for you.")
    card = bilal.card("The roof")
    expect(card).to_contain_text("tomorrow 20:00")
    expect(card).to_contain_text("open door")
    come = card.get_by_role("button", name="I’ll come: The roof")
    expect(come).to_have_attribute("aria-pressed", "false")
    come.click()
    coming = card.get_by_role("button", name="Coming: The roof")
    expect(coming).to_have_attribute("aria-pressed", "true")
    expect(card).to_contain_text("1 is coming")
    expect(page_of(asha, "The roof")).to_contain_text("bilal is coming")
    bilal.page.reload()
    expect(coming).to_have_attribute("aria-pressed", "true")
    asha.page.get_by_role("button", name="Another time").click()
    choose_time(asha, tomorrow(), "21:30")
    asha.sheet.get_by_role("button", name="Move it").click()
    expect(bilal.page.get_by_role("status").filter(has_text="Moved to tomorrow 21:30: The roof")).to_be_visible()
    expect(card).to_contain_text("tomorrow 21:30")
    card.get_by_role("link", name="The roof", exact=True).click()
    page_of(bilal, "The roof").get_by_role("button", name="Coming").click()
    expect(page_of(asha, "The roof")).to_contain_text("Nobody has said they are coming")
    asha.page.get_by_role("button", name="Call it off").click()
    expect(asha.page.get_by_role("button", name="Yes, call it off")).to_be_focused()
    asha.page.get_by_role("button", name="Keep it").click()
    asha.page.get_by_role("button", name="Call it off").click()
    asha.page.get_by_role("button", name="Yes, call it off").click()
    for visitor in (asha, bilal):
        expect(visitor.page.get_by_role("status").filter(has_text="Called off: The roof")).to_be_visible()
        expect(visitor.page.get_by_role("heading", name="It is quiet here")).to_be_visible()


def test_the_host_of_a_plan_shares_its_door_and_anybody_its_link_and_its_calendar_file(asha, bilal):
    plan(asha, "The roof", tomorrow(), "20:00")
    asha.sheet.get_by_role("button", name="Plan the room").click()
    asha.page.get_by_role("button", name="Invite").click()
    asha.sheet.get_by_text("By link: listen", exact=True).click()
    link = asha.sheet.get_by_role("textbox", name="The link to this room")
    expect(link).to_have_value(re.compile(r"#room=\w+&door=[\w-]{22}$"))
    expect(asha.page.locator(".plan").get_by_text("open door")).to_be_visible()
    asha.sheet.get_by_text("Friends", exact=True).click()  # nobody has come in by it: nothing to ask
    expect(link).to_have_value(re.compile(r"#room=\w+$"))
    asha.page.keyboard.press("Escape")
    bilal.card("The roof").get_by_role("link", name="The roof", exact=True).click()
    page_of(bilal, "The roof").get_by_role("button", name="Invite").click()
    expect(bilal.sheet.get_by_role("textbox", name="The link to this room")).to_have_value(bilal.page.url)
    bilal.page.keyboard.press("Escape")
    with bilal.page.expect_download() as download:
        page_of(bilal, "The roof").get_by_role("link", name="Add to my calendar").click()
    text = Path(download.value.path()).read_text()
    assert "METHOD:PUBLISH" in text and "The roof" in text and "door" not in text
    bilal.page.keyboard.press("Escape")
    expect(bilal.page.get_by_role("link", name="The roof", exact=True)).to_be_focused()
    asha.page.get_by_role("button", name="Call it off").click()
    asha.page.get_by_role("button", name="Yes, call it off").click()


def test_plans_stand_below_the_live_rooms_the_next_one_first_and_are_found_by_a_search(bilal, host):
    host.plan("Later", at=now() + 2 * DAY)
    host.plan("Sooner", at=now() + DAY)
    live = [host.host(f"Live {n}") for n in range(3)]
    headings = bilal.page.get_by_role("article").get_by_role("heading")
    expect(headings).to_have_text([re.compile("Live"), re.compile("Live"), re.compile("Live"), "Sooner", "Later"])
    for room in live:
        host.close(room)
    expect(headings).to_have_text(["Sooner", "Later"])
    expect(bilal.page.get_by_role("heading", name="It is quiet here")).to_be_visible()


# --- As it opens ------------------------------------------------------------------------------------------------------


@pytest.fixture
def soon(visit):
    """A party in which a plan can be for in a second."""
    program = "import app; from party import plans; plans.PLANNED_FROM = 0; app.main()"
    with running_server(program=("-c", program)) as server:
        yield server


def test_who_comes_is_told_when_it_opens_and_who_looks_at_its_page_is_inside(visit, soon):
    with people_without_a_page(soon.address, "asha") as (asha,):
        bilal, chen, dana = (visit(name, soon.address).sign_in() for name in ("bilal", "chen", "dana"))
        room = asha.plan("The roof", at=now() + 4_000)
        bilal.card("The roof").get_by_role("button", name="I’ll come").click()
        chen.page.goto(f"./#room={room}")
        expect(page_of(chen, "The roof")).to_contain_text(re.compile("It opens in 0:0\\d, right here."))
        expect(dana.card("The roof")).to_be_visible()
        expect(bilal.page.get_by_role("status").filter(has_text="Open now: The roof")).to_be_visible()
        expect(chen.room.get_by_role("button", name="Ask to speak")).to_be_visible()
        expect(dana.card("The roof").get_by_role("link", name="Ask to speak: The roof")).to_be_visible()
        expect(dana.page.get_by_text("Open now")).to_have_count(0)  # who did not say that they come
        assert asha.close(room)["ok"]


def test_a_room_that_no_lobby_shows_has_its_page_for_who_has_the_link_and_opens_there(visit, soon):
    asha, bilal, chen = (visit(name, soon.address) for name in ("asha", "bilal", "chen"))
    for visitor in (bilal, chen):
        visitor.sign_in()
    asha.sign_in()
    plan(asha, "A secret", tomorrow(), "20:00")
    asha.sheet.get_by_role("switch", name="Not in the lobby").check()
    asha.sheet.get_by_role("button", name="Plan the room").click()
    expect(page_of(asha, "A secret")).to_be_visible()
    link = asha.page.url
    asha.page.reload()
    expect(page_of(asha, "A secret")).to_be_visible()
    asha.page.keyboard.press("Escape")
    expect(asha.card("A secret")).to_be_visible()  # for its host alone
    bilal.page.goto(link)
    expect(page_of(bilal, "A secret")).to_contain_text("tomorrow 20:00")
    expect(page_of(bilal, "A secret")).to_contain_text("asha")
    with people_without_a_page(soon.address, "asha") as (elsewhere,):
        elsewhere.move(link.rpartition("=")[2], now() + 3_000)
    bilal.page.reload()
    expect(bilal.room.get_by_role("heading", name="A secret")).to_be_visible()
    asha.page.goto(link)
    expect(asha.writing).to_be_visible()
    expect(chen.page.get_by_role("heading", name="It is quiet here")).to_be_visible()
    asha.close_room()


def test_a_plan_that_opens_is_noticed_by_who_looks_away(visit, soon):
    bilal = visit("bilal", soon.address)
    bilal.context.add_init_script("localStorage.setItem('party notifications', 'true')")
    bilal.context.add_init_script("""
      globalThis.told = [];
      globalThis.Notification = class {
        static permission = 'granted';
        constructor(title, options) { told.push([title, options.body, options.data.link]); }
        close() {}
      };
      Object.defineProperty(document, 'hidden', { get: () => true });
    """)
    bilal.sign_in()
    with people_without_a_page(soon.address, "asha") as (asha,):
        room = asha.plan("The roof", at=now() + 2_500)
        bilal.card("The roof").get_by_role("button", name="I’ll come").click()
        bilal.page.wait_for_function("told.length")
        told = bilal.page.evaluate("told")
        assert told == [["A room that you come to is open", "The roof", f"{soon.address}#room={room}"]]
        asha.close(room)


def test_on_a_phone_a_plan_fits(visit, host):
    host.plan("w" * 120, at=now() + 9 * DAY)
    bilal = visit("bilal", **PHONE | {"viewport": {"width": 320, "height": 640}}, locale="es-ES").sign_in()
    expect(bilal.page.get_by_role("button", name="Iré")).to_be_visible()
    assert bilal.page.evaluate(STICKS_OUT) == [] and violations(bilal.page) == []
    bilal.page.get_by_role("link", name="w" * 120, exact=True).click()
    expect(bilal.page.get_by_role("link", name="Añadir a mi calendario")).to_be_visible()
    assert bilal.page.evaluate(STICKS_OUT) == [] and violations(bilal.page) == []
