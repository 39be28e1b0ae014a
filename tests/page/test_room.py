"""A room in the lobby and on every screen: its card, its people, what the host decides, and the ways in and out."""

import contextlib

import pytest
from person import assert_ok
from person import seat as seat_without_a_page
from playwright.sync_api import expect
from servers import running_server
from visitor import PHONE, people_without_a_page, seat


def test_when_the_time_runs_out_the_room_closes_and_the_words_stay(visit):
    with running_server(PARTY_ROOM_MINUTES="0.1") as server:
        asha = visit("asha", server.address).sign_in()
        person = server.person("bilal")
        room = person.host("Six seconds")
        asha.watch("Six seconds")
        person.message(room, "Quick!")
        expect(asha.message("Quick!")).to_be_visible()
        asha.ask()
        person.approve(room, "asha")
        asha.writing.fill("What I meant to s")
        expect(asha.room.get_by_text("The time is up.")).to_be_visible(timeout=10_000)
        expect(asha.room.get_by_label("You were writing")).to_have_value("What I meant to s")
        expect(asha.message("Quick!")).to_be_visible()


def test_who_listens_again_cannot_write_into_the_void(asha, bilal):
    asha.host("Removal")
    seat(asha, bilal, "Removal")
    bilal.writing.fill("Not said yet")
    asha.room.get_by_role("button", name="More about bilal").click()
    asha.room.get_by_role("button", name="bilal: back to listening").click()
    expect(bilal.page.get_by_text("You are listening again.")).to_be_visible()
    expect(bilal.writing).to_have_count(0)
    bilal.ask()
    asha.approve("bilal")
    expect(bilal.writing).to_have_value("Not said yet")
    asha.close_room()


@contextlib.contextmanager
def crowded_room(server, topic, speakers, asking):
    """A room that asha hosts, full of people without a page. Gives its id, asha, and who asks."""
    names = ["asha", *(f"extra{n + 1}" for n in range(speakers + asking))]
    asha, *others = people = [server.person(name) for name in names]
    room = asha.host(topic)
    try:
        for other in others[:speakers]:
            seat_without_a_page(asha, other, room)
        for other in others[speakers:]:
            ask_at_length(other, room)
        yield room, asha, others[speakers:]
    finally:
        asha.close(room)
        for person in people:
            person.line.hang_up()


def ask_at_length(person, room):
    pitch = f"What {person.name} would add takes as many letters as there may be in a pitch" + " and a little more" * 10
    person.watch(room)
    assert_ok(person.request(room, pitch=pitch[:140]))


def box_of(locator):
    return locator.bounding_box()


def lines_of(locator):
    """How many lines its text takes."""
    one = locator.evaluate("element => parseFloat(getComputedStyle(element).lineHeight)")
    return round(locator.bounding_box()["height"] / one)


WHOLE_NAMES = """names => Array.from(names.children)
  .filter(({ offsetTop, scrollWidth, clientWidth }) => offsetTop < names.offsetTop + names.clientHeight
    && scrollWidth <= clientWidth).length"""


def test_a_card_with_eight_speakers_stays_a_card(discussion):
    dana = discussion.signed_in("dana")
    dana.page.goto("./")
    other = dana.card(discussion.topic)
    alone = box_of(other)
    topic = "What should a town of twelve thousand people do with a square that nobody crosses, and who will pay?"
    with crowded_room(discussion.server, topic, speakers=8, asking=0):
        card = dana.card(topic)
        expect(card.locator(".card__names")).to_contain_text("extra8")
        for size in ({"width": 1280, "height": 720}, {"width": 390, "height": 844}):
            dana.page.set_viewport_size(size)
            assert lines_of(card.get_by_role("heading")) == 3
            faces = card.locator(".face")
            assert faces.all_inner_texts() == ["A", *"EEEE", "+4"]
            names = card.locator(".card__names")
            assert lines_of(names) == 2
            assert 1 < names.evaluate(WHOLE_NAMES) < 8, "as many as are whole; the faces count the others"
            assert box_of(names)["width"] > box_of(faces.last)["width"] * 2, "and not in a column"
        dana.page.set_viewport_size({"width": 1280, "height": 720})
        assert box_of(other)["y"] == box_of(card)["y"], "they stand beside each other"
        assert box_of(card)["height"] > alone["height"]
        foot, other_foot = (box_of(beside.locator(".card__foot")) for beside in (card, other))
        assert foot["y"] == other_foot["y"], "with what one can do there on one line"


COLOURS = "faces => faces.map((face) => getComputedStyle(face).backgroundColor)"


def test_nine_who_speak_have_nine_colours_and_the_same_on_every_screen(discussion):
    # Of their names alone, four would have the colour of another.
    names = ["asha", "dana", "emeka", "farida", "extra4", "extra6", "extra8", "extra9", "extra1"]
    with people_without_a_page(discussion.server.address, *names) as (asha, *others):
        room = asha.host("Who is who")
        for person in others:
            seat_without_a_page(asha, person, room)
        seen = []
        for name in ("extra2", "extra3"):
            visitor = discussion.signed_in(name)
            visitor.page.goto(f"./#room={room}")
            faces = visitor.room.get_by_role("region", name="Speaking").locator(".face")
            expect(faces).to_have_count(9)
            seen.append(faces.evaluate_all(COLOURS))
            visitor.leave()
            pile = visitor.card("Who is who").locator(".face:not(.face--more)")
            assert pile.evaluate_all(COLOURS) == seen[-1][:5], "on the card as well"
        assert len(set(seen[0])) == 9 and seen[0] == seen[1]

        visitor.page.goto(f"./#room={room}")
        faces = visitor.room.get_by_role("region", name="Speaking").locator(".face")
        expect(faces).to_have_count(9)
        asha.remove(room, "emeka")
        expect(faces).to_have_count(8)
        assert faces.evaluate_all(COLOURS) == seen[0][:2] + seen[0][3:], "extra9 does not take that of emeka, who went"
        asha.close(room)


def test_a_card_shows_the_last_words_of_its_room_and_the_whole_of_it_leads_in(discussion):
    said = discussion.says(discussion.chen, "Twice as much tea as water.\nNo less.")
    with people_without_a_page(discussion.server.address, "emeka") as [emeka]:
        fresh = emeka.host("A fresh pot")
        dana = discussion.signed_in("dana")
        dana.page.goto("./")
        card = dana.card("A fresh pot")
        expect(card).to_contain_text("emeka hosts")
        expect(card).to_contain_text("just opened")
        expect(card).to_contain_text("emeka is waiting for a second voice.")
        expect(card).not_to_contain_text("0")
        emeka.close(fresh)
        expect(dana.card("A fresh pot")).to_have_count(0)
    card = dana.card(discussion.topic)
    words = card.get_by_text("chen Twice as much tea as water. No less.")
    expect(words).to_be_visible()
    expect(card).to_contain_text("30 min")
    box = box_of(words)
    dana.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(dana.message("Twice as much tea as water.")).to_be_visible()
    dana.page.go_back()
    discussion.chen.take_back(discussion.room, said["seq"])
    expect(card.get_by_text("Nothing has been said yet.")).to_be_visible(timeout=20_000)
    expect(card).not_to_contain_text("Twice as much")


# Inside the screen, and nothing lies on it.
IN_REACH = """element => {
  const { left, right, top, bottom } = element.getBoundingClientRect();
  const isInside = left >= 0 && top >= 0 && right <= innerWidth && bottom <= innerHeight;
  return isInside && element.contains(document.elementFromPoint((left + right) / 2, (top + bottom) / 2));
}"""
SIDEWAYS = """() => [document.scrollingElement, ...document.querySelectorAll('*')]
  .filter((element) => element === document.scrollingElement || /auto|scroll/.test(getComputedStyle(element).overflowX))
  .filter((element) => element.scrollWidth > element.clientWidth)
  .map(({ tagName, className }) => `${tagName} ${className}`)"""
SMALL = {
    "a desk at 200 %": {"width": 640, "height": 400},
    "a phone on its side": {"width": 667, "height": 375},
    "a phone": {"width": 390, "height": 844},
    "a phone with its keyboard open": {"width": 390, "height": 480},
}


def test_the_host_of_a_full_room_has_everything_in_reach_on_every_screen(discussion):
    topic = "Everybody wants to speak at once, and the screen is small"
    with crowded_room(discussion.server, topic, speakers=7, asking=6) as (room, asha, asking):
        host = discussion.signed_in("asha", **PHONE)
        host.page.goto(f"./#room={room}")

        def in_reach(name):
            button = host.room.get_by_role("button", name=name, exact=True)
            expect(button).to_be_visible()
            assert button.evaluate(IN_REACH), f"{name}: {screen}"
            return button

        for screen, size in SMALL.items():
            host.page.set_viewport_size(size)
            host.page.reload()
            expect(host.room.get_by_text("1 of 6")).to_be_visible()
            in_reach("The next request").click()
            lucky, unlucky = asking[1:3]
            in_reach(f"Let in {lucky.name}").click()
            lucky.hears("approved")
            expect(host.room.get_by_text("All 8 seats are taken.")).to_be_visible()
            expect(host.room.get_by_text("1 of 5")).to_be_visible()  # whoever has waited longest
            in_reach("The next request").click()
            in_reach(f"Not now, {unlucky.name}").click()
            in_reach(f"Undo: {unlucky.name} goes on waiting").click()
            in_reach(f"Let in {unlucky.name}")  # as soon as a seat is free
            assert host.writing.evaluate(IN_REACH), f"to write: {screen}"
            assert host.feed.bounding_box()["height"] > 60, f"to read: {screen}"
            assert host.page.evaluate(SIDEWAYS) == [], screen
            host.open_menu().get_by_role("button", name="Ten more minutes").click()
            expect(host.page.get_by_text("Ten more minutes.")).to_be_visible()
            close = host.open_menu().get_by_role("button", name="Close the room")
            host.page.mouse.move(size["width"] / 2, size["height"] * 0.8)
            host.page.mouse.wheel(0, 2_000)
            host.page.wait_for_function(IN_REACH, arg=close.element_handle())
            close.click()
            host.sheet.get_by_role("button", name="Keep it open").click()
            host.sheet.get_by_role("button", name="Close", exact=True).click()
            assert_ok(asha.remove(room, lucky.name))
            ask_at_length(lucky, room)
            asking = [person for person in asking if person is not lucky] + [lucky]
        expect(host.room.get_by_text("70 min")).to_be_visible()
        host.close_room()


def test_two_taps_decide_about_one_person(visit):
    asha = visit("asha", **PHONE).sign_in()
    asha.host("Two taps")
    room = asha.page.url.rpartition("=")[2]

    def tap_twice(button):
        box = box_of(button)
        for _ in range(2):
            asha.page.touchscreen.tap(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
            asha.page.wait_for_timeout(120)  # as fast as a finger
        expect(button).to_have_count(0)

    with people_without_a_page(asha.address, "bilal", "chen", "dana") as people:
        for person in people:
            person.request(room)
        expect(asha.room.get_by_text("1 of 3")).to_be_visible()
        tap_twice(asha.room.get_by_role("button", name="Not now, bilal"))
        expect(asha.room.get_by_role("button", name="Undo: bilal goes on waiting")).to_be_visible()
        asha.room.get_by_role("button", name="The next request").tap()
        tap_twice(asha.room.get_by_role("button", name="Let in chen"))
        expect(asha.room.get_by_role("button", name="Let in dana")).to_be_visible()
        people[1].hears("approved")
        assert not people[2].heard("approved")
    asha.close_room()


def test_the_host_hands_the_room_over(asha, bilal):
    asha.host("Your turn")
    seat(asha, bilal, "Your turn")
    asha.room.get_by_role("button", name="More about bilal").click()
    asha.room.get_by_role("button", name="Make bilal the host").click()
    expect(bilal.page.get_by_text("You are the host now.")).to_be_visible()
    expect(asha.page.get_by_text("bilal is the host now.")).to_be_visible()
    expect(asha.open_menu().get_by_role("button", name="Invite")).to_be_visible()
    expect(asha.sheet.get_by_role("button", name="Close the room")).to_have_count(0)
    asha.page.keyboard.press("Escape")
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


def test_who_listens_is_named_to_those_inside_and_counted_where_they_would_rather_not_be(discussion):
    dana = discussion.enter("dana", speaks=False)
    listening = dana.room.get_by_role("region", name="Listening")
    expect(listening.get_by_role("listitem")).to_have_text(["Ddana you"])
    farida = discussion.enter("farida", speaks=False, **PHONE)
    farida.room.get_by_role("button", name="People").tap()
    for title, names in {"Listening": ["Ddana", "Ffarida you"], "Speaking": ["Bbilal host", "Cchen"]}.items():
        expect(farida.sheet.get_by_role("region", name=title).get_by_role("listitem")).to_have_text(names)
    farida.sheet.get_by_role("button", name="Close").tap()
    expect(listening.get_by_role("listitem")).to_have_text(["Ddana you", "Ffarida"])

    farida.open_menu().get_by_role("switch", name="Listen without my name").tap()
    expect(listening.get_by_role("listitem")).to_have_text(["Ddana you"])
    expect(listening).to_contain_text("Listening2")
    expect(listening).to_contain_text("and 1 more")
    farida.page.reload()
    farida.room.get_by_role("button", name="People").tap()
    expect(farida.sheet.get_by_role("region", name="Listening")).to_contain_text("and 1 more")
    expect(listening).to_contain_text("and 1 more")
    dana.leave()
    expect(farida.sheet.get_by_role("region", name="Listening")).to_contain_text("1 without a name")
    expect(dana.card(discussion.topic)).to_contain_text("1 listening")
    expect(dana.card(discussion.topic)).not_to_contain_text("farida")
    farida.sheet.get_by_role("button", name="Close").tap()
    farida.open_menu().get_by_role("switch", name="Listen without my name").tap()
    dana.watch(discussion.topic)
    expect(listening).to_contain_text("farida")


def test_a_closed_room_is_found_again_by_who_was_inside(asha, bilal, chen):
    asha.host("Found again")
    bilal.watch("Found again")
    asha.say("Worth keeping")
    expect(bilal.message("Worth keeping")).to_be_visible()
    asha.close_room()
    bilal.page.goto("./")
    closed = bilal.page.get_by_role("region", name="Closed lately")
    expect(closed.get_by_role("listitem").filter(has_text="Found again")).to_contain_text("Readable until")
    closed.get_by_role("link", name="Found again").click()
    expect(bilal.message("Worth keeping")).to_be_visible()
    bilal.leave()
    expect(closed.get_by_role("link", name="Found again")).to_be_focused()
    chen.page.reload()
    expect(chen.page.get_by_role("button", name="Host a room")).to_be_visible()
    expect(chen.page.get_by_role("link", name="Found again")).to_have_count(0)


def test_a_room_that_closes_after_one_has_left_it_is_listed_too(asha, bilal):
    asha.host("Left early")
    bilal.watch("Left early")
    bilal.leave()
    asha.close_room()
    bilal.page.get_by_role("region", name="Closed lately").get_by_role("link", name="Left early").click()
    expect(bilal.room.get_by_text("asha closed the room.")).to_be_visible()


def test_a_room_that_had_no_card_is_not_listed_when_it_has_closed(asha, bilal):
    asha.page.get_by_role("button", name="Host a room").click()
    asha.sheet.get_by_role("textbox", name="Topic").fill("Between us")
    asha.sheet.get_by_role("switch", name="Not in the lobby").check()
    asha.sheet.get_by_role("button", name="Open the room").click()
    expect(asha.writing).to_be_visible()
    bilal.page.goto(asha.page.url)
    expect(bilal.room.get_by_role("heading", name="Between us")).to_be_visible()
    asha.close_room()
    expect(bilal.room.get_by_text("asha closed the room.")).to_be_visible()
    for visitor in (asha, bilal):
        visitor.leave()
        expect(visitor.page.get_by_role("button", name="Host a room")).to_be_visible()
        expect(visitor.page.get_by_text("Between us")).to_have_count(0)


def test_two_taps_on_leave_do_not_leave_the_page(asha, bilal):
    asha.host("Leave twice")
    bilal.watch("Leave twice")
    bilal.page.evaluate("globalThis.isTheSamePage = true")
    bilal.room.get_by_role("button", name="Back to the lobby").dblclick()
    expect(bilal.room).to_have_count(0)
    assert bilal.page.evaluate("globalThis.isTheSamePage && !location.hash")


def test_escape_drops_a_sheet_that_is_to_come_or_a_reply_first_and_then_leaves_and_a_host_is_reminded_once(asha, bilal):
    asha.host("Escape")
    seat(asha, bilal, "Escape")
    want_a_sheet_that_takes_its_time(asha)
    expect(asha.sheet).to_have_count(0)
    bilal.say("What do you think?")
    message = asha.message("What do you think?")
    message.hover()
    message.get_by_role("button", name="Reply").click()
    expect(asha.writing).to_be_focused()
    asha.page.keyboard.press("Escape")
    expect(asha.room.get_by_role("button", name="Do not reply")).to_have_count(0)
    expect(asha.room).to_be_visible()
    for _ in range(2):
        expect(asha.writing).to_be_focused()
        asha.page.keyboard.press("Escape")
        expect(asha.room).to_have_count(0)
        expect(asha.page.get_by_text("You are still the host.")).to_have_count(1)
        asha.card("Escape").get_by_role("link", name="Escape").press("Enter")
    asha.close_room()


def want_a_sheet_that_takes_its_time(visitor):
    """And give it up before it is there."""
    held = []
    visitor.page.route("**/telling.js", lambda route: held.append(route))
    with visitor.page.expect_request("**/telling.js"):
        visitor.open_menu().get_by_role("button", name="Tell us").click()
    visitor.page.keyboard.press("Escape")
    held[0].continue_()
    visitor.page.evaluate("address => import(address)", held[0].request.url)


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
    expect(asha.message("It works").get_by_role("time")).to_be_visible()
