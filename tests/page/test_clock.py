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


@pytest.mark.parametrize("minutes, words", [(5, "5 minutes left."), (1, "1 minute left.")])
def test_the_last_minutes_are_announced_once(minutes, words, asha, visit, cable):
    asha.host("Warnings")
    bilal = visit("bilal", cable.address).sign_in()
    bilal.page.clock.install()
    bilal.page.reload()
    bilal.watch("Warnings")
    bilal.page.evaluate(COLLECT_NOTICES)
    cable.cut()  # else the page would soon be told what time it is
    bilal.page.clock.fast_forward((30 - minutes) * 60_000 + 6_000)
    bilal.page.clock.run_for(10_000)
    expect(bilal.room.get_by_text(re.compile(rf"^{minutes - 1}:[1-4]\d left"))).to_be_visible()
    told = bilal.page.evaluate("told")
    assert [notice for notice in told if "left." in notice] == [words], told


def test_the_host_adds_ten_minutes_and_everybody_sees_it(asha, bilal):
    asha.host("More time", minutes=15)
    bilal.watch("More time")
    asha.room.get_by_role("button", name="+10 minutes").click()
    expect(bilal.room.get_by_text("25 min left")).to_be_visible()
    asha.close_room()


def test_watchers_ask_for_more_time_and_the_host_sees_how_many(asha, bilal):
    asha.host("Too short", minutes=5)
    room = asha.page.url.rpartition("=")[2]
    with people_without_a_page(asha.address, "chen") as [chen]:
        chen.watch(room)
        chen.more_time(room)
        expect(asha.room.get_by_text("1 wants more time")).to_be_visible()
        bilal.watch("Too short")
        bilal.room.get_by_role("button", name="Need more time?").click()
        expect(asha.room.get_by_text("2 want more time")).to_be_visible()
        expect(bilal.room.get_by_text("2 want more time, you among them")).to_be_visible()
        bilal.page.reload()  # the page forgets it, the party does not
        bilal.room.get_by_role("button", name="Need more time?").click()
        expect(bilal.room.get_by_text("2 want more time, you among them")).to_be_visible()
        expect(asha.room.get_by_role("button", name="Need more time?")).to_have_count(0)
        asha.room.get_by_role("button", name="+10 minutes").click()
        expect(asha.room.get_by_text("want more time")).to_have_count(0)
        expect(bilal.room.get_by_text("want more time")).to_have_count(0)
    asha.close_room()


def test_in_the_last_three_minutes_every_speaker_has_a_last_word(visit, asha, later):
    bilal = visit("bilal")
    asha.host("Last words")
    bilal.sign_in()
    seat(asha, bilal, "Last words")
    expect(asha.room.get_by_text("Closing round")).to_have_count(0)
    # The lobby's news of the new speaker would set the page's clock right again.
    expect(asha.page.locator(".card__host").filter(has_text="bilal")).to_have_count(1)
    later(27.1)
    expect(asha.room.get_by_role("status").filter(has_text="time for a last word each")).to_have_count(1)
    expect(asha.room.get_by_text("Closing round: you have a last word.")).to_be_visible()


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
        owed = asha.room.get_by_text("Closing round: you have a last word.")
        expect(owed).to_be_visible()
        expect(chen.room.get_by_text("Closing round", exact=True)).to_be_visible()
        expect(chen.room.get_by_text("you have a last word")).to_have_count(0)
        asha.say("That was a good talk")
        expect(owed).to_have_count(0)
        people = chen.room.get_by_role("complementary", name="People").get_by_role("listitem")
        expect(people.filter(has_text="asha")).to_contain_text("last word")
        expect(people.filter(has_text="bilal")).not_to_contain_text("last word")
        bilal.extend(room)
        expect(chen.room.get_by_text("Closing round")).to_have_count(0)


def test_a_signal_beats_in_everybodys_pulse_without_a_name(asha, bilal, chen):
    asha.host("Pulse")
    bilal.watch("Pulse")
    chen.watch("Pulse")
    bilal.room.get_by_role("button", name="Say more").click()
    for visitor in (asha, bilal, chen):
        expect(visitor.room.get_by_role("group", name="How it feels to listen")).to_contain_text("Say more 1")
    chen.room.get_by_role("button", name="Say more").click()
    expect(asha.room.get_by_role("group", name="How it feels to listen")).to_contain_text("Say more 2")
    expect(asha.room.get_by_role("button", name="Say more")).to_have_count(0)  # the host asked for it
    # Whoever has just given one rests.
    agree = chen.room.get_by_role("button", name="Agree")
    expect(agree).to_be_disabled()
    agree.click(force=True)
    expect(agree).to_be_enabled(timeout=12_000)
    agree.click()
    for words in ("Agree 1", "Say more 1"):
        expect(asha.room.get_by_role("group", name="How it feels to listen")).to_contain_text(words)
    asha.close_room()


def test_a_signal_given_too_soon_is_refused_in_words(asha, bilal):
    asha.host("Hasty")
    bilal.watch("Hasty")
    bilal.room.get_by_role("button", name="Agree").click()
    expect(asha.room.get_by_role("group", name="How it feels to listen")).to_contain_text("Agree 1")
    bilal.page.reload()  # the page forgets that it has to rest
    bilal.room.get_by_role("button", name="Off topic").click()
    expect(bilal.room.get_by_text("One signal in 10 seconds is enough.")).to_be_visible()
    expect(bilal.room.get_by_role("button", name="Off topic")).to_be_disabled()
    asha.close_room()
