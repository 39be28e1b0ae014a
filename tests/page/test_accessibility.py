"""The page by keyboard, for screen readers, in light and dark, on a desk and on a phone."""

import pytest
from playwright.sync_api import expect
from servers import running_server
from states import states
from visitor import PHONE, violations


def test_the_whole_story_works_by_keyboard(asha, bilal):
    asha.page.get_by_role("button", name="Host a room").focus()
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


DESK = {"viewport": {"width": 1440, "height": 900}}
# What a page that fits has: nothing to scroll sideways, at the top and in each part that scrolls.
STICKS_OUT = """
  () => [document.scrollingElement, ...document.querySelectorAll('dialog[open], dialog[open] *')]
    .filter((part) => part.scrollWidth > part.clientWidth + 1 && getComputedStyle(part).overflowX !== 'visible')
    .filter((part) => !part.matches('input, textarea, .visually-hidden'))
    .map((part) => part.className || part.tagName)
"""


@pytest.mark.timeout(300)  # some thirty states, looked at in a dozen ways each
@pytest.mark.parametrize("how, widths", [(DESK, (1440, 768)), (PHONE, (390, 320))], ids=["desk", "phone"])
def test_every_state_is_accessible_and_nothing_sticks_out(visit, how, widths):
    trouble = {}
    with running_server(PARTY_PACE="5", PARTY_GUESTS="2") as server:
        # Colours that are on their way to others have no contrast to measure.
        how = {"reduced_motion": "reduce", **how}
        for name, visitor in states(lambda name, address=server.address: visit(name, address, **how)):
            page, size = visitor.page, visitor.page.viewport_size
            for width in widths:
                page.set_viewport_size(size | {"width": width})
                for colour in ("light", "dark"):
                    page.emulate_media(color_scheme=colour)
                    trouble[name, width, colour] = violations(page)
                for direction in ("rtl", "ltr"):
                    page.evaluate("(direction) => (document.dir = direction)", direction)
                    trouble[name, width, "sideways", direction] = page.evaluate(STICKS_OUT)
            page.set_viewport_size(size)
            page.evaluate("document.documentElement.style.fontSize = '200%'")
            trouble[name, "sideways, twice the text"] = page.evaluate(STICKS_OUT)
            page.evaluate("document.documentElement.style.fontSize = ''")
    assert len(trouble) > 20 * 9, "each state must have been looked at"
    assert not {state: found for state, found in trouble.items() if found}
