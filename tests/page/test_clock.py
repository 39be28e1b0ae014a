"""The shared clock and the pulse: what everybody in a room can see at a glance."""

import re

import pytest
from playwright.sync_api import expect
from servers import running_server
from visitor import people_without_a_page, seat


@pytest.fixture
def later(asha):
    """Lets asha's page believe that it is so many minutes later."""
    asha.page.clock.install()
    asha.page.reload()
    return lambda minutes: asha.page.clock.fast_forward(int(minutes * 60_000))


# Each notice that a screen reader is told from now on, gone or not by the time one looks.
COLLECT_NOTICES = """
  window.told = [];
  new MutationObserver((changes) => {
    const added = changes.flatMap(({ addedNodes }) => [...addedNodes]);
    told.push(...added.filter((node) => node.matches?.('[role=status] > .notice')).map((notice) => notice.textContent));
  }).observe(document.body, { childList: true, subtree: true });
"""


@pytest.mark.parametrize(
    "minutes, words, time",
    [(5, "5 minutes left.", r"^4:[1-4]\d$"), (1, "1 minute left.", r"^Last words · 0:[1-4]\d$")],
)
def test_the_last_minutes_are_announced_once(minutes, words, time, asha, visit, cable):
    asha.host("Warnings")
    bilal = visit("bilal", cable.address).sign_in()
    bilal.page.clock.install()
    bilal.page.reload()
    bilal.watch("Warnings")
    bilal.page.evaluate(COLLECT_NOTICES)
    cable.cut()  # else the page would soon be told what time it is
    bilal.page.clock.fast_forward((30 - minutes) * 60_000 + 6_000)
    bilal.page.clock.run_for(10_000)
    expect(bilal.room.get_by_text(re.compile(time))).to_be_visible()
    told = bilal.page.evaluate("told")
    assert [notice for notice in told if "left." in notice] == [words], told


def test_the_host_adds_ten_minutes_and_everybody_sees_it(asha, bilal):
    asha.host("More time", minutes=10)
    bilal.watch("More time")
    expect(bilal.room.get_by_role("button", name="+10 minutes")).to_have_count(0)
    asha.room.get_by_role("button", name="+10 minutes").click()
    expect(bilal.room.get_by_text("20 min")).to_be_visible()
    asha.close_room()


def test_watchers_ask_for_more_time_and_the_host_sees_how_many(asha, bilal):
    asha.host("Too short", minutes=10)
    room = asha.page.url.rpartition("=")[2]
    with people_without_a_page(asha.address, "chen") as [chen]:
        chen.watch(room)
        chen.more_time(room)
        expect(asha.room.get_by_text("1 wants more time")).to_be_visible()
        bilal.watch("Too short")
        bilal.room.get_by_role("button", name="More time?").click()
        expect(asha.room.get_by_text("2 want more time")).to_be_visible()
        expect(bilal.room.get_by_text("2 want more time, you among them")).to_be_visible()
        bilal.page.reload()  # the page forgets it, the party does not
        bilal.room.get_by_role("button", name="More time?").click()
        expect(bilal.room.get_by_text("2 want more time, you among them")).to_be_visible()
        expect(asha.room.get_by_role("button", name="More time?")).to_have_count(0)
        expect(asha.open_menu().get_by_role("button", name="Ten more minutes")).to_contain_text("2 want more time")
        asha.page.keyboard.press("Escape")
        asha.room.get_by_role("button", name="+10 minutes").click()
        expect(asha.room.get_by_text("want more time")).to_have_count(0)
        expect(bilal.room.get_by_text("want more time")).to_have_count(0)
    asha.close_room()


def line_of(visitor):
    """How long the line along the header is, in pixels."""
    line = visitor.room.locator(".room__head .burn")
    return line.evaluate("line => parseFloat(getComputedStyle(line, '::before').inlineSize)")


def expect_line(visitor, pixels):
    """It burns down to so much. Its style may follow a moment behind the words beside it."""
    visitor.page.wait_for_function(
        """pixels => {
          const line = document.querySelector('.room__head .burn');
          return Math.abs(parseFloat(getComputedStyle(line, '::before').inlineSize) - pixels) <= pixels / 10;
        }""",
        arg=pixels,
    )


def test_in_the_last_three_minutes_every_speaker_has_a_last_word_and_the_header_stays_as_it_is(visit, asha, later):
    bilal = visit("bilal")
    topic = "Last words of a room whose topic takes more than one line on a phone, and even on most desks"
    asha.page.set_viewport_size({"width": 390, "height": 844})
    asha.host(topic)
    bilal.sign_in()
    seat(asha, bilal, topic)
    with people_without_a_page(asha.address, "chen") as [chen]:
        chen.watch(asha.page.url.rpartition("=")[2])
        # The lobby's news of them would set the page's clock right again.
        card = asha.page.locator(".card").filter(has_text=topic)
        for words in ("1 listening", "bilal"):
            expect(card).to_contain_text(words)
        header = asha.room.locator(".room__head")
        expect(header).to_contain_text("30 min1 listening")
        before, line = header.bounding_box(), line_of(asha)
        later(27.1)
        expect(header).to_contain_text(re.compile(r"Last words · 2:[45]\d"))
        assert header.bounding_box() == before, "two lines, also when it matters"
        expect_line(asha, line / 10)
        expect(asha.page.get_by_role("status").filter(has_text="time for a last word each")).to_have_count(1)
        expect(asha.room.get_by_text("0 of 2 have said theirs")).to_be_visible()
        expect(asha.writing).to_have_attribute("placeholder", "Your last word")
    asha.close_room()
    assert header.bounding_box() == before, "and when it is over"


def test_a_last_word_is_ticked_off(visit):
    with running_server(PARTY_ROOM_MINUTES="3.05") as server:
        asha, chen = (visit(name, server.address).sign_in() for name in ("asha", "chen"))
        bilal = server.person("bilal")
        room = bilal.host("Three minutes and three seconds")
        asha.page.goto(f"#room={room}")
        chen.page.goto(f"#room={room}")
        asha.ask()
        bilal.message(room, "Too early to be a last word")
        bilal.approve(room, "asha")
        expect(asha.writing).to_have_attribute("placeholder", "Your last word")
        expect(chen.room.get_by_text("Last words · 2:")).to_be_visible()
        expect(chen.room.get_by_text("0 of 2 have said theirs")).to_be_visible()
        asha.say("That was a good talk")
        expect(asha.writing).to_have_attribute("placeholder", "Say something")
        expect(chen.room.get_by_text("1 of 2 has said theirs")).to_be_visible()
        expect(chen.feed.get_by_text("The closing round. One last word each.")).to_be_visible()
        people = chen.room.get_by_role("complementary", name="People").get_by_role("listitem")
        expect(people.filter(has_text="asha")).to_contain_text("last word")
        expect(people.filter(has_text="bilal")).not_to_contain_text("last word")
        bilal.extend(room)
        for words in ("Last words", "said theirs", "The closing round"):
            expect(chen.room.get_by_text(words)).to_have_count(0)


def test_a_signal_beats_in_every_listeners_pulse_without_a_name(asha, bilal, chen):
    asha.host("Pulse")
    bilal.watch("Pulse")
    chen.watch("Pulse")
    bilal.room.get_by_role("button", name="Say more").click()
    for visitor in (bilal, chen):
        pulse = visitor.room.get_by_role("group", name="How it feels to listen")
        expect(pulse.get_by_role("button", name="Say more: 1")).to_be_visible()
    expect(asha.room.get_by_role("group", name="How it feels to listen")).to_have_count(0)  # the host is listened to
    chen.room.get_by_role("button", name="Say more").click()
    expect(bilal.room.get_by_role("button", name="Say more: 2")).to_be_visible()
    expect(asha.room.get_by_role("img", name="in the last minute: Say more: 2")).to_be_visible()
    # Whoever has just given one rests.
    agree = chen.room.get_by_role("button", name="Agree")
    expect(agree).to_be_disabled()
    agree.click(force=True)
    expect(chen.room.locator(".chip--on")).to_contain_text("Say more")
    expect(agree).to_be_enabled(timeout=20_000)
    agree.click()
    for words in ("Agree: 1", "Say more: 1"):
        expect(bilal.room.get_by_role("button", name=words)).to_be_visible()
    asha.close_room()


def test_a_signal_given_too_soon_is_refused_in_words(asha, bilal, chen):
    asha.host("Hasty")
    bilal.watch("Hasty")
    chen.watch("Hasty")
    bilal.room.get_by_role("button", name="Agree").click()
    expect(chen.room.get_by_role("button", name="Agree: 1")).to_be_visible()
    bilal.page.reload()  # the page forgets that it has to rest
    bilal.room.get_by_role("button", name="Off topic").click()
    expect(bilal.page.get_by_text("One signal in 10 seconds is enough.")).to_be_visible()
    expect(bilal.room.get_by_role("button", name="Off topic")).to_be_disabled()
    asha.close_room()
