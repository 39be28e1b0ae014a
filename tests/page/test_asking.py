"""Asking to speak: the pitch, the queue as both sides see it, and what the host can do with it."""

import pytest
from playwright.sync_api import expect
from servers import password_of, running_server
from visitor import PHONE, people_without_a_page


@pytest.fixture
def queue(asha):
    """asha's room, and three people without a page who wait in it."""
    asha.host("A queue")
    room = asha.page.url.rpartition("=")[2]
    with people_without_a_page(asha.address, "bilal", "chen", "dana") as people:
        for person in people:
            person.watch(room)
            person.request(room, pitch=f"The pitch of {person.name}")
        expect(asha.room.get_by_role("button", name="Not now, dana")).to_be_visible()
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


def send_back(host, name):
    """Gives a speaker's seat free again."""
    host.room.get_by_role("button", name=f"More about {name}").click()
    host.room.get_by_role("button", name=f"{name}: back to listening").click()


def expect_selected(writing, text):
    """To be sent as it is with Enter, or written over."""
    expect(writing).to_have_value(text)
    expect(writing).to_be_focused()
    selected = "field => field.value.slice(field.selectionStart, field.selectionEnd)"
    assert writing.evaluate(selected) == text


def test_a_watcher_has_no_text_box_but_a_button(asha, bilal):
    asha.host("Read-only")
    bilal.watch("Read-only")
    expect(bilal.room.get_by_role("textbox")).to_have_count(0)


def test_asking_can_be_broken_off(asha, bilal):
    asha.host("Perhaps")
    bilal.watch("Perhaps")
    bilal.room.get_by_role("button", name="Ask to speak").click()
    expect(bilal.pitch).to_be_focused()
    bilal.page.keyboard.press("Escape")
    expect(bilal.room.get_by_role("button", name="Ask to speak")).to_be_focused()
    expect(bilal.room.get_by_role("textbox")).to_have_count(0)


def test_the_place_in_the_queue_is_told_and_moves_up(queue, visit):
    room, people = queue
    farida = visit("farida").sign_in(f"#room={room}")
    farida.room.get_by_role("button", name="Ask to speak").click()
    farida.page.keyboard.press("Enter")
    expect(farida.room.get_by_text("You are fourth in line")).to_be_visible()
    for person, words in zip(people, ("third in line", "second in line", "You are next"), strict=True):
        person.withdraw(room)
        expect(farida.room.get_by_text(words)).to_be_visible()


def test_a_pitch_that_is_too_long_is_counted_and_never_cut(asha, bilal):
    asha.host("In a few words")
    bilal.watch("In a few words")
    bilal.room.get_by_role("button", name="Ask to speak").click()
    count, send = bilal.room.get_by_text("of 140"), bilal.room.get_by_role("button", name="Ask to speak")
    expect(count).to_have_text("0 of 140")
    one_line = bilal.pitch.bounding_box()["height"]
    quiet = count.evaluate("count => getComputedStyle(count).color")
    words = "🚌" + "detour " * 19 + "detours"
    bilal.pitch.fill(words)
    expect(count).to_have_text("141 of 140")
    expect(count).not_to_have_css("color", quiet)
    expect(count).to_have_class("field__count refusal")
    expect(send).to_be_disabled()
    bilal.pitch.press("Enter")
    expect(bilal.pitch).to_have_value(words)
    assert bilal.pitch.bounding_box()["height"] > one_line, "all of it is seen"
    bilal.pitch.fill(words[:140])
    expect(count).to_have_text("140 of 140")
    expect(count).to_have_css("color", quiet)
    send.click()
    expect(bilal.room.get_by_role("blockquote")).to_have_text(words[:140])
    expect(asha.room.get_by_text(words[:140], exact=True)).to_be_visible()


def test_who_is_let_in_finds_the_pitch_selected_and_sends_it_with_enter(asha, bilal):
    asha.host("A first word")
    bilal.watch("A first word")
    bilal.ask("I drive the bus that had to go round")
    expect(bilal.room.get_by_role("blockquote")).to_have_text("I drive the bus that had to go round")
    asha.approve("bilal")
    expect(bilal.room.get_by_text("These were your words:")).to_be_visible()
    expect_selected(bilal.writing, "I drive the bus that had to go round")
    bilal.page.reload()  # it still stands there after that
    expect(bilal.writing).to_have_value("I drive the bus that had to go round")
    bilal.writing.press("Enter")
    expect(asha.message("I drive the bus that had to go round")).to_have_count(1)
    expect(bilal.room.get_by_text("These were your words:")).to_have_count(0)
    bilal.page.reload()
    expect(bilal.writing).to_have_value("")


def test_with_a_touch_keyboard_the_pitch_is_not_selected_for_there_enter_would_delete_it(asha, visit):
    asha.host("By thumb")
    chen = visit("chen", **PHONE).sign_in()
    chen.watch("By thumb")
    chen.ask("First words")
    asha.approve("chen")
    expect(chen.writing).to_be_focused()
    chen.page.keyboard.press("Enter")
    expect(chen.writing).to_have_value("First words\n")


def test_after_the_last_answer_the_focus_goes_to_where_one_writes(asha, queue):
    for name in ("bilal", "chen", "dana"):
        button = asha.room.get_by_role("button", name=f"Let in {name}")
        button.focus()
        asha.page.keyboard.press("Enter")
        expect(button).to_have_count(0)
        following = {"bilal": "Let in chen", "chen": "Let in dana"}.get(name)
        expect(asha.room.get_by_role("button", name=following) if following else asha.writing).to_be_focused()


def test_a_denial_can_be_undone_before_anybody_is_told(asha, queue):
    _, [bilal, chen, _] = queue
    asha.page.clock.install()
    asha.room.get_by_role("button", name="Not now, bilal").click()
    asha.page.clock.fast_forward(1_000)
    asha.room.get_by_role("button", name="Undo: bilal goes on waiting").click()
    expect(asha.room.get_by_role("button", name="Not now, bilal")).to_be_focused()
    asha.room.get_by_role("button", name="Not now, chen").click()
    asha.page.clock.fast_forward(6_000)
    chen.hears("denied")
    expect(asha.room.get_by_role("button", name="Undo: chen goes on waiting")).to_have_count(0)
    assert not bilal.heard("denied")
    expect(asha.room.get_by_role("button", name="Let in bilal")).to_be_visible()


def test_who_leaves_the_room_has_denied_without_an_undo(asha, queue):
    asha.room.get_by_role("button", name="Not now, bilal").click()
    asha.leave()
    queue[1][0].hears("denied")


def test_who_asks_anew_is_not_denied_for_the_request_before(asha, queue):
    room, [bilal, *_] = queue
    asha.page.clock.install()
    asha.room.get_by_role("button", name="Not now, bilal").click()
    bilal.withdraw(room)
    bilal.request(room, pitch="Better words")
    expect(asha.room.get_by_text("Better words")).to_be_visible()
    asha.page.clock.fast_forward(6_000)
    expect(asha.room.get_by_role("button", name="Not now, bilal")).to_be_visible()
    asha.room.get_by_role("button", name="Let in bilal").click()
    bilal.hears("approved")
    assert not bilal.heard("denied")


def test_all_can_be_let_in_at_once(asha, queue):
    asking = asha.room.get_by_role("region", name="3 want to speak")
    expect(asking).to_be_visible()
    asking.get_by_role("button", name="Let all in").click()
    for person in queue[1]:
        person.hears("approved")
    expect(asha.room.locator(".queue")).to_be_hidden()
    expect(asha.room.get_by_role("region", name="Speaking").get_by_text("dana")).to_be_visible()


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
        expect(chen.room.get_by_text("The only seat is taken. You can wait for it.")).to_be_visible()
        expect(asha.room.get_by_text("The only seat is taken.")).to_be_visible()
        expect(asha.room.get_by_role("button", name="Let in chen")).to_be_disabled()
        send_back(asha, "bilal")
        asha.approve("chen")
        expect(chen.writing).to_be_visible()


def test_a_link_can_carry_the_wish_to_speak_through_the_sign_in(asha, visit):
    asha.host("Come and talk")
    chen = visit("chen").sign_in(asha.page.url + "&ask")
    expect(chen.pitch).to_be_focused()
    chen.page.keyboard.press("Enter")
    expect(asha.room.get_by_role("button", name="Let in chen")).to_be_visible()


def test_from_an_invite_link_to_having_asked_it_is_four_taps(asha, visit):
    """The link itself is the first."""
    asha.host("A newcomer")
    chen = visit("chen", **PHONE)
    chen.page.goto(f"sign-in#name=chen&password={password_of('chen')}")
    chen.page.get_by_role("button", name="Sign in").tap()
    chen.page.get_by_role("link", name="Ask to speak: A newcomer").tap()
    expect(chen.pitch).to_be_focused()
    chen.page.keyboard.type("It is my first time")
    chen.room.get_by_role("button", name="Ask to speak").tap()
    expect(chen.room.get_by_text("You are next")).to_be_visible()
    expect(asha.room.get_by_text("It is my first time")).to_be_visible()


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
    expect(bilal.page.get_by_text("You can speak now: Elsewhere")).to_be_visible()
    bilal.card("Elsewhere").get_by_role("link", name="Elsewhere", exact=True).click()
    expect_selected(bilal.writing, "Said from the lobby")
    bilal.writing.press("Enter")
    expect(asha.message("Said from the lobby")).to_have_count(1)
    with people_without_a_page(asha.address, "asha") as [host]:
        host.remove(room, "bilal")
        bilal.ask("Said after a sleep")
        bilal.page.goto("about:blank")
        host.approve(room, "bilal")
        bilal.page.goto(asha.page.url)
        expect_selected(bilal.writing, "Said after a sleep")
        bilal.writing.press("Enter")
    expect(asha.message("Said after a sleep")).to_have_count(1)


def test_never_mind_gives_the_words_back_and_they_are_not_offered_later(asha, bilal):
    asha.host("Withdrawn")
    bilal.watch("Withdrawn")
    bilal.ask("Perhaps not")
    bilal.room.get_by_role("button", name="Never mind").click()
    bilal.room.get_by_role("button", name="Ask to speak").click()
    expect(bilal.pitch).to_have_value("Perhaps not")
    bilal.ask()
    asha.approve("bilal")
    expect(bilal.writing).to_be_visible()
    expect(bilal.writing).to_have_value("")


def test_a_pitch_that_is_being_written_survives_a_reload(asha, bilal):
    asha.host("Half a pitch")
    bilal.watch("Half a pitch")
    bilal.room.get_by_role("button", name="Ask to speak").click()
    bilal.page.keyboard.type("I have a book ab")
    bilal.page.reload()
    expect(bilal.pitch).to_have_value("I have a book ab")


def test_a_wish_that_came_true_is_not_wished_again(asha, bilal):
    asha.host("Once is enough")
    bilal.page.goto(asha.page.url + "&ask")
    bilal.ask()
    asha.approve("bilal")
    expect(bilal.writing).to_be_visible()
    send_back(asha, "bilal")
    expect(bilal.room.get_by_role("button", name="Ask to speak")).to_be_visible()
    expect(bilal.room.get_by_role("textbox")).to_have_count(0)
    bilal.page.reload()
    expect(bilal.room.get_by_role("button", name="Ask to speak")).to_be_visible()
    expect(bilal.room.get_by_role("textbox")).to_have_count(0)


def test_the_focus_follows_the_role_and_never_lands_on_what_enter_would_do_by_mistake(asha, bilal):
    asha.host("By keyboard")
    bilal.watch("By keyboard")
    bilal.room.get_by_role("button", name="Ask to speak").focus()
    bilal.page.keyboard.press("Enter")
    bilal.page.keyboard.press("Enter")
    expect(bilal.room.get_by_role("status").filter(has_text="You are next")).to_be_focused()
    bilal.page.keyboard.press("Enter")  # once too often: nothing is taken back
    asha.approve("bilal")
    expect(bilal.writing).to_be_focused()
    send_back(asha, "bilal")
    expect(bilal.room.get_by_role("button", name="Ask to speak")).to_be_focused()


def test_letting_all_in_goes_on_where_somebody_has_withdrawn(asha, queue):
    """The page hears of the withdrawal too late: its line is slow."""
    room, [bilal, chen, dana] = queue
    hold_the_line(asha)
    asha.room.get_by_role("button", name="Let all in").click()
    bilal.withdraw(room)
    let_go(asha)
    for person in (chen, dana):
        person.hears("approved")


def test_who_was_denied_is_not_let_in_with_all_the_others(asha, queue):
    """Also while letting in takes its time, as for many at the server's pace."""
    _, [bilal, chen, dana] = queue
    hold_the_line(asha)
    asha.room.get_by_role("button", name="Let all in").click()
    asha.room.get_by_role("button", name="Not now, dana").click()
    let_go(asha)
    chen.hears("approved")
    dana.hears("denied")
    assert not dana.heard("approved")


def test_who_hands_the_room_over_has_denied_without_an_undo(asha, queue):
    room, [bilal, chen, dana] = queue
    asha.room.get_by_role("button", name="Let in bilal").click()
    asha.room.get_by_role("button", name="Not now, chen").click()
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
    other = first.locator(".room")
    expect(other.get_by_text("You are next")).to_be_visible()
    bilal.room.get_by_role("button", name="Never mind").click()
    other.get_by_role("button", name="Never mind").click()
    expect(other.get_by_role("button", name="Ask to speak")).to_be_visible()
    bilal.ask("Once")
    asha.approve("bilal")
    expect(other.get_by_role("textbox", name="Message")).to_have_value("Once")
    expect(bilal.writing).to_have_value("Once")
    bilal.writing.press("Enter")
    expect(other.get_by_role("textbox", name="Message")).to_have_value("")
    expect(asha.message("Once")).to_have_count(1)
