"""Reads along in the log for a service: what happened, in order, each once in effect.

A service makes something of its own of the log, and keeps that in a small SQLite file. How far it has read stands in
the same file and is written in the same transaction: whatever is killed in between, nothing counts twice and nothing is
left out. What was trimmed before it could be read is told as a `gap`, and never guessed.

What a command led to is not in the log. A State() of our own finds it, made anew from the whole log at each start.
"""

import contextlib
import functools
import hmac
import itertools
import logging
import math
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import users
from party.model import Command, Outcome, Refused, Room
from party.state import State
from runtime import lease, records, settings
from runtime.clock import now
from runtime.obstacles import ensure_own, obstacle

log = logging.getLogger("party.services")

NEWS_SECONDS = 0.5  # between two looks into the log
READ_AT_ONCE = 500  # commands: a reading ends within milliseconds, and the log's file is never held open for long
REST_SECONDS, SELDOM_SECONDS = 2, 3_600
REST_PAUSES = 19  # times what it took: reckoning gets a twentieth of a processor, however much there is
# Until what went wrong is tried again, twice as long each time: the whole log may be read for that.
AGAIN_SECONDS, AGAIN_AT_MOST = 2, 60
NOTED_EVERY = 5  # seconds, that all is read: a disk is not to be busy with that
BUSY_SECONDS = 5  # for a backup that begins; who reads the store hinders nobody
LEAVING_SECONDS = 2  # for what a service is just doing out there
PSEUDONYM_LENGTH = 16  # characters of a hexadecimal number
# It may do these long after what they are about, and without that nobody misses them; or says all of a plan anew.
BY_THE_PARTY = {"end", "forget", "plan"}
UNKNOWN = Refused("unavailable", "Nobody knows what came of it.").ack


class Service(Protocol):
    """What reads along. `database` is its store, in a transaction that is not its to end.

    A mistake in one of these is recorded and what it wrote undone; the service then goes on behind it.
    """

    name: str  # of its store, and of its label in the figures
    SCHEMA: str  # CREATE TABLE IF NOT EXISTS …, run at each start

    def take(self, database: sqlite3.Connection, command: Command, outcome: Outcome, room: Room | None) -> None:
        """What happened next, in the transaction that keeps the position. Not what was sent again with the same key.
        `room` is the one that it is about, for reading alone; it may be some commands further already."""

    def gap(self, database: sqlite3.Connection, since: int, until: int) -> None:
        """What happened between these times, in milliseconds UTC, is not known: it was trimmed before it was read."""

    def rest(self, database: sqlite3.Connection, at: int) -> None:
        """There is nothing more to read just now: reckon what is to be shown, forget what is too old. Called at most
        every two seconds, less often where it takes long, and once an hour where nothing happens."""


class Worker(Service, Protocol):
    """A service that does something out there: what takes long, may hang, and may be killed in the middle of it."""

    def work(self, database: sqlite3.Connection, ended: threading.Event) -> float:
        """Do what `take` has noted to be done, and note that it is done; give the seconds until it is to be called
        again. It is sooner where one of these wrote something, and after an hour at the latest.

        It runs in a thread of its own beside the reading, as long as the store is ours, and may take its time until
        `ended` is set: what hangs then is not waited for. What was not noted as done is done again, so something can
        be done twice. Its transactions are its own, and none is open while it waits: the reading writes to the same
        store. What keeps it from its work, an OSError, Unreadable or a store that cannot be used, the owner is told
        when it begins and when it is over, and a mistake in it is recorded; it is called again after a pause."""


# --- For who shows what a service knows -------------------------------------------------------------------------------


@contextlib.contextmanager
def reading(name: str) -> Iterator[sqlite3.Connection | None]:
    """The store of that service, for reading alone; None where there is none yet. Rows can be asked by name."""
    path = settings.store_of(name)
    if not path.exists():
        yield None
        return
    with contextlib.closing(connection_to(path, "ro", timeout=0.2)) as database:
        database.row_factory = sqlite3.Row
        is_begun = database.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'kept'").fetchone()[0]
        yield database if is_begun else None


def first_row(name: str, query: str, *values: Any) -> sqlite3.Row | None:
    """What that store has first for this query. None where it has nothing, and where it cannot be used: of that the
    service tells the owner."""
    try:
        with reading(name) as database:
            return database and database.execute(query, values).fetchone()
    except sqlite3.Error:
        return None


@contextlib.contextmanager
def store_for_owner(name: str, missing: str) -> Iterator[sqlite3.Connection]:
    """That store for the owner's commands, to write in it too, whether the service runs or not. Raises ValueError with
    a sentence where it cannot be used; with `missing` where there is none."""
    path = settings.store_of(name)
    ensure_own(settings.INSTANCE)
    if not path.exists():
        raise ValueError(missing)
    try:
        with writing(path) as database:
            database.row_factory = sqlite3.Row
            yield database
    except (Unreadable, OSError, sqlite3.Error) as error:
        raise ValueError(sentence_of(error, path)) from None


@contextlib.contextmanager
def writing(path: Path) -> Iterator[sqlite3.Connection]:
    """A store that is there, to write in it too. What is deleted is overwritten."""
    with contextlib.closing(connection_to(path, "rw", BUSY_SECONDS)) as database:
        database.execute("PRAGMA secure_delete = ON")
        yield database


def connection_to(path: Path, mode: str, timeout: float) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode={mode}", uri=True, isolation_level=None, timeout=timeout)


@functools.cache
def pseudonym(name: str) -> str:
    """What stands for a person in a store: always the same, and nobody's name without the secret key."""
    return hmac.digest(users.secret_key().encode(), f"figures:{name}".encode(), "sha256").hex()[:PSEUDONYM_LENGTH]


# --- Reading ----------------------------------------------------------------------------------------------------------


class OtherLog(Exception):
    """The command that was read last does not stand there any more: it was trimmed, or this is another log."""


class Unreadable(Exception):
    """The log cannot be read just now, or what a service needs beside it. Says why; it is tried again."""


@contextlib.contextmanager
def asking_the_log():
    """Tells apart what a log says by a ValueError from mistakes of ours."""
    try:
        yield
    except ValueError as error:
        raise Unreadable(f"PARTY_JOURNAL {error}") from error


class Entry(NamedTuple):
    number: float  # of entries in this log so far, those that were trimmed too; nan where nobody can tell
    position: Any
    command: Command
    outcome: Outcome | None  # None: it was sent again, and nothing happened
    is_certain: bool  # whether the room that the outcome follows from was in the log
    room: Room | None = None  # that it is about


class Reader:
    """A log from its beginning, in short readings, with the outcome of each command."""

    def __init__(self, journal):
        self._journal = journal
        self._state = State()
        self._before_last, self._is_taking_up = None, True
        self.forgotten, found = self._forgotten(), self._look()
        if self._forgotten() != self.forgotten:
            self.forgotten = math.nan  # it is being trimmed just now: before that reading, or behind it
        self.last = Entry(self.forgotten, None, {"id": None, "at": 0}, None, True)
        self._put_back = [self._entry(*one) for one in found]

    def read(self):
        """The next few hundred entries; none where that is all. Raises OtherLog, and Unreadable."""
        some, self._put_back = self._put_back or [self._entry(*one) for one in self._found()], []
        self._is_taking_up = self._is_taking_up and not self.is_at_end
        return some

    def put_back(self, entries):
        """The next reading is of these."""
        self._put_back = entries

    def _forgotten(self):
        with asking_the_log():
            return self._journal.forgotten()

    def _found(self):
        """A reading begins with the command that was read last: where that is not the first to be found, there is no
        saying what stood behind it."""
        found = self._look()
        if self.last.position is None:
            return found
        if not found or found[0][1]["id"] != self.last.command["id"]:
            raise OtherLog
        return found[1:]

    def _look(self):
        with asking_the_log(), contextlib.closing(self._journal.replay(self._before_last)) as entries:
            found = list(itertools.islice(entries, READ_AT_ONCE))
        self.is_at_end = len(found) < READ_AT_ONCE
        return found

    def _entry(self, position, command):
        is_certain, applied = True, command
        if self._is_taking_up and self.forgotten:
            is_certain, applied = not self._lacks_its_room(command), self._without_trimmed_sign_in(command)
        self._before_last = self.last.position
        known = self._state.rooms.get(command.get("room"))  # this may be what makes it forgotten
        outcome = self._outcome(applied)
        room = self._state.rooms.get((outcome or {}).get("room", command.get("room")), known)
        self.last = Entry(self.last.number + 1, position, command, outcome, is_certain, room)
        return self.last

    def _lacks_its_room(self, command):
        """Whether its room is not known: behind what was trimmed, that says nothing."""
        room = command.get("room")
        return bool(room) and room not in self._state.rooms and command["kind"] not in BY_THE_PARTY

    def _without_trimmed_sign_in(self, command):
        """A sign-in may be twelve hours older than what came through it, and be trimmed alone. Whether it held was
        asked before the command went into the log."""
        through = command.get("through")
        if through and not self._state.sign_in_of(command.get("user"), through):
            return {name: value for name, value in command.items() if name != "through"}
        return command

    def _outcome(self, command):
        """As the party found it; of a command that another version wrote it says no more than that."""
        try:
            if self._state.remembered(command) is None:
                return self._state.apply(command)
            self._state.apply(command)
        except Exception:
            return UNKNOWN
        return None


# --- Following --------------------------------------------------------------------------------------------------------


class Kept(NamedTuple):
    """How far the service has read, as its store has it: the first two are of the last command. By its id it is found
    again, also in a log that moved; once it was trimmed, its number says whether anything behind it was too."""

    id: str | None
    number: float | None
    at: int  # of the latest command that was read, be it not the last


class Follower:
    """Hands a service what happens. Of several for the same store, one does; the others wait, and take over."""

    KEPT = "CREATE TABLE IF NOT EXISTS kept (name TEXT PRIMARY KEY, value)"

    def __init__(self, service, journal):
        self._service, self._journal = service, journal
        self.path = settings.store_of(service.name)
        self._trouble, self._pause = Trouble(f"The service {service.name}"), AGAIN_SECONDS
        self._trouble_of_work, self._pause_of_work = Trouble(f"The work of {service.name}"), AGAIN_SECONDS
        self._wrote, self._news = False, threading.Event()  # for who works; the latter also that it is to end
        self._working_alone = threading.Lock()
        self._has_news, self._noted, self._rest_due, self._rest_due_without_news = False, -math.inf, 0, 0

    def follow(self, ended):
        """Until `ended`, whatever goes wrong meanwhile."""
        while not ended.is_set():
            try:
                settings.INSTANCE.mkdir(mode=0o700, exist_ok=True)
                with lease.on(self.path) as is_ours:
                    if is_ours:
                        self._follow_on(ended)
                    self._pause = AGAIN_SECONDS
            except OtherLog:
                pass
            except (Unreadable, OSError, sqlite3.Error) as error:
                self._trouble.note(sentence_of(error, self.path))
            except Exception:
                records.recurring_mistake(log, f"The service {self._service.name} failed; it begins again.")
            ended.wait(self._pause)
            self._pause = min(2 * self._pause, AGAIN_AT_MOST)

    def _follow_on(self, ended):
        with self._open() as database, self._working():
            reader = self._reader_behind(kept_in(database), database)
            while not ended.is_set() and self._store_is_in_its_place():
                if some := reader.read():
                    self._take(database, some)
                if reader.is_at_end:
                    self._rest(database)
                    self._note_caught_up()
                    ended.wait(NEWS_SECONDS)

    @contextlib.contextmanager
    def _open(self):
        """The store, with its tables."""
        self.path.touch(mode=0o600)  # the mode of what SQLite puts beside it follows
        with writing(self.path) as database:
            # What a power cut takes of the last moment is read again: the position goes with it.
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = NORMAL")
            database.executescript(f"BEGIN; {self.KEPT}; {self._service.SCHEMA}; COMMIT")
            self._number_of_file = self.path.stat().st_ino
            yield database

    def _store_is_in_its_place(self):
        """Whether it was not moved away, as by who puts a backup back."""
        with contextlib.suppress(FileNotFoundError):
            return self.path.stat().st_ino == self._number_of_file
        return False

    # --- What takes its time ---

    @contextlib.contextmanager
    def _working(self):
        """A Worker works meanwhile."""
        if not hasattr(self._service, "work"):
            yield
            return
        ended = threading.Event()
        thread = threading.Thread(target=self._work_on, args=(ended,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            self._news.set()
            thread.join(LEAVING_SECONDS)

    def _work_on(self, ended):
        """Until `ended`, whatever goes wrong meanwhile. What hangs from before keeps the same service waiting."""
        with self._working_alone:
            while not ended.is_set():
                try:
                    self._work_until(ended)
                except Exception as error:
                    if isinstance(error, Unreadable | OSError) or is_trouble(error):
                        self._trouble_of_work.note(sentence_of(error, self.path))
                    else:
                        what = f"The service {self._service.name} could not work; it tries again."
                        records.recurring_mistake(log, what)
                    ended.wait(self._pause_of_work)
                    self._pause_of_work = min(2 * self._pause_of_work, AGAIN_AT_MOST)

    def _work_until(self, ended):
        with writing(self.path) as database:
            while True:
                self._news.clear()  # and then look: the end comes as news too
                if ended.is_set():
                    return
                seconds = self._service.work(database, ended)
                self._trouble_of_work.note(None)
                self._pause_of_work = AGAIN_SECONDS
                self._news.wait(min(seconds, SELDOM_SECONDS))

    # --- Where to go on ---

    def _reader_behind(self, kept, database):
        """One whose next entries the service has not had."""
        reader = Reader(self._journal)
        if kept is None:
            return reader
        until = None
        while some := reader.read():
            ids = [entry.command["id"] for entry in some]
            if kept.id in ids:
                last, *new = some[ids.index(kept.id) :]
                with transaction(database):
                    self._keep(database, last, kept.at)  # in a log that moved it has another number
                reader.put_back(new)
                return reader
            until = until or next((entry.command["at"] for entry in some if entry.command["at"] > kept.at), None)
        return self._reader_behind_trimmed(kept, until or now(), database)

    def _reader_behind_trimmed(self, kept, until, database):
        """Where nothing but what the service has had was trimmed, one from the beginning. Else one that has read all
        there is, of which the service is given what is younger than what it has had: in one transaction, since only the
        times say what that is."""
        reader = Reader(self._journal)
        if reader.forgotten == kept.number:
            return reader
        latest = kept.at
        with self._transaction(database):
            self._ask(self._service.gap, database, kept.at, until)
            while some := reader.read():
                self._hand_over(database, [entry for entry in some if entry.command["at"] > kept.at])
                latest = max(latest, *(entry.command["at"] for entry in some))
            self._keep(database, reader.last, latest)
        return reader

    # --- Handing over ---

    @contextlib.contextmanager
    def _transaction(self, database):
        """One in which the service is asked. Where it wrote something, who works is then told."""
        with transaction(database):
            yield
        if self._wrote:
            self._wrote = False
            self._news.set()

    def _take(self, database, entries):
        """Give the service these, in one transaction with how far that is."""
        with self._transaction(database):
            kept = kept_in(database)
            self._hand_over(database, entries)
            self._keep(database, entries[-1], max(kept.at if kept else 0, *(entry.command["at"] for entry in entries)))

    def _hand_over(self, database, entries):
        if unsure := [entry.command["at"] for entry in entries if not entry.is_certain]:
            self._ask(self._service.gap, database, min(unsure), max(unsure))
        for entry in entries:
            if entry.is_certain and entry.outcome is not None:
                self._ask(self._service.take, database, entry.command, entry.outcome, entry.room)
        self._has_news = self._has_news or bool(entries)

    def _ask(self, do, database, *given):
        """Let the service do this, all of it or nothing. Its mistake is recorded, and no reason not to go on."""
        database.execute("SAVEPOINT asked")
        before = database.total_changes
        try:
            do(database, *given)
        except Unreadable:
            raise
        except Exception as error:
            if is_trouble(error):
                raise
            database.execute("ROLLBACK TO asked")
            sentence = f"The service {self._service.name} could not `{do.__name__}`; it goes on behind."
            records.recurring_mistake(log, sentence)
        database.execute("RELEASE asked")
        self._wrote = self._wrote or database.total_changes > before

    def _keep(self, database, entry, at):
        kept = Kept(entry.command["id"], entry.number, at)
        database.executemany("INSERT OR REPLACE INTO kept VALUES (?, ?)", kept._asdict().items())

    def _rest(self, database):
        began = time.monotonic()
        if began >= (self._rest_due if self._has_news else self._rest_due_without_news):
            with self._transaction(database):
                self._ask(self._service.rest, database, now())
            self._has_news = False
            self._rest_due = time.monotonic() + max(REST_SECONDS, REST_PAUSES * (time.monotonic() - began))
            self._rest_due_without_news = time.monotonic() + SELDOM_SECONDS

    # --- Telling ---

    def _note_caught_up(self):
        """For the figures: now all is read."""
        self._trouble.note(None)
        self._pause = AGAIN_SECONDS
        if time.monotonic() >= self._noted + NOTED_EVERY:
            settings.caught_up_file_of(self._service.name).touch(mode=0o600)
            self._noted = time.monotonic()


def kept_in(database):
    """How far the service has read; None where it has not begun."""
    rows = dict(database.execute("SELECT name, value FROM kept"))
    return Kept(*(rows[name] for name in Kept._fields)) if rows else None


def forget_for_good(database):
    """Whether what was deleted is gone from the disk as well. It is not yet while somebody reads, and stands till then
    in the file that SQLite keeps beside the store. Not within a transaction; waits as long as the connection does."""
    return not database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]


@contextlib.contextmanager
def transaction(database):
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
        database.execute("COMMIT")
    except BaseException:
        if database.in_transaction:
            database.execute("ROLLBACK")
        raise


# --- Trouble ----------------------------------------------------------------------------------------------------------

# No mistake of a service: what is tried again, and not passed over.
TROUBLE = {
    sqlite3.SQLITE_BUSY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_READONLY,
}  # fmt: skip


class Trouble:
    """Tells the owner when something cannot go on and when it can, once each."""

    def __init__(self, what):
        self._what, self._sentence = what, None

    def note(self, sentence):
        """Why it cannot; None where it can."""
        if sentence and sentence != self._sentence:
            log.error("%s waits: %s", self._what, sentence)
        elif self._sentence and not sentence:
            log.warning("%s goes on.", self._what)
        self._sentence = sentence


def is_trouble(error):
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in TROUBLE


def sentence_of(error, path):
    """What hinders, for the owner."""
    if isinstance(error, sqlite3.Error):
        return f"{path} cannot be used: {error}."
    return obstacle(Path(error.filename or path), error) if isinstance(error, OSError) else str(error)
