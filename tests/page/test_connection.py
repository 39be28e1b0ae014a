"""Reloads, tabs, tunnels and restarts: nothing is lost, nothing comes twice."""

import contextlib
import re
import secrets
import shutil
import signal
import sqlite3

import pytest
from person import SocketLine
from person import seat as take_a_seat
from playwright.sync_api import expect
from servers import Prefix, Server, free_port, running_server
from states import of_another_version
from visitor import Cable, people_without_a_page, seat

from runtime import assets


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


def test_a_lost_connection_loses_nothing(asha, visit, cable):
    bilal = visit("bilal", cable.address).sign_in()
    asha.host("Tunnel")
    seat(asha, bilal, "Tunnel")
    bilal.say("Before the tunnel")
    expect(bilal.sent("Before the tunnel")).to_be_visible()
    cable.cut()
    bilal.say("In the tunnel, one")
    bilal.say("In the tunnel, two")
    expect(bilal.message("In the tunnel, one")).to_contain_text("sending")
    expect(bilal.page.get_by_text("Reconnecting…")).to_be_visible()
    asha.say("Are you there?")
    expect(asha.sent("Are you there?")).to_be_visible()
    cable.mend()
    for visitor in (asha, bilal):
        expect(visitor.sent("In the tunnel, two")).to_be_visible()
        assert visitor.reads() == ["Before the tunnel", "Are you there?", "In the tunnel, one", "In the tunnel, two"]
    expect(bilal.page.get_by_text("Reconnecting…")).to_have_count(0)
    asha.close_room()


def test_a_long_tunnel_leaves_no_gap(discussion):
    cable = Cable(discussion.server.port)
    asha = discussion.enter("asha", speaks=False, address=cable.address)
    discussion.says(discussion.chen, "Before the tunnel")
    expect(asha.message("Before the tunnel")).to_be_visible()
    cable.cut()
    discussion.fill(250)
    cable.mend()
    expect(asha.message("Message 250.")).to_be_visible(timeout=10_000)
    assert asha.reads() == ["Before the tunnel", *(f"Message {n}." for n in range(1, 251))]
    cable.close()


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


def test_an_answer_that_comes_after_one_has_left_takes_no_words_away(discussion):
    """Left and come back: what was written since is kept, though the answer of before knows nothing of it."""
    with_a_seat = discussion.server.person("asha")
    take_a_seat(discussion.bilal, with_a_seat, discussion.room)
    with_a_seat.line.hang_up()
    asha = discussion.signed_in("asha")
    late = []  # what calls for the frames that say that the first message is there, held back until one has left
    is_inside = True

    def between(page):
        server = page.connect_to_server()
        page.on_message(lambda frame: server.send(frame) if "Second" not in frame else None)
        server.on_message(
            lambda frame: late.append(lambda: page.send(frame)) if "First" in frame and is_inside else page.send(frame)
        )

    asha.page.route_web_socket(re.compile("socket.io"), between)
    asha.page.goto(f"./#room={discussion.room}")
    asha.say("First")
    while len(late) < 2:  # what all inside hear, and the answer
        asha.page.evaluate("1")  # lets frames come in
    is_inside = False
    asha.leave()
    asha.card(discussion.topic).get_by_role("link", name=discussion.topic, exact=True).click()
    expect(asha.sent("First")).to_be_visible()
    asha.say("Second")
    expect(asha.message("Second")).to_contain_text("sending")
    for come in late:
        come()
    asha.page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert "Second" in asha.page.evaluate("JSON.stringify(sessionStorage)")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["told to stop", "killed"])
def test_the_page_comes_back_after_a_restart_of_the_server(visit, number):
    """With a log in memory the room is gone with the process; the page, the sign-in and the words are not."""
    server = Server(PARTY_PACE="5", PORT=str(free_port()))
    try:
        asha, bilal = (visit(name, server.address).sign_in() for name in ("asha", "bilal"))
        asha.host("Written in sand")
        asha.say("Said before")
        expect(asha.sent("Said before")).to_be_visible()
        asha.writing.fill("Half a thought")
        server.stop(number)
        expect(asha.page.get_by_text("Restarting…" if number == signal.SIGTERM else "Reconnecting…")).to_be_visible()
        server = Server(PARTY_PACE="5", PORT=str(server.port))
        expect(asha.room.get_by_text("did not come back after a restart")).to_be_visible()
        expect(asha.message("Said before")).to_be_visible()
        expect(asha.room.get_by_text("You were writing")).to_be_visible()
        asha.leave()
        expect(bilal.page.get_by_role("heading", name="It is quiet here")).to_be_visible()
        asha.host("Written in sand again")
        expect(bilal.card("Written in sand again")).to_be_visible()
    finally:
        server.stop()


def test_what_a_log_that_was_put_back_has_not_goes_from_the_page(visit, tmp_path):
    """Else it would stand among other messages with the same numbers."""
    log, copy = tmp_path / "party.db", tmp_path / "copy.db"
    settings = {"PORT": str(free_port()), "PARTY_JOURNAL": str(log)}
    server = Server(**settings)
    try:
        asha = visit("asha", server.address).sign_in()
        asha.host("Put back")
        room = asha.page.url.rpartition("=")[2]
        asha.say("One")
        expect(asha.sent("One")).to_be_visible()
        with contextlib.closing(sqlite3.connect(log)) as there, contextlib.closing(sqlite3.connect(copy)) as copied:
            there.backup(copied)
        for text in ("Two", "Three"):
            asha.say(text)
            expect(asha.sent(text)).to_be_visible()
        server.stop()
        for path in tmp_path.glob("party.db*"):
            path.unlink()
        shutil.copy(copy, log)
        server = Server(**settings)
        with people_without_a_page(server.address, "asha") as (elsewhere,):
            elsewhere.message(room, "Another two")
        expect(asha.message("Another two")).to_be_visible()
        assert asha.reads() == ["One", "Another two"]
        asha.say("Another three")
        expect(asha.sent("Another three")).to_be_visible()
        assert asha.reads() == ["One", "Another two", "Another three"]
    finally:
        server.stop()


@contextlib.contextmanager
def mistaken_server(broken):
    """A server with a mistake of its own, of which it may speak."""
    server = Server(program=("-c", f"import app; {broken}; app.main()"))
    try:
        yield server
    finally:
        server.stop()


def test_our_own_mistake_is_shown_with_the_id_that_stands_in_the_records(visit):
    with mistaken_server("app.reading.mood = lambda data: 1 / 0") as server:
        asha = visit("asha", server.address).sign_in()
        with people_without_a_page(server.address, "bilal") as (bilal,):
            bilal.host("Broken")
            asha.watch("Broken")
            asha.room.get_by_role("button", name="Agree").click()
            told = asha.page.get_by_text("Something went wrong here. Please try again. (")
            expect(told).to_be_visible()
            id = re.search(r"\(([0-9a-f]{8})\)", told.inner_text())[1]
        assert f"({id})" in server.said()


def test_a_message_that_meets_our_own_mistake_says_so_with_the_id_and_goes_on_by_itself(visit):
    broken = "app.reading.text = lambda data: 1 / mistakes.pop() if mistakes else text(data)"
    with mistaken_server(f"text, mistakes = app.reading.text, [0] * 6; {broken}") as server:
        asha = visit("asha", server.address)
        asha.page.clock.install()
        asha.sign_in()
        asha.host("Broken for a while")
        asha.say("Heard at last")
        for _ in range(3):
            expect(asha.message("Heard at last")).to_contain_text("sending")
            asha.page.clock.fast_forward(1_500)
        told = asha.message("Heard at last").get_by_text("Something went wrong here. Please try again. (")
        expect(told).to_be_visible(timeout=10_000)
        id = re.search(r"\(([0-9a-f]{8})\)", told.inner_text())[1]
        expect(asha.message("Heard at last")).to_contain_text("sending")
        asha.page.clock.fast_forward(1_500)
        expect(asha.sent("Heard at last")).to_be_visible(timeout=10_000)
        expect(told).to_have_count(0)
        assert f"({id})" in server.said()


# --- What only a person can mend --------------------------------------------------------------------------------------

NOT_ALLOWED = "This address is not allowed here. Tell the owner."


def test_an_address_that_is_not_allowed_says_so_and_comes_back_by_itself_once_it_is(visit):
    server = Server(PARTY_ORIGINS="https://blog.example", PORT=str(free_port()))
    try:
        asha = visit("asha", server.address)
        asha.page.clock.install()
        asha.sign_in("sign-in")
        expect(asha.page.get_by_role("alert").filter(has_text=NOT_ALLOWED)).to_be_visible()
        expect(asha.page.get_by_text("Reconnecting…")).to_have_count(0)
        server.stop()
        asha.page.clock.fast_forward(10_000)
        expect(asha.page.get_by_text("Reconnecting…")).to_be_visible()
        expect(asha.page.get_by_text(NOT_ALLOWED)).to_have_count(0)
        server = Server(PARTY_ORIGINS=f"https://blog.example,{server.address.rstrip('/')}", PORT=str(server.port))
        asha.page.clock.fast_forward(10_000)
        expect(asha.page.get_by_text("Reconnecting…")).to_have_count(0)
        asha.host("Mended")
    finally:
        server.stop()


def test_a_proxy_that_takes_no_websockets_is_told_of_and_comes_back_by_itself_once_it_does(visit):
    with running_server(PARTY_PROXIES="1") as server:
        proxy = Prefix(server.port)
        proxy.passes_upgrades = False
        asha = visit("asha", proxy.address)
        asha.page.clock.install()
        asha.sign_in("sign-in")
        blocked = asha.page.get_by_role("alert").filter(has_text="lets no live connection through. Tell the owner.")
        expect(blocked).to_be_visible(timeout=10_000)
        proxy.passes_upgrades = True
        asha.page.clock.fast_forward(10_000)
        expect(blocked).to_have_count(0)
        asha.host("Mended")
        asha.close_room()


def test_a_party_that_takes_no_connection_is_come_back_to_and_nothing_between_is_blamed(visit):
    """By a mistake of its own: the line stands, and then it says no."""
    broken = "app.welcome = lambda *tab: 1 / mistakes.pop() if mistakes else welcome(*tab)"
    with mistaken_server(f"welcome, mistakes = app.welcome, [0] * 6; {broken}") as server:
        asha = visit("asha", server.address)
        asha.page.clock.install()
        asha.sign_in()
        reconnecting = asha.page.locator(".notice").filter(has_text="Reconnecting…")
        asha.page.clock.fast_forward(2_500)
        expect(reconnecting).to_be_visible()
        for _ in range(4):
            with asha.page.expect_websocket():
                asha.page.clock.fast_forward(1_500)
            expect(reconnecting).to_be_visible()
            expect(asha.page.get_by_text("lets no live connection through")).to_have_count(0)
        asha.page.clock.fast_forward(1_500)
        expect(reconnecting).to_have_count(0)
        asha.host("Mended")


def test_one_tab_too_many_says_so_and_comes_back_when_another_is_closed(server, visit):
    late = visit("extra99", server.address)  # of whom no other test has left a tab
    cookies = server.cookies_of(late.name)
    alert = late.page.get_by_role("alert").filter(has_text="You have too many tabs open here. Close one of them.")
    with contextlib.ExitStack() as tabs:
        for _ in range(20):
            tabs.callback(SocketLine(server.address, cookies).hang_up)
        late.sign_in()
        expect(alert).to_be_visible()
    late.page.evaluate("dispatchEvent(new Event('online'))")  # as when a phone wakes up
    expect(alert).to_have_count(0)


# --- A new version ----------------------------------------------------------------------------------------------------

NEW_VERSION = "There is a new version."


def offer(visitor):
    return visitor.page.locator(".notice").filter(has_text=NEW_VERSION)


@pytest.fixture
def new_version():
    """A version of the page, and a program that serves it."""
    version = f"new-{secrets.token_hex(4)}"
    change = f"assets.VERSION = '{version}'; assets.ADDRESS = 'static/{version}'"
    yield version, ("-c", f"from runtime import transport, assets; {change}; import app; app.main()")
    shutil.rmtree(assets.SERVED / version)


@pytest.fixture
def old_and_new(redis, new_version):
    """Two processes of one party, as in the middle of a rolling restart."""
    settings = {"PARTY_JOURNAL": redis.address, "PARTY_PROXIES": "1"}
    with running_server(**settings) as old, running_server(program=new_version[1], **settings) as new:
        yield old, new


def test_a_new_version_is_offered_while_the_party_has_it_and_a_reload_leads_to_it_and_to_the_room(
    visit, old_and_new, new_version
):
    old, new = old_and_new
    cable = Cable(old.port)

    def connect_to(server):
        cable.cut()
        cable.server = ("127.0.0.1", server.port)
        cable.mend()

    asha = visit("asha", cable.address).sign_in()
    asha.host("Which version?")
    asha.say("The old one")
    expect(asha.sent("The old one")).to_be_visible()
    connect_to(new)
    expect(offer(asha)).to_be_visible()
    expect(asha.page.get_by_role("status").filter(has_text=NEW_VERSION)).to_have_count(1)
    connect_to(old)
    expect(offer(asha)).to_have_count(0)
    connect_to(new)
    expect(offer(asha)).to_be_visible()
    expect(asha.page.get_by_role("status").filter(has_text=NEW_VERSION)).to_have_count(0)  # once is enough
    address = asha.page.url
    button = offer(asha).get_by_role("button", name="Reload")
    button.focus()
    asha.page.keyboard.press("Enter")
    expect(asha.sent("The old one")).to_be_visible()
    expect(asha.page.locator("body")).to_have_attribute("data-version", new_version[0])
    assert asha.page.url == address
    asha.say("And now?")
    expect(asha.sent("And now?")).to_be_visible()
    expect(offer(asha)).to_have_count(0)
    asha.close_room()
    cable.close()


def test_a_new_version_is_offered_only_when_nothing_is_lost_by_it(asha, visit):
    bilal = visit("bilal")
    bilal.page.clock.install()
    of_another_version(bilal.page)
    bilal.sign_in()
    expect(bilal.page.get_by_role("heading", name="It is quiet here")).to_be_visible()

    def assert_offered(is_offered):
        bilal.page.clock.fast_forward(1_000)
        expect(offer(bilal)).to_have_count(int(is_offered))

    expect(offer(bilal)).to_be_visible()
    bilal.page.get_by_role("button", name="Host a room").click()
    assert_offered(False)
    bilal.sheet.get_by_role("textbox", name="Topic").fill("Half a topic")
    bilal.page.keyboard.press("Escape")
    assert_offered(True)
    asha.host("Nothing lost")
    seat(asha, bilal, "Nothing lost")
    assert_offered(True)
    bilal.writing.fill("Half a thought")
    assert_offered(False)
    bilal.writing.fill("")
    assert_offered(True)
    bilal.page.evaluate("""() => {
      const refusal = { code: 'limit', error: 'This room is full of words: it takes no more messages.' };
      const unsent = [{ user: 'bilal', text: 'Unsent', key: 'one', at: Date.now(), refusal }];
      sessionStorage.setItem(`unsent bilal ${location.hash.split('=')[1]}`, JSON.stringify(unsent));
    }""")
    bilal.page.reload()
    expect(bilal.message("Unsent")).to_contain_text("not sent")
    expect(bilal.writing).to_be_visible()
    assert_offered(False)
    bilal.message("Unsent").get_by_role("button", name="discard").click()
    assert_offered(True)
    offer(bilal).get_by_role("button", name="Reload").click()
    expect(bilal.writing).to_be_visible()
    bilal.leave()
    bilal.page.get_by_role("button", name="Host a room").click()
    expect(bilal.sheet.get_by_role("textbox", name="Topic")).to_have_value("Half a topic")
    asha.close_room()


def test_what_is_here_alone_keeps_a_new_version_waiting(visit, new_version):
    """The room did not come back after a restart: what was said in it stands on the page, and nowhere else."""
    server = Server(PORT=str(free_port()))
    try:
        asha = visit("asha", server.address)
        asha.page.clock.install()
        asha.sign_in()
        asha.host("The last copy")
        asha.say("Only here")
        expect(asha.sent("Only here")).to_be_visible()
        server.stop()
        server = Server(program=new_version[1], PORT=str(server.port))
        expect(asha.room.get_by_text("did not come back after a restart")).to_be_visible()
        asha.page.clock.fast_forward(1_000)
        expect(offer(asha)).to_have_count(0)
        asha.leave()
        expect(offer(asha)).to_be_visible()
    finally:
        server.stop()
