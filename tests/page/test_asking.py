"""Asking to speak: the pitch, the queue as both sides see it, and what the host can do with it."""

import re

import pytest
from playwright.sync_api import expect
from servers import running_server
from visitor import people_without_a_page


@pytest.fixture
def queue(asha):
    """asha's room, and three people without a page who wait in it."""
    asha.host("A queue")
    room = asha.page.url.rpartition("=")[2]
    with people_without_a_page(asha.address, "bilal", "chen", "dana") as people:
        for person in people:
            person.watch(room)
            person.request(room, pitch=f"The pitch of {person.name}")
        expect(asha.room.get_by_role("button", name="Deny dana")).to_be_visible()
        yield room, people


HELD = """() => {
  const { send } = WebSocket.prototype;
  const held = [];
  WebSocket.prototype.send = function (data) { held.push(() => send.call(this, data)); };
  globalThis.letGo = () => { WebSocket.prototype.send = send; held.forEach((give) => give()); };
}"""


def hold_the_line(visitor):
    """What the page says from now on reaches the server only when the test lets it go."""
    visitor.page.evaluate(HELD)


def let_go(visitor):
    visitor.page.evaluate("letGo()")


def test_a_watcher_has_no_text_box_but_a_button(asha, bilal):
    asha.host("Read-only")
    bilal.watch("Read-only")
    expect(bilal.room.get_by_text("You are watching.")).to_be_visible()
    expect(bilal.room.get_by_role("textbox")).to_have_count(0)


def test_asking_can_be_broken_off(asha, bilal):
    asha.host("Perhaps")
    bilal.watch("Perhaps")
    bilal.room.get_by_role("button", name="Ask to speak").click()
    expect(bilal.room.get_by_label("What do you want to add?")).to_be_focused()
    bilal.page.keyboard.press("Escape")
    expect(bilal.room.get_by_role("button", name="Ask to speak")).to_be_focused()
    expect(bilal.room.get_by_role("textbox")).to_have_count(0)


def test_the_place_in_the_queue_is_told_and_moves_up(queue, visit):
    room, people = queue
    farida = visit("farida").sign_in(f"#room={room}")
    farida.room.get_by_role("button", name="Ask to speak").click()
    farida.page.keyboard.press("Enter")
    expect(farida.room.get_by_text("You are 4th.")).to_be_visible()
    for person, words in zip(people, ("You are 3rd.", "You are 2nd.", "You are next."), strict=True):
        person.withdraw(room)
        expect(farida.room.get_by_text(words)).to_be_visible()


def test_the_pitch_becomes_the_first_message_with_one_tap(asha, bilal):
    asha.host("A first word")
    bilal.watch("A first word")
    bilal.ask("I drive the bus that had to go round")
    asha.approve("bilal")
    bilal.page.reload()  # it is still offered after that
    bilal.room.get_by_role("button", name="Say it").click()
    expect(asha.message("I drive the bus that had to go round")).to_have_count(1)
    expect(bilal.room.get_by_role("button", name="Say it")).to_have_count(0)
    bilal.page.reload()
    expect(bilal.writing).to_be_visible()
    expect(bilal.room.get_by_role("button", name="Say it")).to_have_count(0)


def test_a_denial_can_be_undone_before_anybody_is_told(asha, queue):
    _, [bilal, *_] = queue
    asha.room.get_by_role("button", name="Deny bilal").click()
    asha.room.get_by_role("button", name="Undo: do not deny bilal").click()
    expect(asha.room.get_by_role("button", name="Deny bilal", exact=True)).to_be_focused()
    asha.room.get_by_role("button", name="Deny chen").click()
    expect(asha.room.get_by_role("button", name="Undo: do not deny chen")).to_have_count(0, timeout=8_000)
    queue[1][1].hears("denied")
    assert not bilal.heard("denied")
    expect(asha.room.get_by_role("button", name="Approve bilal")).to_be_visible()


def test_who_leaves_the_room_has_denied_without_an_undo(asha, queue):
    asha.room.get_by_role("button", name="Deny bilal").click()
    asha.leave()
    queue[1][0].hears("denied")


def test_who_asks_anew_is_not_denied_for_the_request_before(asha, queue):
    room, [bilal, *_] = queue
    asha.page.clock.install()
    asha.room.get_by_role("button", name="Deny bilal").click()
    bilal.withdraw(room)
    bilal.request(room, pitch="Better words")
    expect(asha.room.get_by_text("Better words")).to_be_visible()
    asha.page.clock.fast_forward(6_000)
    expect(asha.room.get_by_role("button", name="Deny bilal", exact=True)).to_be_visible()
    asha.room.get_by_role("button", name="Approve bilal").click()
    bilal.hears("approved")
    assert not bilal.heard("denied")


def test_all_can_be_let_in_at_once(asha, queue):
    asha.room.get_by_role("button", name="Approve all").click()
    for person in queue[1]:
        person.hears("approved")
    expect(asha.room.get_by_text("Nobody is asking just now.")).to_be_visible()
    expect(asha.room.get_by_role("complementary", name="People").get_by_text("dana")).to_be_visible()


def test_when_all_seats_are_taken_both_sides_know_why(visit):
    with running_server(PARTY_SEATS="1") as server:
        asha, chen = (visit(name, server.address).sign_in() for name in ("asha", "chen"))
        asha.host("One seat")
        room = asha.page.url.rpartition("=")[2]
        bilal = server.person("bilal")
        bilal.request(room)
        asha.approve("bilal")
        chen.watch("One seat")
        chen.room.get_by_role("button", name="Ask to speak").click()
        expect(chen.room.get_by_text("The only seat is taken. You can wait for it.")).to_be_visible()
        chen.ask("I can wait")
        expect(asha.room.get_by_text("The only seat is taken. Remove the speaker")).to_be_visible()
        expect(asha.room.get_by_role("button", name="Approve chen")).to_be_disabled()
        asha.room.get_by_role("button", name="More about bilal").click()
        asha.room.get_by_role("button", name="Remove bilal").click()
        asha.approve("chen")
        expect(chen.writing).to_be_visible()


def test_a_link_can_carry_the_wish_to_speak_through_the_sign_in(asha, visit):
    asha.host("Come and talk")
    asha.room.get_by_role("button", name="Invite").click()
    asha.room.get_by_role("button", name="Copy a link to ask to speak").click()
    expect(asha.room.get_by_text("Link copied.")).to_be_visible()
    link = asha.page.evaluate("navigator.clipboard.readText()")
    assert re.fullmatch(re.escape(asha.address) + r"#room=[\w-]+&ask", link)
    chen = visit("chen").sign_in(link)
    expect(chen.room.get_by_label("What do you want to add?")).to_be_focused()
    chen.page.keyboard.press("Enter")
    expect(asha.room.get_by_role("button", name="Approve chen")).to_be_visible()


def test_who_may_speak_by_now_just_comes_in_by_such_a_link(asha, bilal):
    asha.host("Already in")
    bilal.page.goto(asha.page.url + "&ask")
    bilal.ask()
    asha.approve("bilal")
    expect(bilal.writing).to_be_visible()
    bilal.page.reload()
    expect(bilal.writing).to_be_visible()


def test_who_is_let_in_while_in_the_lobby_or_away_finds_the_pitch_all_the_same(asha, bilal):
    asha.host("Elsewhere")
    room = asha.page.url.rpartition("=")[2]
    bilal.watch("Elsewhere")
    bilal.ask("Said from the lobby")
    bilal.leave()
    asha.approve("bilal")
    expect(bilal.page.get_by_text("You may speak now: Elsewhere.")).to_be_visible()
    bilal.card("Elsewhere").get_by_role("button", name="Go in").click()
    bilal.room.get_by_role("button", name="Say it").click()
    expect(asha.message("Said from the lobby")).to_have_count(1)
    with people_without_a_page(asha.address, "asha") as [host]:
        host.remove(room, "bilal")
        bilal.ask("Said after a sleep")
        bilal.page.goto("about:blank")
        host.approve(room, "bilal")
        bilal.page.goto(asha.page.url)
        bilal.room.get_by_role("button", name="Say it").click()
    expect(asha.message("Said after a sleep")).to_have_count(1)


def test_a_pitch_that_was_withdrawn_is_not_offered_later(asha, bilal):
    asha.host("Withdrawn")
    bilal.watch("Withdrawn")
    bilal.ask("Never mind")
    bilal.room.get_by_role("button", name="Withdraw").click()
    bilal.ask()
    asha.approve("bilal")
    expect(bilal.writing).to_be_visible()
    expect(bilal.room.get_by_role("button", name="Say it")).to_have_count(0)


def test_a_pitch_that_is_being_written_survives_a_reload(asha, bilal):
    asha.host("Half a pitch")
    bilal.watch("Half a pitch")
    bilal.room.get_by_role("button", name="Ask to speak").click()
    bilal.page.keyboard.type("I have a book ab")
    bilal.page.reload()
    expect(bilal.room.get_by_label("What do you want to add?")).to_have_value("I have a book ab")


def test_a_wish_that_came_true_is_not_wished_again(asha, bilal):
    asha.host("Once is enough")
    bilal.page.goto(asha.page.url + "&ask")
    bilal.ask()
    asha.approve("bilal")
    expect(bilal.writing).to_be_visible()
    asha.room.get_by_role("button", name="More about bilal").click()
    asha.room.get_by_role("button", name="Remove bilal").click()
    expect(bilal.room.get_by_text("You are watching.")).to_be_visible()
    bilal.page.reload()
    expect(bilal.room.get_by_text("You are watching.")).to_be_visible()


def test_the_focus_follows_the_role_and_never_lands_on_a_signal(asha, bilal):
    asha.host("By keyboard")
    bilal.watch("By keyboard")
    bilal.room.get_by_role("button", name="Ask to speak").focus()
    bilal.page.keyboard.press("Enter")
    bilal.page.keyboard.press("Enter")
    expect(bilal.room.get_by_role("button", name="Withdraw")).to_be_focused()
    asha.approve("bilal")
    expect(bilal.writing).to_be_focused()
    asha.room.get_by_role("button", name="More about bilal").click()
    asha.room.get_by_role("button", name="Remove bilal").click()
    expect(bilal.room.get_by_role("button", name="Ask to speak")).to_be_focused()


def test_letting_all_in_goes_on_where_somebody_has_withdrawn(asha, queue):
    """The page hears of the withdrawal too late: its line is slow."""
    room, [bilal, chen, dana] = queue
    hold_the_line(asha)
    asha.room.get_by_role("button", name="Approve all").click()
    bilal.withdraw(room)
    let_go(asha)
    for person in (chen, dana):
        person.hears("approved")


def test_who_was_denied_is_not_let_in_with_all_the_others(asha, queue):
    """Also while letting in takes its time, as for many at the server's pace."""
    _, [bilal, chen, dana] = queue
    hold_the_line(asha)
    asha.room.get_by_role("button", name="Approve all").click()
    asha.room.get_by_role("button", name="Deny dana").click()
    let_go(asha)
    chen.hears("approved")
    dana.hears("denied")
    assert not dana.heard("approved")


def test_who_hands_the_room_over_has_denied_without_an_undo(asha, queue):
    room, [bilal, chen, dana] = queue
    bilal.withdraw(room)
    bilal.request(room)
    asha.room.get_by_role("button", name="Approve bilal").click()
    asha.room.get_by_role("button", name="Deny chen").click()
    asha.room.get_by_role("button", name="More about bilal").click()
    asha.room.get_by_role("button", name="Make bilal the host").click()
    chen.hears("denied")
    bilal.close(room)


def test_two_tabs_offer_a_pitch_once_and_know_of_a_withdrawal(asha, bilal):
    asha.host("Two tabs ask")
    bilal.watch("Two tabs ask")
    first, bilal.page = bilal.page, bilal.new_tab()
    bilal.page.goto(first.url)
    bilal.ask("Once")
    other = first.get_by_role("dialog")
    expect(other.get_by_text("You are next")).to_be_visible()
    bilal.room.get_by_role("button", name="Withdraw").click()
    other.get_by_role("button", name="Withdraw").click()
    expect(other.get_by_role("button", name="Ask to speak")).to_be_visible()
    bilal.ask("Once")
    asha.approve("bilal")
    expect(other.get_by_role("button", name="Say it")).to_be_visible()
    bilal.room.get_by_role("button", name="Say it").click()
    expect(other.get_by_role("button", name="Say it")).to_have_count(0)
    expect(asha.message("Once")).to_have_count(1)
