"""A room that becomes a page for everybody, as it is seen: from the host's dialog to the link to its page."""

import re
from datetime import datetime, timedelta

import pytest
from person import assert_ok, seat
from playwright.sync_api import expect
from servers import PUBLISHING, password_of, running_server
from states import a_party, clock_of_its_own, tomorrow_at_noon
from test_words import WORDS_IN
from visitor import PHONE, STICKS_OUT

TOPIC = "Whose bench is it?"
TOLD = "What is said here will be published. Once the room has closed, you have an hour to leave your words out."


def publishing_party(hour=3_600_000):
    """A party in which those who spoke have that `hour`, in milliseconds, to leave their words out."""
    return running_server(
        program=("-c", f"from party import publishing; publishing.LEAVE_OUT_WITHIN = {hour}; {PUBLISHING}")
    )


def head(visitor):
    return visitor.room.locator(".room__head")


def publishing(visitor):
    """What an ended room says about it."""
    return visitor.room.get_by_role("region", name="The page that it becomes")


def button(visitor, name):
    return publishing(visitor).get_by_role("button", name=name)


def will_be_published(visitor):
    """At what time, as this page says it."""
    said = publishing(visitor).get_by_text(re.compile("Will be published at"))
    expect(said).to_be_visible()
    return re.search(r"\d\d:\d\d", said.inner_text())[0]


@pytest.mark.timeout(120)
def test_who_speaks_knows_it_before_and_leaves_their_words_out_after(visit):
    with publishing_party() as server:
        asha, bilal = (visit(name, server.address).sign_in() for name in ("asha", "bilal"))
        asha.page.get_by_role("button", name="Host a room").click()
        asha.sheet.get_by_role("textbox", name="Topic").fill(TOPIC)
        asha.sheet.get_by_text("By link: ask too", exact=True).click()
        switch = asha.sheet.get_by_role("switch", name="This will be published")
        expect(switch).not_to_be_checked()
        expect(switch).to_have_accessible_description(
            "It becomes a page for everybody. Decide now: later you can only say no."
        )
        switch.focus()
        asha.page.keyboard.press("Space")
        asha.sheet.get_by_role("button", name="Open the room").click()
        expect(head(asha)).to_contain_text("will be published")

        # A friend sees it in the lobby, and reads it where one asks; a guest reads it before coming in.
        expect(bilal.card(TOPIC)).to_contain_text("will be published")
        bilal.watch(TOPIC)
        bilal.room.get_by_role("button", name="Ask to speak").click()
        expect(bilal.pitch).to_have_accessible_description(re.compile(re.escape(TOLD)))
        bilal.ask()
        asha.approve("bilal")
        bilal.write("The heron's")
        host = server.person("asha")
        room = asha.page.url.rpartition("=")[2]
        gita = visit("Gita", server.address, **PHONE, timezone_id="Asia/Kathmandu")
        gita.page.goto(f"./{host.link(room)}")
        name = gita.page.get_by_role("textbox", name="What should we call you?")
        expect(name).to_have_accessible_description(re.compile(re.escape(TOLD)))
        name.fill("Gita")
        gita.page.get_by_role("button", name="Come in and listen").tap()
        expect(gita.room.get_by_text("will be published")).to_be_visible()
        expect(gita.feed).to_contain_text("What was said before can be read on its page once it is published.")
        gita.room.get_by_role("button", name="Ask to speak").tap()
        expect(gita.room.get_by_text(TOLD)).to_be_visible()
        gita.ask()
        asha.approve("Gita (guest)")
        gita.write("I sit there every morning")
        expect(asha.sent("I sit there")).to_be_visible()
        asha.open_menu().get_by_role("button", name="Close the room").click()
        expect(asha.sheet.get_by_role("group", name=re.compile("It is published an hour later"))).to_be_visible()
        asha.page.keyboard.press("Escape")
        asha.close_room()

        # Each has an hour, in the time of their own clock.
        assert will_be_published(asha) == will_be_published(bilal) != will_be_published(gita)
        second_tab = bilal.new_tab()
        second_tab.goto(bilal.page.url)
        button(bilal, "Leave my words out").click()
        put_back = button(bilal, "Put my words back")
        expect(put_back).to_be_focused()
        expect(publishing(bilal).get_by_role("status")).to_contain_text("Those who were here can still read them until")
        expect(second_tab.get_by_role("button", name="Put my words back")).to_be_visible()
        expect(bilal.message("The heron's")).to_be_visible()
        bilal.page.reload()
        button(bilal, "Put my words back").click()
        expect(second_tab.get_by_role("button", name="Leave my words out")).to_be_visible()
        button(gita, "Leave my words out").tap()
        expect(button(gita, "Put my words back")).to_be_visible()

        # How it will look, for those whose words are in it; and only its host says no.
        for visitor in (asha, bilal, gita):
            link = publishing(visitor).get_by_role("link", name="Preview")
            expect(link).to_have_attribute("href", f"published/preview/{room}")
            expect(link).to_have_attribute("target", "_blank")
        with gita.page.expect_popup() as opened:
            publishing(gita).get_by_role("link", name="Preview").tap()
        expect(opened.value.get_by_role("heading", level=1)).to_have_text(TOPIC)
        expect(opened.value.get_by_text("I sit there every morning")).to_have_count(0)
        # What is left was said before they came.
        expect(opened.value.get_by_text(re.compile("A preview: in \\d+ minutes"))).to_be_visible()
        expect(button(bilal, "Do not publish")).to_have_count(0)
        button(asha, "Do not publish").click()
        button(asha, "Let it be published").click()
        expect(button(asha, "Do not publish")).to_be_focused()
        button(asha, "Do not publish").click()
        expect(publishing(asha)).to_contain_text("It cannot be switched on again.")
        button(asha, "Yes, do not publish it").click()
        expect(publishing(asha).get_by_role("status")).to_be_focused()
        for visitor in (asha, bilal, gita):
            expect(publishing(visitor)).to_have_text("This will not be published.")
        asha.leave()
        the_host_says_no_before(asha, bilal, host)


def the_host_says_no_before(asha, bilal, host):
    """In the menu of a room that is open, and on a plan."""
    room = host.host("Tea", publish=True)
    bilal.leave()
    bilal.watch("Tea")
    asha.page.goto(f"./#room={room}")
    menu = asha.open_menu()
    menu.get_by_role("button", name="Do not publish").click()
    menu.get_by_role("button", name="Yes, do not publish it").click()
    expect(menu).to_have_count(0)
    expect(bilal.page.get_by_role("status").filter(has_text="This will not be published.")).to_be_visible()
    expect(head(bilal)).not_to_contain_text("published")
    expect(asha.open_menu().get_by_role("button", name="Do not publish")).to_have_count(0)
    asha.page.keyboard.press("Escape")
    assert_ok(host.close(room))
    expect(bilal.room.get_by_text(re.compile("closed the room"))).to_be_visible()
    expect(publishing(bilal)).to_have_count(0)
    asha.leave()
    bilal.leave()

    asha.page.get_by_role("button", name="Host a room").click()
    asha.sheet.get_by_role("textbox", name="Topic").fill("The roof")
    asha.sheet.get_by_role("button", name="Later…").click()
    asha.sheet.get_by_label("Day").fill(f"{datetime.now() + timedelta(days=1):%Y-%m-%d}")
    asha.sheet.get_by_role("switch", name="This will be published").click()
    asha.sheet.get_by_role("button", name="Plan the room").click()
    plan = asha.page.locator(".plan")
    expect(plan).to_contain_text(TOLD)
    expect(bilal.card("The roof")).to_contain_text("will be published")
    plan.get_by_role("button", name="Do not publish").click()
    plan.get_by_role("button", name="Yes, do not publish it").click()
    expect(plan.get_by_role("heading", name="The roof")).to_be_focused()
    expect(plan).not_to_contain_text("published")
    expect(bilal.card("The roof")).not_to_contain_text("published")
    unlisted = host.plan("The cellar", at=tomorrow_at_noon(), listed=False, publish=True)
    bilal.page.goto(f"./#room={unlisted}")
    expect(bilal.page.locator(".plan")).to_contain_text(TOLD)


def test_once_the_hour_is_over_the_ended_room_leads_to_its_page_and_so_does_the_lobby(visit):
    """And who kept a seat, and never asked, is told before the first word."""
    with publishing_party(hour=2_000) as server:
        asha, bilal = server.person("asha"), server.person("bilal")
        before = asha.host("Tea")
        seat(asha, bilal, before)
        assert_ok(asha.close(before))
        room = asha.host("More tea", continues=before, publish=True)
        page = visit("bilal", server.address).sign_in()
        page.page.goto(f"./#room={room}")
        expect(page.room.get_by_role("status").filter(has_text=TOLD)).to_be_visible()
        page.write("With milk")
        expect(page.room.get_by_text(TOLD)).to_have_count(0)
        assert_ok(asha.close(room))
        expect(publishing(page)).to_contain_text("This is published.", timeout=15_000)
        link = publishing(page).get_by_role("link", name="Read the page")
        expect(link).to_have_attribute("href", f"published/of/{room}")
        expect(publishing(page).get_by_role("button")).to_have_count(0)
        page.page.goto("./")
        link = page.page.get_by_role("region", name="Closed lately").get_by_role("link", name="Read the page")
        expect(link).to_have_count(1)  # not of the room that was not to be published
        expect(link).to_have_attribute("href", f"published/of/{room}")


# Whether the words stand in the header's line, whole, and beside nothing that sticks out of it.
IS_WHOLE = """(words) => {
  const [line, inner] = [words.closest('.room__facts'), words].map((element) => element.getBoundingClientRect());
  return words.checkVisibility() && getComputedStyle(words).position !== 'absolute' && inner.height < 24 &&
    inner.left >= line.left && inner.right <= line.right && line.height < 32;
}"""
SHARE_OF_THE_FEED = "(feed) => feed.getBoundingClientRect().height / innerHeight"
ALL_ARE_HIT = """() => Array.from(document.querySelectorAll('.ending :is(a, button)'))
  .map((target) => target.getBoundingClientRect()).every(({ width, height }) => width >= 44 && height >= 44)"""


@pytest.mark.parametrize("language", WORDS_IN)
def test_on_a_phone_it_is_read_whole_and_leaves_the_discussion_its_place(visit, language):
    said = WORDS_IN[language]
    with a_party() as server:
        host = server.person("asha")
        room = host.host("Should our book club read novels that are still in copyright?", publish=True)
        for number in range(1, 9):
            speaker = server.person(f"extra{number}")
            seat(host, speaker, room)
            speaker.message(room, "A word")
        host.message(room, "A word")
        page = visit("bilal", server.address, **PHONE, locale=language)
        go_ahead = clock_of_its_own(page.page)
        sign_in_as(page, said)
        names = page.page.locator(".card__names")
        expect(names).to_have_css("-webkit-line-clamp", "2")
        assert names.evaluate("names => names.scrollHeight > names.clientHeight"), "not all have a place"
        page.page.goto(f"./#room={room}")
        words = head(page).get_by_text(said["card"]["publish"])

        def is_read(*widths):
            for width in widths:
                page.page.set_viewport_size({"width": width, "height": 844})
                assert words.evaluate(IS_WHOLE), width
                for size in ("200%", ""):
                    page.page.evaluate("size => { document.documentElement.style.fontSize = size }", size)
                    assert page.page.evaluate(STICKS_OUT) == [], (width, size)

        expect(words).to_be_visible()
        is_read(320, 360, 390)
        host.door(room)
        page.room.get_by_role("button", name=said["asking"]["ask"]).tap()
        page.room.get_by_role("textbox").fill("A pitch")
        page.room.get_by_role("button", name=said["asking"]["ask"]).tap()
        expect(page.room.get_by_text(said["asking"]["next"])).to_be_visible()
        is_read(360, 390)
        go_ahead(27 * 60_000 + 10_000)
        expect(head(page).locator(".time--last")).to_contain_text(said["clock"]["lastWords"].partition(" ")[0])
        is_read(320, 360, 390)

        assert_ok(host.close(room))
        for sizes, share in ((PHONE, 0.45), (ON_ITS_SIDE, 0.75), (DESK, 0.6)):
            asha = visit("asha", server.address, **sizes, locale=language)
            sign_in_as(asha, said, f"#room={room}")
            expect(asha.room.get_by_role("button", name=said["publishing"]["withhold"])).to_be_visible()
            expect(asha.room.locator(".worth")).to_be_visible()
            assert asha.room.locator(".feed").evaluate(SHARE_OF_THE_FEED) >= share
            assert asha.page.evaluate(ALL_ARE_HIT) or sizes is DESK
            assert asha.page.evaluate(STICKS_OUT) == []


ON_ITS_SIDE = PHONE | {"viewport": {"width": 844, "height": 390}}
DESK = {"viewport": {"width": 1280, "height": 800}}


def sign_in_as(visitor, said, path=""):
    """In whatever language."""
    visitor.page.goto(f"./{path}")
    visitor.page.locator("[name=name]").fill(visitor.name)
    visitor.page.locator("[name=password]").fill(password_of(visitor.name))
    visitor.page.get_by_role("button", name=said["signIn"]["submit"]).click()
