"""The page, in real browsers, on a real server: three people at once, and the ways in and out of a room."""

import re

from playwright.sync_api import expect


def test_three_friends_have_a_discussion(visit):
    """As most people see it, with all that moves."""
    asha, bilal, chen = (visit(name, reduced_motion="no-preference").sign_in() for name in ("asha", "bilal", "chen"))
    expect(chen.page.get_by_role("heading", name="It is quiet here")).to_be_visible()
    asha.host("Should small towns close their centres to cars?", minutes=20)
    topic = "Should small towns close their centres to cars?"
    expect(chen.page.get_by_role("heading", name="One discussion is on")).to_be_visible()
    expect(chen.card(topic)).to_contain_text("asha hosts")
    expect(chen.card(topic)).to_contain_text("just opened")

    chen.watch(topic)
    bilal.watch(topic)
    expect(bilal.writing).to_have_count(0)
    expect(asha.room.locator(".room__head")).to_contain_text("20 min2 listening")
    asha.say("Ours did it for a summer. The square was full every evening.")
    expect(asha.message("Ours did it").get_by_role("time")).to_be_visible()
    expect(chen.message("Ours did it")).to_contain_text("asha")
    own, others = (
        visitor.message("Ours did it").locator(".message__bubble").bounding_box() for visitor in (asha, chen)
    )
    assert own["x"] > others["x"], "own messages stand on the other side"

    bilal.ask("I drive the bus that had to go round")
    expect(asha.room.get_by_text("I drive the bus that had to go round")).to_be_visible()
    expect(asha.page).to_have_title(re.compile(r"^\(1\) "))
    expect(chen.room.get_by_text("I drive the bus")).to_have_count(0)
    asked = asha.page.get_by_role("status").filter(has_text="bilal asks to speak.")
    expect(asked).to_have_count(1)
    asha.approve("bilal")
    expect(asked).to_have_count(0)
    bilal.say("The detour cost four minutes. Nobody complained after the first week 🚌")
    bilal.say("But the deliveries need a plan. We used https://example.org/loading-hours and it helped.")
    expect(chen.message("Nobody complained")).to_contain_text("bilal")
    expect(chen.message("deliveries").get_by_role("link")).to_have_attribute(
        "href", "https://example.org/loading-hours"
    )
    asha.say("Who planned them?")

    expect(chen.message("Who planned them?")).to_be_visible()
    chen.ask("I own a shop on that square")
    asha.room.get_by_role("button", name="Not now, chen").click()
    expect(chen.page.get_by_text("Not this time")).to_be_visible(timeout=15_000)  # there is time for an undo
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
    bilal.card("From the card").get_by_role("link", name="Ask to speak: From the card").click()
    expect(bilal.pitch).to_be_focused()
    bilal.page.keyboard.type("A card's worth")
    bilal.page.keyboard.press("Enter")
    expect(bilal.room.get_by_text("You are next")).to_be_visible()
    expect(asha.room.get_by_text("A card's worth")).to_be_visible()
    bilal.leave()
    expect(bilal.card("From the card")).to_contain_text("You are next")
    expect(bilal.card("From the card").get_by_role("link", name="Ask to speak")).to_have_count(0)
    bilal.card("From the card").get_by_role("link").click()
    bilal.room.get_by_role("button", name="Never mind").click()
    expect(bilal.room.get_by_role("button", name="Ask to speak")).to_be_visible()
    expect(asha.room.get_by_role("button", name="Let in bilal")).to_have_count(0)
    asha.close_room()


def test_a_host_alone_has_the_link_that_leads_through_the_sign_in_into_the_room(asha, visit):
    asha.host("Shared")
    alone = asha.feed.get_by_role("heading", name="Nobody is here yet")
    expect(alone).to_be_visible()
    expect(asha.writing).to_have_attribute("placeholder", "Begin with a question")
    asha.feed.get_by_role("button", name="Copy the link").click()
    expect(asha.page.get_by_text("Link copied.")).to_be_visible()
    link = asha.page.evaluate("navigator.clipboard.readText()")
    assert re.fullmatch(re.escape(asha.address) + r"#room=[\w-]+", link)
    chen = visit("chen").sign_in(link)
    expect(chen.room.get_by_role("heading", name="Shared")).to_be_visible()
    expect(chen.page).to_have_title("Shared – Discuss Party")
    expect(alone).to_have_count(0)
    expect(chen.feed.get_by_text("Nothing has been said yet.")).to_be_visible()
    # Who listens may bring others along.
    chen.page.evaluate("navigator.clipboard.writeText('')")
    chen.open_menu().get_by_role("button", name="Invite").click()
    chen.sheet.get_by_role("button", name="Copy the link").click()
    expect(chen.page.get_by_text("Link copied.")).to_be_visible()
    expect(chen.sheet).to_have_count(0)
    assert chen.page.evaluate("navigator.clipboard.readText()") == link
    asha.close_room()


def test_the_back_button_closes_the_room_and_not_the_page(asha):
    asha.host("Back")
    asha.page.locator(".card__open", has_text="Back").wait_for(state="attached")
    asha.page.go_back()
    expect(asha.room).to_have_count(0)
    expect(asha.page.get_by_role("button", name="Host a room")).to_be_visible()
    expect(asha.card("Back").get_by_role("link")).to_be_focused()
    asha.page.go_forward()
    asha.close_room()
