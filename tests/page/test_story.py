"""The page, in real browsers, on a real server: three people at once, and the ways in and out of a room."""

import re

from playwright.sync_api import expect


def test_three_friends_have_a_discussion(visit):
    """As most people see it, with all that moves."""
    asha, bilal, chen = (visit(name, reduced_motion="no-preference").sign_in() for name in ("asha", "bilal", "chen"))
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
    assert asha.feed.locator(".message__day").all_inner_texts() == [
        asha.page.evaluate("new Date().toLocaleDateString('en-GB', { weekday: 'long', day: 'numeric', month: 'long' })")
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
    expect(chen.room.get_by_text("Not this time")).to_be_visible(timeout=8_000)  # there is time for an undo
    expect(chen.room.get_by_role("button", name="Ask to speak")).to_be_visible()

    asha.close_room()
    for visitor in (bilal, chen):
        expect(visitor.room.get_by_text("asha closed the room")).to_be_visible()
        expect(visitor.writing).to_have_count(0)
        expect(visitor.message("Who planned them?")).to_be_visible()
        visitor.leave()
        expect(visitor.card(topic)).to_have_count(0)


def test_asking_from_the_card_goes_in_and_begins_to_ask(asha, bilal):
    asha.host("From the card")
    bilal.card("From the card").get_by_role("button", name="Ask to speak").click()
    expect(bilal.room.get_by_label("What do you want to add?")).to_be_focused()
    bilal.page.keyboard.type("A card's worth")
    bilal.page.keyboard.press("Enter")
    expect(bilal.room.get_by_text("You are next")).to_be_visible()
    expect(asha.room.get_by_text("A card's worth")).to_be_visible()
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


def test_the_back_button_closes_the_room_and_not_the_page(asha):
    asha.host("Back")
    asha.page.go_back()
    expect(asha.room).to_have_count(0)
    expect(asha.page.get_by_role("heading", name="Live rooms")).to_be_visible()
    asha.page.go_forward()
    asha.close_room()
