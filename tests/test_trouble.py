"""What a visitor gets in place of a page that there is not, or that could not be made."""

import json
import logging
import re

import pytest
from conftest import browser_of
from servers import ROOT

import app
from runtime import assets

BY_A_PERSON = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
BY_OTHERS = ("*/*", "image/avif,image/webp,*/*;q=0.8", "text/css,*/*;q=0.1", "application/json", None)
WORDS = json.loads((ROOT / "static/words/en.json").read_text())["trouble"]
SPANISH = json.loads((ROOT / "static/words/es.json").read_text())["trouble"]


@pytest.fixture
def browser(clean_party):
    return clean_party.app.test_client()


@pytest.fixture
def breaking(monkeypatch):
    """The address of a page that our own mistake breaks."""
    monkeypatch.setitem(app.app.view_functions, "offline", lambda: {}["secret"])
    return "/offline"


def heading_of(answer):
    return re.search(r"<h1[^>]*>(.+)</h1>", answer.text)[1]


@pytest.mark.parametrize("path", ["/nowhere", "/no/where/at/all", "/sign-in/", "/static/no/such.js", "/party/"])
@pytest.mark.parametrize("below", ["", "/party"])
def test_where_there_is_nothing_a_person_finds_the_way_back_at_any_depth(browser, path, below):
    answer = browser.get(path, headers=BY_A_PERSON, environ_overrides={"SCRIPT_NAME": below})
    assert (answer.status_code, heading_of(answer)) == (404, WORDS["nowhere"])
    assert f'href="{below}/">{WORDS["back"]}</a>' in answer.text
    leads_to = set(re.findall(r'(?:href|src)="([^"]+)"', answer.text))
    assert {address for address in leads_to if not address.startswith(f"{below}/")} == {assets.ICON}
    assert answer.headers["Cache-Control"] == "no-store"


def test_it_speaks_the_visitors_language(browser):
    answer = browser.get("/nowhere", headers=BY_A_PERSON | {"Accept-Language": "es, en;q=0.5"})
    assert heading_of(answer) == SPANISH["nowhere"] and '<html lang="es"' in answer.text


@pytest.mark.parametrize("accept", BY_OTHERS)
def test_a_program_gets_a_line_of_text(browser, accept):
    answer = browser.get("/nowhere", headers={"Accept": accept} if accept else {})
    assert (answer.status_code, answer.mimetype, answer.text) == (404, "text/plain", "404 Not Found")
    assert answer.headers["Cache-Control"] == "no-store"


def test_it_is_the_same_for_whoever_is_signed_in(browser):
    answers = [someone.get("/nowhere", headers=BY_A_PERSON) for someone in (browser, browser_of("asha"))]
    assert answers[0].data == answers[1].data
    assert not any("Set-Cookie" in answer.headers for answer in answers)


@pytest.mark.parametrize(
    "method, path, form, status",
    [("get", "/sign-out", None, 405), ("put", "/", None, 405), ("post", "/sign-in", {"name": "x" * 20_000}, 413)],
)
def test_what_cannot_be_done_says_so_with_its_status(browser, method, path, form, status):
    answer = getattr(browser, method)(path, data=form, headers=BY_A_PERSON)
    assert (answer.status_code, heading_of(answer)) == (status, WORDS["refused"])
    assert ("Allow" in answer.headers) is (status == 405), "as the standard has it"


def test_the_head_of_it_can_be_asked_for_alone(browser):
    answer = browser.head("/nowhere", headers=BY_A_PERSON)
    assert (answer.status_code, answer.data, answer.mimetype) == (404, b"", "text/html")


@pytest.mark.parametrize("headers", [BY_A_PERSON, {}], ids=["by a person", "by a program"])
def test_our_own_mistake_has_an_id_that_stands_in_the_records_and_tells_no_more(browser, breaking, caplog, headers):
    with caplog.at_level(logging.ERROR):
        answer = browser.get(breaking, headers=headers)
    assert answer.status_code == 500 and answer.headers["Cache-Control"] == "no-store"
    [id] = re.findall(r"(?<!%)\b[0-9a-f]{8}\b", answer.text)  # behind a % stands a colour
    for inside in ("Traceback", "KeyError", "secret"):
        assert inside not in answer.text
    assert len(caplog.records) == 1, "told once"
    said = caplog.text
    assert id in said and "GET offline failed." in said and "KeyError: 'secret'" in said


def test_after_a_mistake_the_party_goes_on(browser, breaking):
    assert browser.get(breaking).status_code == 500
    assert browser.get("/sign-in").status_code == 200
