"""Guests: the entrance that a room's link leads to, the page as they see it, and how everybody else sees them."""

import itertools
import re
import time

import pytest
from discussion import Discussion
from person import assert_ok
from playwright.sync_api import expect
from servers import password_of, running_server
from visitor import PHONE, STICKS_OUT, violations

LONGEST = "Wolfeschlegelsteinha"  # 20 characters


@pytest.fixture(scope="module")
def believing_server():
    """It takes the address of a visitor from a proxy: ten guests a minute come from one."""
    with running_server(PARTY_PACE="0", PARTY_ASSETS="local", PARTY_PROXIES="1") as server:
        yield server


households = (f"203.0.113.{number}" for number in itertools.count(1))


@pytest.fixture
def discussion(believing_server, visit):
    """A room that bilal hosts and chen speaks in."""

    def from_elsewhere(name, address=believing_server.address, **how):
        return visit(name, address, extra_http_headers={"X-Forwarded-For": next(households)}, **how)

    discussion = Discussion(believing_server, from_elsewhere)
    yield discussion
    discussion.end()


def open_door(discussion, open="ask", **more):
    """Opens the room's door; gives the link."""
    door = assert_ok(discussion.bilal.door(discussion.room, open, **more))["token"]
    return f"./#room={discussion.room}&door={door}"


def stand_before(discussion, link, name="Tom", **how):
    """Somebody at the entrance, who is going to be called that."""
    visitor = discussion.visit(name, **how)
    visitor.page.goto(link)
    expect(visitor.page.get_by_role("heading", level=1)).to_be_visible()
    return visitor


def field(visitor):
    return visitor.page.get_by_role("textbox")


def come_in(discussion, link, name="Tom", **how):
    """By the page, as a guest does."""
    visitor = stand_before(discussion, link, name, **how)
    field(visitor).fill(name)
    field(visitor).press("Enter")
    visitor.room.wait_for()
    return visitor


def id_of(visitor):
    return visitor.page.evaluate("document.body.dataset.user")


def let_in(discussion, visitor):
    """Gives a guest who is in a seat."""
    visitor.ask()
    assert_ok(discussion.bilal.approve(discussion.room, id_of(visitor)))
    expect(visitor.writing).to_be_visible()


# The entrance


def test_the_entrance_says_what_is_talked_of_and_with_whom(discussion):
    discussion.says(discussion.chen, "The brass band has no tuba.")
    tom = stand_before(discussion, open_door(discussion, whole=True))
    expect(tom.page.get_by_role("heading", level=1)).to_have_text(discussion.topic)
    page = tom.page.get_by_role("main")
    expect(page).to_contain_text("bilal hosts · 30 min")
    expect(page).to_contain_text("chen The brass band has no tuba.")
    expect(tom.page).to_have_title(f"{discussion.topic} – Discuss Party")
    expect(field(tom)).to_be_focused()
    expect(field(tom)).to_have_accessible_name("What should we call you?")
    expect(page).to_contain_text("To speak, you ask; bilal lets you in.")


def test_what_was_said_is_not_seen_where_the_host_did_not_say_so(discussion):
    discussion.says(discussion.chen, "The brass band has no tuba.")
    tom = stand_before(discussion, open_door(discussion))
    expect(tom.page.get_by_role("main")).not_to_contain_text("tuba")
    field(tom).fill("Tom")
    field(tom).press("Enter")
    discussion.says(discussion.chen, "From now on.")
    expect(tom.sent("From now on.")).to_be_visible()
    assert tom.reads() == ["From now on."]
    expect(tom.room.get_by_role("button", name="Earlier messages")).to_have_count(0)


def test_others_are_shown_as_they_will_see_whoever_is_typing(discussion):
    tom = stand_before(discussion, open_door(discussion))
    field(tom).press_sequentially("Tom")
    expect(tom.page.get_by_text("Others see you as")).to_have_text(re.compile("Others see you as Tom guest"))
    expect(field(tom)).to_have_accessible_description(re.compile("Others see you as Tom guest"))


@pytest.mark.parametrize(
    "name, why",
    [
        ("bilal", "Somebody here has that name already."),
        ("Tom the host", "Please leave out “guest” and “host”"),
        ("", "Please say what we should call you."),
    ],
)
def test_a_name_that_is_none_is_refused_at_the_field_and_can_be_mended(discussion, name, why):
    tom = stand_before(discussion, open_door(discussion))
    field(tom).fill(name)
    tom.page.get_by_role("button", name="Come in and listen").click()
    expect(tom.page.get_by_role("alert").filter(has_text=why)).to_be_visible()
    expect(field(tom)).to_be_focused()
    expect(field(tom)).to_have_attribute("aria-invalid", "true")
    field(tom).fill("Tom")
    expect(tom.page.get_by_text(why)).to_have_count(0)
    tom.page.get_by_role("button", name="Come in and listen").click()
    expect(tom.room).to_be_visible()


def test_nobody_is_seen_as_what_was_refused(discussion):
    tom = stand_before(discussion, open_door(discussion))
    field(tom).fill("bilal")
    expect(tom.page.get_by_text("Others see you as")).to_have_count(1)
    field(tom).press("Enter")
    expect(tom.page.get_by_role("alert").filter(has_text="Somebody here has that name already.")).to_be_visible()
    expect(tom.page.get_by_text("Others see you as")).to_have_count(0)
    field(tom).fill("bilal b")
    expect(tom.page.get_by_text("Others see you as")).to_have_count(1)


@pytest.mark.parametrize(
    "typed, kept",
    [
        (LONGEST + "usen", LONGEST),
        ("\U0001f98a" * 21, "\U0001f98a" * 20),
        ("\u2602\ufe0f" * 21, "\u2602\ufe0f" * 20),
        ("\ufb03" * 7, "\ufb03" * 6),
        (f"  {LONGEST}", f"  {LONGEST}"),
    ],
    ids=["letters", "emoji", "emoji in colour", "letters in one", "white space around"],
)
def test_a_name_is_as_long_as_the_party_takes_and_no_longer(discussion, typed, kept):
    tom = stand_before(discussion, open_door(discussion))
    field(tom).fill(typed)
    expect(field(tom)).to_have_value(kept)
    field(tom).press("Enter")
    expect(tom.room).to_be_visible()


def test_a_name_that_is_full_takes_nothing_more_where_one_writes(discussion):
    tom = stand_before(discussion, open_door(discussion))
    field(tom).fill("x" * 20)
    field(tom).press("Home")
    field(tom).press("y")
    assert field(tom).evaluate("field => [field.value, field.selectionStart]") == ["y" + "x" * 19, 1]


def test_a_refusal_is_in_the_language_of_the_page(discussion):
    tom = stand_before(discussion, open_door(discussion), locale="es-ES")
    expect(field(tom)).to_have_accessible_name("¿Cómo te llamamos?")
    field(tom).fill("bilal")
    field(tom).press("Enter")
    expect(tom.page.get_by_text("Elige otro, por favor.")).to_be_visible()
    field(tom).fill("Tom")
    expect(tom.page.get_by_text("Te verán como")).to_contain_text("Tom invitado/a")


def test_the_token_leaves_the_address_when_it_is_used_and_a_reload_is_the_same_guest(discussion):
    link = open_door(discussion)
    tom = stand_before(discussion, link)
    tom.page.reload()  # before it is used, it is needed
    field(tom).fill("Tom")
    field(tom).press("Enter")
    tom.room.wait_for()
    assert tom.page.evaluate("location.hash") == f"#room={discussion.room}"
    assert "door=" not in tom.page.evaluate("JSON.stringify([sessionStorage, localStorage])")
    guest = id_of(tom)
    tom.page.reload()
    tom.room.wait_for()
    assert id_of(tom) == guest
    tom.page.goto(link)  # again, as from the message that it came in
    tom.room.wait_for()
    assert id_of(tom) == guest
    expect(tom.page).not_to_have_url(re.compile("door="))
    tom.page.go_back()
    expect(tom.page).not_to_have_url(re.compile("door="))


def test_who_has_a_name_signs_in_at_the_entrance_and_comes_to_the_room(discussion):
    emeka = stand_before(discussion, open_door(discussion), "emeka")
    emeka.page.get_by_role("button", name="Sign in").click()
    expect(emeka.page.get_by_label("Name")).to_be_focused()
    emeka.page.get_by_label("Name").fill("emeka")
    emeka.page.get_by_label("Password").fill(password_of("emeka"))
    emeka.page.keyboard.press("Enter")
    expect(emeka.room.get_by_role("heading", level=1)).to_have_text(discussion.topic)
    assert emeka.page.evaluate("document.body.dataset.user") == "emeka"
    expect(emeka.page).not_to_have_url(re.compile("door="))


def test_a_friend_who_is_signed_in_simply_comes_to_the_room(discussion):
    emeka = discussion.signed_in("emeka")
    emeka.page.goto(open_door(discussion))
    expect(emeka.room.get_by_role("button", name="Ask to speak")).to_be_visible()
    expect(emeka.page).not_to_have_url(re.compile("door="))
    emeka.leave()
    expect(emeka.page.get_by_role("button", name="Host a room")).to_be_visible()


def test_a_link_that_leads_nowhere_says_so_whatever_the_reason(discussion):
    old = open_door(discussion)
    new = open_door(discussion, renew=True)
    for link in (old, f"./#room=nowhere{new[-29:]}", new[:-1]):
        tom = stand_before(discussion, link)
        expect(tom.page.get_by_role("heading", level=1)).to_have_text("This link leads nowhere")
        expect(tom.page.get_by_role("main")).to_contain_text("Ask for a new one.")
        expect(field(tom)).to_have_count(0)
        tom.page.get_by_role("button", name="Sign in").click()
        expect(tom.page.get_by_label("Password")).to_be_visible()


def test_a_link_that_is_changed_while_somebody_stands_there_leads_nowhere(discussion):
    tom = stand_before(discussion, open_door(discussion))
    open_door(discussion, renew=True)
    field(tom).fill("Tom")
    field(tom).press("Enter")
    expect(tom.page.get_by_role("heading", level=1)).to_have_text("This link leads nowhere")


def test_where_one_only_listens_a_name_is_not_needed(discussion):
    tom = stand_before(discussion, open_door(discussion, "watch"))
    expect(field(tom)).to_have_accessible_name(re.compile("You can leave it empty"))
    tom.page.get_by_role("button", name="Come in and listen").click()
    expect(tom.room).to_contain_text("You are listening. Guests only listen here.")
    expect(tom.room.get_by_role("button", name="Ask to speak")).to_have_count(0)
    open_door(discussion)
    expect(tom.room).to_contain_text("You are listening without a name. To speak, leave, and come in again with one.")
    assert discussion.bilal.hears("room", lambda view: view["watching"])["listening"] == []


def test_where_one_only_listened_nobody_is_offered_to_ask_once_the_door_has_closed(discussion):
    tom = come_in(discussion, open_door(discussion, "watch"))
    assert_ok(discussion.bilal.door(discussion.room, "closed"))
    expect(tom.room.get_by_text("open door")).to_have_count(0)
    expect(tom.room).to_contain_text("You are listening. Guests only listen here.")
    expect(tom.room.get_by_role("button", name="Ask to speak")).to_have_count(0)


def test_the_link_of_another_room_leads_a_guest_to_its_entrance(discussion):
    tom = come_in(discussion, open_door(discussion))
    other = discussion.chen.host("Elsewhere")
    door = assert_ok(discussion.chen.door(other, "ask"))["token"]
    before = id_of(tom)
    tom.page.goto(f"./#room={other}&door={door}")
    expect(tom.page.get_by_role("heading", level=1)).to_have_text("Elsewhere")
    field(tom).fill("Tom")
    field(tom).press("Enter")
    expect(tom.room.get_by_role("heading", level=1)).to_have_text("Elsewhere")
    assert id_of(tom) != before
    assert_ok(discussion.chen.close(other))


def test_who_thinks_better_of_another_rooms_link_stays_where_they_are_and_no_token_is_kept(discussion):
    tom = come_in(discussion, open_door(discussion))
    other = discussion.chen.host("Elsewhere")
    door = assert_ok(discussion.chen.door(other, "ask"))["token"]
    tom.page.goto(f"./#room={other}&door={door}")
    expect(tom.page.get_by_role("heading", level=1)).to_have_text("Elsewhere")
    assert door not in tom.page.evaluate("JSON.stringify(sessionStorage)")
    tom.page.goto("./")
    expect(tom.room.get_by_role("heading", level=1)).to_have_text(discussion.topic)
    assert_ok(discussion.chen.close(other))


def test_a_guest_goes_nowhere_by_changing_the_address(discussion):
    tom = come_in(discussion, open_door(discussion))
    other = discussion.chen.host("Not for guests")
    tom.page.goto(f"./#room={other}")
    expect(tom.room.get_by_role("heading", level=1)).to_have_text(discussion.topic)
    assert tom.page.evaluate("location.hash") == f"#room={discussion.room}"
    assert "Not for guests" not in tom.page.content()
    assert_ok(discussion.chen.close(other))


def test_a_planned_room_says_when_it_opens_and_opens_by_itself(discussion):
    tom = discussion.visit("Tom")
    tom.page.clock.install()
    planned = discussion.chen.host("Thursday", at=int(time.time() * 1000) + 2 * 86_400_000)
    door = assert_ok(discussion.chen.door(planned, "ask"))["token"]
    tom.page.goto(f"./#room={planned}&door={door}")
    expect(tom.page.get_by_role("heading", level=1)).to_have_text("Thursday")
    expect(tom.page.locator(".door").get_by_role("status")).to_have_text(
        re.compile(r"Opens on \w+ \d+ \w+ at \d\d:\d\d\.")
    )
    expect(field(tom)).to_have_count(0)
    now = {"opened_at": 0, "closes_at": 1_800_000, "now": 1, "speakers": [], "watching": 0, "guests": {}}
    opened = {"ok": True, "topic": "Thursday", "host": "chen", "door": "ask"} | now
    tom.page.route("**/entrance", lambda route: route.fulfill(json=opened), times=1)
    tom.page.clock.fast_forward("48:30:00")
    expect(field(tom)).to_be_focused()
    expect(tom.page.locator(".door").get_by_role("status")).to_have_count(0)
    assert_ok(discussion.chen.call_off(planned))
    tom.page.clock.fast_forward("00:40:00")
    expect(tom.page.get_by_role("heading", level=1)).to_have_text("This link leads nowhere")


def test_who_waits_for_a_room_sees_how_soon_it_opens(discussion):
    planned = discussion.chen.host("Soon", at=int(time.time() * 1000) + 9 * 60_000)
    tom = discussion.visit("Tom")
    tom.page.goto(f"./{discussion.chen.link(planned)}")
    expect(tom.page.locator(".door").get_by_text(re.compile(r"^It opens in 8:\d\d, right here\.$"))).to_be_visible()
    assert_ok(discussion.chen.call_off(planned))


# What a guest sees


def test_a_guest_who_hears_from_now_on_is_told_so_where_it_begins(discussion):
    tom = come_in(discussion, open_door(discussion), "Tom")
    expect(tom.feed).to_contain_text("Nothing has been said yet.")
    discussion.says(discussion.chen, "The brass band has no tuba.")
    expect(tom.feed).not_to_contain_text("Nothing has been said yet.")
    maya = come_in(discussion, open_door(discussion), "Maya", locale="es-ES")
    since = "Escuchas desde ahora. Lo que se dijo antes se queda con quienes estaban."
    feed = maya.room.locator(".feed")
    expect(feed).to_have_text(since)
    discussion.says(discussion.chen, "From now on.")
    expect(feed.get_by_role("time")).to_be_visible()
    expect(feed).to_contain_text(since)
    expect(tom.feed).not_to_contain_text("You hear from now on.")
    ines = come_in(discussion, open_door(discussion, whole=True), "Ines")
    expect(ines.feed).to_contain_text("The brass band has no tuba.")
    expect(ines.feed).not_to_contain_text("You hear from now on.")


def test_a_guest_has_the_room_and_nothing_of_the_party(discussion):
    tom = come_in(discussion, open_door(discussion))
    expect(tom.room.get_by_role("button", name="Ask to speak")).to_be_visible()
    for name in ("Back to the lobby", "Invite", "Agree", "Host a room", "More time?"):
        expect(tom.page.get_by_role("button", name=name)).to_have_count(0)
    menu = tom.open_menu()
    for name in ("Invite", "Tell us", "Ten more minutes"):
        expect(menu.get_by_role("button", name=name)).to_have_count(0)
    expect(menu.get_by_role("switch", name="Sounds")).to_be_visible()
    tom.page.keyboard.press("Escape")
    tom.page.keyboard.press("Escape")  # else it leads to the lobby
    expect(tom.room).to_be_visible()


def test_a_guest_asks_is_let_in_and_speaks(discussion):
    tom = come_in(discussion, open_door(discussion))
    emeka = discussion.enter("emeka", speaks=False)
    let_in(discussion, tom)
    tom.say("Hello from outside")
    expect(emeka.sent("Hello from outside")).to_be_visible()
    discussion.says(discussion.chen, "Welcome, @tom")
    expect(tom.feed.locator(".mention--me")).to_have_text("@tom")
    expect(emeka.feed.locator(".mention")).to_have_text("@tom")
    tom.page.reload()
    expect(tom.writing).to_be_visible()
    expect(tom.sent("Hello from outside")).to_be_visible()


def test_who_was_denied_twice_is_told_so_and_listens(discussion):
    tom = come_in(discussion, open_door(discussion))
    for sentence in ("Not this time. You can ask again.", "The host has said no twice."):
        tom.ask("Please")
        assert_ok(discussion.bilal.deny(discussion.room, id_of(tom)))
        expect(tom.page.get_by_text(sentence).first).to_be_visible()
    expect(tom.room.get_by_role("button", name="Ask to speak")).to_have_count(0)
    tom.page.reload()  # the page forgets it, the party does not
    tom.room.get_by_role("button", name="Ask to speak").click()
    tom.room.get_by_role("button", name="Ask to speak").click()
    expect(tom.page.get_by_text("The host has said no twice.").first).to_be_visible()


def test_who_is_shown_out_gets_a_calm_page_and_cannot_come_back(discussion):
    tom = come_in(discussion, open_door(discussion))
    other_tab = tom.new_tab()
    other_tab.goto("./")
    other_tab.locator(".room").wait_for()
    assert_ok(discussion.bilal.put_out(discussion.room, id_of(tom)))
    for page in (tom.page, other_tab):
        expect(page.locator(".door").get_by_role("status")).to_contain_text("The host has shown you out")
        expect(page.get_by_role("heading", level=1)).to_have_text(discussion.topic)
        expect(page.locator(".room")).to_have_count(0)
    tom.page.reload()
    expect(tom.page.get_by_text("You are no guest there any more.")).to_be_visible()


def test_a_guest_leaves_and_can_come_again(discussion):
    link = open_door(discussion)
    tom = come_in(discussion, link)
    menu = tom.open_menu()
    menu.get_by_role("button", name="Leave").click()
    menu.get_by_role("button", name="Stay").click()
    menu.get_by_role("button", name="Leave").click()
    menu.get_by_role("button", name="Yes, leave").click()
    expect(tom.page.locator(".door").get_by_role("status")).to_contain_text("You have left")
    assert discussion.bilal.hears("room", lambda view: not view["watching"])
    tom.page.goto(link)
    expect(field(tom)).to_have_count(1)  # not the two of the form, which stand there until the entrance has come
    field(tom).fill("Tom")
    field(tom).press("Enter")
    expect(tom.room).to_be_visible()


def test_a_guest_reads_the_end_and_takes_the_discussion_away(discussion):
    discussion.says(discussion.chen, "Before")
    tom = come_in(discussion, open_door(discussion))
    let_in(discussion, tom)
    tom.say("After")
    expect(tom.sent("After")).to_be_visible()
    assert_ok(discussion.bilal.close(discussion.room))
    ending = tom.room.locator(".ending")
    expect(ending).to_contain_text("bilal closed the room.")
    expect(ending).to_contain_text("Readable until")
    expect(ending).to_contain_text("What was said before you came is not here.")
    for name in ("Carry on in a new room", "To the lobby"):
        expect(ending.get_by_role("button", name=name)).to_have_count(0)
    expect(ending).not_to_contain_text("worth your time")
    with tom.page.expect_download() as download:
        ending.get_by_role("button", name="Save a copy").click()
    text = download.value.path().read_text()
    assert "**Tom (guest)**" in text
    assert "Tom (guest) spoke." in text
    assert "What was said before you came is not here." in text
    assert "Before" not in text


# How others see guests


def test_wherever_a_guest_is_named_the_word_stands_beside(discussion):
    emeka, bilal = discussion.enter("emeka"), discussion.signed_in("bilal")
    bilal.page.goto(f"./#room={discussion.room}")
    maya = come_in(discussion, open_door(discussion), "Maya")
    maya.ask("May I?")
    expect(bilal.room.get_by_role("button", name="Let in Maya (guest)")).to_be_visible()
    expect(bilal.room.locator(".request__who")).to_have_text(re.compile("Maya guest"))
    expect(bilal.page.get_by_text("Maya (guest) asks to speak.")).to_have_count(1)
    bilal.approve("Maya (guest)")
    maya.say("A word")
    said = emeka.message("A word").locator(".message__user")
    expect(said).to_have_text("Maya guest")
    emeka.message("A word").hover()
    emeka.message("A word").get_by_role("button", name="Reply").click()
    expect(emeka.room.locator(".composer__reply")).to_contain_text("Maya guest A word")
    emeka.say("An answer")
    expect(bilal.message("An answer").get_by_role("button", name="In reply to")).to_contain_text("Maya guest A word")
    maya.writing.press_sequentially("Mor")
    expect(emeka.room.get_by_text("Maya (guest) is writing…")).to_be_visible()
    emeka.writing.press_sequentially("@ma")
    expect(emeka.room.get_by_role("option")).to_have_text(["MMaya guest"])
    emeka.page.keyboard.press("Tab")
    expect(emeka.writing).to_have_value("@Maya ")
    people = emeka.room.get_by_role("complementary", name="People")
    expect(people.get_by_role("listitem").filter(has_text="Maya")).to_have_text(re.compile("Maya guest"))
    expect(bilal.room.get_by_role("button", name="More about Maya (guest)")).to_be_visible()
    emeka.leave()
    card = emeka.card(discussion.topic)
    expect(card.locator(".card__names")).to_contain_text("Maya guest")


# Of each word: whether all of it is to be seen in what holds it.
WHOLE = """(part, place) => {
  const [inner, outer] = [part, part.closest(place)].map((element) => element.getBoundingClientRect());
  const isBeside = inner.left >= outer.left - 1 && inner.right <= outer.right + 1;
  return inner.width > 0 && isBeside && inner.bottom <= outer.bottom + 1;
}"""


@pytest.mark.parametrize("width", [360, 390, 1280])
def test_on_a_card_and_in_the_header_names_give_way_and_never_the_words(discussion, width):
    let_in(discussion, come_in(discussion, open_door(discussion), "Christopher Aldridge"))
    emeka = discussion.signed_in("emeka", viewport={"width": width, "height": 780})
    emeka.page.goto("./")
    word = emeka.card(discussion.topic).locator(".card__names .guest")
    assert word.evaluate(WHOLE, ".card__names")
    emeka.page.goto(f"./#room={discussion.room}")
    door = emeka.room.locator(".room__door")
    expect(door).to_have_text("open door")
    assert door.evaluate(WHOLE, ".room__facts")


def test_a_guest_is_named_in_what_a_screen_reader_and_the_end_say(discussion):
    emeka = discussion.enter("emeka", speaks=False)
    maya = come_in(discussion, open_door(discussion), "Maya")
    let_in(discussion, maya)
    maya.say("A word")
    expect(emeka.room.get_by_role("log", name="New messages")).to_contain_text("Maya (guest): A word")
    assert_ok(discussion.bilal.close(discussion.room))
    with emeka.page.expect_download() as download:
        emeka.room.get_by_role("button", name="Save a copy").click()
    assert "**Maya (guest)**" in download.value.path().read_text()


def test_the_name_of_a_guest_is_text_wherever_it_runs(discussion):
    """From right to left, long, and with signs of markup: nothing moves, and the word keeps its place."""
    emeka = discussion.enter("emeka", viewport={"width": 320, "height": 640})
    for name in ("مايا", LONGEST, "<b>**x**_"):
        guest = come_in(discussion, open_door(discussion), name)
        let_in(discussion, guest)
        guest.say(f"Said by {len(name)}")
        said = emeka.sent(f"Said by {len(name)}").locator(".message__user")
        expect(said).to_have_text(f"{name} guest")
        expect(said.locator("bdi")).to_have_text(name)
    emeka.room.get_by_role("button", name="People").click()
    expect(emeka.sheet.locator(".guest")).to_have_count(3)
    assert emeka.page.evaluate(STICKS_OUT) == []


# Seen, read and operated


@pytest.mark.parametrize("look", [{}, {**PHONE, "color_scheme": "dark"}], ids=["desk, light", "phone, dark"])
def test_the_entrance_and_a_guests_page_are_without_a_fault(discussion, look):
    discussion.says(discussion.chen, "The brass band has no tuba.")
    link = open_door(discussion, whole=True)
    tom = stand_before(discussion, link, **look)
    faults = {"entrance": violations(tom.page)}
    field(tom).fill("bilal")
    tom.page.get_by_role("button", name="Come in and listen").click()
    expect(field(tom)).to_have_attribute("aria-invalid", "true")
    faults["refused"] = violations(tom.page)
    field(tom).fill(LONGEST)
    tom.page.get_by_role("button", name="Come in and listen").click()
    expect(tom.room.get_by_role("button", name="Ask to speak")).to_be_visible()
    faults["listening"] = violations(tom.page)
    tom.open_menu().get_by_role("button", name="Leave").click()
    faults["leaving"] = violations(tom.page)
    tom.page.keyboard.press("Escape")
    let_in(discussion, tom)
    tom.write("A word")
    expect(tom.sent("A word")).to_be_visible()
    faults["speaking"] = violations(tom.page)
    assert_ok(discussion.bilal.put_out(discussion.room, id_of(tom)))
    expect(tom.page.locator(".door").get_by_role("status")).to_contain_text("shown you out")
    faults["shown out"] = violations(tom.page)
    nowhere = stand_before(discussion, link[:-1], **look)
    faults["nowhere"] = violations(nowhere.page)
    assert not any(faults.values()), faults


@pytest.mark.parametrize("locale", ["en-GB", "es-ES"])
def test_the_entrance_fits_the_smallest_phone(discussion, locale):
    link = open_door(discussion, "watch")
    tom = stand_before(discussion, link, locale=locale, viewport={"width": 320, "height": 568})
    field(tom).fill(LONGEST)
    assert tom.page.evaluate(STICKS_OUT) == []
    assert tom.page.evaluate("document.scrollingElement.scrollWidth") == 320
    assert tom.page.get_by_role("button").first.bounding_box()["height"] >= 44
