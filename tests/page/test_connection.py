"""Reloads, tabs, tunnels and restarts: nothing is lost, nothing comes twice."""

import re
import signal

import pytest
from person import seat as take_a_seat
from playwright.sync_api import expect
from servers import Server, free_port
from visitor import Cable, seat


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
