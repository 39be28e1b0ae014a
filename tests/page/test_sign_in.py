"""Signing in and out on the page, and two people who share a browser."""

from playwright.sync_api import expect
from servers import password_of


def test_an_invite_link_fills_the_form_and_leaves_the_address_bar(visit):
    dana = visit("dana")
    dana.page.goto(f"sign-in#name=dana&password={password_of('dana')}")
    expect(dana.page.get_by_label("Password")).to_have_value(password_of("dana"))
    assert "#" not in dana.page.url
    dana.page.get_by_role("button", name="Sign in").click()
    expect(dana.page.get_by_role("heading", name="Live rooms")).to_be_visible()


def test_signing_in_works_without_javascript(visit):
    dana = visit("dana", java_script_enabled=False).sign_in("./")
    expect(dana.page.get_by_role("button", name="Sign out")).to_be_visible()
    dana.page.get_by_role("button", name="Sign out").click()
    expect(dana.page.get_by_role("button", name="Sign in")).to_be_visible()


def test_a_page_never_speaks_for_somebody_else(asha, bilal):
    """Two people share a browser: what the one wrote does not go out under the other's name."""
    asha.host("Borrowed")
    first, asha.page = asha.page, asha.new_tab()
    asha.page.goto("sign-in")  # asha's cookie goes, bilal's comes
    asha.page.get_by_label("Name").fill("bilal")
    asha.page.get_by_label("Password").fill(password_of("bilal"))
    first.get_by_role("textbox", name="Message").fill("Written by asha")
    asha.page.get_by_role("button", name="Sign in").click()
    expect(asha.page.get_by_role("banner").get_by_text("bilal")).to_be_visible()
    first.reload()
    expect(first.get_by_role("banner", include_hidden=True)).to_contain_text("bilal")
    expect(first.get_by_role("textbox", name="Message")).to_have_count(0)
    expect(first.get_by_role("dialog").get_by_role("button", name="Ask to speak")).to_be_visible()


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
    expect(dana.page.get_by_role("banner", include_hidden=True)).to_contain_text("farida", timeout=15_000)
    bilal.watch("Not yours")
    expect(bilal.room.get_by_text("Nothing has been said yet.")).to_be_visible()


def test_signing_out_in_one_tab_ends_the_others(asha):
    first, asha.page = asha.page, asha.new_tab()
    asha.page.goto("./")
    asha.page.get_by_role("button", name="Sign out").click()
    expect(first.get_by_text("You are signed out.")).to_be_visible()
    expect(first.get_by_role("link", name="Sign in again")).to_be_visible()
