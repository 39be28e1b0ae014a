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


def test_a_removed_speaker_cannot_write_into_the_void(asha, bilal):
    asha.host("Removal")
    seat(asha, bilal, "Removal")
    bilal.writing.fill("Not said yet")
    asha.room.get_by_role("button", name="More about bilal").click()
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
        deny = asha.room.get_by_role("button", name="Deny bilal", exact=True)
        box = deny.bounding_box()
        for _ in range(2):
            asha.page.touchscreen.tap(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
            asha.page.wait_for_timeout(120)  # as fast as a finger
        expect(deny).to_have_count(0)
        expect(asha.room.get_by_role("button", name="Undo: do not deny bilal")).to_be_visible()
        expect(asha.room.get_by_role("button", name="Deny chen")).to_be_visible()
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


def test_the_host_hands_the_room_over(asha, bilal):
    asha.host("Your turn")
    seat(asha, bilal, "Your turn")
    asha.room.get_by_role("button", name="More about bilal").click()
    asha.room.get_by_role("button", name="Make bilal the host").click()
    expect(bilal.room.get_by_text("You are the host now.")).to_be_visible()
    expect(asha.room.get_by_text("bilal is the host now.")).to_be_visible()
    expect(asha.room.get_by_role("button", name="Close the room")).to_have_count(0)
    expect(asha.writing).to_be_visible()
    bilal.close_room()


def test_it_is_plain_to_see_who_is_away(asha, bilal, chen):
    asha.host("Away")
    seat(asha, bilal, "Away")
    chen.watch("Away")
    people = chen.room.get_by_role("complementary", name="People").get_by_role("listitem")
    expect(people.filter(has_text="asha")).not_to_contain_text("away")
    asha.leave()
    expect(people.filter(has_text="asha")).to_contain_text("away")
    expect(people.filter(has_text="bilal")).not_to_contain_text("away")


def test_a_closed_room_is_found_again_by_who_was_inside(asha, bilal, chen):
    asha.host("Found again")
    bilal.watch("Found again")
    asha.say("Worth keeping")
    expect(bilal.message("Worth keeping")).to_be_visible()
    asha.close_room()
    bilal.page.goto("./")
    closed = bilal.page.get_by_role("region", name="Closed lately")
    expect(closed.get_by_role("listitem").filter(has_text="Found again")).to_contain_text("gone at")
    closed.get_by_role("button", name="Read: Found again").click()
    expect(bilal.message("Worth keeping")).to_be_visible()
    bilal.leave()
    expect(closed.get_by_role("button", name="Read: Found again")).to_be_focused()
    chen.page.reload()
    expect(chen.page.get_by_role("heading", name="Live rooms")).to_be_visible()
    expect(chen.page.get_by_role("button", name="Read: Found again")).to_have_count(0)


def test_a_room_that_closes_after_one_has_left_it_is_listed_too(asha, bilal):
    asha.host("Left early")
    bilal.watch("Left early")
    bilal.leave()
    asha.close_room()
    bilal.page.get_by_role("button", name="Read: Left early").click()
    expect(bilal.room.get_by_text("The host closed the room.")).to_be_visible()


def test_two_taps_on_leave_do_not_leave_the_page(asha, bilal):
    asha.host("Leave twice")
    bilal.watch("Leave twice")
    bilal.page.evaluate("globalThis.isTheSamePage = true")
    bilal.room.get_by_role("button", name="Leave").dblclick()
    expect(bilal.room).to_have_count(0)
    assert bilal.page.evaluate("globalThis.isTheSamePage && !location.hash")


def test_who_went_in_and_out_too_fast_is_not_inside(asha, bilal):
    asha.host("A revolving door")
    room = asha.page.url.rpartition("=")[2]
    bilal.page.evaluate(
        """async (room) => {
      for (let n = 0; n < 16; n += 1) {
        location.hash = `room=${room}`;
        await new Promise((done) => setTimeout(done, 60));
        location.hash = '';
        await new Promise((done) => setTimeout(done, 60));
      }
    }""",
        room,
    )
    expect(bilal.room).to_have_count(0)
    with people_without_a_page(asha.address, "chen") as [chen]:
        chen.watch(room)
        chen.hears("room", lambda view: view["watching"] == 1)  # chen alone


def test_a_link_that_was_copied_with_a_space_leads_into_the_room(asha, bilal):
    asha.host("A sloppy link")
    bilal.page.goto(asha.page.url + "%20")
    expect(bilal.room.get_by_role("heading", name="A sloppy link")).to_be_visible()


@pytest.mark.parametrize("missing", ["Intl.Segmenter", "navigator.locks", "Notification", "AudioContext"])
def test_the_page_works_where_a_browser_lacks_something(visit, missing):
    asha = visit("asha")
    asha.context.add_init_script(
        f"Object.defineProperty({'.'.join(['globalThis', *missing.split('.')[:-1]])}, "
        f"'{missing.split('.')[-1]}', {{ value: undefined, configurable: true }})"
    )
    asha.sign_in().host("An old browser")
    asha.say("It works")
    expect(asha.message("It works")).to_contain_text("sent")
