"""Signing in and out on the page, and two people who share a browser."""

import re
from urllib.parse import quote
from urllib.request import urlopen

import pytest
from playwright.sync_api import expect
from servers import SECRET, password_of, running_server

import users


def invite(name):
    return users.invite("", name, password_of(name))


def sign_out(visitor):
    visitor.page.get_by_role("button", name="choices, and sign out").click()
    visitor.sheet.get_by_role("button", name="Sign out", exact=True).click()


def lobby_of(page, name):
    """What tells that this is the page of `name`, also while they are in a room."""
    return page.get_by_role("button", name=f"{name}: choices, and sign out", include_hidden=True)


def test_a_stranger_is_told_what_this_is_and_how_to_come_in(visit):
    page = visit("dana").page
    page.goto("./")
    expect(page).to_have_url(re.compile("/sign-in$"))
    expect(page.get_by_role("heading", name="Discuss Party")).to_be_visible()
    expect(page.get_by_text("One topic, thirty minutes, a few voices, all in writing.")).to_be_visible()
    invited = "Invited? Open the link that you were sent. Otherwise ask whoever told you."
    expect(page.get_by_text(invited)).to_be_visible()
    (link,) = page.get_by_role("link").all()
    expect(link).to_have_text("What is kept of you")
    link.click()
    expect(page.get_by_role("heading", name="What is kept of you")).to_be_visible()


@pytest.mark.parametrize("locale, whose", [("en", "This room is for friends"), ("es", "Esta sala es para amigos")])
def test_a_stranger_with_the_link_for_friends_is_told_whom_to_ask(visit, locale, whose):
    page = visit("dana", locale=locale).page
    page.goto("./#room=any")
    expect(page.get_by_text(whose)).to_be_visible()
    page.goto("about:blank")
    page.goto("./")
    expect(page.get_by_role("textbox").first).to_be_focused()
    expect(page.get_by_text(whose)).to_be_hidden()


@pytest.mark.server
def test_a_link_to_the_party_shows_a_stranger_what_it_leads_to(party):
    """As a messenger draws it, which is not signed in and keeps no cookie."""
    page = urlopen(party.address).read().decode()
    shown = dict(re.findall(r'<meta property="og:(\w+)" content="(.+?)">', page))
    assert shown["title"] == "Discuss Party"
    assert shown["description"] == "Live discussions in writing. One topic, thirty minutes, a few voices."
    assert f'<meta name="description" content="{shown["description"]}">' in page
    assert shown["image"].startswith(party.address), "a whole address: a messenger knows no other"
    image = urlopen(shown["image"])
    data = image.read()
    assert (image.status, image.headers["Content-Type"], data[:4]) == (200, "image/png", b"\x89PNG")
    assert (int.from_bytes(data[16:20]), int.from_bytes(data[20:24])) == (1200, 630)


@pytest.mark.parametrize("pasted", [False, True], ids=["opened", "pasted where the form stands"])
def test_an_invite_link_fills_the_form_and_leaves_the_address_bar(visit, pasted):
    dana = visit("dana")
    if pasted:
        dana.page.goto("sign-in")
        dana.page.evaluate("window.isTheSame = true")
        dana.page.get_by_label("Name").fill("asha")
    dana.page.goto(invite("dana"))
    expect(dana.page.get_by_label("Name")).to_have_value("dana")
    expect(dana.page.get_by_label("Password")).to_have_value(password_of("dana"))
    assert dana.page.evaluate("window.isTheSame") is (True if pasted else None)
    assert "#" not in dana.page.url
    dana.page.get_by_role("button", name="Sign in").click()
    expect(lobby_of(dana.page, "dana")).to_be_visible()
    dana.page.go_back()
    assert "#" not in dana.page.url, "nor does the way back have it"


def test_an_invite_link_that_is_opened_when_signed_in_leads_to_the_lobby(asha):
    asha.page.goto(invite("asha"))
    expect(lobby_of(asha.page, "asha")).to_be_visible()
    expect(asha.page).to_have_url(asha.address)
    expect(asha.page.get_by_text("You are signed in as asha.")).to_have_count(0)
    asha.page.goto(invite("dana"))
    told = asha.page.get_by_role("status").get_by_text("You are signed in as asha. Sign out first to come in as dana.")
    expect(told).to_be_visible()
    expect(asha.page).to_have_url(asha.address)

    # Pasted into the tab that stands in a room, where only what is behind the # changes.
    asha.host("Open")
    asha.page.goto("./" + invite("chen").removeprefix("sign-in"))
    expect(asha.page.get_by_text("Sign out first to come in as chen.")).to_be_visible()
    expect(asha.room).to_have_count(0)
    expect(asha.page).to_have_url(asha.address)
    asha.page.go_back()
    expect(asha.page).not_to_have_url(re.compile("password"))


ZOE = "Zoë B. O'Neil"
WITH_ZOE = f"""
import users
users.NUMBERS["{ZOE}"] = 1
users._AS_TYPED[users._plain("{ZOE}")] = "{ZOE}"
import app
app.main()
"""


def test_a_name_with_capitals_spaces_and_an_apostrophe_signs_in(visit):
    """Typed without them, and by the link."""
    password = users.password(SECRET, ZOE, 1)
    with running_server(program=("-c", WITH_ZOE)) as server:
        zoe, asha = visit(ZOE, server.address), visit("asha", server.address)
        zoe.page.goto("sign-in")
        zoe.page.get_by_label("Name").fill("zoë b. o'neil")
        zoe.page.get_by_label("Password").fill(password)
        zoe.page.get_by_role("button", name="Sign in").click()
        expect(lobby_of(zoe.page, ZOE)).to_be_visible()
        zoe.page.goto(f"sign-in#name={quote(ZOE.upper())}&password={password}")
        expect(lobby_of(zoe.page, ZOE)).to_be_visible()
        expect(zoe.page.get_by_text("You are signed in as")).to_have_count(0)
        zoe.host("Capitals")
        asha.sign_in().watch("Capitals")
        asha.ask()
        zoe.approve("asha")
        asha.say(f"Are you there, @{ZOE}?")
        expect(zoe.message("Are you there").locator(".mention--me")).to_have_text(f"@{ZOE}")


def test_signing_in_works_without_javascript(visit):
    dana = visit("dana", java_script_enabled=False).sign_in("./")
    expect(dana.page.locator("body")).to_have_attribute("data-user", "dana")
    assert "The rooms are live, so this page needs JavaScript." in dana.page.content()


def test_a_page_never_speaks_for_somebody_else(asha, bilal):
    """Two people share a browser: what the one wrote does not go out under the other's name."""
    asha.host("Borrowed")
    first, asha.page = asha.page, asha.new_tab()
    asha.page.goto("./")
    sign_out(asha)
    expect(first.get_by_text("You are signed out.")).to_be_visible()  # else it may load itself anew just as we do
    first.get_by_role("textbox", name="Message").fill("Written by asha")
    asha.page.get_by_label("Name").fill("bilal")
    asha.page.get_by_label("Password").fill(password_of("bilal"))
    asha.page.get_by_role("button", name="Sign in").click()
    expect(lobby_of(asha.page, "bilal")).to_be_visible()
    first.reload()
    expect(lobby_of(first, "bilal")).to_be_attached()
    expect(first.get_by_role("button", name="Ask to speak")).to_be_visible()
    expect(first.get_by_role("textbox", name="Message")).to_have_count(0)


def test_a_page_whose_sign_in_was_replaced_turns_into_the_other_persons(asha, bilal, visit, cable):
    dana = visit("dana", cable.address).sign_in()
    dana.host("Not yours")
    farida = visit("farida").sign_in()
    [cookie] = [cookie for cookie in farida.context.cookies() if cookie["name"] == "party"]
    dana.context.add_cookies([cookie])  # while the line stands, so that no request of dana's is on its way
    cable.cut()
    dana.say("Written by dana")
    expect(dana.message("Written by dana")).to_contain_text("sending")
    cable.mend()
    expect(lobby_of(dana.page, "farida")).to_be_attached(timeout=15_000)
    bilal.watch("Not yours")
    expect(bilal.room.get_by_text("Nothing has been said yet.")).to_be_visible()


def test_signing_out_in_one_tab_ends_the_others(asha):
    asha.host("Two tabs")
    first, asha.page = asha.page, asha.new_tab()
    asha.page.goto("./")
    sign_out(asha)
    expect(asha.page.get_by_role("button", name="Sign in")).to_be_visible()
    expect(first.get_by_text("You are signed out.")).to_be_visible()
    again = first.get_by_role("link", name="Sign in again")
    expect(again).to_have_attribute("href", f"sign-in{first.url[len(asha.address) :]}")
    again.click()
    asha.page = first
    first.get_by_label("Name").fill("asha")
    first.get_by_label("Password").fill(password_of("asha"))
    first.get_by_role("button", name="Sign in").click()
    expect(asha.room.get_by_role("heading", name="Two tabs")).to_be_visible()
