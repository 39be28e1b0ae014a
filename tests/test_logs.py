"""The logs of the versions before, as those left them, and what a version makes of what a newer one wrote."""

import contextlib
import json
import sqlite3

import pytest
from write_log import LOGS, as_json

from party import model, rules, story
from party.state import State
from runtime.journal import open_journal
from runtime.records import Sparingly

VERSIONS = sorted(path.stem for path in LOGS.glob("*.sql"))
# What no log of that version can hold.
IN_1_2 = {"opened", "measured", "feedback", "answer", "goals", "spent"}
IN_1_3 = {"door", "guest_in", "put_out", "move", "call_off", "coming", "open", "plan"}
IN_1_4 = {"publish", "withhold", "leave_out"}
CAME_LATER = {
    "1.0.0": IN_1_2 | IN_1_3 | IN_1_4,
    "1.1.0": IN_1_2 | IN_1_3 | IN_1_4,
    "1.2.0": IN_1_3 | IN_1_4,
    "1.3.0": IN_1_4,
}


def log_of(version, folder):
    """The path of a file with the log of that version."""
    path = folder / "party.db"
    database = sqlite3.connect(path)
    database.executescript((LOGS / f"{version}.sql").read_text())
    database.close()
    return str(path)


@pytest.fixture
def start_on(clean_party, monkeypatch):
    """Starts the party of this process anew on a journal: `start_on(journal)`."""
    journals = []
    monkeypatch.setattr(clean_party, "unknown_kinds", Sparingly())

    def start_on(journal):
        for other in journals:
            other.close()
        journals.append(journal)
        monkeypatch.setattr(clean_party, "state", State())
        monkeypatch.setattr(clean_party, "journal", journal)
        clean_party.begin()

    yield start_on
    journals[-1].close()


def state_of(entries):
    state = State()
    for _, command in entries:
        state.apply(command)
    return state


IN_ITS_ROOM = {"said_at"}  # of a plan: since 1.4.0 its room has it, as `logged_at`


def assert_told(then, now):
    """All that the dicts said then they say now. A room or a person may say more by now."""
    if isinstance(then, dict):
        is_record = len(then) == 1 and next(iter(then)) in ("Room", "Door", "Guest", "Plan", "User", "SignIn")
        if is_record:
            (kind,) = then
            then, now = {name: then[kind][name] for name in then[kind].keys() - IN_ITS_ROOM}, now[kind]
            now = {name: now[name] for name in then}
        assert then.keys() == now.keys()
        for name in then:
            assert_told(then[name], now[name])
    else:
        assert then == now


def test_the_version_before_is_among_them():
    assert "1.1.0" in VERSIONS


@pytest.mark.parametrize("version", VERSIONS)
def test_the_log_of_a_version_before_tells_the_same_story_and_gives_the_same_dicts(version, tmp_path):
    journal, entries = open_journal(log_of(version, tmp_path)), []
    journal.follow(entries.extend, None)
    journal.close()
    kinds = {command["kind"] for _, command in entries}
    assert kinds | CAME_LATER[version] == rules.KINDS, "all kinds are in it"
    told = story.lines(entries, None, None, with_words=True)
    assert list(told) == (LOGS / f"{version}.txt").read_text().splitlines()
    state, then = state_of(entries), json.loads((LOGS / f"{version}.json").read_text())
    assert_told(then, {"rooms": as_json(state.rooms), "users": as_json(state.users)})


@pytest.mark.parametrize("version", VERSIONS)
def test_a_party_starts_on_the_log_of_a_version_before_and_goes_on(version, tmp_path, clean_party, clock, start_on):
    entries = list((journal := open_journal(log_of(version, tmp_path))).replay())
    before = state_of(entries)
    assert model.live_rooms(before), "some must be live"
    clock.at = entries[-1][1]["at"] + 60 * model.MINUTE
    start_on(journal)
    assert clean_party.state.rooms.keys() == before.rooms.keys()
    assert not model.live_rooms(clean_party.state), "what was live then is over by now"
    room = host(clean_party)
    assert room in state_of(journal.replay()).rooms


def host(party):
    """A room, through the one way in."""
    party.log_sign_in({"user": "asha", "id": "s", "since": party.now(), "number": 1})
    return party.submit("host", "asha", through="s", topic="Tea", lasts=model.LONGEST_ROOM)["room"]


# --- What a newer version wrote ---------------------------------------------------------------------------------------


@pytest.fixture(params=["file", pytest.param("redis", marks=pytest.mark.server)])
def address(request, tmp_path):
    return request.getfixturevalue("redis").address if request.param == "redis" else str(tmp_path / "party.db")


@contextlib.contextmanager
def newer_version(monkeypatch):
    """The rules as they may be one day: a host can pin a message, and a message can be loud."""

    def pin(room, command):
        room.pinned = command["seq"]

    def say(room, command):
        outcome = rules.say(room, command)
        outcome["message"]["loud"] = command.get("loud", False)
        return outcome

    with monkeypatch.context() as newer:
        newer.setitem(rules.ROOM_RULES, "pin", (model.the_host, pin))
        newer.setitem(rules.ROOM_RULES, "message", (rules.host_and_speakers, say))
        yield


def told_of(caplog):
    return [record for record in caplog.records if record.name == "party" and record.levelname in ("WARNING", "ERROR")]


def test_an_older_version_goes_on_without_what_only_a_newer_one_knows_and_says_so_once(
    address, clean_party, monkeypatch, start_on, caplog
):
    with newer_version(monkeypatch):
        start_on(open_journal(address))
        room = host(clean_party)
        for seq in (1, 2, 3):
            clean_party.submit("message", "asha", key=f"k{seq}", room=room, text="Words", most=9, loud=True)
            clean_party.submit("pin", "asha", room=room, seq=seq)
        assert clean_party.state.rooms[room].pinned == 3
    start_on(open_journal(address))
    older = clean_party.state.rooms[room]
    assert not hasattr(older, "pinned") and [message.get("loud") for message in older.messages] == [None] * 3
    assert clean_party.submit("message", "asha", key="k4", room=room, text="And on", most=9)["message"]["seq"] == 4
    (record,) = told_of(caplog)
    assert "'pin'" in record.getMessage() and "another version" in record.getMessage() and not record.exc_info
    with newer_version(monkeypatch):
        start_on(open_journal(address))
        newer = clean_party.state.rooms[room]
        assert newer.pinned == 3 and [message["loud"] for message in newer.messages] == [True] * 3 + [False]


def test_in_a_rolling_restart_the_older_process_goes_on_beside_the_newer_one(
    redis, clean_party, monkeypatch, start_on, caplog
):
    start_on(open_journal(redis.address))
    room = host(clean_party)
    with contextlib.closing(open_journal(redis.address)) as newer:
        newer.follow(list, lambda position, command: None)
        ours = {"id": "p", "at": clean_party.now(), "user": "asha", "room": room}
        for _ in range(3):
            newer.append(ours | {"kind": "pin", "key": "p", "seq": 1})
        newer.append(ours | {"kind": "message", "key": "m", "text": "Words", "most": 9, "loud": True})
    clean_party.journal.catch_up()
    assert [message["text"] for message in clean_party.state.rooms[room].messages] == ["Words"]
    assert clean_party.submit("message", "asha", key="k", room=room, text="And on", most=9)["message"]["seq"] == 2
    (record,) = told_of(caplog)
    assert "'pin'" in record.getMessage() and not record.exc_info


def test_what_is_hardly_a_command_does_not_stop_a_start(tmp_path, clean_party, start_on, caplog):
    journal = open_journal(str(tmp_path / "party.db"))
    journal.fill([(1, {"id": "1", "at": 1}), (2, {"id": "2", "at": 2, "kind": "message"})])
    start_on(journal)
    told = [record.name for record in caplog.records if record.levelname == "ERROR"]
    assert told == ["party.journal", "party"], "the one is passed over, the other is our mistake"
    assert host(clean_party) in clean_party.state.rooms


def test_a_mistake_of_our_own_is_told_with_its_traceback_each_time(clean_party, monkeypatch, caplog):
    room = host(clean_party)
    monkeypatch.setitem(rules.ROOM_RULES, "watch", (rules.readers, lambda room, command: 1 / 0))
    for _ in range(2):
        with pytest.raises(model.Refused, match="went wrong here"):
            clean_party.submit("watch", "asha", room=room)
    assert [record.exc_info[0] for record in told_of(caplog)] == [ZeroDivisionError] * 2
