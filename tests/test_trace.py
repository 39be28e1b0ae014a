"""The owner's view of the log: `flask --app app trace`."""

import os
import subprocess
import sys

import pytest
from person import seat
from servers import ROOT, SECRET, running_redis, running_server

import app
from runtime import settings
from runtime.journal import open_journal

pytestmark = pytest.mark.server


@pytest.fixture(scope="module", params=["file", "redis"])
def address(request, tmp_path_factory):
    if request.param == "file":
        yield str(tmp_path_factory.mktemp("trace") / "party.db")
    else:
        with running_redis() as redis:
            yield redis.address


@pytest.fixture(scope="module")
def room(address):
    """A room with a story, on a party that goes on running."""
    with running_server(PARTY_JOURNAL=address) as server:
        asha, bilal, chen = (server.person(name) for name in ("asha", "bilal", "chen"))
        room = asha.host("Tea")
        bilal.watch(room)
        bilal.request(room, pitch="A private pitch")
        asha.approve(room, "bilal")
        asha.approve(room, "bilal")  # refused by the rule
        bilal.message(room, "Words of the room")
        bilal.message(room, "A slip", reply=1)
        bilal.take_back(room, 2)
        bilal.pulse(room, "off_topic")
        seat(chen, asha, chen.host("Another room"))
        asha.close(room)
        yield room


@pytest.fixture
def trace(monkeypatch):
    """What the command says of the log at an address: `trace(address, …)`. In this process, which takes a tenth of the
    time."""

    def trace(address, *arguments):
        monkeypatch.setattr(settings, "JOURNAL", address)
        return app.app.test_cli_runner().invoke(args=["trace", *arguments])

    return trace


def traced_in_a_terminal(address, *arguments):
    said = subprocess.run(
        [sys.executable, "-m", "flask", "--app", "app", "trace", *arguments],
        cwd=ROOT,
        env={**os.environ, "PARTY_JOURNAL": address, "PARTY_SECRET_KEY": SECRET},
        capture_output=True,
        text=True,
    )
    assert "Traceback" not in said.stderr, said.stderr
    return said


def test_a_rooms_story_is_told_in_order_with_who_what_outcome_and_sign_in(trace, address, room):
    lines = [line.split("  ") for line in trace(address, room).stdout.splitlines()]
    story = [(who, what, *more[:-1]) for _, _, who, what, *more in lines]
    assert story == [
        ("asha", "host", "topic='Tea'", "lasts=1800000", "→ ok"),
        ("bilal", "watch", "→ ok"),
        ("bilal", "request", "→ ok"),
        ("asha", "approve", "who='bilal'", "→ ok"),
        ("asha", "approve", "who='bilal'", "→ not_found"),
        ("bilal", "message", "→ ok seq=1"),
        ("bilal", "message", "reply=1", "→ ok seq=2"),
        ("bilal", "take_back", "seq=2", "→ ok"),
        ("bilal", "pulse", "→ ok"),
        ("asha", "close", "reason='host'", "→ ok"),
    ]
    by_asha = {more[-1] for _, _, who, _, *more in lines if who == "asha"}
    by_bilal = {more[-1] for _, _, who, _, *more in lines if who == "bilal"}
    assert len(by_asha) == len(by_bilal) == 1 and by_asha != by_bilal, "each came through one sign-in of their own"
    assert [line[0] for line in lines] == sorted(line[0] for line in lines)


def test_what_people_wrote_is_shown_only_when_asked_for(trace, address, room):
    told = trace(address, room).stdout
    assert not any(said in told for said in ("Words of the room", "A slip", "A private pitch", "off_topic"))
    told = trace(address, room, "--text").stdout
    assert "text='Words of the room'" in told and "pitch='A private pitch'" in told and "mood='off_topic'" in told
    assert "text='A slip'" in told, "the log keeps what was taken back"


def test_a_persons_story_has_what_they_did_and_what_was_done_to_them(trace, address, room):
    told = [line.split("  ")[2:4] for line in trace(address, "--user", "bilal").stdout.splitlines()]
    assert told == [
        ["bilal", "sign_in"],
        ["bilal", "watch"],
        ["bilal", "request"],
        ["asha", "approve"],
        ["asha", "approve"],
        ["bilal", "message"],
        ["bilal", "message"],
        ["bilal", "take_back"],
        ["bilal", "pulse"],
    ]


def test_without_a_room_or_a_user_it_says_what_to_give(trace, address, room):
    said = trace(address)
    assert said.exit_code == 2
    assert "Name a room" in said.stderr


def test_what_is_cut_off_from_its_beginning_has_no_outcome_rather_than_a_wrong_one(tmp_path):
    journal = open_journal(str(tmp_path / "party.db"))
    journal.follow(list, lambda position, command: None)
    journal.append({"id": "1", "at": 1, "kind": "message", "user": "asha", "key": "k", "through": "s", "room": "tea",
                    "text": "Hi", "most": 9})  # fmt: skip
    journal.close()
    assert "→ ?" in traced_in_a_terminal(str(tmp_path / "party.db"), "tea").stdout


def test_what_another_version_wrote_is_told_as_not_known(trace, tmp_path):
    journal = open_journal(str(tmp_path / "party.db"))
    journal.follow(list, lambda position, command: None)
    for at, kind in ((1, "dance"), (2, "host"), (3, "dance")):
        journal.append({"id": "tea", "at": at, "kind": kind, "user": "asha", "key": None, "room": "tea",
                        "topic": "Tea", "lasts": 9})  # fmt: skip
    journal.close()
    results = [line.split("  ")[-2] for line in trace(str(tmp_path / "party.db"), "tea").stdout.splitlines()]
    assert results == ["→ ? (this version does not know it)", "→ ok", "→ ? (this version does not know it)"]


def test_a_log_that_cannot_be_read_is_said_in_a_sentence(trace, tmp_path):
    (tmp_path / "broken.db").write_bytes(b"This is no database, but long enough to be looked at as one. " * 40)
    with running_redis() as redis:
        gone = redis.address
    for address in (str(tmp_path / "broken.db"), gone):
        said = trace(address, "tea")
        assert said.exit_code == 1 and said.stderr.startswith("Error: PARTY_JOURNAL "), said.stderr
    said = trace(str(tmp_path / "none.db"), "tea")
    assert said.exit_code == 1 and "Nothing in the log is about that." in said.stderr
