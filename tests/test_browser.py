"""The page, in a real browser, on a real server: three people at once, and everything that can get in their way."""

import contextlib
import re
import signal
import socket
import threading
import time
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from person import Person, SocketLine, sign_in_over_http
from playwright.sync_api import expect
from servers import ROOT, Server, password_of, running_server

SCREENSHOTS = Path(__file__).parent / "screenshots"
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True, "device_scale_factor": 2}
VENDOR = ROOT / "static" / "vendor"
# What Chromium prints by itself when a server or the CDN is away; everything else on the console is our fault.
EXPECTED_ON_CONSOLE = re.compile(r"Failed to load resource|WebSocket connection to|ERR_INTERNET|preload")


@pytest.fixture(scope="module")
def party():
    """A server as its owner would start it."""
    with running_server(PARTY_PACE="5") as server:
        yield server


class Visitor:
    """Somebody with a browser."""

    def __init__(self, browser, address, name, **how):
        self.name, self.address = name, address
        self.context = browser.new_context(base_url=address, **how)
        self.context.grant_permissions(["clipboard-read", "clipboard-write"])
        self.context.set_default_timeout(10_000)
        self.context.route(lambda url: not url.startswith("http://127.0.0.1"), lambda route: route.abort())
        self.trouble = []
        self.page = self.new_tab()

    def new_tab(self):
        page = self.context.new_page()
        page.on("pageerror", lambda error: self.trouble.append(str(error)))
        page.on("console", lambda message: self._note(message))
        page.on("dialog", lambda dialog: self.trouble.append(f"a dialog: {dialog.message}"))
        return page

    def _note(self, message):
        if message.type in ("error", "warning") and not EXPECTED_ON_CONSOLE.search(message.text):
            self.trouble.append(message.text)

    def sign_in(self, path="./"):
        self.page.goto(path)
        self.page.get_by_label("Name").fill(self.name)
        self.page.get_by_label("Password").fill(password_of(self.name))
        self.page.get_by_role("button", name="Sign in").click()
        return self

    def card(self, topic):
        return self.page.get_by_role("article").filter(has=self.page.get_by_role("heading", name=topic, exact=True))

    @property
    def room(self):
        return self.page.get_by_role("dialog")

    def host(self, topic, minutes=30):
        self.page.get_by_role("button", name="Host", exact=True).click()
        self.page.get_by_label("Topic").fill(topic)
        self.page.get_by_label("Minutes").fill(str(minutes))
        self.page.get_by_role("button", name="Open the room").click()
        expect(self.room.get_by_role("heading", name=topic)).to_be_visible()
        expect(self.writing).to_be_visible()

    def watch(self, topic):
        self.card(topic).get_by_role("button", name="Watch").click()
        expect(self.room.get_by_label("What do you want to add?")).to_be_visible()

    def ask(self, pitch=""):
        self.room.get_by_label("What do you want to add?").fill(pitch)
        self.room.get_by_role("button", name="Ask to speak").click()
        expect(self.room.get_by_text("You are next")).to_be_visible()

    def approve(self, name):
        self.room.get_by_role("button", name=f"Approve {name}").click()

    @property
    def writing(self):
        return self.room.get_by_role("textbox", name="Message")

    def say(self, text):
        self.writing.fill(text)
        self.writing.press("Enter")

    def message(self, text):
        return self.room.get_by_role("log").get_by_role("listitem").filter(has_text=text)

    def close_room(self):
        self.room.get_by_role("button", name="Close the room").click()
        self.room.get_by_role("button", name="Yes, close it").click()
        expect(self.room.get_by_text(re.compile("closed the room"))).to_be_visible()

    def leave(self):
        self.room.get_by_role("button", name="Leave").click()
        expect(self.room).to_have_count(0)

    def screenshot(self, name):
        SCREENSHOTS.mkdir(exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png")


@pytest.fixture
def visit(browser, party):
    """Opens a browser for somebody; at the end nothing may have gone wrong in any of them."""
    visitors = []

    def visit(name, address=party.address, **how):
        visitors.append(Visitor(browser, address, name, **how))
        return visitors[-1]

    yield visit
    trouble = {visitor.name: visitor.trouble for visitor in visitors if visitor.trouble}
    for visitor in visitors:
        visitor.context.close()
    close_rooms(party, {visitor.name for visitor in visitors})
    assert not trouble


def close_rooms(party, names):
    """Leaves no room to the next test, also when this one failed half-way."""
    with people_without_a_page(party.address, *names) as people:
        for person in people:
            for card in person.heard("lobby")[0]["rooms"]:
                if card["host"] == person.name:
                    person.close(card["id"])


@pytest.fixture
def asha(visit):
    return visit("asha").sign_in()


@pytest.fixture
def bilal(visit):
    return visit("bilal").sign_in()


@pytest.fixture
def chen(visit):
    return visit("chen").sign_in()


def seat(host, visitor, topic):
    visitor.watch(topic)
    visitor.ask()
    host.approve(visitor.name)
    expect(visitor.writing).to_be_visible()


@contextlib.contextmanager
def people_without_a_page(address, *names):
    """People without a page, on the same server."""
    people = [Person(name, SocketLine(address, sign_in_over_http(address, name, password_of(name)))) for name in names]
    yield people
    for person in people:
        person.line.hang_up()


def assert_accessible(page):
    violations = Axe().run(page).response["violations"]
    assert not violations, [
        (violation["id"], node["html"][:200], node.get("failureSummary"))
        for violation in violations
        for node in violation["nodes"]
    ]


def test_three_friends_have_a_discussion(asha, bilal, chen):
    expect(chen.page.get_by_text("It is quiet here.")).to_be_visible()
    asha.host("Should small towns close their centres to cars?", minutes=20)
    topic = "Should small towns close their centres to cars?"
    expect(chen.card(topic)).to_contain_text("asha")
    expect(chen.card(topic)).to_contain_text("20 min left")

    chen.watch(topic)
    bilal.watch(topic)
    expect(bilal.writing).to_have_count(0)
    expect(asha.room).to_contain_text("2 watching")
    asha.say("Ours did it for a summer. The square was full every evening.")
    expect(asha.message("Ours did it")).to_contain_text("sent")
    expect(chen.message("Ours did it")).to_contain_text("asha")
    own, others = (
        visitor.message("Ours did it").locator(".message__bubble").bounding_box() for visitor in (asha, chen)
    )
    assert own["x"] > others["x"], "own messages stand on the other side"
    assert asha.room.get_by_role("log").locator(".message__day").all_inner_texts() == [
        asha.page.evaluate("new Date().toLocaleDateString('en', { weekday: 'long', day: 'numeric', month: 'long' })")
    ]

    bilal.ask("I drive the bus that had to go round")
    expect(asha.room.get_by_text("I drive the bus that had to go round")).to_be_visible()
    expect(asha.page).to_have_title(re.compile(r"^\(1\) "))
    expect(chen.room.get_by_text("I drive the bus")).to_have_count(0)
    expect(asha.room.get_by_text("bilal asks to speak.")).to_be_visible()
    asha.approve("bilal")
    expect(asha.room.get_by_text("bilal asks to speak.")).to_have_count(0)
    bilal.say("The detour cost four minutes. Nobody complained after the first week 🚌")
    bilal.say("But the deliveries need a plan. We used https://example.org/loading-hours and it helped.")
    expect(chen.message("Nobody complained")).to_contain_text("bilal")
    expect(chen.message("deliveries").get_by_role("link")).to_have_attribute(
        "href", "https://example.org/loading-hours"
    )
    asha.say("Who planned them?")

    expect(chen.message("Who planned them?")).to_be_visible()
    chen.ask("I own a shop on that square")
    asha.room.get_by_role("button", name="Deny chen").click()
    expect(chen.room.get_by_text("Not this time")).to_be_visible()
    expect(chen.room.get_by_role("button", name="Ask to speak")).to_be_visible()

    asha.close_room()
    for visitor in (bilal, chen):
        expect(visitor.room.get_by_text("asha closed the room")).to_be_visible()
        expect(visitor.writing).to_have_count(0)
        expect(visitor.message("Who planned them?")).to_be_visible()
        visitor.leave()
        expect(visitor.card(topic)).to_have_count(0)


def test_a_reload_in_the_middle_changes_nothing(asha, bilal):
    asha.host("Reload me")
    bilal.watch("Reload me")
    bilal.ask("Wait for me")
    bilal.page.reload()
    expect(bilal.room.get_by_text("You are next")).to_be_visible()
    asha.page.reload()
    asha.approve("bilal")
    bilal.say("One")
    expect(asha.message("One")).to_have_count(1)
    bilal.writing.fill("Half a thought")
    bilal.page.reload()
    expect(bilal.writing).to_have_value("Half a thought")
    expect(bilal.message("One")).to_have_count(1)
    asha.close_room()


def test_two_tabs_show_each_message_once_and_closing_one_is_not_leaving(asha, bilal):
    asha.host("Two tabs")
    seat(asha, bilal, "Two tabs")
    first, bilal.page = bilal.page, bilal.new_tab()
    bilal.page.goto(first.url)
    bilal.say("From the second")
    expect(first.get_by_role("listitem").filter(has_text="From the second")).to_have_count(1)
    expect(bilal.message("From the second")).to_have_count(1)
    first.close()
    bilal.say("Still here")
    expect(asha.message("Still here")).to_have_count(1)
    asha.close_room()


class Cable:
    """A stretch of wire between a browser and a server, which a test can cut."""

    def __init__(self, port):
        self.server, self.ends, self.is_whole = ("127.0.0.1", port), set(), True
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self.listener.getsockname()[1]}/"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            if not self.is_whole:
                near.close()
                continue
            try:
                far = socket.create_connection(self.server)
            except OSError:
                near.close()
                continue
            self.ends |= {near, far}
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=self._carry, args=(one, other), daemon=True).start()

    def _carry(self, one, other):
        with contextlib.suppress(OSError):
            while data := one.recv(65_536):
                other.sendall(data)
        for end in (one, other):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)  # unlike close, this also wakes the thread that carries the other way

    def cut(self):
        self.is_whole = False
        for end in list(self.ends):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self.ends.clear()

    def mend(self):
        self.is_whole = True

    def remove(self):
        self.cut()
        self.listener.close()


@pytest.fixture
def cable(party):
    cable = Cable(party.port)
    yield cable
    cable.remove()


def test_a_lost_connection_loses_nothing(asha, visit, cable):
    bilal = visit("bilal", cable.address).sign_in()
    asha.host("Tunnel")
    seat(asha, bilal, "Tunnel")
    bilal.say("Before the tunnel")
    expect(bilal.message("Before the tunnel")).to_contain_text("sent")
    cable.cut()
    bilal.say("In the tunnel, one")
    bilal.say("In the tunnel, two")
    expect(bilal.message("In the tunnel, one")).to_contain_text("sending")
    expect(bilal.room.get_by_text("Reconnecting…")).to_be_visible()
    asha.say("Are you there?")
    expect(asha.message("Are you there?")).to_contain_text("sent")
    cable.mend()
    for text in ("Before the tunnel", "Are you there?", "In the tunnel, one", "In the tunnel, two"):
        for visitor in (asha, bilal):
            expect(visitor.message(text)).to_have_count(1)
    texts = asha.room.get_by_role("log").locator(".message__text")
    expect(texts).to_have_text(["Before the tunnel", "Are you there?", "In the tunnel, one", "In the tunnel, two"])
    expect(bilal.room.get_by_text("Reconnecting…")).to_have_count(0)
    asha.close_room()


def test_a_long_tunnel_leaves_no_gap(visit):
    with running_server() as server:  # without a pace
        cable = Cable(server.port)
        bilal = visit("bilal", cable.address).sign_in()
        asha = server.person("asha")
        room = asha.host("Long tunnel")
        bilal.watch("Long tunnel")
        asha.message(room, "Message 0.")
        expect(bilal.message("Message 0.")).to_be_visible()
        cable.cut()
        for n in range(1, 251):
            asha.message(room, f"Message {n}.")
        cable.mend()
        expect(bilal.message("Message 250.")).to_be_visible(timeout=10_000)
        texts = bilal.room.get_by_role("log").locator(".message__text").all_inner_texts()
        assert texts == [f"Message {n}." for n in range(251)]
        cable.remove()


def test_what_is_unsent_survives_a_reload(asha, visit, cable):
    bilal = visit("bilal", cable.address).sign_in()
    asha.host("Reload in the tunnel")
    seat(asha, bilal, "Reload in the tunnel")
    cable.cut()
    bilal.say("Written in the dark")
    expect(bilal.message("Written in the dark")).to_contain_text("sending")
    cable.mend()
    bilal.page.reload()
    expect(asha.message("Written in the dark")).to_have_count(1)
    expect(bilal.message("Written in the dark")).to_have_count(1)
    asha.close_room()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["told to stop", "killed"])
def test_the_page_comes_back_after_a_restart_of_the_server(visit, number):
    """With a log in memory the room is gone with the process; the page, the sign-in and the words are not."""
    server = Server(PARTY_PACE="5")
    try:
        asha, bilal = (visit(name, server.address).sign_in() for name in ("asha", "bilal"))
        asha.host("Written in sand")
        asha.say("Said before")
        expect(asha.message("Said before")).to_contain_text("sent")
        asha.writing.fill("Half a thought")
        server.stop(number)
        expect(asha.room.get_by_text("Restarting…" if number == signal.SIGTERM else "Reconnecting…")).to_be_visible()
        server = Server(PARTY_PACE="5", PORT=str(server.port))
        expect(asha.room.get_by_text("did not come back after a restart")).to_be_visible()
        expect(asha.message("Said before")).to_be_visible()
        expect(asha.room.get_by_text("You were writing")).to_be_visible()
        asha.leave()
        expect(bilal.page.get_by_text("It is quiet here.")).to_be_visible()
        asha.host("Written in sand again")
        expect(bilal.card("Written in sand again")).to_be_visible()
    finally:
        server.stop()


def test_when_the_time_runs_out_the_room_closes_and_the_words_stay(visit):
    with running_server(PARTY_ROOM_MINUTES="0.1") as server:
        asha = visit("asha", server.address).sign_in()
        person = server.person("bilal")  # opens a room of six seconds; the page's dialog knows whole minutes only
        room = person.host("Six seconds")
        asha.watch("Six seconds")
        person.message(room, "Quick!")
        expect(asha.message("Quick!")).to_be_visible()
        asha.ask()
        person.approve(room, "asha")
        asha.writing.fill("What I meant to s")
        expect(asha.room.get_by_text("Time is up")).to_be_visible(timeout=10_000)
        expect(asha.room.get_by_label("You were writing")).to_have_value("What I meant to s")
        expect(asha.message("Quick!")).to_be_visible()


@pytest.mark.parametrize("passed, words", [(25.1, "5 minutes left."), (29.1, "1 minute left.")])
def test_the_last_minutes_are_announced_once(passed, words, asha):
    asha.page.clock.install()
    asha.page.reload()
    asha.host("Warnings")
    asha.page.clock.fast_forward(int(passed * 60_000))
    expect(asha.room.get_by_role("status").filter(has_text=words)).to_have_count(1)


def test_the_host_adds_ten_minutes_and_everybody_sees_it(asha, bilal):
    asha.host("More time", minutes=15)
    bilal.watch("More time")
    asha.room.get_by_role("button", name="+10 minutes").click()
    expect(bilal.room.get_by_text("25 min left")).to_be_visible()
    asha.close_room()


def test_a_removed_speaker_cannot_write_into_the_void(asha, bilal):
    asha.host("Removal")
    seat(asha, bilal, "Removal")
    bilal.writing.fill("Not said yet")
    asha.room.get_by_role("button", name="Remove bilal").click()
    expect(bilal.room.get_by_text("You are watching again")).to_be_visible()
    expect(bilal.writing).to_have_count(0)
    bilal.ask()
    asha.approve("bilal")
    expect(bilal.writing).to_have_value("Not said yet")
    asha.close_room()


def test_two_taps_decide_about_one_person(visit):
    asha = visit("asha", **PHONE).sign_in()
    asha.host("Two taps")
    room = asha.page.url.rpartition("=")[2]
    with people_without_a_page(asha.address, "bilal", "chen", "dana") as people:
        for person in people:
            person.request(room)
        deny = asha.room.get_by_role("button", name="Deny bilal")
        box = deny.bounding_box()
        for _ in range(2):
            asha.page.touchscreen.tap(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
            asha.page.wait_for_timeout(120)  # as fast as a finger
        expect(deny).to_have_count(0)
        expect(asha.room.get_by_role("button", name="Deny chen")).to_be_visible()
        assert not people[1].heard("denied")
    asha.close_room()


def test_the_room_last_spoken_in_comes_first(asha, bilal, chen):
    """In steps of ten seconds, so that cards do not dance."""
    asha.host("Older")
    bilal.host("Newer")
    expect(chen.page.get_by_role("article").get_by_role("heading")).to_have_text(["Newer", "Older"])
    asha.page.wait_for_function("at => Math.floor(Date.now() / 10000) > at", arg=int(time.time() // 10), timeout=11_000)
    asha.say("Up again")
    expect(chen.page.get_by_role("article").get_by_role("heading")).to_have_text(["Older", "Newer"])
    asha.close_room()
    bilal.close_room()


def test_a_long_feed_keeps_its_place(visit):
    with running_server() as server:  # without a pace
        asha = visit("asha", server.address).sign_in()
        bilal = server.person("bilal")
        room = bilal.host("Long")
        for n in range(1, 261):
            bilal.message(room, f"Message {n}.")
        asha.watch("Long")
        expect(asha.message("Message 260.")).to_be_in_viewport()
        asha.room.get_by_role("log").evaluate("log => (log.scrollTop = 0)")
        first = asha.message("Message 61.")
        expect(first).to_be_in_viewport()
        asha.room.get_by_role("button", name="Earlier messages").click()
        expect(asha.message("Message 1.")).to_have_count(1)
        expect(first).to_be_in_viewport()
        bilal.message(room, "While you read")
        asha.room.get_by_role("button", name="↓ 1 new").click()
        expect(asha.message("While you read")).to_be_in_viewport()
        expect(asha.room.get_by_role("button", name=re.compile("new|Newest"))).to_have_count(0)


def test_asking_from_the_card_goes_in_and_asks(asha, bilal):
    asha.host("From the card")
    bilal.card("From the card").get_by_role("button", name="Ask to speak").click()
    expect(bilal.room.get_by_text("You are next")).to_be_visible()
    bilal.room.get_by_role("button", name="Withdraw").click()
    expect(bilal.room.get_by_role("button", name="Ask to speak")).to_be_visible()
    expect(asha.room.get_by_role("button", name="Approve bilal")).to_have_count(0)
    asha.close_room()


def test_a_link_to_a_room_survives_the_sign_in(asha, visit):
    asha.host("Shared")
    asha.leave()
    asha.card("Shared").get_by_role("button", name="Copy link").click()
    expect(asha.page.get_by_text("Link copied.")).to_be_visible()
    link = asha.page.evaluate("navigator.clipboard.readText()")
    assert re.fullmatch(re.escape(asha.address) + r"#room=[\w-]+", link)
    chen = visit("chen").sign_in(link)
    expect(chen.room.get_by_role("heading", name="Shared")).to_be_visible()
    asha.card("Shared").get_by_role("button", name="Go in").click()
    asha.close_room()


def test_an_invite_link_fills_the_form_and_leaves_the_address_bar(visit):
    dana = visit("dana")
    dana.page.goto(f"sign-in#name=dana&password={password_of('dana')}")
    expect(dana.page.get_by_label("Password")).to_have_value(password_of("dana"))
    assert "#" not in dana.page.url
    dana.page.get_by_role("button", name="Sign in").click()
    expect(dana.page.get_by_role("heading", name="Live rooms")).to_be_visible()


def test_signing_in_works_without_javascript(visit):
    dana = visit("dana", java_script_enabled=False).sign_in()
    expect(dana.page.get_by_role("button", name="Sign out")).to_be_visible()
    dana.page.get_by_role("button", name="Sign out").click()
    expect(dana.page.get_by_role("button", name="Sign in")).to_be_visible()


def test_a_page_never_speaks_for_somebody_else(asha, bilal):
    """Two people share a browser: what the one wrote does not go out under the other's name."""
    asha.host("Borrowed")
    first, asha.page = asha.page, asha.new_tab()
    asha.page.goto("sign-in")  # asha's cookie goes, bilal's comes
    asha.page.get_by_label("Name").fill("bilal")
    asha.page.get_by_label("Password").fill(password_of("bilal"))
    first.get_by_role("textbox", name="Message").fill("Written by asha")
    asha.page.get_by_role("button", name="Sign in").click()
    expect(asha.page.get_by_role("banner").get_by_text("bilal")).to_be_visible()
    first.reload()
    expect(first.get_by_role("banner", include_hidden=True)).to_contain_text("bilal")
    expect(first.get_by_role("textbox", name="Message")).to_have_count(0)
    expect(first.get_by_label("What do you want to add?")).to_be_visible()


def test_a_page_whose_sign_in_was_replaced_turns_into_the_other_persons(asha, bilal, visit, cable):
    dana = visit("dana", cable.address).sign_in()
    dana.host("Not yours")
    farida = visit("farida").sign_in()
    [cookie] = [cookie for cookie in farida.context.cookies() if cookie["name"] == "party"]
    dana.context.add_cookies([cookie])  # while the line stands, so that no request of dana's is on its way
    cable.cut()
    dana.say("Written by dana")
    expect(dana.message("Written by dana")).to_contain_text("sending")
    cable.mend()
    expect(dana.page.get_by_role("banner", include_hidden=True)).to_contain_text("farida", timeout=15_000)
    bilal.watch("Not yours")
    expect(bilal.room.get_by_text("Nothing has been said yet.")).to_be_visible()


def test_signing_out_in_one_tab_ends_the_others(asha):
    first, asha.page = asha.page, asha.new_tab()
    asha.page.goto("./")
    asha.page.get_by_role("button", name="Sign out").click()
    expect(first.get_by_text("You are signed out.")).to_be_visible()
    expect(first.get_by_role("link", name="Sign in again")).to_be_visible()


def test_the_back_button_closes_the_room_and_not_the_page(asha):
    asha.host("Back")
    asha.page.go_back()
    expect(asha.room).to_have_count(0)
    expect(asha.page.get_by_role("heading", name="Live rooms")).to_be_visible()
    asha.page.go_forward()
    asha.close_room()


def test_the_whole_story_works_by_keyboard(asha, bilal):
    asha.page.get_by_role("button", name="Host", exact=True).focus()
    asha.page.keyboard.press("Enter")
    asha.page.keyboard.type("By keyboard")
    asha.page.keyboard.press("Enter")
    expect(asha.writing).to_be_focused()
    asha.page.keyboard.type("First line")
    asha.page.keyboard.press("Shift+Enter")
    asha.page.keyboard.type("second line")
    asha.page.keyboard.press("Enter")
    expect(asha.message("First line")).to_contain_text("second line")
    bilal.card("By keyboard").get_by_role("button", name="Watch").focus()
    bilal.page.keyboard.press("Enter")
    expect(bilal.room).to_be_visible()
    bilal.page.keyboard.press("Escape")
    expect(bilal.room).to_have_count(0)
    expect(bilal.card("By keyboard").get_by_role("button", name="Watch")).to_be_focused()
    asha.close_room()


HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "{{ constructor.constructor('alert(1)')() }}",
    'javascript:alert(1) https://example.org/" onmouseover="alert(1)',
    "<svg/onload=alert(1)>",
    "[x](javascript:alert(1)) data:text/html,<script>alert(1)</script>",
]


def test_what_people_write_stays_text(asha, bilal):
    asha.page.evaluate("addEventListener('securitypolicyviolation', () => console.error('policy violation'))")
    asha.host(HOSTILE[0] + HOSTILE[2])
    topic = HOSTILE[0] + HOSTILE[2]
    expect(bilal.card(topic)).to_be_visible()
    bilal.watch(topic)
    bilal.ask(HOSTILE[1])
    expect(asha.room.get_by_text(HOSTILE[1])).to_be_visible()
    for text in HOSTILE:
        asha.say(text)
        expect(bilal.message(text)).to_have_count(1)
    links = bilal.room.get_by_role("log").get_by_role("link")
    assert all(href.startswith("https://example.org/") for href in links.evaluate_all("all => all.map(a => a.href)"))
    asha.close_room()


@pytest.mark.parametrize("colour", ["light", "dark"])
@pytest.mark.parametrize("how", [{"viewport": {"width": 1280, "height": 800}}, PHONE], ids=["desktop", "phone"])
def test_every_state_is_accessible_and_nothing_sticks_out(visit, colour, how):
    asha, bilal = (visit(name, color_scheme=colour, **how) for name in ("asha", "bilal"))
    asha.page.goto("sign-in")
    assert_accessible(asha.page)
    for visitor in (asha, bilal):
        visitor.sign_in()
    expect(asha.page.get_by_role("button", name="Host", exact=True)).to_be_enabled()
    assert_accessible(asha.page)
    asha.page.get_by_role("button", name="Host", exact=True).click()
    assert_accessible(asha.page)
    asha.page.keyboard.press("Escape")
    asha.host("Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichen and other long words" + "x" * 30)
    bilal.card(asha.room.get_by_role("heading").first.inner_text()).get_by_role("button", name="Watch").click()
    assert_accessible(bilal.page)
    bilal.ask("w" * 140)
    expect(asha.room.get_by_role("button", name="Approve bilal")).to_be_visible()
    asha.writing.fill("A word " + "w" * 300 + " and مرحبا بالعالم https://example.org/" + "long/" * 40)
    asha.room.get_by_role("button", name="Send").click()
    expect(asha.message("A word")).to_contain_text("sent")
    for visitor in (asha, bilal):
        assert_accessible(visitor.page)
        for width in (visitor.page.viewport_size["width"], 320):
            visitor.page.set_viewport_size({"width": width, "height": 700})
            assert visitor.page.evaluate("document.documentElement.scrollWidth") <= width
            log = visitor.room.get_by_role("log")
            assert log.evaluate("log => log.scrollWidth <= log.clientWidth"), "no sideways scroll in the feed"
    asha.close_room()
    assert_accessible(bilal.page)


def test_the_pictures_of_the_readme_can_be_taken(visit):
    """Writes the screenshots that the README shows; copy them to docs/ when the page has changed."""
    desktop = {"viewport": {"width": 960, "height": 640}}
    asha, chen = (visit(name, **desktop).sign_in() for name in ("asha", "chen"))
    bilal = visit("bilal", **PHONE | {"device_scale_factor": 1}).sign_in()
    bilal.host("What should we cook for forty people?", minutes=30)
    bilal.leave()
    chen.host("Is the four-day week worth it?", minutes=25)
    chen.leave()
    topic = "Which book changed how you see your town?"
    asha.host(topic)
    seat(asha, bilal, topic)
    asha.say("Mine is Invisible Cities. I read it on the tram and missed my stop three times.")
    expect(bilal.message("Invisible Cities")).to_be_visible()
    bilal.writing.fill("The Death and Life of Great American Cities. I count shop doors now.")
    bilal.room.get_by_role("button", name="Send").click()
    expect(asha.message("shop doors")).to_be_visible()
    asha.say("How many has our street?")
    expect(bilal.message("How many")).to_be_visible()
    bilal.writing.fill("Forty-one. It had sixty 📚")
    bilal.room.get_by_role("button", name="Send").click()
    expect(asha.message("Forty-one")).to_be_visible()
    chen.screenshot("lobby")
    chen.watch(topic)
    chen.screenshot("watcher")
    chen.ask("I have a book about our river")
    expect(asha.room.get_by_role("button", name="Approve chen")).to_be_visible()
    asha.screenshot("host")
    bilal.screenshot("phone")
    asha.close_room()
    for visitor, other in ((chen, "Is the four-day week worth it?"), (bilal, "What should we cook for forty people?")):
        visitor.leave()
        visitor.card(other).get_by_role("button", name="Go in").click()
        visitor.close_room()


def own_copy(route):
    name = route.request.url.rsplit("/", 1)[1]
    headers = {"Content-Type": "text/javascript", "Access-Control-Allow-Origin": "*"}
    return (VENDOR / name).read_bytes(), headers


def give(route):
    body, headers = own_copy(route)
    route.fulfill(body=body, headers=headers)


def tamper(route):
    body, headers = own_copy(route)
    route.fulfill(body=body + b"\nalert('tampered')", headers=headers)


CDN = {
    "fine": give,
    "refused": lambda route: route.abort("connectionrefused"),
    "failing": lambda route: route.fulfill(status=500),
    "tampered": tamper,
    "hanging": lambda route: None,
}


@pytest.mark.parametrize("cdn", CDN)
def test_the_page_is_live_soon_whatever_the_cdn_does(visit, cdn):
    dana = visit("dana").sign_in()
    dana.context.route("https://cdn.jsdelivr.net/**", CDN[cdn])
    fetched = []
    dana.page.on("request", lambda request: fetched.append(request.url))
    dana.page.evaluate("sessionStorage.clear()")
    dana.page.goto("./", wait_until="domcontentloaded")
    live = dana.page.locator("#party").get_by_text(re.compile("It is quiet here|min left")).first
    expect(live).to_be_visible(timeout=4_000)
    took = dana.page.evaluate("performance.now()")
    assert took < (3_500 if cdn == "hanging" else 2_000)
    own = [url for url in fetched if "/vendor/" in url]
    assert bool(own) is (cdn != "fine"), fetched
    dana.trouble[:] = [trouble for trouble in dana.trouble if "integrity" not in trouble]


def test_local_assets_ask_no_cdn(visit):
    with running_server(PARTY_ASSETS="local") as server:
        asha = visit("asha", server.address)
        fetched = []
        asha.page.on("request", lambda request: fetched.append(request.url))
        asha.sign_in()
        expect(asha.page.locator("#party").get_by_text("It is quiet here.")).to_be_visible()
        assert all(url.startswith(server.address) for url in fetched), fetched
