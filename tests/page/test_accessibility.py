"""The page by keyboard, for screen readers, in light and dark, on a desk and on a phone."""

import pytest
from playwright.sync_api import expect
from visitor import PHONE, assert_accessible


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
            log = visitor.feed
            assert log.evaluate("log => log.scrollWidth <= log.clientWidth"), "no sideways scroll in the feed"
    asha.close_room()
    assert_accessible(bilal.page)
