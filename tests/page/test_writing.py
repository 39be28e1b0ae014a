"""Writing a message: what the keys do, whom one can mention, and that nothing one wrote is lost."""

import re

import pytest
from person import assert_ok
from playwright.sync_api import expect
from visitor import PHONE, Cable


@pytest.fixture
def asha(discussion):
    return discussion.enter("asha")


def as_heard(person, text):
    return person.hears("message", lambda message: message["text"] == text)


def test_the_reply_is_quoted_where_one_writes_and_can_be_dropped(discussion, asha):
    discussion.says(discussion.chen, "Who comes along?")
    asha.message("Who comes along?").hover()
    asha.feed.get_by_role("button", name="Reply", exact=True).click()
    composer = asha.room.locator(".composer")
    expect(composer).to_contain_text(re.compile("chen\\s*Who comes along"))
    composer.get_by_role("button", name="Do not reply").click()
    expect(composer).not_to_contain_text("Who comes along?")
    expect(asha.writing).to_be_focused()
    asha.say("Nothing in particular")
    expect(asha.sent("Nothing in particular")).to_be_visible()
    assert "reply" not in as_heard(discussion.bilal, "Nothing in particular")


def test_the_draft_and_what_it_replies_to_survive_a_reload(discussion, asha):
    asked = discussion.says(discussion.chen, "Who comes along?")
    asha.message("Who comes along?").hover()
    asha.feed.get_by_role("button", name="Reply", exact=True).click()
    asha.writing.fill("I do")
    asha.page.reload()
    expect(asha.room.locator(".composer")).to_contain_text("Who comes along?")
    expect(asha.writing).to_have_value("I do")
    asha.writing.press("Enter")
    expect(asha.sent("I do")).to_be_visible()
    assert as_heard(discussion.bilal, "I do")["reply"] == asked["seq"]
    expect(asha.room.locator(".composer")).not_to_contain_text("Who comes along?")


def test_an_unsent_reply_stays_one(discussion):
    asked = discussion.says(discussion.chen, "Who comes along?")
    cable = Cable(discussion.server.port)
    asha = discussion.enter("asha", address=cable.address)
    asha.message("Who comes along?").hover()
    asha.feed.get_by_role("button", name="Reply", exact=True).click()
    cable.cut()
    asha.say("I do")
    expect(asha.message("I do")).to_contain_text("sending")
    expect(asha.message("I do")).to_contain_text("Who comes along?")
    cable.mend()
    asha.page.reload()
    expect(asha.sent("I do")).to_be_visible(timeout=10_000)
    assert as_heard(discussion.bilal, "I do")["reply"] == asked["seq"]
    cable.close()


def test_names_are_offered_and_taken_by_keyboard(discussion, asha):
    asha.writing.press_sequentially("Ask @")
    names = asha.room.get_by_role("listbox", name="People to mention").get_by_role("option")
    expect(names.locator("bdi")).to_have_text(["bilal", "chen"])
    asha.writing.press_sequentially("C")
    expect(names.locator("bdi")).to_have_text(["chen"])
    asha.writing.press("Backspace")
    asha.writing.press("ArrowUp")
    expect(names.nth(1)).to_have_attribute("aria-selected", "true")
    asha.writing.press("ArrowDown")
    expect(names.nth(0)).to_have_attribute("aria-selected", "true")
    active = asha.writing.get_attribute("aria-activedescendant")
    assert names.nth(0).get_attribute("id") == active
    asha.writing.press("Enter")
    expect(asha.writing).to_have_value("Ask @bilal ")
    expect(names).to_have_count(0)
    asha.writing.press_sequentially("or @ch")
    asha.writing.press("Tab")
    expect(asha.writing).to_have_value("Ask @bilal or @chen ")
    expect(asha.writing).to_be_focused()
    asha.writing.press("Enter")
    expect(asha.message("Ask @bilal or @chen").get_by_role("strong")).to_have_text(["@bilal", "@chen"])


def test_names_on_offer_keep_nobody_from_sending_or_closing_them(discussion, asha):
    asha.writing.press_sequentially("@b")
    names = asha.room.get_by_role("option")
    expect(names.locator("bdi")).to_have_text(["bilal"])
    asha.writing.press("Escape")
    expect(names).to_have_count(0)
    expect(asha.writing).to_have_value("@b")
    asha.writing.press_sequentially("i")
    expect(names.locator("bdi")).to_have_text(["bilal"])
    asha.writing.press("Enter")
    expect(asha.sent("@bi")).to_be_visible()
    expect(names).to_have_count(0)
    asha.writing.press_sequentially("me@b")
    expect(names).to_have_count(0)


def test_escape_drops_the_reply_and_stops_writing_before_it_leaves_the_room(discussion, asha):
    discussion.says(discussion.chen, "Who comes along?")
    asha.message("Who comes along?").hover()
    asha.feed.get_by_role("button", name="Reply", exact=True).click()
    asha.writing.fill("I d")
    composer = asha.room.locator(".composer")
    expect(composer).to_contain_text("Who comes along?")
    asha.writing.press("Escape")
    expect(composer).not_to_contain_text("Who comes along?")
    expect(asha.writing).to_have_value("I d")
    expect(asha.writing).to_be_focused()
    press_while_composing(asha, "Escape", {"isComposing": True})
    expect(asha.writing).to_be_visible()
    asha.writing.press("Escape")
    expect(asha.writing).not_to_be_focused()
    expect(asha.writing).to_have_value("I d")
    asha.message("Who comes along?").hover()
    expect(asha.feed.get_by_role("button", name="Reply", exact=True)).to_be_visible()
    asha.page.keyboard.press("Escape")
    expect(asha.room).to_have_count(0)


def test_a_name_is_taken_with_a_thumb_in_the_middle_of_a_sentence(discussion):
    asha = discussion.enter("asha", **PHONE)
    asha.writing.fill("Ask  about tea")
    asha.writing.evaluate("it => it.setSelectionRange(4, 4)")
    asha.writing.press_sequentially("@ch")
    name = asha.room.get_by_role("option", name="chen")
    assert name.bounding_box()["height"] >= 44
    name.tap()
    expect(asha.writing).to_have_value("Ask @chen about tea")
    expect(asha.writing).to_be_focused()
    assert asha.writing.evaluate("it => it.selectionStart") == len("Ask @chen ")


def press_while_composing(visitor, key, composing):
    """As an input method at work has browsers say it, each in its way."""
    visitor.writing.evaluate(
        "(it, more) => it.dispatchEvent(new KeyboardEvent('keydown', { bubbles: true, cancelable: true, ...more }))",
        {"key": key, **composing},
    )


def test_the_enter_that_ends_a_composition_does_not_send(discussion, asha):
    for composing in ({"isComposing": True}, {"keyCode": 229}):
        asha.writing.fill("にほん")
        press_while_composing(asha, "Enter", composing)
        expect(asha.writing).to_have_value("にほん")
    asha.writing.press("Enter")
    expect(asha.sent("にほん")).to_be_visible()


def test_enter_makes_a_line_where_the_keyboard_is_on_the_screen(discussion):
    asha = discussion.enter("asha", **PHONE)
    asha.writing.press_sequentially("One\ntwo")
    expect(asha.writing).to_have_value("One\ntwo")
    expect(asha.writing).to_have_attribute("enterkeyhint", "enter")
    asha.room.get_by_role("button", name="Send").tap()
    expect(asha.sent("One\ntwo")).to_be_visible()


def test_the_others_see_who_is_writing_until_it_is_said(discussion, asha):
    dana = discussion.enter("dana", speaks=False)
    line = dana.feed.locator(".feed__writing")
    expect(line).to_have_text("")
    asha.writing.press_sequentially("Half a th")
    expect(line).to_have_text("asha is writing…")
    for person in (discussion.chen, discussion.bilal):
        assert_ok(person.writing(discussion.room))
    expect(line).to_have_text("asha and chen are writing…")  # no more than two
    expect(asha.feed.locator(".feed__writing")).to_have_text("chen and bilal are writing…")
    expect(dana.feed.get_by_role("listitem")).to_have_count(0)
    expect(dana.room.get_by_role("log")).to_have_text("")
    for person in (discussion.chen, discussion.bilal):
        discussion.says(person, "Done")
    expect(line).to_have_text("asha is writing…")
    asha.writing.press("Enter")
    expect(line).to_have_text("")
    assert dana.reads() == ["Done", "Done", "Half a th"]


def test_who_goes_on_writing_is_seen_to_go_on(discussion):
    dana = discussion.signed_in("dana")
    dana.page.clock.install()
    dana.page.goto(f"./#room={discussion.room}")
    dana.room.get_by_role("button", name="Ask to speak").wait_for()
    assert_ok(discussion.chen.writing(discussion.room))
    line = dana.feed.locator(".feed__writing")
    expect(line).to_have_text("chen is writing…")
    dana.page.clock.run_for(10_000)  # the page's time alone: to the server, chen writes
    expect(line).to_have_text("chen is writing…")


def switch_writing(visitor):
    visitor.open_menu().get_by_role("switch", name="Show who is writing").click()
    visitor.page.keyboard.press("Escape")


# What goes to the server, of which nothing is kept back in the page.
WATCH_FRAMES = """() => {
    const frames = [];
    const { send } = WebSocket.prototype;
    WebSocket.prototype.send = function (frame) { frames.push(String(frame)); return send.call(this, frame); };
    return frames;
}"""


def test_who_does_not_want_to_be_seen_writing_is_not_and_sees_nobody(discussion, asha):
    dana = discussion.enter("dana", speaks=False)
    sent = asha.page.evaluate_handle(WATCH_FRAMES)
    said_writing = "frames => frames.filter(frame => frame.includes('writing')).length"
    asha.writing.press_sequentially("One")
    asha.writing.press("Enter")
    expect(asha.sent("One")).to_be_visible()
    assert sent.evaluate(said_writing) == 1, "it must be said while the switch is on"
    switch_writing(asha)
    asha.writing.press_sequentially("Two")
    assert_ok(discussion.chen.writing(discussion.room))
    expect(dana.feed.locator(".feed__writing")).to_have_text("chen is writing…")
    asha.writing.press("Enter")
    expect(asha.sent("Two")).to_be_visible()
    expect(asha.feed.locator(".feed__writing")).to_have_text("")
    assert sent.evaluate(said_writing) == 1
    asha.page.reload()
    expect(asha.open_menu().get_by_role("switch", name="Show who is writing")).not_to_be_checked()
