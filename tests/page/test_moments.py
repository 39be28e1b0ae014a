"""What one missed, as the page offers it, and what stands beside a discussion that is over."""

import re

from person import assert_ok
from playwright.sync_api import expect
from visitor import PHONE, STICKS_OUT, violations

COLOURS = "color-contrast"
DESK, SMALL = {"width": 1440, "height": 900}, {"width": 320, "height": 640}
MISSED = "What did I miss?"
AT_ONCE, LATE = "Math.random = () => 0", "Math.random = () => 1"  # a page asks within five seconds of the end

# The party picks from what says enough.
TALK = [
    "The kitchen in the community house is cold until noon",
    "Then we bake in the afternoon, when the stove is warm",
    "My grandmother let her dough rise under a blanket",
    "A blanket and a warm stove, she would have liked that",
    "Half of us work until five, so the afternoon is no good",
    "On Saturdays the house is empty and the stove is free",
]


def offer(visitor):
    return visitor.room.get_by_role("button", name=MISSED)


def talk(discussion):
    for place, text in enumerate(TALK):
        discussion.says((discussion.bilal, discussion.chen)[place % 2], text)


def quotes(part):
    return part.locator(".moment")


def assert_well_made(visitor):
    """For everybody, in light and dark."""
    visitor.page.set_viewport_size(SMALL)
    found = [*violations(visitor.page), *visitor.page.evaluate(STICKS_OUT)]
    visitor.page.set_viewport_size(PHONE["viewport"])
    visitor.page.evaluate("document.documentElement.style.fontSize = '200%'")
    found += visitor.page.evaluate(STICKS_OUT)
    visitor.page.evaluate("document.documentElement.style.fontSize = ''")
    visitor.page.emulate_media(color_scheme="dark")
    found += violations(visitor.page, COLOURS)
    visitor.page.emulate_media(color_scheme="light")
    visitor.page.set_viewport_size(DESK)
    assert not found


def test_who_comes_late_or_comes_back_can_see_what_they_missed(discussion):
    bilal, chen = discussion.bilal, discussion.chen
    discussion.fill(60)
    asked = discussion.says(chen, "Who has <b>seen</b> the {{ kettle }}?")["seq"]
    talk(discussion)
    discussion.fill(170)
    assert_ok(bilal.like(discussion.room, asked))
    tom = discussion.visit("Tom", discussion.server.address).come_in(bilal.link(discussion.room))
    asha = discussion.enter("asha", speaks=False, viewport=DESK)
    expect(asha.message("Message 170.")).to_be_in_viewport()
    expect(asha.message("kettle")).not_to_be_in_viewport()

    # Late: what they are shown leads to its place, and they can go on to the next.
    offer(asha).click()
    expect(asha.sheet.get_by_role("heading", name=MISSED)).to_be_visible()
    expect(asha.sheet.get_by_text("Picked from what was said: 200 messages.")).to_be_visible()
    kettle = quotes(asha.sheet).filter(has_text="Most approved")
    expect(kettle).to_contain_text("chen")
    expect(kettle).to_contain_text("Who has <b>seen</b> the {{ kettle }}?")
    assert_well_made(asha)
    kettle.press("Enter")
    expect(asha.sheet).to_have_count(0)
    expect(asha.message("kettle")).to_be_focused()
    expect(asha.message("kettle")).to_be_in_viewport()
    expect(asha.feed.locator(".message--marked")).to_contain_text("kettle")
    offer(asha).click()
    last = quotes(asha.sheet).last
    expect(last).to_contain_text("Last words")
    last.press("Enter")
    expect(asha.message(TALK[-1])).to_be_focused()

    # A guest who may not read what was said before they came has missed nothing.
    seq = discussion.says(chen, "Good to see you, Tom")["seq"]
    kept = "seq => Object.entries(sessionStorage).some(([name, kept]) => name.startsWith('seen ') && kept === `${seq}`)"
    tom.page.wait_for_function(kept, arg=seq)
    expect(offer(tom)).to_have_count(0)

    # Who does not want it is not asked again.
    asha.room.get_by_role("button", name="Not now").press("Enter")
    expect(asha.feed).to_be_focused()
    expect(offer(asha)).to_have_count(0)
    asha.leave()
    tom.page.goto("about:blank")
    talk(discussion)
    discussion.fill(54)

    # Back after more than fifty messages: it is of these alone.
    for visitor in (asha, tom):
        visitor.page.goto(f"./#room={discussion.room}")
        offer(visitor).click()
        expect(visitor.sheet.get_by_text("Picked from what was said: 60 messages.")).to_be_visible()
        expect(quotes(visitor.sheet).filter(has_text="kettle")).to_have_count(0)
        visitor.page.keyboard.press("Escape")
        expect(offer(visitor)).to_have_count(0)
    expect(asha.feed).to_be_focused()
    tom.page.goto("about:blank")

    # Who had the page in the background comes back, too; and who goes back and reads it all needs nothing more.
    asha.page.evaluate(
        "Object.defineProperty(document, 'hidden', { get: () => globalThis.isAway, configurable: true })"
    )
    asha.page.evaluate("isAway = true")
    discussion.fill(60)
    expect(asha.message("Message 60.").last).to_be_visible()
    asha.page.evaluate("isAway = false")
    expect(offer(asha)).to_be_visible()
    asha.page.reload()
    expect(offer(asha)).to_be_visible()
    asha.feed.hover()
    for _ in range(50):
        asha.page.mouse.wheel(0, -300)
        asha.page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        if not offer(asha).count():
            break
    expect(offer(asha)).to_have_count(0)

    # It ends while somebody looks: what they looked at was of a live room.
    asha.leave()
    talk(discussion)
    discussion.fill(54)
    asha.page.goto(f"./#room={discussion.room}")
    offer(asha).click()
    expect(quotes(asha.sheet).first).to_be_visible()
    assert_ok(discussion.bilal.close(discussion.room))
    expect(asha.sheet).to_have_count(0)


def by_an_ai(messages):
    """What a party gives whose owner has one: a sentence for each of `messages`."""
    return {
        "by": "Qwen <i>2.5</i>",
        "of": 260,
        "moments": [
            {
                "seq": message["seq"],
                "kind": "central",
                "text": f"It was about <b>tea</b> {{{{ {message['seq']} }}}}.",
                "message": message | {"name": "chen", "is_guest": False, "likes": 0, "reply": None},
            }
            for message in messages
        ],
    }


def test_beside_a_discussion_that_is_over_stands_what_was_picked_of_it_and_who_did_that(discussion):
    said = [discussion.says(discussion.chen, f"Tea, said <u>{number}</u>") for number in ("one", "two")]
    discussion.fill(252)
    talk(discussion)
    asha = discussion.enter("asha", speaks=False, viewport=DESK)
    asha.page.evaluate(AT_ONCE)
    asha.page.add_init_script(LATE)  # what it would fetch by itself
    beside = asha.room.get_by_role("complementary", name="Moments")
    assert_ok(discussion.bilal.close(discussion.room))
    expect(beside).to_contain_text("Picked from what was said: 200 messages.")
    expect(quotes(beside).last).to_contain_text(TALK[-1])

    # What cannot be had is not missed.
    asha.page.route("**/moments/*", lambda route: route.fulfill(status=500))
    with asha.page.expect_response("**/moments/*"):
        asha.page.reload()
    expect(asha.room.locator(".ending")).to_contain_text("260 messages")
    expect(beside).to_have_count(0)
    asha.page.unroute("**/moments/*")

    # An AI says that it is one, and each sentence leads to what was said.
    asha.page.route("**/moments/*", lambda route: route.fulfill(json=by_an_ai(said)))
    asha.page.reload()
    expect(beside).to_contain_text("Written by Qwen <i>2.5</i>, an AI. It may be wrong:")
    expect(quotes(beside)).to_have_count(2)
    assert not violations(asha.page)
    expect(quotes(beside).first).to_have_text(
        re.compile(r"^It was about <b>tea</b> {{ 1 }}\. ?chen .*Tea, said <u>one</u>$")
    )
    quotes(beside).first.press("Enter")
    expect(asha.message("Tea, said <u>one</u>")).to_be_focused()
    asha.page.set_viewport_size(SMALL)
    expect(beside).to_have_count(0)
    asha.room.get_by_role("button", name="Moments").click()
    expect(quotes(asha.sheet)).to_have_count(2)
    assert_well_made(asha)
