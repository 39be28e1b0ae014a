"""What friends do with the page, in Firefox and in WebKit, on a real server."""

import pytest

pytestmark = [pytest.mark.page, pytest.mark.engines]

PHONE, WITH_A_KEYBOARD_OPEN, DESK = (390, 844), (390, 420), (900, 700)


def test_three_friends_have_a_discussion(visit):
    asha, bilal, chen = (visit(name) for name in ("asha", "bilal", "chen"))
    bilal.window.resize(*PHONE)
    asha.host("Should small towns close their centres to cars?", minutes=20)
    bilal.open_card("Should small towns")
    chen.open_card("Should small towns")
    bilal.may_only_watch()
    bilal.ask("I drive the bus that had to go round")
    asha.window.sees("I drive the bus that had to go round", asha.room)
    asha.let_in("bilal")
    bilal.may_write()
    bilal.say("The detour cost four minutes.")
    asha.say("And after the first week?")
    for friend in (asha, bilal, chen):
        friend.sees("The detour cost four minutes.", of="bilal")
        friend.sees("And after the first week?", of="asha")
    chen.may_only_watch()


def test_the_feed_stays_at_its_end_unless_somebody_scrolled_up(visit, bilal_without_a_page):
    bilal = bilal_without_a_page
    room = bilal.host("Long")
    for n in range(1, 61):
        bilal.message(room, f"Message {n}.")
    asha = visit("asha")
    asha.open_card("Long")
    asha.window.sees("Message 60.", asha.feed)
    asha.is_at_the_end()
    bilal.message(room, "Something of several lines. " * 20)
    asha.window.sees("Something of several lines.", asha.feed)
    asha.is_at_the_end()
    for size in (PHONE, WITH_A_KEYBOARD_OPEN, DESK):
        asha.window.resize(*size)
        asha.is_at_the_end()

    asha.scroll_up_by(600)
    before = asha.place_of("Message 50.")
    bilal.message(room, "While you read")
    asha.sees_news(1)
    assert asha.place_of("Message 50.") == before
    asha.window.press(asha.newest)
    asha.is_at_the_end()
    asha.window.finds_no(asha.newest)


def test_what_was_said_earlier_does_not_move_what_one_reads(visit, bilal_without_a_page):
    """Not every engine keeps the place by itself: WebKit has no `overflow-anchor`."""
    room = bilal_without_a_page.host("Longer")
    for n in range(1, 261):
        bilal_without_a_page.message(room, f"Message {n}.")
    asha = visit("asha")
    asha.open_card("Longer")
    asha.window.sees("Message 260.", asha.feed)
    asha.is_at_the_end()
    asha.scroll_to_the_top()
    before = asha.place_of("Message 61.")
    asha.ask_for_earlier_messages()
    asha.window.sees("Message 1.", asha.feed)
    after = asha.place_of("Message 61.")
    assert abs(after - before) < asha.height_of_feed() / 4, "it is still where one reads"


def test_a_sheet_closes_by_escape_and_not_what_is_below_it(visit):
    asha = visit("asha")
    asha.window.press(asha.host_button)
    asha.window.has_focus_on(asha.topic)
    asha.window.key("Escape")
    asha.window.finds_no(asha.host_dialog)
    asha.window.has_focus_on(asha.host_button)

    asha.host("Open and shut")
    asha.window.press(asha.menu_button)
    asha.window.finds(asha.sheet)
    asha.window.key("Escape")
    asha.window.finds_no(asha.sheet)
    asha.window.has_focus_on(asha.menu_button)
    assert asha.is_in_the_room()
    asha.window.key("Escape")
    asha.window.finds_no(asha.room)


def test_what_was_written_without_a_connection_arrives_once(visit, cable):
    asha, bilal = visit("asha", cable.address), visit("bilal")
    asha.host("Patience")
    bilal.open_card("Patience")
    asha.say("Before")
    bilal.sees("Before", of="asha")
    cable.cut()
    asha.sees_reconnecting()
    asha.say("Written in a tunnel")
    asha.window.sees("sending", asha.message("Written in a tunnel"))
    cable.mend()
    for friend in (asha, bilal):
        friend.sees("Written in a tunnel", of="asha")
    asha.sees_sent("Written in a tunnel")
    asha.say("After")
    for friend in (asha, bilal):
        friend.sees("After", of="asha")
        friend.sees("Written in a tunnel", of="asha")
