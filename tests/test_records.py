"""What the program tells its owner: a line each, in words or for machines, and nothing that is nobody's business."""

import json
import logging
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import pytest
from person import assert_ok, assert_refused, form_token
from servers import ROOT, password_of

import app
from runtime import records, web
from runtime.journal import Unavailable
from runtime.records import Sparingly

ID = re.compile(r"[0-9a-f]{8}")
PROGRAM = """
import logging
from runtime import records
records.set_up()
log = logging.getLogger("party")
log.warning("Without a %s", "CDN")
try:
    try:
        {}["their words"]
    except KeyError as error:
        raise ValueError("more of their words") from error
except ValueError:
    print(records.mistake(log, "An event failed."))
"""


def printed(**settings):
    """(the id, the records) of the program, run in an interpreter of its own."""
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, env=settings, capture_output=True, text=True, check=True
    )
    return ended.stdout.strip(), ended.stderr


def test_records_are_lines_for_people():
    id, said = printed()
    assert re.search(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} WARNING party: Without a CDN$", said, re.M)
    assert re.search(rf" ERROR party: An event failed\. \({id}\)\nTraceback \(most recent call last\):\n", said)


def test_records_are_objects_for_machines_where_that_is_asked_for():
    id, said = printed(PARTY_LOG="json")
    warning, mistake = map(json.loads, said.splitlines())
    at = datetime.fromisoformat(warning.pop("time"))
    assert at.utcoffset() == timedelta(0) and abs(datetime.now(UTC) - at) < timedelta(minutes=1)
    assert warning == {"level": "WARNING", "logger": "party", "message": "Without a CDN"}
    assert mistake.keys() == {"time", "level", "logger", "message", "id", "exception"}
    assert (mistake["id"], mistake["message"]) == (id, f"An event failed. ({id})")
    assert mistake["exception"].endswith("\nValueError")


@pytest.mark.parametrize("form", ["plain", "json"])
def test_a_trace_says_where_and_what_kind_and_nothing_of_what_was_said(form):
    _, said = printed(PARTY_LOG=form)
    assert "line 9, in <module>" in said and said.index("KeyError") < said.index("ValueError"), "the cause comes first"
    assert "their words" not in said


# --- An id for whoever meets an error ---------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def nothing_told(monkeypatch):
    monkeypatch.setattr(records, "_told", Sparingly())
    monkeypatch.setattr(records, "_ids", {})


def refusing(why):
    def append(command):
        raise Unavailable(why)

    return append


def ids_in(caplog):
    return [record.id for record in caplog.records if hasattr(record, "id")]


def test_our_own_mistake_has_an_id_that_stands_in_the_records(join, monkeypatch, caplog):
    asha = join("asha")
    room = asha.host()
    monkeypatch.setattr(app, "submit", lambda *_, **__: 1 / 0)
    acks = [asha.message(room), asha.message(room)]
    for ack in acks:
        assert_refused(ack, "unavailable")
        assert ID.fullmatch(ack["id"])
    assert [ack["id"] for ack in acks] == ids_in(caplog)
    assert acks[0]["id"] != acks[1]["id"], "each is looked for by itself"
    assert all(record.exc_info and record.id in record.getMessage() for record in caplog.records)


def test_a_mistake_in_a_rule_has_an_id_too_which_is_forgotten_with_it(join, monkeypatch, caplog):
    asha = join("asha")
    room = asha.host()
    with monkeypatch.context() as broken:
        broken.setattr(app.state, "apply", lambda command: 1 / 0)
        ack = asha.message(room, key="k1")
    assert_refused(ack, "unavailable")
    assert [ack["id"]] == ids_in(caplog)
    again = assert_ok(asha.message(room, key="k1"))
    assert asha.message(room, key="k1") == again, "this is what its key led to"
    assert ack["id"] not in str(app.state)


def test_what_is_not_kept_has_one_id_for_each_reason_in_a_minute(join, monkeypatch, caplog):
    asha, minutes = join("asha"), [0]
    room = asha.host()
    monkeypatch.setattr(records.time, "monotonic", lambda: 1_000 + 60 * minutes[0])
    monkeypatch.setattr(app.journal, "append", refusing("the disk is full"))
    acks = [asha.message(room) for _ in range(3)]
    assert_refused(acks[0], "unavailable")
    assert [ack["id"] for ack in acks] == ids_in(caplog) * 3
    minutes[0] = 1
    later = asha.message(room)["id"]
    monkeypatch.setattr(app.journal, "append", refusing("it is read-only"))
    other = asha.message(room)["id"]
    assert [acks[0]["id"], later, other] == ids_in(caplog)
    assert len({acks[0]["id"], later, other}) == 3
    assert "it is read-only" in caplog.text


def test_a_page_that_could_not_be_kept_shows_the_id(clean_party, monkeypatch, caplog):
    browser = clean_party.app.test_client()
    monkeypatch.setattr(clean_party.journal, "append", refusing("the disk is full"))
    form = {"name": "asha", "password": password_of("asha"), "token": form_token(browser.get("/sign-in").text)}
    answer = browser.post("/sign-in", data=urlencode(form), content_type="application/x-www-form-urlencoded")
    assert answer.status_code == 503
    assert f"{web.NOT_KEPT} ({ids_in(caplog)[0]})" in answer.text


def test_more_reasons_than_are_told_in_a_minute_have_their_ids_all_the_same(caplog):
    ids = {records.not_kept(logging.getLogger("party"), Unavailable(f"reason {n}")) for n in range(150)}
    assert ids == set(ids_in(caplog)) and len(ids) == 150
