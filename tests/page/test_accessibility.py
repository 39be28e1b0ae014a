"""The page by keyboard, for screen readers, in light and dark, on a desk and on a phone."""

import pytest
from playwright.sync_api import expect
from states import a_party, states
from visitor import PHONE, STICKS_OUT, violations


def tab_to(visitor, name, key="Tab", role="button"):
    """Moves the focus as a keyboard does until it is on what has that name, and presses it."""
    thing = visitor.page.get_by_role(role, name=name, exact=True).last
    expect(thing).to_be_visible()
    for _ in range(100):
        if thing.evaluate("thing => thing === document.activeElement"):
            return visitor.page.keyboard.press("Enter")
        visitor.page.keyboard.press(key)
    raise AssertionError(f"The keyboard does not get to {name}.")


def test_the_whole_story_works_by_keyboard(asha, bilal):
    tab_to(asha, "Host a room")
    expect(asha.sheet.get_by_role("textbox", name="Topic")).to_be_focused()
    asha.page.keyboard.type("By keyboard")
    asha.page.keyboard.press("Enter")
    expect(asha.writing).to_be_focused()
    asha.page.keyboard.type("First line")
    asha.page.keyboard.press("Shift+Enter")
    asha.page.keyboard.type("second line")
    asha.page.keyboard.press("Enter")
    expect(asha.message("First line")).to_contain_text("second line")

    tab_to(bilal, "By keyboard", role="link")
    expect(bilal.message("First line")).to_be_visible()
    bilal.message("First line").focus()
    tab_to(bilal, "Well said")
    expect(asha.message("First line").get_by_role("img", name="Well said: 1")).to_be_visible()
    tab_to(bilal, "Agree")
    tab_to(bilal, "Ask to speak")
    bilal.page.keyboard.type("A pitch by keyboard")
    bilal.page.keyboard.press("Enter")
    tab_to(asha, "Let in bilal", key="Shift+Tab")
    expect(bilal.writing).to_be_focused()
    expect(bilal.writing).to_have_value("A pitch by keyboard")
    bilal.page.keyboard.press("Enter")
    expect(bilal.writing).to_be_focused()
    expect(asha.message("A pitch by keyboard")).to_be_visible()

    tab_to(asha, "More about bilal", key="Shift+Tab")
    tab_to(asha, "Make bilal the host")
    expect(bilal.page.get_by_text("You are the host now.")).to_be_visible()
    tab_to(bilal, "More", key="Shift+Tab")
    tab_to(bilal, "Close the room It can still be read for two hours")
    tab_to(bilal, "Yes, close it")
    expect(asha.room.get_by_text("bilal closed the room.")).to_be_visible()
    with asha.page.expect_download():
        tab_to(asha, "Save a copy")
    asha.page.keyboard.press("Escape")
    expect(asha.room).to_have_count(0)
    tab_to(asha, "By keyboard", role="link")
    expect(asha.message("A pitch by keyboard")).to_be_visible()
    asha.page.keyboard.press("Escape")
    expect(asha.page.get_by_role("link", name="By keyboard", exact=True)).to_be_focused()


OF_COLOURS = ("color-contrast", "link-in-text-block")  # no other rule of axe looks at one
OF_WIDTH = ("target-size", "scrollable-region-focusable")  # nor at where something stands
# What sticks out in each direction, and perhaps with twice the text: in one go, for asking takes longer than looking.
SIDEWAYS = f"""
  (twice) => {{
    const found = {{}}
    for (const direction of ['rtl', 'ltr']) {{
      document.dir = direction
      found[direction] = ({STICKS_OUT})()
    }}
    if (twice) {{
      document.documentElement.style.fontSize = '200%'
      found['twice the text'] = ({STICKS_OUT})()
      document.documentElement.style.fontSize = ''
    }}
    return found
  }}
"""
DESK = {"viewport": {"width": 1440, "height": 900}}


@pytest.mark.timeout(600)  # some fifty states, looked at in a dozen ways each
@pytest.mark.parametrize("how, narrow", [(DESK, 768), (PHONE, 320)], ids=["desk", "phone"])
def test_every_state_is_accessible_and_nothing_sticks_out(visit, how, narrow):
    trouble = {}
    with a_party() as server:
        # Colours that are on their way to others have no contrast to measure.
        how = {"reduced_motion": "reduce", "color_scheme": "light", **how}
        for name, visitor in states(lambda name, address=server.address, **more: visit(name, address, **how | more)):
            page, size = visitor.page, visitor.page.viewport_size
            is_usual = size == how["viewport"]  # else it is seen at another size already
            trouble[name, "light"] = violations(page)
            trouble |= sideways(page, name, size["width"], is_usual)
            page.emulate_media(color_scheme="dark")
            trouble[name, "dark"] = violations(page, *OF_COLOURS)
            page.emulate_media(color_scheme="light")
            if is_usual:
                resize(page, size | {"width": narrow})
                trouble[name, narrow] = violations(page, *OF_WIDTH)
                trouble |= sideways(page, name, narrow)
                resize(page, size)
    assert len(trouble) > 30 * 7, "each state must have been looked at"
    assert not [(state, *found) for state, found in trouble.items() if found]


def resize(page, size):
    """And wait until the page has moved what stands elsewhere at that size."""
    page.set_viewport_size(size)
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def sideways(page, name, width, twice=False):
    return {(name, width, "sideways", how): found for how, found in page.evaluate(SIDEWAYS, twice).items()}
