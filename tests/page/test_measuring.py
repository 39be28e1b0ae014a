"""What the page tells the party of itself: once for each time that it is seen, and only where a browser allows it."""

import json
import re

import pytest
from playwright.sync_api import expect

from runtime import assets

# Whether the page is looked at is the test's to say. What the page would tell is kept over a reload: the page that told
# it is gone then.
WATCHED = """
let isAway = false;
Object.defineProperty(document, 'hidden', { get: () => isAway });
Object.defineProperty(document, 'visibilityState', { get: () => (isAway ? 'hidden' : 'visible') });
globalThis.lookAway = (away) => {
  isAway = away;
  document.dispatchEvent(new Event('visibilitychange'));
};
navigator.sendBeacon = (address, form) => {
  const told = JSON.parse(sessionStorage.told ?? '[]');
  sessionStorage.told = JSON.stringify([...told, { address, ...Object.fromEntries(form) }]);
};
"""
# A page that was painted after 0.4 seconds and is live after 0.9, and whose time passes only when a test lets it.
STANDING_CLOCK = """
let at = 900;
performance.now = () => at;
globalThis.pass = (seconds) => (at += seconds * 1000);
const { getEntriesByName } = performance;
performance.getEntriesByName = (name) =>
  name === 'first-contentful-paint' ? [{ startTime: 400 }] : getEntriesByName.call(performance, name);
"""
OPENED_BEHIND_ANOTHER = "isAway = true; performance.getEntriesByName = () => [];"


class Watched:
    """Somebody with a page, of which a test knows what it tells."""

    def __init__(self, visitor):
        self.visitor, self.page = visitor, visitor.page

    def told(self):
        return json.loads(self.page.evaluate("sessionStorage.told ?? '[]'"))

    def figures(self):
        """What was measured, time for time."""
        return [json.loads(one["measured"]) for one in self.told()]

    def look_away(self):
        """Gives what the page told last."""
        self.page.evaluate("lookAway(true)")
        return self.figures()[-1]

    def look_back(self):
        self.page.evaluate("lookAway(false)")

    def passes(self, seconds):
        self.page.evaluate("pass", seconds)


@pytest.fixture
def watch(visit, server):
    """Opens a page, which is measured by now."""

    def watch(*scripts, prepare=lambda page: None):
        visitor = visit("asha", server.address)
        visitor.context.add_init_script(f"{{{WATCHED}{''.join(scripts)}}}")
        prepare(visitor.page)
        visitor.sign_in()
        visitor.page.wait_for_function("performance.getEntriesByType('resource').some((e) => /measuring/.test(e.name))")
        visitor.page.evaluate(f"import('./{assets.ADDRESS}/measuring.js')")  # it has begun when this has ended
        return Watched(visitor)

    return watch


def test_each_time_that_the_page_is_seen_is_told_once_with_its_seconds(watch):
    asha = watch(STANDING_CLOCK)
    asha.passes(29.5)
    asha.look_away()
    asha.page.evaluate("dispatchEvent(new Event('pagehide'))")
    (told,) = asha.told()
    assert told["address"] == "measured"
    assert told["token"] == asha.page.locator("#sign-out [name=token]").input_value()
    nothing_happened = {"inside": 0, "asked": 0, "unavailable": 0, "errors": [], "failed": 0, "reconnections": 0}
    assert json.loads(told["measured"]) == {"seconds": 30, "paint": 400, "live": 900, **nothing_happened}
    asha.passes(3_600)  # a phone that is locked
    asha.look_back()
    asha.passes(7)
    assert asha.look_away() == {"seconds": 7, **nothing_happened}
    assert len(asha.told()) == 2


def test_a_page_that_the_browser_kept_is_not_counted_while_nobody_could_see_it(watch):
    """As for who goes on to another page, and back."""
    asha = watch(STANDING_CLOCK)
    asha.passes(1.5)
    asha.page.evaluate("dispatchEvent(new Event('pagehide'))")
    asha.passes(500)
    asha.page.evaluate("dispatchEvent(new Event('pageshow'))")
    asha.passes(4)
    asha.look_away()
    assert [told["seconds"] for told in asha.figures()] == [2, 4]


def test_a_page_that_is_left_tells_that_it_was_seen(watch):
    asha = watch()
    asha.page.reload()
    assert len(asha.figures()) == 1


def test_a_page_that_was_opened_behind_another_is_measured_from_when_it_is_seen(watch):
    asha = watch(STANDING_CLOCK, OPENED_BEHIND_ANOTHER)
    asha.passes(60)
    assert asha.told() == []
    asha.look_back()
    asha.passes(8)
    told = asha.look_away()
    assert told["seconds"] == 8
    assert not told.keys() & {"paint", "live"}, "they would say when somebody came to look"


def test_nobody_is_seen_for_more_than_a_day_at_a_time(watch):
    asha = watch(STANDING_CLOCK)
    asha.passes(100_000)
    assert asha.look_away()["seconds"] == 86_400, "the party would not take more"


def test_time_in_a_room_is_told_apart(watch, discussion):
    asha = watch(STANDING_CLOCK)
    asha.passes(9.5)
    asha.visitor.watch(discussion.topic)
    asha.passes(120)
    asha.visitor.leave()
    asha.passes(5)
    told = asha.look_away()
    assert (told["seconds"], told["inside"]) == (135, 120)
    asha.look_back()
    asha.page.evaluate("location.hash = '#room=nowhere'")
    expect(asha.visitor.room.get_by_text("There is no such room.")).to_be_visible()
    asha.passes(50)
    assert asha.look_away()["inside"] == 0, "there is nothing to see"


class Wire:
    """Between a page and the party: it can hold back what the party acknowledges."""

    def __init__(self, page):
        self.page, self.holds, self.held, self.lobbies = page, False, [], 0
        page.route_web_socket(re.compile("socket.io"), self.connect)

    def connect(self, line):
        self.line, server = line, line.connect_to_server()
        server.on_message(lambda frame: self.pass_on(frame))
        line.on_message(server.send)

    def pass_on(self, frame):
        if self.holds and frame.startswith("43"):
            self.held.append(frame)
        else:
            self.lobbies += frame.startswith('42["lobby"')
            self.line.send(frame)

    def cut(self):
        """Until the page has connected again."""
        self.lobbies = 0
        self.line.close()
        while not self.lobbies:
            self.page.wait_for_timeout(10)

    def ask(self):
        """The page asks something, and waits for the answer."""
        self.holds = True
        ask = "async (address) => { globalThis.asking = [(await import(address)).ask('leave', { room: 'nowhere' })] }"
        self.page.evaluate(ask, f"./{assets.ADDRESS}/connection.js")
        while not self.held:
            self.page.wait_for_timeout(10)

    def answer(self, change=lambda frame: frame):
        self.line.send(change(self.held.pop()))
        self.page.evaluate("asking[0]")


def unavailable(frame):
    return re.sub(r"\[.*", '[{"ok": false, "code": "unavailable"}]', frame)


def test_it_tells_how_long_somebody_waited_and_what_was_not_answered(watch):
    wires = []
    asha = watch(STANDING_CLOCK, prepare=lambda page: wires.append(Wire(page)))
    (wire,) = wires
    for seconds, change in ((0.1, str), (2.5, unavailable), (0.4, str)):
        wire.ask()
        asha.passes(seconds)
        wire.answer(change)
    told = asha.look_away()
    assert (told["asked"], told["unavailable"], told["wait"]) == (3, 1, {"median": 400, "slowest": 2_500})
    asha.look_back()
    wire.ask()
    asha.look_away()
    asha.passes(600)
    asha.look_back()
    wire.answer()
    told = asha.look_away()
    assert told["asked"] == 1
    assert "wait" not in told, "they had locked their phone meanwhile"


def test_it_tells_how_often_it_had_to_connect_again(watch):
    wires = []
    asha = watch(prepare=lambda page: wires.append(Wire(page)))
    (wire,) = wires
    wire.cut()
    wire.ask()
    wire.answer()
    assert asha.look_away()["reconnections"] == 1


BREAKABLE = """
globalThis.fail = (words) => setTimeout(() => { throw new Error(words) });
globalThis.read = (text) => setTimeout(() => JSON.parse(text));
globalThis.promise = (text) => void new Promise(() => JSON.parse(text));
"""


def make_breakable(page):
    """So that something of the page's own fails when a test wants it: in a module, in a promise, in a template."""

    def change(route):
        answer = route.fetch()
        text = answer.text().replace('@click="$refs.me.show()"', '@click="words.no.such()"')
        route.fulfill(response=answer, body=text + BREAKABLE)

    page.route("**/lobby.js", change)


def test_it_tells_the_first_words_of_a_mistake_of_its_own_and_nothing_that_somebody_wrote(watch):
    asha = watch(prepare=make_breakable)
    asha.page.evaluate("read('Our \"secret\" plan'); read('Another secret'); promise('A third one')")
    asha.page.evaluate("setTimeout(() => { throw new TypeError('Of an extension') })")
    asha.page.evaluate("new Promise(() => { throw new TypeError('Of an extension, too') }); 1")
    asha.page.get_by_role("button", name="asha: choices").click()
    asha.page.evaluate("new Promise((done) => setTimeout(done))")
    assert len(asha.visitor.trouble) >= 6, "all of it must have failed"
    asha.visitor.trouble.clear()
    told = asha.look_away()
    assert told["errors"] == [
        "SyntaxError: Unexpected token … is not valid JSON",
        "TypeError: Cannot read properties of undefined (reading …)",
    ]
    assert told["failed"] == 4
    asha.look_back()
    assert asha.look_away()["failed"] == 0, "each once"


def test_of_many_mistakes_five_are_told_and_all_are_counted(watch):
    asha = watch(prepare=make_breakable)
    asha.page.evaluate("for (const n of Array(9).keys()) fail(String(n) + ' and so on'.repeat(9))")
    asha.page.evaluate("new Promise((done) => setTimeout(done))")
    asha.visitor.trouble.clear()
    told = asha.look_away()
    assert [error[:8] for error in told["errors"]] == [f"Error: {n}" for n in range(5)]
    assert {len(error) for error in told["errors"]} == {80}
    assert told["failed"] == 9


WISHES = ["doNotTrack: { get: () => '1' }", "globalPrivacyControl: { get: () => true }"]


@pytest.mark.parametrize("wish", WISHES)
def test_who_asks_not_to_be_tracked_is_not(watch, wish):
    asha = watch(f"Object.defineProperties(navigator, {{ {wish} }});")
    asha.page.evaluate("lookAway(true)")
    asha.look_back()
    asha.page.locator("#sign-out").evaluate("(form) => form.submit()")
    asha.page.wait_for_url("**/sign-in")
    asha.page.wait_for_load_state()  # its modules have run
    assert asha.told() == []


def test_a_browser_that_opens_the_sign_in_is_told_once(visit, server):
    page = visit("asha", server.address).page
    page.add_init_script(f"{{{WATCHED}}}")
    for _ in range(2):
        page.goto("sign-in", wait_until="load")
    (told,) = json.loads(page.evaluate("sessionStorage.told"))
    token = told.pop("token")
    assert told == {"address": "measured", "opened": "1"}
    assert re.fullmatch("[0-9a-f]{72}", token)


def logged(visitor, party, kind, **fields):
    """The commands of that kind with these fields, once there is one: a beacon comes when it likes."""
    while not (told := [one for one in party.log() if one["kind"] == kind and one.items() >= fields.items()]):
        visitor.page.wait_for_timeout(10)
    return told


def test_where_somebody_came_from_and_what_was_measured_stand_in_the_log(visit, logging_party):
    emeka = visit("emeka", logging_party.address).sign_in("?from=newsletter")
    expect(emeka.page.get_by_role("button", name="Host a room")).to_be_enabled()
    (opened,) = logged(emeka, logging_party, "opened", source="newsletter")
    (signed_in,) = logged(emeka, logging_party, "sign_in", user="emeka")
    assert signed_in["source"] == "newsletter"
    assert opened["visitor"] == signed_in["visitor"]
    emeka.page.wait_for_function("performance.getEntriesByType('resource').some((e) => /measuring/.test(e.name))")
    emeka.page.evaluate(f"import('./{assets.ADDRESS}/measuring.js')")
    emeka.page.goto("privacy")
    (measured,) = logged(emeka, logging_party, "measured", user="emeka")
    measures = measured["measures"]
    assert 0 < measures["paint"] < measures["live"]
    assert measures["seconds"] > 0


def test_an_invitation_does_not_say_from_where_its_sender_came(visit, logging_party):
    asha = visit("asha", logging_party.address).sign_in()
    asha.page.goto("./?from=newsletter")
    asha.host("Tea")
    link = asha.room.get_by_role("textbox", name="The link to this room")
    expect(link).to_have_value(re.compile(f"{re.escape(logging_party.address)}#room="))
    asha.close_room()
