"""Backups: a copy of the whole party, made while it runs and put back elsewhere. And what is saved of a damaged log."""

import contextlib
import gzip
import hashlib
import io
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tarfile
import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis
from person import assert_ok, seat, sign_in_over_http, until
from servers import ROOT, running_server, share_files

import app
import users
from runtime import backup, lease, settings
from runtime.journal import MemoryJournal, RedisJournal, open_journal

KEY = "the key of this party"
PEOPLE = '{"asha": 1, "zola": 2}'
COMMANDS = [{"id": f"c{n}", "at": n, "kind": "message", "user": "asha", "key": None, "text": "Hello"} for n in range(7)]


class Place:
    """A folder with an instance/ in it, and the address of a log, for a party that is there or is to come."""

    def __init__(self, folder, journal=None):
        self.instance = folder / "instance"
        self.address = journal or str(self.instance / "party.db")

    def holds(self, commands=COMMANDS, secret_key=KEY, people=PEOPLE):
        self.instance.mkdir(mode=0o700, parents=True, exist_ok=True)
        open_journal(self.address).fill(enumerate(commands, start=5))
        for name, text in (("secret_key", secret_key), ("people.json", people)):
            if text:
                (self.instance / name).write_text(text)
        return self

    def log(self):
        return list(open_journal(self.address).replay())

    def secrets(self):
        return {path.name: path.read_text() for path in self.instance.glob("*") if path.name in backup.SECRETS}

    def is_empty(self):
        return not self.log() and not self.secrets() and not list(self.instance.glob("*.draft"))


@pytest.fixture
def flask(monkeypatch):
    """`flask --app app …` in a place: gives its exit status, and what it said."""
    monkeypatch.setattr(settings, "SECRET_KEY", None)

    def flask(place, *arguments):
        monkeypatch.setattr(settings, "INSTANCE", place.instance)
        monkeypatch.setattr(settings, "JOURNAL", place.address)
        said = app.app.test_cli_runner().invoke(args=[str(argument) for argument in arguments])
        assert said.exception is None or isinstance(said.exception, SystemExit), said.exception
        return said.exit_code, said.output

    return flask


def done(answer):
    status, said = answer
    assert status == 0, said
    return said


def refused(answer):
    status, said = answer
    assert status == 1 and said.startswith("Error: ") and said.endswith((".\n", "?\n")), said
    return said


@pytest.fixture
def old(tmp_path):
    """The place of a party."""
    return Place(tmp_path / "old").holds()


@pytest.fixture
def new(tmp_path):
    """An empty place."""
    return Place(tmp_path / "new")


@pytest.fixture
def whole(flask, old, tmp_path):
    """A backup."""
    done(flask(old, "backup", tmp_path / "party.backup"))
    return tmp_path / "party.backup"


# --- Backup -----------------------------------------------------------------------------------------------------------


def test_a_backup_can_be_read_without_us(whole, old):
    with tarfile.open(whole) as tar:
        files = {member.name: tar.extractfile(member).read() for member in tar}
        assert {(member.mode, member.isreg()) for member in tar} == {(0o600, True)}
    about = json.loads(files.pop("about.json"))
    assert about.pop("sha256") == {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    assert about.pop("made")[:2] == "20"
    assert about == {"version": settings.VERSION, "journal": "file", "commands": len(COMMANDS)}
    lines = files.pop("log.jsonl").decode().splitlines()
    assert [tuple(json.loads(line)) for line in lines] == old.log() == list(enumerate(COMMANDS, start=5))
    assert {name: data.decode() for name, data in files.items()} == old.secrets()


def test_a_backup_is_for_its_owner_alone_from_its_first_byte_and_has_its_name_once_it_is_whole(
    flask, old, tmp_path, monkeypatch
):
    copy_log, modes = backup.copy_log, {}

    def look(copy):
        modes.update({path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()})
        return copy_log(copy)

    monkeypatch.setattr(backup, "copy_log", look)
    (folder := tmp_path / "copies").mkdir()
    mask = os.umask(0)
    try:
        done(flask(old, "backup", folder / "party.backup"))
    finally:
        os.umask(mask)
    assert modes and set(modes.values()) == {0o600} and "party.backup" not in modes
    assert {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()} == {"party.backup": 0o600}


def test_a_backup_is_on_the_disk_before_it_has_its_name_and_its_name_is_too(flask, old, tmp_path, monkeypatch):
    calls = []
    for name in ("fsync", "replace"):
        call = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *what, name=name, call=call: calls.append(name) or call(*what))
    done(flask(old, "backup", tmp_path / "party.backup"))
    assert calls == ["fsync", "replace", "fsync"]


def test_a_folder_gets_a_dated_file_and_keeps_the_newest_of_ours(flask, old, tmp_path, monkeypatch):
    (folder := tmp_path / "copies").mkdir()
    others = {"party.backup", "holiday.jpg", "party-2026-01-01-000000.backup.txt", "zola-2026-01-01-000000.backup"}
    days = [f"party-2026-01-{day:02}-000000.backup" for day in range(1, 6)]
    stopped = ["party-2026-01-02-000000.backup.a1b2.draft", "party-2026-01-05-000000.backup.a1b2.draft"]
    for name in (*others, *days, *stopped):
        (folder / name).touch()
    said = done(flask(old, "backup", folder, "--keep", 3))
    left = {path.name for path in folder.iterdir()}
    assert others < left
    newest = max(left - others)
    assert backup.OURS.fullmatch(newest) and newest in said
    assert left - others == {*days[3:], newest, stopped[1]}, "what may be on its way stays"


def test_a_folder_that_is_named_as_one_is_made_for_its_owner_alone(flask, old, tmp_path):
    done(flask(old, "backup", f"{tmp_path}/copies/"))
    assert (tmp_path / "copies").stat().st_mode & 0o777 == 0o700
    assert [backup.OURS.fullmatch(path.name) is not None for path in (tmp_path / "copies").iterdir()] == [True]


def test_what_is_there_is_never_written_over(flask, old, whole):
    before = whole.read_bytes()
    assert "is there already" in refused(flask(old, "backup", whole))
    assert whole.read_bytes() == before


@pytest.mark.parametrize("where", ["copy", "", "instance", "copies/", "docs/../copy"])
def test_no_backup_is_put_into_the_clone(flask, old, tmp_path, monkeypatch, where):
    monkeypatch.setattr(settings, "ROOT", tmp_path / "clone")
    (tmp_path / "clone" / "instance").mkdir(parents=True)
    said = refused(flask(old, "backup", f"{tmp_path}/clone/{where}"))
    assert f"Name a place outside, such as {tmp_path}/" in said
    assert [path.name for path in tmp_path.glob("clone/**/*")] == ["instance"]


def test_old_ones_are_not_told_from_new_ones_by_a_file(flask, old, tmp_path):
    assert "is no folder" in refused(flask(old, "backup", tmp_path / "party.backup", "--keep", 3))
    assert not (tmp_path / "party.backup").exists()


def test_a_backup_notes_when_it_was_made_and_one_that_failed_does_not(flask, old, tmp_path):
    note = old.instance / "backed_up"
    refused(flask(old, "backup", tmp_path / "no" / "such" / "folder"))
    assert not note.exists()
    done(flask(old, "backup", tmp_path / "party.backup"))
    os.utime(note, (0, 0))
    done(flask(old, "backup", tmp_path / "another.backup"))
    assert note.stat().st_mtime > 1_000_000_000 and note.stat().st_mode & 0o777 == 0o600


def test_a_backup_that_cannot_be_noted_is_one_all_the_same(flask, old, tmp_path):
    (folder := tmp_path / "copies").mkdir()
    (folder / "party-2026-01-01-000000.backup").touch()
    (old.instance / "backed_up").mkdir()
    sentence, note = done(flask(old, "backup", folder, "--keep", 1)).splitlines()
    assert "7 commands" in sentence and note.startswith("The backup is whole, but not noted")
    assert f"{old.instance / 'backed_up'} cannot be used: " in note
    assert [str(path) for path in folder.iterdir()] == [sentence.partition(":")[0]], "the old one went"


def test_the_backup_just_made_stays_where_the_clock_went_back(flask, old, tmp_path):
    (folder := tmp_path / "copies").mkdir()
    for year in (2097, 2098):
        (folder / f"party-{year}-01-01-000000.backup").touch()
    made = Path(done(flask(old, "backup", folder, "--keep", 2)).partition(":")[0])
    assert made in folder.iterdir()


@pytest.mark.parametrize("where", ["party.backup", "copies/"])
def test_a_folder_that_is_missing_is_named_with_what_makes_it(flask, old, tmp_path, where):
    place = tmp_path / "no" / "such" / where
    assert refused(flask(old, "backup", f"{tmp_path}/no/such/{where}")) == (
        f"Error: {place} cannot be used: No such file or directory. `mkdir -p {place.parent}` makes its folder.\n"
    )


def test_a_full_disk_is_named_with_what_shows_it(flask, old, whole, new, tmp_path, monkeypatch):
    with monkeypatch.context() as full:
        full.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        said = [refused(flask(old, "backup", tmp_path / "full")), refused(flask(new, "restore", whole))]
    begin = "cannot be used: No space left on device. Make room there and start again; `df -h"
    end = "` shows how much there is.\n"
    assert said[0] == f"Error: {tmp_path / 'full'} {begin} {tmp_path}{end}"
    assert said[1] == f"Error: {new.instance / 'secret_key'} {begin} {new.instance}{end}"
    assert new.is_empty()


@pytest.mark.server
def test_a_broken_list_of_people_is_backed_up_and_stands_in_no_commands_way(tmp_path):
    place = RealPlace(tmp_path / "place").holds(people="{")
    place.flask("backup", str(tmp_path / "party.backup"))
    with tarfile.open(tmp_path / "party.backup") as tar:
        assert tar.extractfile("people.json").read() == b"{"


def test_a_damaged_log_makes_no_backup_and_says_what_to_do(flask, old, tmp_path):
    log = tmp_path / "old/instance/party.db"
    log.write_bytes(log.read_bytes().replace(b"Hello", b"Jello", 1))
    (folder := tmp_path / "copies").mkdir()
    said = refused(flask(old, "backup", folder))
    assert f"flask --app app rescue {log}" in said
    assert not list(folder.iterdir())


def test_what_no_other_process_can_read_is_not_backed_up(flask, tmp_path):
    place = Place(tmp_path / "place", "memory:")
    (place.instance).mkdir(parents=True)
    (place.instance / "secret_key").write_text(KEY)
    assert "memory:" in refused(flask(place, "backup", tmp_path / "party.backup"))
    assert not (tmp_path / "party.backup").exists()


def test_a_backup_without_a_key_would_keep_no_password(flask, old, tmp_path, monkeypatch):
    (old.instance / "secret_key").write_text("\n")
    assert refused(flask(old, "backup", tmp_path / "party.backup")).endswith("PARTY_SECRET_KEY: has it begun?\n")
    with pytest.raises(SystemExit, match="holds no key"):
        users.secret_key()  # nor is it one for the party
    (old.instance / "secret_key").unlink()
    assert "There is no secret key" in refused(flask(old, "backup", tmp_path / "party.backup"))
    monkeypatch.setattr(settings, "SECRET_KEY", "from the settings")
    done(flask(old, "backup", tmp_path / "party.backup"))
    with tarfile.open(tmp_path / "party.backup") as tar:
        assert tar.extractfile("secret_key").read() == b"from the settings"


def test_an_empty_log_is_backed_up_with_a_question(flask, old, tmp_path):
    assert "Does PARTY_JOURNAL name" not in done(flask(old, "backup", tmp_path / "party.backup"))
    shutil.rmtree(old.instance)
    assert "Does PARTY_JOURNAL name" in done(flask(old.holds([]), "backup", tmp_path / "empty.backup"))


def test_what_is_trimmed_while_it_is_copied_leaves_no_gap(flask, old, tmp_path, monkeypatch):
    """A Redis is read in parts: between two of them the oldest commands may go, some of which are read already."""
    trims = []

    def replay(journal, after=None):
        yield (5, COMMANDS[0]) if not trims else (9, COMMANDS[4])
        if not trims:
            trims.append("of what stands before the fifth")
        yield from enumerate(COMMANDS[5:], start=10)

    monkeypatch.setattr("runtime.journal.FileJournal.replay", replay)
    done(flask(old, "backup", tmp_path / "party.backup"))
    with tarfile.open(tmp_path / "party.backup") as tar:
        lines = tar.extractfile("log.jsonl").read().splitlines()
    assert [json.loads(line)[0] for line in lines] == [9, 10, 11]


# --- Restore ----------------------------------------------------------------------------------------------------------

REDIS = pytest.param("redis", marks=pytest.mark.server)


@contextlib.contextmanager
def store_in(place, words="What a service knows"):
    """A store of the feedback, whose service goes on writing meanwhile."""
    with contextlib.closing(sqlite3.connect(place.instance / "feedback.db")) as database:
        database.executescript("PRAGMA journal_mode = WAL; CREATE TABLE known (words)")
        with database:
            database.execute("INSERT INTO known VALUES (?)", (words,))
        database.execute("INSERT INTO known VALUES ('not committed')")
        yield


def words_in(place):
    with contextlib.closing(sqlite3.connect(place.instance / "feedback.db")) as database:
        return [words for (words,) in database.execute("SELECT words FROM known")]


def test_what_services_know_is_taken_along_while_they_write_and_put_back(flask, old, new, tmp_path):
    with store_in(old):
        assert "people.json and feedback.db;" in done(flask(old, "backup", tmp_path / "party.backup"))
    assert [path.name for path in tmp_path.iterdir() if "draft" in path.name] == []
    new.instance.mkdir(parents=True)
    (gone := Place(tmp_path / "gone")).instance.mkdir(parents=True)
    with store_in(gone, "What one knew that is gone"):
        shutil.copy(gone.instance / "feedback.db-wal", new.instance)
    assert "people.json, feedback.db." in done(flask(new, "restore", tmp_path / "party.backup"))
    assert words_in(new) == ["What a service knows"]
    assert (new.instance / "feedback.db").stat().st_mode & 0o777 == 0o600


def test_what_services_know_in_a_place_stays_there(flask, old, new, tmp_path):
    with store_in(old):
        done(flask(old, "backup", tmp_path / "party.backup"))
    new.instance.mkdir(parents=True)
    with store_in(new, "What it knows here"):
        assert "feedback.db was there, and was left as it is." in done(flask(new, "restore", tmp_path / "party.backup"))
    assert words_in(new) == ["What it knows here"]


def test_a_service_that_runs_there_is_left_alone_and_nothing_is_put_back(flask, old, new, tmp_path):
    with store_in(old):
        done(flask(old, "backup", tmp_path / "party.backup"))
    new.instance.mkdir(parents=True)
    with lease.on(new.instance / "feedback.db"):
        assert "a service runs on it" in refused(flask(new, "restore", tmp_path / "party.backup"))
    assert new.is_empty() and not (new.instance / "feedback.db").exists()


def test_a_store_that_is_damaged_is_said_and_is_no_reason_for_no_backup(flask, old, tmp_path):
    (old.instance / "figures.db").write_bytes(b"what is no database" * 1_000)
    said = done(flask(old, "backup", tmp_path / "party.backup"))
    assert f"{old.instance / 'figures.db'} cannot be read, and is not in it." in said
    done(flask(Place(tmp_path / "new"), "restore", tmp_path / "party.backup"))


def test_what_is_no_store_is_not_put_in_the_place_of_one(flask, whole, new):
    rewritten(whole, lambda files, about: files.update({"figures.db": b"something else"}))
    assert "does not hold exactly the files of one" in refused(flask(new, "restore", whole))
    assert new.is_empty()


@pytest.mark.parametrize("end", ["file", REDIS])
@pytest.mark.parametrize("start", ["file", REDIS])
def test_a_backup_put_back_is_the_same_party_in_either_kind_of_log(flask, tmp_path, request, start, end):
    redis = request.getfixturevalue("redis") if "redis" in (start, end) else None
    old = Place(tmp_path / "old", redis.address if start == "redis" else None).holds()
    before = old.log()
    done(flask(old, "backup", tmp_path / "party.backup"))
    if redis:
        redis.client().flushall()
    new = Place(tmp_path / "new", redis.address if end == "redis" else None)
    said = done(flask(new, "restore", tmp_path / "party.backup"))
    assert "7 commands, secret_key, people.json" in said
    assert [command for _, command in new.log()] == [command for _, command in before] == COMMANDS
    assert (new.log() == before) == (start == end), "positions are kept within a kind"
    assert new.secrets() == {"secret_key": KEY, "people.json": PEOPLE}
    if end == "redis":
        assert redis.client().keys() == [RedisJournal.STREAM]
    modes = {path.name: path.stat().st_mode & 0o777 for path in (new.instance, *new.instance.iterdir())}
    assert modes.pop("instance") == 0o700 and set(modes.values()) == {0o600}


@pytest.mark.parametrize("kind", ["file", REDIS])
def test_what_follows_in_a_log_that_was_put_back_stands_behind_it(flask, whole, request, tmp_path, kind):
    new = Place(tmp_path / "new", request.getfixturevalue("redis").address if kind == "redis" else None)
    done(flask(new, "restore", whole))
    with contextlib.closing(open_journal(new.address)) as journal:
        rebuilt = []
        journal.follow(rebuilt.extend, lambda position, command: None)
        last = {"id": "next", "at": 1, "kind": "message"}
        assert [*rebuilt, (journal.append(last), last)] == new.log()
    assert len(new.log()) == 8


@pytest.mark.parametrize("kind", ["file", REDIS])
def test_a_place_with_a_log_is_left_as_it_is(flask, whole, request, tmp_path, kind):
    new = Place(tmp_path / "new", request.getfixturevalue("redis").address if kind == "redis" else None)
    before = new.holds(COMMANDS[:2], None, None).log()
    assert "holds commands already" in refused(flask(new, "restore", whole))
    assert new.log() == before and not new.secrets()


def test_a_place_with_another_key_is_left_as_it_is(flask, whole, new, monkeypatch):
    new.instance.mkdir(parents=True)
    (new.instance / "secret_key").write_text("another")
    assert "another secret key" in refused(flask(new, "restore", whole))
    assert not new.log() and new.secrets() == {"secret_key": "another"}
    (new.instance / "secret_key").unlink()
    monkeypatch.setattr(settings, "SECRET_KEY", "another")
    assert "another secret key" in refused(flask(new, "restore", whole))
    assert new.is_empty()
    monkeypatch.setattr(settings, "SECRET_KEY", KEY)
    done(flask(new, "restore", whole))
    assert new.secrets() == {"people.json": PEOPLE}, "a key from the settings is written nowhere"


def test_the_same_key_and_other_people_stay(flask, whole, new):
    new.instance.mkdir(parents=True)
    (new.instance / "secret_key").write_text(KEY)
    (new.instance / "people.json").write_text('{"emeka": 1}')
    assert "people.json was there, with others in it" in done(flask(new, "restore", whole))
    assert len(new.log()) == 7 and new.secrets() == {"secret_key": KEY, "people.json": '{"emeka": 1}'}


def test_a_key_that_a_full_disk_left_empty_is_put_back(flask, whole, new):
    new.instance.mkdir(parents=True)
    (new.instance / "secret_key").touch()
    done(flask(new, "restore", whole))
    assert new.secrets()["secret_key"] == KEY


def test_a_party_that_runs_there_is_left_alone(flask, whole, new):
    new.instance.mkdir(parents=True)
    with contextlib.closing(open_journal(new.address)) as running:
        running.follow(list, None)
        assert "in use" in refused(flask(new, "restore", whole))
    assert new.is_empty()
    done(flask(new, "restore", whole))


@pytest.mark.server
def test_a_party_that_runs_on_that_redis_with_nothing_said_yet_is_left_alone(flask, whole, redis, tmp_path):
    new = Place(tmp_path / "new", redis.address)
    with contextlib.closing(open_journal(new.address)) as running:
        running.follow(list, lambda position, command: None)
        running.exchange(dict)
        assert "a party runs: stop it first" in refused(flask(new, "restore", whole))
        assert new.is_empty()
    done(flask(new, "restore", whole))


def test_root_puts_nothing_into_a_folder_of_somebody_else(flask, whole, new, monkeypatch):
    new.instance.mkdir(parents=True)
    if os.geteuid() == 0:
        os.chown(new.instance, 65534, 65534)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    said = refused(flask(new, "restore", whole))
    assert f"{new.instance} belongs to {new.instance.owner()}: put `runuser -u {new.instance.owner()} --`" in said
    assert new.is_empty()


def test_a_log_that_ends_with_its_process_takes_no_backup(flask, whole, tmp_path):
    new = Place(tmp_path / "new", "memory:")
    assert "PARTY_JOURNAL is memory:" in refused(flask(new, "restore", whole))
    assert not new.secrets()
    with pytest.raises(ValueError):
        MemoryJournal().fill([])


def rewritten(path, change):
    """Write a backup anew, as `change` makes it of {name: bytes} and the sums; gives nothing for what it takes away."""
    with tarfile.open(path) as tar:
        files = {member.name: tar.extractfile(member).read() for member in tar}
    about = json.loads(files.pop("about.json"))
    members = change(files, about) or {}
    for name, data in files.items():
        about["sha256"].setdefault(name, hashlib.sha256(data).hexdigest())
    with tarfile.open(path, "w:gz") as tar:
        for name, data in {"about.json": json.dumps(about).encode(), **files}.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(members.get(name, member), io.BytesIO(data))


def changed(name, old, new, sums=True):
    """A change of one file in it; its sum fits where `sums` says so."""

    def change(files, about):
        assert old in files[name], "there must be something to change"
        files[name] = files[name].replace(old, new)
        if sums:
            del about["sha256"][name]

    return change


def without_a_line(files, about):
    lines = files["log.jsonl"].splitlines(keepends=True)
    files["log.jsonl"] = b"".join(lines[:3] + lines[4:])
    about["commands"] -= 1
    del about["sha256"]["log.jsonl"]


def link(files, about):
    member = tarfile.TarInfo("secret_key")
    member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
    return {"secret_key": member}


def named(name):
    return lambda files, about: files.update({name: b"x"})


BAD = {
    "another key": changed("secret_key", b"the", b"The", sums=False),
    "other words": changed("log.jsonl", b"Hello", b"Jello", sums=False),
    "no key": lambda files, about: files.pop("secret_key") and None,
    "no log": lambda files, about: files.pop("log.jsonl") and None,
    "a link": link,
    "something else": named("party.db"),
    "a path to somewhere": named("../../.bashrc"),
    "a great key": changed("secret_key", b"the", b"the" * backup.LARGEST),
    "a line that is no command": changed("log.jsonl", b'"at":3', b'"at":"3"'),
    "a year that is none": changed("log.jsonl", b'"at":3', b'"at":1000000000000000000'),
    "a time before all": changed("log.jsonl", b'"at":3', b'"at":-3'),
    "a kind that is no word": changed("log.jsonl", b'"kind":"message"', b'"kind":["message"]'),
    "an id that is no word": changed("log.jsonl", b'"id":"c3"', b'"id":["c3"]'),
    "a line without a kind": changed("log.jsonl", b'"kind"', b'"sort"'),
    "a line that is no entry": changed("log.jsonl", b"[8,", b"[8,8,"),
    "half a line": changed("log.jsonl", b"[8,", b'["'),
    "a line without an end": changed("log.jsonl", b"\n", b""),
    "a gap": without_a_line,
    "a jump": changed("log.jsonl", b"[8,", b"[18,"),
    "one place twice": changed("log.jsonl", b"[8,", b"[7,"),
    "a place of a stream": changed("log.jsonl", b"[8,", b'["8-0",'),
    "a place below all": changed("log.jsonl", b"[5,", b"[-5,"),
    "one command less": lambda files, about: about.update(commands=6),
    "no version": lambda files, about: about.update(version="new"),
    "no sums": lambda files, about: about.update(sha256=[]) or files.clear(),
}


@pytest.mark.parametrize("how", BAD)
def test_a_backup_that_is_not_as_we_make_them_is_refused_and_nothing_is_written(flask, whole, new, how):
    rewritten(whole, BAD[how])
    assert str(whole) in refused(flask(new, "restore", whole))
    assert new.is_empty() and not new.instance.exists()


def test_the_same_name_twice_is_refused(flask, whole, new):
    with gzip.open(whole) as file:
        blocks = file.read()
    with tarfile.open(fileobj=io.BytesIO(blocks)) as tar:
        key = tar.getmember("secret_key")
    again = blocks[key.offset : key.offset_data + 512]
    with gzip.open(whole, "wb") as file:
        file.write(again + blocks)
    assert "exactly the files" in refused(flask(new, "restore", whole))


@pytest.mark.parametrize("part", [0, 0.01, 0.5, 0.9, -1])
def test_a_part_of_a_backup_is_refused(flask, whole, new, part):
    size = whole.stat().st_size
    os.truncate(whole, int(size * part) if part >= 0 else size - 1)
    assert "not a whole one" in refused(flask(new, "restore", whole))
    assert new.is_empty()


def test_a_flipped_bit_anywhere_is_found_or_harmless(flask, whole, tmp_path):
    data, found = whole.read_bytes(), 0
    for place in range(0, len(data), 23):
        whole.write_bytes(data[:place] + bytes([data[place] ^ 4]) + data[place + 1 :])
        new = Place(tmp_path / str(place))
        status, said = flask(new, "restore", whole)
        found += status
        assert status == 0 and new.secrets()["secret_key"] == KEY or (said.startswith("Error: ") and new.is_empty())
    assert found > 20


def test_what_a_newer_version_made_is_taken_and_said(flask, whole, new):
    assert "newer" not in done(flask(Place(new.instance.parent / "first"), "restore", whole))
    rewritten(whole, lambda files, about: about.update(version="99.0.0"))
    assert "Version 99.0.0 made it, which is newer" in done(flask(new, "restore", whole))
    assert len(new.log()) == 7


@pytest.mark.parametrize("kind", ["file", REDIS])
def test_one_that_fails_half_way_leaves_nothing_and_works_the_next_time(
    flask, whole, request, tmp_path, monkeypatch, kind
):
    redis = request.getfixturevalue("redis") if kind == "redis" else None
    new = Place(tmp_path / "new", redis and redis.address)
    monkeypatch.setattr(RedisJournal, "READ_AT_ONCE", 2)
    entries_in, times = backup.entries_in, []

    def fails(path, tar):
        times.append(path)
        for number, entry in enumerate(entries_in(path, tar)):
            if len(times) == 2 and number == 5:
                raise OSError(28, "No space left on device")
            yield entry

    with monkeypatch.context() as failing:
        failing.setattr(backup, "entries_in", fails)
        assert "No space left on device" in refused(flask(new, "restore", whole))
    assert len(times) == 2, "it was read once before anything was written"
    assert new.is_empty()
    assert not redis or not redis.client().keys()
    done(flask(new, "restore", whole))
    assert len(new.log()) == 7


def test_neither_way_is_all_of_a_log_in_memory(flask, new, tmp_path):
    words = "".join(map(chr, range(0x100, 0x400)))
    old = Place(tmp_path / "old").holds([COMMANDS[0] | {"at": n, "text": words} for n in range(4_000)])
    assert (tmp_path / "old/instance/party.db").stat().st_size > 6_000_000
    tracemalloc.start()
    try:
        done(flask(old, "backup", tmp_path / "party.backup"))
        done(flask(new, "restore", tmp_path / "party.backup"))
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()
    assert len(new.log()) == 4_000


def test_what_is_no_backup_is_said(flask, new, tmp_path):
    (tmp_path / "diary").write_text("Dear diary\n")
    assert "diary is no backup" in refused(flask(new, "restore", tmp_path / "diary"))
    for path in (tmp_path / "none", tmp_path):
        assert refused(flask(new, "restore", path)) == f"Error: There is no backup in {path}: name the file itself.\n"


# --- The drill --------------------------------------------------------------------------------------------------------

TALKERS = ("bilal", "chen", "dana")


class RealPlace(Place):
    """A place for real processes."""

    def __init__(self, folder, journal=None):
        super().__init__(folder, journal)
        folder.mkdir()
        share_files(self.instance)
        self.settings = {"PARTY_INSTANCE": str(self.instance), "PARTY_JOURNAL": self.address, "PARTY_SECRET_KEY": ""}

    def flask(self, *arguments):
        said = subprocess.run(
            [sys.executable, "-m", "flask", "--app", "app", *arguments],
            cwd=ROOT,
            env={**os.environ, **self.settings},
            capture_output=True,
            text=True,
        )
        assert said.returncode == 0, said.stderr
        return said.stdout

    def running_server(self):
        return running_server(**self.settings)


@dataclass
class Talk:
    """A party of which a backup was made while three people talked."""

    place: RealPlace
    backup: Path
    room: str
    cookies: dict  # name → of a sign-in that was there before
    acknowledged: list  # (seq, key) of each message before the backup was asked for


@pytest.fixture(scope="module", params=["file", "redis"])
def talk(request, tmp_path_factory, shared_redis):
    shared_redis.client().flushall()
    folder = tmp_path_factory.mktemp("talk")
    place = RealPlace(folder / "old", shared_redis.address if request.param == "redis" else None)
    enough, said = threading.Event(), []

    def talk(person):
        while not enough.is_set():
            message = assert_ok(person.message(room, "Word upon word"))["message"]
            said.append((message["seq"], message["key"]))

    with place.running_server() as server, ThreadPoolExecutor(len(TALKERS)) as talking:
        cookies = {name: sign_in(server, place, name) for name in ("asha", *TALKERS)}
        people = {name: server.person(name, cookies[name]) for name in cookies}
        room = people["asha"].host("A night to keep")
        for name in TALKERS:
            seat(people["asha"], people[name], room)
        talks = [talking.submit(talk, people[name]) for name in TALKERS]
        try:
            until(lambda: len(said) > 100, patience=20)
            acknowledged = list(said)
            place.flask("backup", str(folder / "party.backup"))
            behind = len(said)
            until(lambda: len(said) > behind + 20, patience=20)
        finally:
            enough.set()
        for each in talks:
            each.result()
    assert behind > len(acknowledged) + 20, "they must have talked while it was made"
    yield Talk(place, folder / "party.backup", room, cookies, acknowledged)


def sign_in(server, place, name):
    secret = (place.instance / "secret_key").read_text()
    return sign_in_over_http(server.address, name, users.password(secret, name, users.number_of(name)))


@pytest.mark.server
@pytest.mark.parametrize("end", ["file", "redis"])
def test_a_party_that_is_lost_goes_on_elsewhere(talk, shared_redis, tmp_path, end):
    elsewhere = f"redis://127.0.0.1:{shared_redis.port}/1"
    redis.Redis.from_url(elsewhere).flushdb()
    new = RealPlace(tmp_path / "new", elsewhere if end == "redis" else None)
    new.flask("restore", str(talk.backup))
    old_log = [command for _, command in talk.place.log()]
    log = [command for _, command in new.log()]
    assert log == old_log[: len(log)] and len(log) < len(old_log), "what was said later is not in it"
    with new.running_server() as server:
        chen = server.person("chen", sign_in(server, talk.place, "chen"))
        assert chen.line.closed is None, "the same password opens it"
        asha, bilal = (server.person(name, talk.cookies[name]) for name in ("asha", "bilal"))
        feed, after = [], 0
        while len(page := asha.watch(talk.room, after=after)["messages"]):
            feed, after = feed + page, page[-1]["seq"]
        assert [message["seq"] for message in feed] == list(range(1, len(feed) + 1))
        assert set(talk.acknowledged) <= {(message["seq"], message["key"]) for message in feed}
        assert assert_ok(bilal.message(talk.room, "And on"))["message"]["seq"] == len(feed) + 1
