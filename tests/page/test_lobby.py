"""The lobby: in which order its cards stand, and that they stand still while somebody reads; how they are searched."""

import pytest
from playwright.sync_api import expect
from visitor import PHONE, people_without_a_page

from runtime.clock import now

MINUTE = 60_000
NOW = 100 * MINUTE


@pytest.fixture(scope="module")
def lobby(browser, party):
    """A page in which the functions of the lobby can be called."""
    page = browser.new_page(base_url=party.address)
    address, value = party.cookies_of("farida").split("=", 1)
    page.context.add_cookies([{"name": address, "value": value, "url": party.address}])
    page.goto("./")
    page.wait_for_function("document.querySelector('#party .top__host')")
    page.evaluate(
        """async () => {
          const { src } = document.querySelector('script[src$="loader.js"]');
          globalThis.lobby = await import(new URL('lobby.js', src));
        }"""
    )
    yield page
    page.close()


def card(id, silent=0.0, left=20.0, age=10.0, **more):
    """`silent`, `left` and `age` in minutes."""
    times = {"active_at": NOW - silent * MINUTE, "closes_at": NOW + left * MINUTE, "opened_at": NOW - age * MINUTE}
    return {"id": id, "topic": id, "host": "asha", "speakers": []} | times | more


@pytest.mark.parametrize(
    "cards",
    [
        [card("lively", silent=1.9), card("fallen silent", silent=2), card("silent for long", silent=10)],
        [card("lively, and newer", age=3), card("lively", age=4), card("silent", silent=5, age=1)],
        [card("with time", left=10), card("with little", left=9.9), card("in its closing round", left=2.9)],
        [card("closing, and lively", left=1), card("silent, with time", silent=3, left=29)],
        [card("a"), card("b")],
    ],
    ids=lambda cards: cards[0]["id"],
)
def test_lively_rooms_come_first_then_those_with_time_left_then_the_newest(lobby, cards):
    ids = [card["id"] for card in cards]
    for given in (cards, cards[::-1]):
        ordered = lobby.evaluate("([cards, now]) => lobby.inOrder(cards, now).map(({ id }) => id)", [given, NOW])
        assert ordered == ids


CARDS = [
    card("1", topic="¿Cuánto café es demasiado?", host="chen"),
    card("2", topic="Straße oder Brücke?", host="bilal", speakers=["asha", "~a1"], guests={"~a1": "Zoë"}),
    card("3", topic="ΣΊΣΥΦΟΣ", host="İpek"),
    {"id": "4", "topic": "A plan about coffee", "host": "dana", "opens_at": NOW},
]


@pytest.mark.parametrize(
    "text, ids",
    [
        ("cafe", ["1"]),
        ("CAFÉ", ["1"]),
        ("  demasiado   cuanto ", ["1"]),
        ("chen", ["1"]),
        ("strasse", ["2"]),
        ("brucke asha", ["2"]),
        ("zoe", ["2"]),
        ("~a1", []),
        ("σίσυφος", ["3"]),
        ("ipek", ["3"]),
        ("coffee", ["4"]),
        ("cafe dana", []),
        ("", ["1", "2", "3", "4"]),
    ],
)
def test_a_search_finds_topics_hosts_and_speakers_in_any_case_and_without_their_accents(lobby, text, ids):
    found = lobby.evaluate("([cards, text]) => lobby.found(cards, text).map(({ id }) => id)", [CARDS, text])
    assert found == ids


# In the page


def headings(visitor):
    return visitor.page.get_by_role("article").get_by_role("heading")


@pytest.fixture
def rooms(party):
    """Opens rooms of people without a page, which are closed at the end."""
    hosts = ("bilal", "chen", "dana", "emeka")
    opened = []
    with people_without_a_page(party.address, *hosts) as people:

        def open_rooms(*topics):
            rooms = []
            for n, topic in enumerate(topics):
                rooms.append((people[n % 4], people[n % 4].host(topic)))
                opened_at = now()
                while now() == opened_at:  # of two that open in one millisecond, none is the newer
                    pass
            opened.extend(rooms)
            return rooms

        yield open_rooms
        for host, room in opened:
            host.close(room)


def test_cards_stand_still_while_somebody_reads_and_new_ones_come_last(visit, rooms):
    asha = visit("asha")
    asha.page.clock.install()
    rooms("First", "Second")
    asha.sign_in()
    expect(headings(asha)).to_have_text(["Second", "First"])
    rooms("Third")
    expect(headings(asha)).to_have_text(["Second", "First", "Third"])
    asha.page.clock.run_for(29_000)
    asha.page.mouse.move(2, 2)
    asha.page.clock.run_for(29_000)
    expect(headings(asha)).to_have_text(["Second", "First", "Third"])
    asha.page.clock.run_for(3_000)
    expect(headings(asha)).to_have_text(["Third", "Second", "First"])


@pytest.mark.parametrize("reads", ["with the keyboard", "with a mouse"])
def test_cards_stand_still_for_as_long_as_one_is_pointed_at_or_has_the_focus(visit, rooms, reads):
    asha = visit("asha")
    asha.page.clock.install()
    rooms("First", "Second")
    asha.sign_in()
    link = asha.page.get_by_role("link", name="First", exact=True)
    if reads == "with a mouse":
        link.hover()
    else:
        link.focus()
    rooms("Third")
    expect(headings(asha)).to_have_text(["Second", "First", "Third"])
    asha.page.clock.run_for(120_000)
    expect(headings(asha)).to_have_text(["Second", "First", "Third"])
    if reads == "with a mouse":
        asha.page.mouse.move(2, 2)
    else:
        expect(link).to_be_focused()
        link.blur()
    asha.page.clock.run_for(31_000)
    expect(headings(asha)).to_have_text(["Third", "Second", "First"])


def test_who_comes_back_from_a_room_finds_the_cards_in_order(visit, rooms):
    asha = visit("asha").sign_in()
    rooms("First", "Second")
    expect(headings(asha)).to_have_count(2)
    before = headings(asha).all_inner_texts()
    asha.watch("First")
    rooms("Third")
    expect(asha.page.locator(".card")).to_have_count(3)  # behind the room
    asha.leave()
    expect(headings(asha)).to_have_text(["Third", "Second", "First"])
    assert before in (["First", "Second"], ["Second", "First"])


SEVEN = ["Café", "Tea", "Bread", "The roof", "Winter", "A bridge", "The tea house"]


def test_there_is_a_search_once_there_are_more_than_six_cards(visit, rooms):
    asha = visit("asha").sign_in()
    rooms(*SEVEN[:6])
    expect(headings(asha)).to_have_count(6)
    field = asha.page.get_by_role("searchbox", name="Topic, host or speaker")
    expect(field).to_have_count(0)
    ((chen, room),) = rooms(SEVEN[6])
    asked = []
    asha.page.on("request", lambda request: asked.append(request.url))
    status = asha.page.get_by_role("search").get_by_role("status")
    field.fill("tea")
    expect(headings(asha)).to_have_text(["Tea", "The tea house"] if order(asha) else ["The tea house", "Tea"])
    expect(status).to_have_text("2 found")
    chen.close(room)  # six are left, and the field stays while it is used
    expect(status).to_have_text("1 found")
    expect(field).to_be_focused()
    field.fill("<b>soup")
    expect(headings(asha)).to_have_count(0)
    expect(status).to_have_text("Nothing here has “<b>soup” in it.")
    expect(asha.page.get_by_role("heading", level=1)).to_have_text("Nothing here has “<b>soup” in it.")
    field.press("Escape")
    expect(headings(asha)).to_have_count(6)
    expect(field).to_have_count(0)
    # (What a room is made of comes when nothing else is to do.)
    assert [url for url in asked if "/static/" not in url] == [], "no request"


def order(visitor):
    texts = headings(visitor).all_inner_texts()
    return texts.index("Tea") < texts.index("The tea house")


def test_the_search_is_for_the_keyboard_as_well(visit, rooms):
    rooms(*SEVEN)
    asha = visit("asha").sign_in()
    field = asha.page.get_by_role("searchbox")
    field.focus()
    asha.page.keyboard.type("cafe")
    asha.page.keyboard.press("Enter")
    expect(asha.page.get_by_role("link", name="Café", exact=True)).to_be_focused()
    asha.page.keyboard.press("Enter")
    expect(asha.room.get_by_role("button", name="Ask to speak")).to_be_visible()
    asha.leave()
    expect(field).to_have_value("cafe")
    expect(asha.page.get_by_role("link", name="Café", exact=True)).to_be_focused()


def test_on_a_phone_the_cards_do_not_stand_still_for_a_tap_that_is_long_over(visit, rooms):
    """A finger leaves its hover behind."""
    asha = visit("asha", **PHONE)
    asha.page.clock.install()
    rooms("First", "Second")
    asha.sign_in()
    asha.card("First").tap(position={"x": 5, "y": 5})
    asha.page.go_back()
    asha.page.evaluate("document.activeElement.blur()")
    rooms("Third")
    expect(headings(asha)).to_have_count(3)
    asha.page.clock.run_for(31_000)
    expect(headings(asha)).to_have_text(["Third", "Second", "First"])
