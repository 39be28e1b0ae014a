"""What pages tell of how it went: taken as a command from who is signed in, distrusted, and heard by nobody."""

import json

from conftest import browser_of
from person import form_token

TOLD = {"seconds": 61.04, "inside": 40, "paint": 812.6, "live": 1200, "wait": {"median": 12, "slowest": 90.5}}
TOLD |= {"asked": 9, "unavailable": 1, "errors": ["TypeError: x is  undefined"], "failed": 2, "reconnections": 1}


def post(browser, form, page="/", **headers):
    token = form_token(browser.get(page).text)
    return browser.post("/measured", data={"token": token} | form, headers=headers)


def logged(party, kind):
    return [command for _, command in party.journal.replay() if command["kind"] == kind]


def test_what_a_page_tells_is_in_the_log(clean_party, clock):
    answer = post(browser_of("asha"), {"measured": json.dumps(TOLD)})
    assert (answer.status_code, answer.text) == (204, "")
    (command,) = logged(clean_party, "measured")
    assert command["user"] == "asha" and command["at"] == clock.at
    assert command["told"] == {
        **TOLD, "seconds": 61.0, "paint": 813, "wait": {"median": 12, "slowest": 90}, "errors": ["TypeError: x is undefined"]
    }  # fmt: skip


def test_a_stranger_with_a_link_is_counted_and_known_again_at_the_sign_in(clean_party):
    browser = clean_party.app.test_client()
    assert browser.get("/?from=letter", follow_redirects=True).status_code == 200
    assert post(browser, {"opened": "1"}, "/sign-in").status_code == 204
    assert post(browser, {"opened": "1"}, "/sign-in").status_code == 204
    (opened,) = logged(clean_party, "opened")
    assert opened["source"] == "letter" and len(opened["visitor"]) == 12
