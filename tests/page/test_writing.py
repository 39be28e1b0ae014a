"""Writing a message: what the keys do, whom one can mention, and that nothing one wrote is lost."""

import re

import pytest
from playwright.sync_api import expect
from visitor import PHONE, Cable


@pytest.fixture
def asha(discussion):
    return discussion.enter("asha")


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
    expect(asha.message("Nothing in particular")).to_contain_text("sent")
    assert "reply" not in discussion.bilal.heard("message")[-1]


def test_the_draft_and_what_it_replies_to_survive_a_reload(discussion, asha):
    asked = discussion.says(discussion.chen, "Who comes along?")
    asha.message("Who comes along?").hover()
    asha.feed.get_by_role("button", name="Reply", exact=True).click()
    asha.writing.fill("I do")
    asha.page.reload()
    expect(asha.room.locator(".composer")).to_contain_text("Who comes along?")
    expect(asha.writing).to_have_value("I do")
    asha.writing.press("Enter")
    expect(asha.message("I do")).to_contain_text("sent")
    assert discussion.bilal.heard("message")[-1]["reply"] == asked["seq"]
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
    expect(asha.message("I do")).to_contain_text("sent", timeout=10_000)
    assert discussion.bilal.heard("message")[-1]["reply"] == asked["seq"]
    cable.close()


def test_names_are_offered_and_taken_by_keyboard(discussion, asha):
    asha.writing.press_sequentially("Ask @")
    names = asha.room.get_by_role("listbox", name="People to mention").get_by_role("option")
    expect(names).to_have_text(["bilal", "chen"])
    asha.writing.press_sequentially("C")
    expect(names).to_have_text(["chen"])
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
    expect(names).to_have_text(["bilal"])
    asha.writing.press("Escape")
    expect(names).to_have_count(0)
    expect(asha.writing).to_have_value("@b")
    asha.writing.press_sequentially("i")
    expect(names).to_have_text(["bilal"])
    asha.writing.press("Enter")
    expect(asha.message("@bi")).to_contain_text("sent")
    expect(names).to_have_count(0)
    asha.writing.press_sequentially("me@b")
    expect(names).to_have_count(0)
    asha.writing.press("Escape")
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


@pytest.mark.parametrize("composing", [{"isComposing": True}, {"keyCode": 229}], ids=["isComposing", "keyCode 229"])
def test_the_enter_that_ends_a_composition_does_not_send(discussion, asha, composing):
    asha.writing.fill("にほん")
    asha.writing.evaluate(
        "(it, more) => it.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true, ...more }))",
        composing,
    )
    expect(asha.writing).to_have_value("にほん")
    asha.writing.press("Enter")
    expect(asha.message("にほん")).to_contain_text("sent")


def test_enter_makes_a_line_where_the_keyboard_is_on_the_screen(discussion):
    asha = discussion.enter("asha", **PHONE)
    asha.writing.press_sequentially("One\ntwo")
    expect(asha.writing).to_have_value("One\ntwo")
    expect(asha.writing).to_have_attribute("enterkeyhint", "enter")
    asha.room.get_by_role("button", name="Send").tap()
    expect(asha.message("One\ntwo")).to_contain_text("sent")
