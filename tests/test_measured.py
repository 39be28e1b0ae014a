"""What pages tell of how it went, and where a stranger came from: commands that change nothing, unheard by anybody."""

import json
import re

import pytest
from conftest import browser_of
from person import assert_ok, assert_refused, form_token
from servers import password_of

from party import reading, rules, story
from party.model import Refused
from runtime import measuring, metrics
from runtime.health import Health
from runtime.journal import Unavailable
from runtime.pace import TokenBuckets

MEASURES = {
    "seconds": 61.04, "inside": 40, "paint": 812.6, "live": 1200, "wait": {"median": 12, "slowest": 90.4}, "asked": 9,
    "unavailable": 1, "errors": ["TypeError: x is  undefined"], "failed": 2, "reconnections": 1,
}  # fmt: skip
NOTHING_MORE = {"inside": 0, "asked": 0, "unavailable": 0, "errors": [], "failed": 0, "reconnections": 0}


@pytest.fixture(autouse=True)
def nobody_was_seen(monkeypatch):
    monkeypatch.setattr(measuring, "seen", {})
    monkeypatch.setattr(measuring, "strangers", TokenBuckets(1, measuring.STRANGERS_AT_ONCE))


def tell(browser, measures=MEASURES, **headers):
    """As the page does, with the token that stands in it."""
    token = form_token(browser.get("/").text)
    measures = measures if isinstance(measures, str) else json.dumps(measures)
    return browser.post("/measured", data={"token": token, "measured": measures}, headers=headers)


def open_form(browser, path="/sign-in", **headers):
    """As the page that shows the sign-in does."""
    token = form_token(browser.get(path, headers=headers, follow_redirects=True).text)
    return browser.post("/measured", data={"token": token, "opened": "1"}, headers=headers)


def sign_in(browser, name, **headers):
    token = form_token(browser.get("/sign-in", headers=headers).text)
    form = {"name": name, "password": password_of(name), "token": token}
    assert browser.post("/sign-in", data=form, headers=headers).status_code == 303


def logged(party, *kinds):
    return [command for _, command in party.journal.replay() if command["kind"] in kinds]


# --- What a page tells ------------------------------------------------------------------------------------------------


def test_what_a_page_tells_is_in_the_log(clean_party, clock):
    answer = tell(browser_of("asha"))
    assert (answer.status_code, answer.text) == (204, "")
    (command,) = logged(clean_party, "measured")
    assert (command["user"], command["at"]) == ("asha", clock.at)
    assert clean_party.state.sign_in_of("asha", command["through"]), "one that has ended by then tells nothing"
    rounded = {"seconds": 61.0, "paint": 813, "wait": {"median": 12, "slowest": 90}}
    assert command["measures"] == {**MEASURES, **rounded, "errors": ["TypeError: x is undefined"]}


def test_what_a_page_does_not_tell_counts_as_none_and_what_nobody_asked_for_is_dropped(clean_party):
    assert tell(browser_of("asha"), {"seconds": 3, "cookies": "all of them", "wait": None}).status_code == 204
    (command,) = logged(clean_party, "measured")
    assert command["measures"] == {"seconds": 3, **NOTHING_MORE}


def test_nobody_was_inside_for_longer_than_they_were_there():
    assert reading.measures({"seconds": 10, "inside": 10.1})["inside"] == 10


@pytest.mark.parametrize(
    "wrong",
    [
        *({"seconds": seconds} for seconds in (None, "3", True, -1, 86_401, [3])),
        *({"inside": inside} for inside in (None, "3", -1, 86_401)),
        *({name: value} for name in ("paint", "live") for value in ("3", True, -1, 86_400_001)),
        *({"wait": wait} for wait in (3, [], {}, {"median": 3}, {"median": 3, "slowest": "3"})),
        *({name: value} for name in ("asked", "unavailable", "failed", "reconnections") for value in ("3", -1, 1.5)),
        *({"errors": errors} for errors in (None, "x", ["x"] * 6, [""], ["x" * 81], [7], ["\x00"])),
    ],
)  # fmt: skip
def test_every_field_is_distrusted(wrong):
    with pytest.raises(Refused, match=r"\w\.$") as refusal:
        reading.measures(MEASURES | wrong)
    assert refusal.value.ack["code"] == "bad_input"


@pytest.mark.parametrize("given", ["", "7", "[]", "{", '{"seconds": NaN}', '{"seconds": Infinity}', "[" * 4_000])
def test_what_is_no_object_is_refused_with_a_sentence(given, clean_party):
    answer = tell(browser_of("asha"), given)
    assert (answer.status_code, answer.text) == (400, "Please give one object as measured.")
    assert logged(clean_party, "measured") == []


def test_another_site_can_tell_nothing(clean_party):
    """It can let a browser post with its cookie, and cannot read the token."""
    asha, bilal = browser_of("asha"), browser_of("bilal")
    theirs = form_token(bilal.get("/").text)
    for token in ({}, {"token": ""}, {"token": theirs}):
        answer = asha.post("/measured", data={"measured": json.dumps(MEASURES), **token})
        assert (answer.status_code, answer.text) == (400, "That form was too old. Please try again.")
    assert asha.get("/measured").status_code == 405
    assert logged(clean_party, "measured") == []


def test_who_is_not_signed_in_can_tell_nothing(clean_party):
    stranger = clean_party.app.test_client()
    token = form_token(stranger.get("/sign-in").text)
    answer = stranger.post("/measured", data={"token": token, "measured": json.dumps(MEASURES)})
    assert (answer.status_code, answer.text) == (401, "You are signed out. Please sign in again.")
    assert logged(clean_party, "measured") == []


def test_what_a_page_tells_takes_from_its_persons_own_pace(join, clean_party, clock, monkeypatch):
    monkeypatch.setattr(clean_party, "paces", TokenBuckets(pace=0.5, burst=2))
    browser = browser_of("asha")
    asha, bilal = join("asha", browser), join("bilal")
    assert [tell(browser).status_code for _ in range(3)] == [204, 204, 429]
    assert tell(browser).headers["Retry-After"] == "2"
    assert_refused(asha.ask("host", {"topic": "Tea"}), "slow_down")
    assert_ok(bilal.ask("host", {"topic": "Tea"}))
    assert len(logged(clean_party, "measured")) == 2


def test_while_the_log_is_away_nothing_is_taken(clean_party, monkeypatch):
    def away(command):
        raise Unavailable("away")

    browser = browser_of("asha")
    monkeypatch.setattr(clean_party.journal, "append", away)
    assert tell(browser).status_code == 503


def test_a_mistake_of_our_own_is_told_with_its_id_to_a_program_and_as_a_page_to_a_person(clean_party, monkeypatch):
    browser = browser_of("asha")
    monkeypatch.setitem(rules.PARTY_RULES, "measured", (rules.anyone, lambda state, command: 1 / 0))
    answer = tell(browser)
    assert answer.status_code == 503
    assert re.fullmatch(r"Something went wrong here\. Please try again\. [0-9a-f]{8}", answer.text)
    page = tell(browser, Accept="text/html").text
    assert "Something went wrong here</h1>" in page and re.search(r"[0-9a-f]{8}\s*</p>", page)


def test_nobody_hears_of_what_is_told_measured_and_entered(join, clean_party):
    asha, bilal = join("asha"), join("bilal")
    room = asha.host()
    bilal.watch(room)
    asha.close(room)
    clean_party.tick()
    before = [len(person.line.events()) for person in (asha, bilal)]
    dicts = repr(clean_party.state.rooms)
    tell(browser_of("asha"))
    open_form(clean_party.app.test_client())
    assert_ok(bilal.feedback("room", room=room, choice="no", text="Too short"))
    assert_ok(bilal.feedback("idea", text="Longer rooms"))
    clean_party.submit("answer", "asha", to="x", text="Yes")
    clean_party.submit("goals", "asha", question="Will they?", spoke=1, returned=1, voices=1)
    clean_party.submit("spent", "asha", month="2026-11", amount=1)
    clean_party.tick()
    assert [len(person.line.events()) for person in (asha, bilal)] == before
    assert repr(clean_party.state.rooms) == dicts


def test_what_the_server_took_lately_stands_beside_it(clean_party, monkeypatch):
    monkeypatch.setattr(metrics, "took_lately", lambda: {"median": 1.2, "slowest": 5.0, "count": 7})
    tell(browser_of("asha"))
    assert logged(clean_party, "measured")[0]["took"] == {"median": 1.2, "slowest": 5.0, "count": 7}


def test_lately_is_the_last_minutes_and_of_all_events(monkeypatch):
    clock = [0]
    monkeypatch.setattr(metrics.time, "monotonic", lambda: clock[0])
    monkeypatch.setitem(metrics._durations, "party_event_duration_seconds", durations := {})
    for name in ("_long_ago", "_lately"):
        monkeypatch.setattr(metrics, name, (0, [0] * len(metrics.BUCKETS)))
    assert metrics.took_lately() is None
    durations |= {"message": metrics.Durations(), "host": metrics.Durations()}
    for seconds in (0.002, 0.002, 0.002):
        durations["message"].note(seconds)
    durations["host"].note(0.2)
    assert metrics.took_lately() == {"median": 2.0, "slowest": 250.0, "count": 4}, "2 of the 3 between 1 and 2.5 ms"
    health = Health(0, None, None)
    for clock[0] in (metrics.LATELY_SECONDS, 2 * metrics.LATELY_SECONDS):
        health.note_tick()
    assert metrics.took_lately() is None, "what was long ago counts no more"
    durations["message"].note(99)
    assert metrics.took_lately()["slowest"] == 10_000.0


# --- What the owner enters --------------------------------------------------------------------------------------------


def test_what_the_owner_enters_comes_as_text_from_a_form():
    goals = {"question": " Will  they? ", "spoke": "50", "returned": " 1 ", "voices": "100"}
    assert reading.goals(goals) == {"question": "Will they?", "spoke": 50, "returned": 1, "voices": 100}
    for amount, number in (("12", 12), ("12.5", 12.5), ("12,50", 12.5), ("0", 0), ("99999999.99", 99_999_999.99)):
        assert reading.spent({"month": "2026-11", "amount": amount}) == {"month": "2026-11", "amount": number}
    assert reading.answer({"to": "abc", "text": " Yes. ", "more": "x"}) == {"to": "abc", "text": "Yes."}


@pytest.mark.parametrize(
    "read, wrong",
    [
        *((reading.goals, {"question": question}) for question in (None, "", "x" * 121)),
        *((reading.goals, {name: "0"}) for name in ("spoke", "returned", "voices")),
        *((reading.goals, {"spoke": spoke}) for spoke in (None, "", "101", "1000", "-1", "5.5", "½", "٣", "ten")),
        *((reading.spent, {"month": month}) for month in ("", "2026", "2026-13", "2026-00", "2026-1", "26-11", "x")),
        *((reading.spent, {"amount": amount}) for amount in (None, "", "-1", "1.234", "1.2.3", "1e9", "²", "1" * 9)),
        *((reading.answer, {"text": text}) for text in (None, "", " ", "x" * 1001)),
        *((reading.answer, {"to": to}) for to in (None, "", "x" * 41)),
    ],
)  # fmt: skip
def test_what_the_owner_enters_is_distrusted_as_well(read, wrong):
    right = {"question": "Will they?", "spoke": "50", "returned": "40", "voices": "80"}
    right |= {"month": "2026-11", "amount": "12", "to": "abc", "text": "Yes"}
    assert read(right)
    with pytest.raises(Refused, match=r"\w\.$") as refusal:
        read(right | wrong)
    assert refusal.value.ack["code"] == "bad_input"


# --- Where a stranger came from ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/?from=letter", "/sign-in?from=letter"])
def test_a_link_says_where_a_stranger_came_from_up_to_the_sign_in(path, clean_party):
    browser = clean_party.app.test_client()
    assert open_form(browser, path).status_code == 204
    sign_in(browser, "asha")
    opened, signed_in = logged(clean_party, "opened", "sign_in")
    assert opened["user"] is None and opened["source"] == "letter" and len(opened["visitor"]) == 12
    assert (signed_in["user"], signed_in["source"]) == ("asha", "letter")
    assert signed_in["visitor"] == opened["visitor"]
    with browser.session_transaction() as session:
        assert session.keys() == {"_permanent", "sign_in"}, "then it is forgotten"


@pytest.mark.parametrize("source", ["", "a b", "x" * 41, "<b>", "é"])
def test_what_is_no_name_of_a_place_is_not_kept(source, clean_party):
    browser = clean_party.app.test_client()
    open_form(browser, f"/sign-in?from={source}")
    sign_in(browser, "asha")
    opened, signed_in = logged(clean_party, "opened", "sign_in")
    assert opened["source"] is None and "source" not in signed_in


def test_a_browser_that_opens_the_form_again_is_counted_once(clean_party):
    browser, other = clean_party.app.test_client(), clean_party.app.test_client()
    for one in (browser, browser, other, browser):
        assert open_form(one).status_code == 204
    assert len({command["visitor"] for command in logged(clean_party, "opened")}) == 2
    assert len(logged(clean_party, "opened")) == 2


def test_who_could_not_be_counted_while_the_log_was_away_is_once_it_is_back(clean_party, monkeypatch):
    def away(command):
        raise Unavailable("away")

    browser = clean_party.app.test_client()
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(clean_party.journal, "append", away)
        assert open_form(browser).status_code == 503
    assert open_form(browser).status_code == 204
    assert len(logged(clean_party, "opened")) == 1


def test_however_many_strangers_come_they_fill_no_log(clean_party, monkeypatch):
    clock = [0]
    monkeypatch.setattr(measuring, "now", lambda: clock[0])
    monkeypatch.setattr(measuring, "REMEMBERED", 50)
    for _ in range(70):
        assert open_form(clean_party.app.test_client()).status_code == 204
    assert len(logged(clean_party, "opened")) == measuring.STRANGERS_AT_ONCE == 60
    assert len(measuring.seen) == 50
    clock[0] = 1_000
    open_form(clean_party.app.test_client())
    assert len(logged(clean_party, "opened")) == 61, "one more a second"


def test_who_signs_out_has_opened_no_link(clean_party):
    browser = clean_party.app.test_client()
    open_form(browser)
    sign_in(browser, "asha")
    browser.post("/sign-out", data={"token": form_token(browser.get("/").text)})
    assert open_form(browser).status_code == 204
    sign_in(browser, "asha")
    opened, first, second = logged(clean_party, "opened", "sign_in")
    assert first["visitor"] == opened["visitor"] and "visitor" not in second


def test_who_is_counted_has_been_given_the_form(clean_party):
    """Somebody signed in is no stranger, and has no id of a browser any more."""
    browser = browser_of("asha")
    token = form_token(browser.get("/").text)
    assert browser.post("/measured", data={"token": token, "opened": "1"}).status_code == 204
    assert clean_party.app.test_client().post("/measured", data={"opened": "1"}).status_code == 400
    assert logged(clean_party, "opened") == []


def test_the_answer_brings_no_cookie(clean_party):
    """It may come after that of the sign-in, and would put the stranger's cookie back over it."""
    assert "Set-Cookie" not in open_form(clean_party.app.test_client()).headers
    assert "Set-Cookie" not in tell(browser_of("asha")).headers


# --- Who does not want that -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("header", ["DNT", "Sec-GPC"])
def test_who_asks_not_to_be_measured_is_not(header, clean_party):
    asks = {header: "1"}
    browser = clean_party.app.test_client()
    assert open_form(browser, "/sign-in?from=letter", **asks).status_code == 204
    with browser.session_transaction() as session:
        assert session.keys() == {"form_token"}
    sign_in(browser, "asha", **asks)
    assert tell(browser, **asks).status_code == 204
    assert logged(clean_party, "opened", "measured") == []
    (signed_in,) = logged(clean_party, "sign_in")
    assert not {"visitor", "source"} & signed_in.keys()
    assert tell(browser, **{header: "0"}).status_code == 204
    assert len(logged(clean_party, "measured")) == 1


def test_who_asks_only_later_is_not_known_again(clean_party):
    browser = clean_party.app.test_client()
    open_form(browser, "/sign-in?from=letter")
    sign_in(browser, "asha", DNT="1")
    (signed_in,) = logged(clean_party, "sign_in")
    assert not {"visitor", "source"} & signed_in.keys()


# --- In the story -----------------------------------------------------------------------------------------------------


def test_the_story_tells_each_kind_and_words_only_where_they_are_asked_for(join, clean_party):
    asha = join("asha")
    room = asha.host()
    asha.close(room)
    tell(browser_of("asha"))
    asha.feedback("room", room=room, choice="partly", text="Hardly", talk=True)
    clean_party.submit("answer", "asha", to="x", text="Sorry")
    clean_party.submit("goals", "asha", question="Will they?", spoke=1, returned=2, voices=3)
    clean_party.submit("spent", "asha", month="2026-11", amount=12.5)
    open_form(clean_party.app.test_client(), "/?from=letter")

    def told(with_words):
        lines = story.lines(clean_party.journal.replay(), None, None, with_words)
        return {line.split("  ")[3]: line for line in lines}

    shown, hidden = told(True), told(False)
    assert "61.0" in hidden["measured"] and "asha" in hidden["measured"]
    assert "month='2026-11'" in hidden["spent"] and "spoke=1" in hidden["goals"]
    assert "(a stranger)" in hidden["opened"] and "source='letter'" in hidden["opened"]
    for kind, words in (("feedback", "Hardly"), ("feedback", "partly"), ("answer", "Sorry"), ("goals", "Will they?")):
        assert words in shown[kind] and words not in hidden[kind]
    assert all("→ ok" in line for line in hidden.values())
