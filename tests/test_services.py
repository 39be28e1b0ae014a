"""What reads along in the log: everything once, in order, whatever is killed; and the party does not notice."""

import contextlib
import errno
import hashlib
import itertools
import math
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

import pytest
import servers
from counting import Counting, gaps, taken
from person import PATIENCE, assert_ok, seat, until
from servers import ROOT, Server, Victim, free_port, running_redis

import services
import users
from runtime import backup, beside, metrics, records, settings
from runtime.journal import open_journal
from services import __main__, follow
from services.follow import Follower

LOG_LIFE = 16 * 60 * 60_000
A_SIGN_IN = {"sign_in": "s", "since": 0, "number": 1}


@pytest.fixture(autouse=True)
def instance(tmp_path, monkeypatch):
    """An instance/ of this test's own, which services look into without a pause."""
    monkeypatch.setattr(settings, "INSTANCE", tmp_path / "instance")
    monkeypatch.setattr(records, "_told", records.Sparingly())
    monkeypatch.setattr(follow, "NEWS_SECONDS", 0.01)
    monkeypatch.setattr(follow, "AGAIN_SECONDS", 0.01)
    monkeypatch.setattr(follow, "REST_SECONDS", 0)
    monkeypatch.setattr(follow, "REST_PAUSES", 0)
    return settings.INSTANCE


@pytest.fixture(params=["file", pytest.param("redis", marks=pytest.mark.server)])
def log(request, instance):
    """An empty log of each kind that several can read."""
    address = request.getfixturevalue("redis").address if request.param == "redis" else str(instance / "party.db")
    with contextlib.closing(Log(address)) as log:
        yield log


class Log:
    """A log, and what somebody puts into it."""

    def __init__(self, address):
        self.address, self.journal = address, open_journal(address)
        self.journal.follow(list, lambda position, command: None)
        self.close = self.journal.close

    def append(self, kind, user, at, **body):
        return self.journal.append({"id": f"{kind} {at}", "at": at, "kind": kind, "user": user, "key": None} | body)

    def opens_a_room(self, at=0):
        self.append("sign_in", "asha", at, **A_SIGN_IN)
        self.append("host", "asha", at + 1, id="tea", topic="Tea", lasts=60_000, through="s")

    def says(self, *times, **more):
        for at in times:
            body = {"room": "tea", "text": f"{at}", "most": 1_000, "through": "s", "key": f"k{at}"} | more
            self.append("message", "asha", at, **body)


def words(*times):
    return [f"message {at}" for at in times]


class UntilItRests(Counting):
    """Ends with the log: it has had all of it."""

    def __init__(self):
        self.ended = threading.Event()

    def rest(self, database, at):
        self.ended.set()


def read_along(log, service=None):
    """Let a service read all that there is now, as a process of its own would."""
    service = service or UntilItRests()
    Follower(service, open_journal(log.address)).follow(service.ended)


class Killed(BaseException):
    """What no code catches: nothing of ours is done behind it."""


class Mortal(UntilItRests):
    """Is killed when it has been given so many."""

    def __init__(self, life):
        super().__init__()
        self.life = life

    def take(self, database, *given):
        super().take(database, *given)
        self.life -= 1
        if self.life < 0:
            raise Killed


# --- Once, in order ---------------------------------------------------------------------------------------------------


def test_a_service_is_given_every_command_once_in_order_with_its_outcome_and_its_room(log):
    log.opens_a_room()
    log.says(2, 3)
    log.append("approve", "asha", 4, room="tea", who="nobody", through="s", most=8)
    log.says(99_999)  # its time is up
    log.append("forget", None, 100_000, room="tea")  # whoever makes something of the room must see it once more
    log.append("forget", None, 100_001, room="tea")
    read_along(log)
    assert taken() == ["sign_in 0", "tea", *words(2, 3), "approve 4", *words(99_999), "forget 100000", "forget 100001"]
    assert taken("outcome") == ["ok"] * 4 + ["not_found", "closed", "ok", "not_found"]
    assert taken("room") == [None, *["tea"] * 6, None]
    assert gaps() == []


def test_what_was_sent_again_with_its_key_is_not_given_again(log):
    log.opens_a_room()
    log.says(2)
    log.says(3, key="k2", text="2")
    read_along(log)
    assert taken()[2:] == words(2)


def test_a_command_that_this_version_does_not_know_is_given_as_one_that_failed(log):
    log.append("dance", "asha", 1)
    log.journal.append({"id": "no more than every command has", "at": 1, "kind": "dance"})
    log.append("sign_in", "asha", 2, **A_SIGN_IN)
    read_along(log)
    assert taken("outcome") == ["unavailable", "unavailable", "ok"]


@pytest.mark.parametrize("at_once", [2, 3, 500])
def test_who_comes_back_goes_on_where_it_was(log, monkeypatch, at_once):
    monkeypatch.setattr(follow, "READ_AT_ONCE", at_once)
    log.opens_a_room()
    for at in range(10, 20):
        log.says(at)
        if at % 3:
            read_along(log)
    assert taken()[2:] == words(*range(10, 20))
    assert taken("outcome") == ["ok"] * 12


@pytest.mark.parametrize("at_once", [3, 500])
def test_a_kill_at_any_place_changes_nothing(log, monkeypatch, at_once):
    monkeypatch.setattr(follow, "READ_AT_ONCE", at_once)
    log.opens_a_room()
    log.says(*range(10, 20))
    for life in range(12):
        with pytest.raises(Killed):
            read_along(log, Mortal(life % 4 if at_once == 3 else life))
            raise Killed  # where it came through
    read_along(log)
    assert taken() == ["sign_in 0", "tea", *words(*range(10, 20))]


def test_a_mistake_with_one_command_is_recorded_undone_and_passed_over(log, caplog):
    class Clumsy(UntilItRests):
        def take(self, database, command, outcome, room):
            super().take(database, command, outcome, room)
            if command["id"] == "message 3":
                database.execute("INSERT INTO nowhere VALUES (1)")

    log.opens_a_room()
    log.says(2, 3, 4)
    read_along(log, Clumsy())
    assert taken()[2:] == words(2, 4)
    assert [record.levelname for record in caplog.records] == ["ERROR"]


def test_a_service_that_cannot_be_loaded_keeps_no_other_from_running(instance, monkeypatch, caplog):
    monkeypatch.setattr(settings, "JOURNAL", str(instance.parent / "party.db"))
    monkeypatch.setattr(settings, "SERVICES", ["misspelt", "figures"])
    assert [follower.path.name for follower in __main__.followers()] == ["figures.db"]
    assert "The service misspelt cannot be loaded" in caplog.text and "ModuleNotFoundError" in caplog.text


def test_what_a_full_disk_refused_is_given_again_when_there_is_room(log, caplog):
    class Short(UntilItRests):
        refused = 0

        def take(self, database, command, outcome, room):
            if command["id"] == "message 3" and self.refused < 2:
                self.refused += 1
                database.execute(f"PRAGMA max_page_count = {database.execute('PRAGMA page_count').fetchone()[0]}")
                database.execute("INSERT INTO gaps VALUES (?, 0)", ("x" * 100_000,))
            super().take(database, command, outcome, room)

    log.opens_a_room()
    log.says(2, 3, 4)
    read_along(log, Short())
    assert taken()[2:] == words(2, 3, 4) and gaps() == []
    sentences = [record.getMessage() for record in caplog.records if record.name == "party.services"]
    store = settings.store_of("counting")
    assert sentences == [
        f"The service counting waits: {store} cannot be used: database or disk is full.",
        "The service counting goes on.",
    ], "once each"


class Pauses:
    """An end that comes after so many pauses, which take no time."""

    def __init__(self, most, between=lambda pause: None):
        self.of, self._most, self._between = [], most, between

    def is_set(self):
        return len(self.of) >= self._most

    def wait(self, seconds):
        self.of.append(seconds)
        self._between(len(self.of))


def test_what_goes_wrong_again_and_again_is_tried_less_and_less_often(log, monkeypatch, caplog):
    """The whole log is read for that, and a full disk may stay full over night."""

    class Short(Counting):
        is_full = True

        def rest(self, database, at):
            if self.is_full:
                database.execute(f"PRAGMA max_page_count = {database.execute('PRAGMA page_count').fetchone()[0]}")
                database.execute("INSERT INTO gaps VALUES (?, 0)", ("x" * 100_000,))

    def goes_on(pause):
        service.is_full = pause != 7
        if pause == 8:
            log.says(2)

    monkeypatch.setattr(follow, "AGAIN_SECONDS", 2)
    log.opens_a_room()
    service, pauses = Short(), Pauses(9, goes_on)
    Follower(service, open_journal(log.address)).follow(pauses)
    assert pauses.of == [2, 4, 8, 16, 32, 60, 60, follow.NEWS_SECONDS, 2]
    said = ["waits", "goes on", "waits"]
    assert all(word in record.getMessage() for word, record in zip(said, caplog.records, strict=True)), "once each"


def test_another_log_in_the_place_of_the_first_is_not_looked_for_without_a_pause(log, monkeypatch):
    def other(reader):
        raise follow.OtherLog

    monkeypatch.setattr(follow.Reader, "read", other)
    pauses = Pauses(3)
    Follower(Counting(), open_journal(log.address)).follow(pauses)
    assert pauses.of == [0.01, 0.02, 0.04]


def test_a_mistake_of_ours_is_not_told_as_one_of_the_log(log, monkeypatch, caplog):
    def mistaken(follower, database, entries):
        raise ValueError("of ours")

    monkeypatch.setattr(Follower, "_take", mistaken)
    log.opens_a_room()
    Follower(Counting(), open_journal(log.address)).follow(Pauses(1))
    [record] = caplog.records
    assert record.getMessage().startswith("The service counting failed; it begins again.") and record.exc_info
    assert "PARTY_JOURNAL" not in caplog.text


def test_what_was_made_of_a_command_is_kept_with_the_position_or_not_at_all(log):
    class Unlucky(UntilItRests):
        refused = False

        def take(self, database, command, outcome, room):
            super().take(database, command, outcome, room)
            if command["id"] == "message 3" and not self.refused:
                self.refused = True
                refuse = "BEGIN SELECT RAISE(ROLLBACK, 'The position is not kept'); END"
                database.execute(f"CREATE TEMP TRIGGER refusing BEFORE INSERT ON kept {refuse}")

    log.opens_a_room()
    log.says(2, 3, 4)
    read_along(log, Unlucky())
    assert taken()[2:] == words(2, 3, 4)


# --- What was trimmed -------------------------------------------------------------------------------------------------


def test_what_was_trimmed_after_it_was_read_is_no_gap(log):
    log.opens_a_room()
    log.says(2, 3)
    read_along(log)
    log.journal.trim(3)
    read_along(log)
    log.journal.trim(LOG_LIFE)
    assert list(log.journal.replay()) == [], "all of it must be trimmed"
    read_along(log)
    log.append("sign_in", "bilal", 9, **A_SIGN_IN)
    read_along(log)
    assert gaps() == [] and taken()[2:] == [*words(2, 3), "sign_in 9"]


@pytest.mark.parametrize("rest", [0, 1])
def test_what_was_trimmed_before_it_was_read_is_told_as_a_gap_once(log, rest):
    log.append("sign_in", "asha", 1, **A_SIGN_IN)
    read_along(log)
    for at in (2, 3, 4):
        log.append("sign_in", "bilal", at, **A_SIGN_IN)
    log.journal.trim(4 if rest else 5)
    before = follow.now()
    read_along(log)
    read_along(log)
    assert taken() == ["sign_in 1", *["sign_in 4"] * rest]
    [(since, until)] = gaps()
    assert since == 1 and (until == 4 if rest else until >= before)


def test_where_nobody_can_tell_how_much_was_trimmed_it_is_a_gap(log, monkeypatch):
    monkeypatch.setattr(type(log.journal), "forgotten", lambda journal: math.nan)  # as of a Redis before its version 7
    for at in (1, 2, 3):
        log.append("sign_in", "asha", at, **A_SIGN_IN)
        read_along(log)
        log.journal.trim(at)
    assert gaps() == [], "what was read last was always there"
    log.journal.trim(4)
    log.append("sign_in", "asha", 5, **A_SIGN_IN)
    read_along(log)
    assert taken() == [f"sign_in {at}" for at in (1, 2, 3, 5)] and gaps() == [(3, 5)]


def test_the_log_may_be_trimmed_under_one_who_reads(log):
    """Stopped for a day in the middle of it, say."""
    log.append("sign_in", "asha", 1, **A_SIGN_IN)

    class Slow(UntilItRests):
        rests = 0

        def rest(self, database, at):
            self.rests += 1
            if self.rests == 1:
                for at in (2, 3, 4):
                    log.append("sign_in", "bilal", at, **A_SIGN_IN)
                log.journal.trim(4)
            else:
                self.ended.set()

    read_along(log, Slow())
    assert taken() == ["sign_in 1", "sign_in 4"] and gaps() == [(1, 4)]


def test_an_outcome_whose_reason_was_trimmed_is_a_gap_and_no_guess(log):
    log.opens_a_room()
    read_along(log)
    log.says(2, 3)
    log.append("sign_in", "bilal", 5, sign_in="b", since=5, number=1)
    log.append("watch", "bilal", 6, room="tea", through="b")
    log.append("sign_out", "bilal", 7, sign_in="b")
    log.journal.trim(2)
    read_along(log)
    assert taken()[2:] == ["sign_in 5", "sign_out 7"], "asha's sign-in and the room are not in the log any more"
    assert gaps() == [(2, 6)]


def test_what_came_through_a_sign_in_that_was_trimmed_counts(log):
    """As after five hours without the services, where somebody had signed in twelve hours before."""
    log.opens_a_room()
    log.append("sign_in", "bilal", 2, sign_in="b", since=2, number=1)
    read_along(log)
    log.says(3)
    log.append("watch", "bilal", 4, room="tea", through="b")
    log.append("host", "asha", 5, id="milk", topic="Milk", lasts=60_000, through="s")
    log.says(6, room="milk")
    log.journal.trim(1)
    assert next(log.journal.replay())[1]["id"] == "tea", "of asha the sign-in alone must be trimmed"
    read_along(log)
    assert taken()[3:] == [*words(3), "watch 4", "milk", *words(6)]
    assert set(taken("outcome")) == {"ok"} and gaps() == []


def test_what_the_party_does_with_a_room_that_was_trimmed_is_no_gap(log):
    """As it does when it starts after a long halt."""
    log.opens_a_room()
    log.says(2)
    read_along(log)
    log.append("end", None, 60_001, room="tea", reason="time")
    log.append("forget", None, 60_002, room="tea")
    log.append("sign_in", "bilal", 60_003, **A_SIGN_IN)
    log.journal.trim(60_001)
    read_along(log)
    assert gaps() == [] and taken()[-1] == "sign_in 60003"


def test_a_log_that_is_trimmed_as_a_reading_begins_gives_nothing_twice_and_leaves_nothing_out(log, monkeypatch):
    replay = type(log.journal).replay

    def trim_as_it_begins(times, before):
        """The next so many times that somebody reads from the beginning; of these the last time."""
        left = list(range(times))

        def trimmed(journal, after=None):
            if after is None and left and left.pop() == 0:
                log.journal.trim(before)
            return replay(journal, after)

        monkeypatch.setattr(type(log.journal), "replay", trimmed)

    for at in range(1, 11):
        log.append("sign_in", "asha", at, **A_SIGN_IN)
    trim_as_it_begins(1, before=4)
    read_along(log)
    log.journal.trim(8)
    read_along(log)
    assert taken() == [f"sign_in {at}" for at in range(4, 11)] and gaps() == []
    log.append("sign_in", "asha", 11, **A_SIGN_IN)
    read_along(log)
    log.journal.trim(12)
    for at in (12, 13, 14):
        log.append("sign_in", "asha", at, **A_SIGN_IN)
    trim_as_it_begins(2, before=14)  # first it looks for what it read last, then it begins anew
    read_along(log)
    read_along(log)
    assert taken()[7:] == ["sign_in 11", "sign_in 14"]
    [(since, until)] = gaps()
    assert since == 11 and until >= 12


# --- Another log ------------------------------------------------------------------------------------------------------


@pytest.mark.server
def test_a_log_that_moved_to_the_other_kind_and_back_is_gone_on_with(instance, redis):
    file = Log(str(instance / "party.db"))
    file.opens_a_room()
    file.says(*range(2, 9))
    read_along(file)
    file.says(9)
    for n, address in enumerate((redis.address, str(instance / "other.db")), start=10):
        open_journal(address).fill(file.journal.replay())
        file.close()
        file = Log(address)
        read_along(file)
        file.says(n)
    read_along(file)
    file.close()
    assert taken()[2:] == words(*range(2, 12)) and gaps() == []


@pytest.mark.server
def test_a_log_that_moved_and_was_then_trimmed_has_no_gap(instance, redis):
    file = Log(str(instance / "party.db"))
    file.opens_a_room()
    file.says(2, 3)
    read_along(file)
    file.journal.trim(2)  # so that its numbers are others than those of the next
    open_journal(redis.address).fill(file.journal.replay())
    file.close()
    with contextlib.closing(Log(redis.address)) as moved:
        read_along(moved)
        moved.journal.trim(LOG_LIFE)
        read_along(moved)
    assert gaps() == []


def test_of_a_log_put_back_from_a_backup_what_is_younger_is_given_behind_a_gap(log, instance):
    log.opens_a_room()
    log.says(2, 3)
    backup = list(log.journal.replay())
    log.says(4, 5)
    read_along(log)
    open_journal(str(instance / "again.db")).fill(backup)
    with contextlib.closing(Log(str(instance / "again.db"))) as again:
        read_along(again)
        again.says(8, 9)
        read_along(again)
    assert taken()[2:] == words(2, 3, 4, 5, 8, 9)
    assert [since for since, _ in gaps()] == [5]


def test_a_backup_takes_along_what_is_known_and_how_far_was_read(log, instance, tmp_path, monkeypatch):
    monkeypatch.setattr(settings, "STORES", ("counting.db",))
    monkeypatch.setattr(settings, "JOURNAL", log.address)
    log.opens_a_room()
    log.says(2, 3)
    read_along(log)
    log.says(4)
    copy_log = backup.copy_log

    def goes_on_meanwhile(copy):
        about = copy_log(copy)
        log.says(5)
        read_along(log)
        return about

    monkeypatch.setattr(backup, "copy_log", goes_on_meanwhile)
    list(backup.backup(str(tmp_path / "party.backup")))
    monkeypatch.setattr(settings, "INSTANCE", tmp_path / "new")
    monkeypatch.setattr(settings, "JOURNAL", str(tmp_path / "new" / "party.db"))
    list(backup.restore(str(tmp_path / "party.backup")))
    assert taken()[2:] == words(2, 3)
    with contextlib.closing(Log(settings.JOURNAL)) as again:
        again.says(6)
        read_along(again)
    assert taken()[2:] == words(2, 3, 4, 6) and gaps() == []


@pytest.mark.server
def test_a_store_is_put_back_from_a_backup_as_the_emergency_plan_says(log, instance, tmp_path, monkeypatch):
    """Run as it stands there, but for systemd, the name and the places."""
    monkeypatch.setattr(settings, "STORES", ("counting.db",))
    monkeypatch.setattr(settings, "JOURNAL", log.address)
    log.opens_a_room()
    read_along(log)
    list(backup.backup(str(tmp_path / "party-2026-11-22-020000.backup")))
    store = settings.store_of("counting")
    with follow.reading("counting"):  # so that what is written next stays in its -wal, as after a kill
        log.says(2, 3)
        read_along(log)
        store.write_bytes(b"damaged" + store.read_bytes()[7:])
    assert Path(f"{store}-wal").stat().st_size, "the damaged one must have left it"
    (tmp_path / "root").mkdir()
    places = {
        "/var/lib/party-backups/": f"{tmp_path}/", "/opt/party/instance": str(instance), "/root/": f"{tmp_path}/root/",
        "figures.db": "counting.db", "-o party -g party ": "", "systemctl ": ": systemctl ",
    }  # fmt: skip
    plan = (ROOT / "docs/emergency.md").read_text()
    commands = plan.split("\n### PartyServiceLate\n")[1].split("\n### ")[0].split("```")[1]
    for here, there in places.items():
        assert here in commands
        commands = commands.replace(here, there)
    subprocess.run(["sh", "-euc", f"umask 022\n{commands}"], check=True)
    assert stat.S_IMODE(store.stat().st_mode) == 0o600
    assert taken() == ["sign_in 0", "tea"], "what was damaged is gone, its -wal too"
    read_along(log)
    assert taken()[2:] == words(2, 3)


def test_a_store_that_is_moved_away_under_one_who_writes_is_begun_anew(log, instance):
    class Waiting(UntilItRests):
        rests = 0

        def rest(self, database, at):
            self.rests += 1
            if self.rests > 1:
                return self.ended.set()
            for part in instance.glob("counting.db*"):
                part.rename(instance / f"old-{part.name}")

    log.opens_a_room()
    read_along(log, Waiting())
    assert taken() == ["sign_in 0", "tea"]


def test_a_log_that_is_replaced_under_one_who_reads_is_noticed(instance):
    """Also where the other one has as many commands, so that the position is there."""
    log, path = Log(str(instance / "party.db")), instance / "party.db"
    log.opens_a_room()
    log.says(2, 3)

    class Waiting(UntilItRests):
        rests = 0

        def rest(self, database, at):
            self.rests += 1
            if self.rests > 1:
                return self.ended.set()
            log.close()
            for part in instance.glob("party.db*"):
                part.unlink()
            other = Log(str(path))
            other.opens_a_room(at=1)
            other.says(10, 11, 12)
            other.close()

    read_along(log, Waiting())
    assert taken()[2:] == words(2, 3, 10, 11, 12) and gaps() == [(3, 10)]


# --- One at a time ----------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def following(log, service):
    """A follower that goes on beside the test."""
    ended = threading.Event()
    thread = threading.Thread(target=Follower(service, open_journal(log.address)).follow, args=(ended,))
    thread.start()
    try:
        yield ended
    finally:
        ended.set()
        thread.join()


class Named(Counting):
    """Knows which of several it is."""

    def __init__(self):
        self.given = []

    def take(self, database, command, outcome, room):
        super().take(database, command, outcome, room)
        self.given.append(command["id"])


def test_of_two_one_is_given_everything_and_the_other_takes_over(log):
    first, second = Named(), Named()
    log.opens_a_room()
    with following(log, first) as first_ended:
        until(lambda: len(first.given) == 2)
        with following(log, second):
            log.says(2, 3)
            until(lambda: len(first.given) == 4)
            assert second.given == []
            first_ended.set()
            log.says(4)
            until(lambda: first.given[4:] + second.given == words(4))  # the first may have been reading just then
            log.says(5)
            until(lambda: second.given[-1:] == words(5))
    assert taken()[2:] == words(2, 3, 4, 5)


@pytest.mark.server
def test_a_redis_that_goes_away_is_waited_for(instance, caplog):
    with running_redis() as redis, contextlib.closing(Log(redis.address)) as log, following(log, Counting()):
        log.opens_a_room()
        until(lambda: len(taken()) == 2)
        redis.kill()
        until(lambda: "waits" in caplog.text)
        redis.start()
        until(lambda: "goes on" in caplog.text)
        until(lambda: not log.journal._away)
        log.says(2)
        until(lambda: taken()[2:] == words(2))
    said = [record.getMessage() for record in caplog.records if record.name == "party.services"]
    assert said == [
        "The service counting waits: PARTY_JOURNAL names a Redis, but nothing answers at"
        f" 127.0.0.1:{redis.port}. Is it started?",
        "The service counting goes on.",
    ]


# --- What takes its time ----------------------------------------------------------------------------------------------


class Sending(Counting):
    """A `follow.Worker` that sends each message to somewhere, which is a list; `send` may hinder that."""

    SCHEMA = f"{Counting.SCHEMA}; CREATE TABLE IF NOT EXISTS outbox (id)"

    def __init__(self, send=lambda id: None, seconds=3_600):
        self.send, self.seconds, self.calls, self.sent = send, seconds, 0, []

    def take(self, database, command, outcome, room):
        super().take(database, command, outcome, room)
        if command["kind"] == "message":
            database.execute("INSERT INTO outbox VALUES (?)", (command["id"],))

    def work(self, database, ended):
        self.calls += 1
        for (id,) in database.execute("SELECT id FROM outbox ORDER BY rowid").fetchall():
            self.sent.append(id)
            self.send(id)
            database.execute("DELETE FROM outbox WHERE id = ?", (id,))
        return self.seconds


def test_a_worker_is_not_called_for_what_is_nothing_to_it(log):
    class Deaf(Sending):
        """Hears of a room that is opened, and of nothing else."""

        heard = 0

        def take(self, database, command, outcome, room):
            self.heard += 1
            if command["kind"] == "host":
                super().take(database, command, outcome, room)

    log.opens_a_room()
    with following(log, worker := Deaf()):
        until(lambda: worker.calls and worker.heard == 2)
        log.says(*range(2, 30))
        until(lambda: worker.heard == 30)
    assert worker.calls <= 2, "once at the start, and for the room"


@pytest.mark.parametrize("seconds", [3_600, math.inf])
def test_a_worker_is_called_when_there_is_news_and_after_the_seconds_that_it_gave(log, seconds, caplog):
    log.opens_a_room()
    with following(log, worker := Sending(seconds=seconds)):
        until(lambda: worker.calls and len(taken()) == 2)
        for last in (2, 3):
            log.says(last)
            until(lambda: worker.sent == words(*range(2, last + 1)))  # noqa: B023
        assert worker.calls <= 4, "once at the start, and for each of three readings"
        worker.seconds = 0.01
        log.says(4)
        until(lambda: worker.sent == words(2, 3, 4))
        before = worker.calls
        until(lambda: worker.calls > before + 5)
    assert worker.sent == words(2, 3, 4) and caplog.records == [], "each once"


def test_what_hangs_at_the_end_is_not_waited_for_and_who_takes_over_does_it_again(log, monkeypatch, caplog):
    """As it does what was done and not noted by one who was killed: at least once."""
    monkeypatch.setattr(follow, "LEAVING_SECONDS", 0.05)
    hangs, goes_on = threading.Event(), threading.Event()

    def send(id):
        if id == "message 3":
            hangs.set()
            goes_on.wait()

    log.opens_a_room()
    log.says(2, 3, 4)
    first, second = Sending(send), Sending()
    try:
        with following(log, first):
            assert hangs.wait(PATIENCE)
            log.says(5)
            until(lambda: "message 5" in taken())  # the reading goes on meanwhile
        with following(log, second):
            until(lambda: second.sent == words(3, 4, 5))
    finally:
        goes_on.set()
    assert first.sent[:2] == words(2, 3) and caplog.records == []


def test_a_work_that_hangs_keeps_the_same_service_from_working_beside_it(log, instance, monkeypatch):
    """As where the store is moved away meanwhile, and begun anew."""
    monkeypatch.setattr(follow, "LEAVING_SECONDS", 0.05)
    goes_on = threading.Event()
    log.opens_a_room()
    log.says(2)
    with following(log, worker := Sending(lambda id: goes_on.wait(PATIENCE))):
        until(lambda: worker.sent)
        before = worker.calls
        move_away_store(instance)
        until(lambda: settings.store_of("counting").exists() and len(taken()) == 3)
        log.says(3)
        until(lambda: len(taken()) == 4)
        assert worker.calls == before
        goes_on.set()
        until(lambda: worker.sent == words(2, 2, 3))


def move_away_store(instance):
    """As who puts a backup back."""
    for part in instance.glob("counting.db*"):
        if not part.name.endswith("-lock"):
            part.rename(part.with_name(f"old-{part.name}"))


def test_a_worker_works_while_the_store_is_ours_and_then_no_more(log, instance):
    class Staying(Sending):
        is_asked_to_end = False

        def work(self, database, ended):
            self.calls += 1
            self.is_asked_to_end = ended.wait(PATIENCE)
            return 0

    log.opens_a_room()
    first, second = Staying(), Sending()
    with following(log, first) as first_ended:
        until(lambda: first.calls)
        with following(log, second):
            log.says(2)
            until(lambda: len(taken()) == 3)
            assert second.calls == 0 and not first.is_asked_to_end
            first_ended.set()
            until(lambda: second.sent == words(2))
    assert first.is_asked_to_end and first.calls == 1
    with following(log, first):
        until(lambda: first.calls == 2)
        move_away_store(instance)
        until(lambda: first.calls == 3)


class Failing(Sending):
    """Fails as often as it is told to, once or more in a row."""

    def __init__(self, fail, *times):
        super().__init__(seconds=0)
        self.fail, self.answers = fail, [is_failure for n in times for is_failure in (*[True] * n, False)]

    def work(self, database, ended):
        if self.answers.pop(0):
            self.fail(database)
        return self.seconds


def work_of(log, worker, monkeypatch):
    """The pauses of a worker who fails until nothing is left to answer."""
    monkeypatch.setattr(follow, "AGAIN_SECONDS", 2)
    read_along(log)
    pauses = Pauses(sum(worker.answers))
    Follower(worker, open_journal(log.address))._work_on(pauses)
    return pauses.of


def test_a_mistake_in_the_work_is_recorded_once_and_it_is_tried_less_and_less_often(log, monkeypatch, caplog):
    assert work_of(log, Failing(lambda database: 1 / 0, 3, 7), monkeypatch) == [2, 4, 8, 2, 4, 8, 16, 32, 60, 60]
    [record] = caplog.records
    assert record.getMessage().startswith("The service counting could not work; it tries again.") and record.exc_info


@pytest.mark.parametrize(
    ("trouble", "sentence"),
    [
        (follow.Unreadable("The file makes no sense."), "The file makes no sense."),
        (OSError(errno.EIO, "Input/output error", "/a/page.html"), "/a/page.html cannot be used: Input/output error."),
    ],
)
def test_what_keeps_a_worker_from_its_work_is_told_by_a_sentence(log, monkeypatch, caplog, trouble, sentence):
    def fail(database):
        raise trouble

    work_of(log, Failing(fail, 2, 1), monkeypatch)
    begins = f"The work of counting waits: {sentence}"
    assert [record.getMessage() for record in caplog.records] == [begins, "The work of counting goes on.", begins]


def test_that_the_work_cannot_be_noted_is_told_by_a_sentence_when_it_begins_and_when_it_is_over(
    log, monkeypatch, caplog
):
    def is_full(database):
        database.execute(f"PRAGMA max_page_count = {database.execute('PRAGMA page_count').fetchone()[0]}")
        database.execute("INSERT INTO gaps VALUES (?, 0)", ("x" * 100_000,))

    assert work_of(log, Failing(is_full, 2, 1), monkeypatch) == [2, 4, 2]
    begins = f"The work of counting waits: {settings.store_of('counting')} cannot be used: database or disk is full."
    assert [record.getMessage() for record in caplog.records] == [begins, "The work of counting goes on.", begins]
    assert not any(record.exc_info for record in caplog.records)


# --- In a process -----------------------------------------------------------------------------------------------------


class Process(Victim):
    """`python -m services`, which runs what counts; beside a party of this test's, where it is told so."""

    def __init__(self, address, *arguments, **more):
        servers.need("server")
        self.process = subprocess.Popen(
            [sys.executable, "tests/counting.py", *arguments],
            cwd=ROOT,
            env={**os.environ, **environment(address), **more},
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            process_group=0,
        )

    def ends(self):
        """What it says, and its exit status."""
        said = self.process.communicate(timeout=PATIENCE)
        return "".join(said), self.process.returncode


def environment(address):
    return {"PARTY_INSTANCE": str(settings.INSTANCE), "PARTY_JOURNAL": address, "PARTY_SERVICES": "figures"}


@pytest.fixture
def process():
    """Starts the services' process, and ends it with the test: `process(address)`."""
    processes = []

    def process(*given, **more):
        processes.append(Process(*given, **more))
        return processes[-1]

    yield process
    for one in processes:
        one.kill()
        one.ends()


# The party, with what counts beside it; without the pauses that only spare a machine.
BESIDE = """
import sys, app
from runtime import beside, transport
beside.PROGRAM = sys.executable, "tests/counting.py", "--beside"
beside.LISTENING_SECONDS, beside.PAUSE_SECONDS = 0, 0.1
again_and_again = transport.again_and_again
transport.again_and_again = lambda party, seconds, *tasks: again_and_again(party, min(seconds, 0.1), *tasks)
app.main()
"""


@pytest.fixture
def party(instance):
    """Starts a party with what counts beside it, on a file or as its settings say, and ends it with the test."""
    parties = []

    def party(**given):
        parties.append(Server(("-c", BESIDE), **environment(str(instance / "party.db")) | given))
        return parties[-1]

    yield party
    for one in parties:
        _, said = one.stop()
        assert "Traceback" not in said, said


def children(server):
    """The processes that it has started and that have not ended."""
    tasks = Path(f"/proc/{server.process.pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split() if runs(int(child))]


def runs(pid):
    """Whether that process is more than a zombie."""
    with contextlib.suppress(FileNotFoundError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


@pytest.mark.server
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_process_ends_when_it_is_told_to_and_says_nothing(instance, process, number):
    one = process(str(instance / "party.db"))
    until(lambda: settings.caught_up_file_of("counting").exists())
    one.process.send_signal(number)
    assert one.ends() == ("", 0)


@pytest.mark.server
def test_beside_a_party_the_process_ends_with_the_pipe_to_it(instance, process):
    one = process(str(instance / "party.db"), "--beside")
    until(lambda: settings.caught_up_file_of("counting").exists())
    assert one.ends() == ("", 0)


@pytest.mark.server
def test_what_keeps_the_process_from_its_work_is_a_sentence(instance, process):
    nobody = f"redis://127.0.0.1:{free_port()}/0"
    one = process(nobody)
    line = one.process.stderr.readline()
    assert "The service counting waits: PARTY_JOURNAL names a Redis, but nothing answers" in line
    one.process.send_signal(signal.SIGTERM)
    assert one.ends() == ("", 0)
    assert process("redis://nobody:here:now/0").ends() == (
        "PARTY_JOURNAL is not an address of a Redis: redis://HOST:PORT/NUMBER is one.\n",
        1,
    )


@pytest.mark.server
def test_the_process_needs_no_web_and_no_wire():
    """Nor what makes pages or calls addresses, where there is nothing to publish or to tell."""
    for_others = {"eventlet", "feedgenerator", "flask", "h11", "jinja2", "redis", "socketio", "standardwebhooks"}
    question = f"""
import sys, services.__main__
for name in "{settings.EVERY_SERVICE}".split(","):
    services.made(name)
print({for_others} & set(sys.modules))
"""
    assert subprocess.check_output([sys.executable, "-c", question], cwd=ROOT, text=True) == "set()\n"


@pytest.mark.server
def test_when_the_one_that_reads_is_killed_the_one_that_waits_takes_over(instance, process):
    log = Log(str(instance / "party.db"))
    log.opens_a_room()
    first = process(log.address)
    until(lambda: len(taken()) == 2)
    process(log.address)
    log.says(2)
    until(lambda: len(taken()) == 3)
    first.kill()
    log.says(3)
    until(lambda: taken()[2:] == words(2, 3))


@pytest.mark.server
def test_kills_of_services_and_party_under_load_change_nothing_of_what_is_counted(log, party):
    """And what was acknowledged is counted once."""
    log.close()
    said, numbers = [], itertools.count()

    def talk(server, stop):
        with contextlib.suppress(OSError):
            asha = server.person("asha")
            room = asha.host("Tea")
            while not stop.is_set():
                assert asha.message(room, text := f"{next(numbers)}")["ok"]
                said.append(text)

    for is_last in (False, True):
        server, stop = party(PARTY_JOURNAL=log.address), threading.Event()
        thread = threading.Thread(target=talk, args=(server, stop))
        thread.start()
        before = len(said)
        until(lambda: len(said) > before + 25 and set(said[before:]) & set(taken("text")))  # noqa: B023
        until(lambda: children(server))  # noqa: B023
        os.kill(*children(server), signal.SIGKILL)
        if not is_last:
            server.kill()
        stop.set()
        thread.join()
    in_log = [command["id"] for _, command in open_journal(log.address).replay()]
    until(lambda: len(taken()) >= len(in_log))
    assert taken() == in_log and gaps() == []
    texts = taken("text")
    assert [texts.count(text) for text in said] == [1] * len(said), "each that was acknowledged, once"
    assert len(said) > 50, "there was a load"


@pytest.mark.server
def test_a_service_that_is_frozen_or_killed_costs_the_party_nothing(party):
    """Four speak as fast as they can. It is compared with how that goes where the service runs, since the machine may
    be busy."""
    server = party()
    asha, *others = (server.person(name) for name in ("asha", "bilal", "chen", "dana"))
    room = asha.host("Tea")
    for person in others:
        seat(asha, person, room)
    until(lambda: len(taken()) > 1)
    medians = {}
    with ThreadPoolExecutor(4) as speaking:
        for what in ("runs", "frozen", "killed"):
            if what == "frozen":
                os.kill(*children(server), signal.SIGSTOP)
            elif what == "killed":
                os.kill(*children(server), signal.SIGKILL)
            speak = lambda person: [took(person.message, room, what) for _ in range(40)]  # noqa: B023, E731
            medians[what] = median(itertools.chain(*speaking.map(speak, (asha, *others))))
    assert max(medians.values()) < 2 * medians["runs"] + 0.05, medians
    until(lambda: taken("text").count("killed") == 160)
    assert taken("text").count("frozen") == 160
    os.kill(*children(server), signal.SIGSTOP)
    began = time.monotonic()
    server.stop()
    assert time.monotonic() - began < 4, "nor is its end waited for"


def took(do, *given):
    began = time.monotonic()
    assert_ok(do(*given))
    return time.monotonic() - began


# --- Beside the party -------------------------------------------------------------------------------------------------


@pytest.mark.server
def test_the_services_end_with_the_party_however_that_ends(party):
    for end in (Server.stop, Server.kill):
        server = party()
        until(lambda: children(server))  # noqa: B023
        [child] = children(server)
        end(server)
        until(lambda: not runs(child))  # noqa: B023


@pytest.mark.server
def test_services_that_died_are_started_again_and_the_records_say_so_once(party):
    server = party()
    for _ in range(2):
        until(lambda: children(server))
        [child] = children(server)
        os.kill(child, signal.SIGKILL)
        until(lambda: children(server) and children(server) != [child])  # noqa: B023
    _, said = server.stop()
    assert said.count("The services have ended (-9) and are started again.") == said.count("\n") == 1


@pytest.fixture
def starts(monkeypatch):
    """When the services were started by a party that looks after them for 35 seconds: `starts()`. They end at once."""
    clock, started = [0.0], []

    class Ended:
        returncode = 1

        def __init__(self, *given, **how):
            started.append(clock[0])

        def poll(self):
            return self.returncode

    def starts():
        one = beside.Beside()
        while clock[0] < 35:
            one.look_after()
            clock[0] += 0.5
        one.end()
        return started

    monkeypatch.setattr(settings, "SERVICES", ["figures"])
    monkeypatch.setattr(beside.subprocess, "Popen", Ended)
    monkeypatch.setattr(beside.time, "monotonic", lambda: clock[0])
    return starts


def test_a_party_waits_ten_seconds_between_two_starts_of_the_services(starts):
    assert starts() == [0.5, 10.5, 20.5, 30.5]


@pytest.mark.parametrize("name, value", [("SERVICES", []), ("SERVICES_BESIDE", False)])
def test_a_party_starts_no_services_where_it_is_not_to(starts, monkeypatch, name, value):
    monkeypatch.setattr(settings, name, value)
    assert starts() == []


# --- What others see of it --------------------------------------------------------------------------------------------


def test_the_store_is_for_its_owner_alone_and_read_by_others_without_a_write(log, instance):
    with follow.reading("counting") as database:
        assert database is None, "there is none yet"
    log.opens_a_room()
    read_along(log)
    assert {stat.S_IMODE(path.stat().st_mode) for path in instance.glob("counting*")} == {0o600}
    with follow.reading("counting") as database:
        assert database.execute("SELECT id FROM taken").fetchone()["id"] == "sign_in 0"
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            database.execute("DELETE FROM taken")


def test_what_was_deleted_is_gone_from_the_disk_when_nobody_reads(log, instance):
    log.opens_a_room()
    log.says(2, text="a secret of ours")
    read_along(log)
    on_disk = lambda: b"a secret of ours" in b"".join(path.read_bytes() for path in instance.glob("counting.db*"))  # noqa: E731
    with contextlib.closing(follow.connection_to(settings.store_of("counting"), "rw", 0)) as database:
        database.execute("PRAGMA secure_delete = ON")
        with follow.reading("counting") as reader:
            reader.execute("BEGIN")
            assert reader.execute("SELECT count(*) FROM taken").fetchone()[0] == 3
            database.execute("DELETE FROM taken")
            assert not follow.forget_for_good(database) and on_disk()
            reader.execute("COMMIT")
        assert follow.forget_for_good(database) and not on_disk()


def test_a_store_that_is_only_begun_counts_as_none(instance):
    instance.mkdir()
    settings.store_of("counting").touch()
    with follow.reading("counting") as database:
        assert database is None


def test_a_pseudonym_is_always_the_same_and_nobody_has_anothers():
    names = {follow.pseudonym(name) for name in (*users.PEOPLE, "asha")}
    assert len(names) == len(users.PEOPLE)
    assert all(len(name) == 16 and int(name, 16) for name in names)
    assert not names & {hashlib.sha256(name.encode()).hexdigest()[:16] for name in users.PEOPLE}


def test_the_lag_is_since_all_was_read_and_where_it_never_was_since_the_party_began(log, monkeypatch):
    monkeypatch.setattr(settings, "SERVICES", ["counting", "figures"])
    monkeypatch.setattr(beside, "_began", time.time() - 100)
    log.opens_a_room()
    read_along(log)
    assert beside.lags()["counting"] < 5
    os.utime(settings.caught_up_file_of("counting"), (0, time.time() - 30))
    lags = beside.lags()
    assert 29 < lags["counting"] < 35 and 99 < lags["figures"] < 105
    assert 'party_service_lag_seconds{service="counting"} 3' in metrics.as_text()[0].decode()


def test_there_is_a_service_for_every_name_that_may_be_set():
    names = settings.EVERY_SERVICE.split(",")
    assert [services.made(name).name for name in names] == names
    assert [settings.store_of(name).name for name in names] == list(settings.STORES)
