"""The room's clock, its place in the lobby, and what the host decides."""

import time

import pytest
from playwright.sync_api import expect
from servers import running_server
from visitor import PHONE, people_without_a_page, seat


def test_when_the_time_runs_out_the_room_closes_and_the_words_stay(visit):
    with running_server(PARTY_ROOM_MINUTES="0.1") as server:
        asha = visit("asha", server.address).sign_in()
        person = server.person("bilal")  # opens a room of six seconds; the page's dialog knows whole minutes only
        room = person.host("Six seconds")
        asha.watch("Six seconds")
        person.message(room, "Quick!")
        expect(asha.message("Quick!")).to_be_visible()
        asha.ask()
        person.approve(room, "asha")
        asha.writing.fill("What I meant to s")
        expect(asha.room.get_by_text("Time is up")).to_be_visible(timeout=10_000)
        expect(asha.room.get_by_label("You were writing")).to_have_value("What I meant to s")
        expect(asha.message("Quick!")).to_be_visible()


@pytest.mark.parametrize("passed, words", [(25.1, "5 minutes left."), (29.1, "1 minute left.")])
def test_the_last_minutes_are_announced_once(passed, words, asha):
    asha.page.clock.install()
    asha.page.reload()
    asha.host("Warnings")
    asha.page.clock.fast_forward(int(passed * 60_000))
    expect(asha.room.get_by_role("status").filter(has_text=words)).to_have_count(1)


def test_the_host_adds_ten_minutes_and_everybody_sees_it(asha, bilal):
    asha.host("More time", minutes=15)
    bilal.watch("More time")
    asha.room.get_by_role("button", name="+10 minutes").click()
    expect(bilal.room.get_by_text("25 min left")).to_be_visible()
    asha.close_room()


def test_a_removed_speaker_cannot_write_into_the_void(asha, bilal):
    asha.host("Removal")
    seat(asha, bilal, "Removal")
    bilal.writing.fill("Not said yet")
    asha.room.get_by_role("button", name="Remove bilal").click()
    expect(bilal.room.get_by_text("You are watching again")).to_be_visible()
    expect(bilal.writing).to_have_count(0)
    bilal.ask()
    asha.approve("bilal")
    expect(bilal.writing).to_have_value("Not said yet")
    asha.close_room()


def test_two_taps_decide_about_one_person(visit):
    asha = visit("asha", **PHONE).sign_in()
    asha.host("Two taps")
    room = asha.page.url.rpartition("=")[2]
    with people_without_a_page(asha.address, "bilal", "chen", "dana") as people:
        for person in people:
            person.request(room)
        deny = asha.room.get_by_role("button", name="Deny bilal")
        box = deny.bounding_box()
        for _ in range(2):
            asha.page.touchscreen.tap(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
            asha.page.wait_for_timeout(120)  # as fast as a finger
        expect(deny).to_have_count(0)
        expect(asha.room.get_by_role("button", name="Deny chen")).to_be_visible()
        assert not people[1].heard("denied")
    asha.close_room()


def test_the_room_last_spoken_in_comes_first(asha, bilal, chen):
    """In steps of ten seconds, so that cards do not dance."""
    asha.host("Older")
    bilal.host("Newer")
    expect(chen.page.get_by_role("article").get_by_role("heading")).to_have_text(["Newer", "Older"])
    asha.page.wait_for_function("at => Math.floor(Date.now() / 10000) > at", arg=int(time.time() // 10), timeout=11_000)
    asha.say("Up again")
    expect(chen.page.get_by_role("article").get_by_role("heading")).to_have_text(["Older", "Newer"])
    asha.close_room()
    bilal.close_room()
