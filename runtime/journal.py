"""The ordered log in front of the state: what is in it happened, in this order.

It knows nothing of rooms or of Flask: a command is a dict that JSON can carry, with its time under `at` (milliseconds
UTC). There are three kinds of journal: in memory, in a SQLite file, and in a Redis Stream that several processes share.
All offer the same:

    follow(rebuild, receive)  opens the log: calls rebuild(entries) with all of it, then receive(position, command) for
                              each command behind that, in order. Where the log cannot be gone on with, as after a
                              long absence, rebuild is called again. Raises ValueError, with a sentence, for a log
                              that cannot be used.
    append(command)           puts a command at the end; gives its position once `receive` has had it. Raises
                              Unavailable when that cannot be done now, or not within two seconds: then the command
                              may be in the log or not.
    replay(after=None)        gives (position, command) for everything behind the position `after`, or for all, in
                              order; changes nothing, and needs no `follow` before it
    forgotten()               how many commands were trimmed so far, nan where nobody can tell; needs no `follow`
    catch_up()                returns when `receive` has had all that is in the log now. Raises Unavailable.
    exchange(note)            leaves what note() gives for the processes that share this log, and gives what they
                              left: {process: note}, without those that are gone. Raises Unavailable. Costs next to
                              nothing where note() gives the same object again, and nobody else left anything new.
    probe()                   returns when the log has taken something on trial, which is no command, as it takes a
                              command. Raises Unavailable, within two seconds.
    trim(before)              forgets what is older than `before`, in milliseconds UTC
    fill(entries)             puts these (position, command) into a log with nothing in it, or none of them, and needs
                              no `follow` before it; keeps the positions of a log of its own kind. Raises ValueError,
                              with a sentence, where something is in it, and where it cannot be done.
    close()                   ends
    began                     sign-ins from before this time, in milliseconds UTC, are not in this log

A further kind is a class with these, a line in `open_journal`, a kind of `WrongTries` in runtime/pace.py where several
processes share it, and a kind of `address` in tests/test_journal.py, which asks all kinds for the same promises.
"""

import contextlib
import errno
import gc
import glob
import itertools
import logging
import math
import os
import re
import secrets
import shlex
import sqlite3
import tempfile
import threading
import time
import zlib
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import orjson

from runtime import lease, records, settings
from runtime.obstacles import obstacle

log = logging.getLogger("party.journal")

LATEST = 1 << 47  # milliseconds: of no later year than 6429 is a command, and dates end with 9999


class Unavailable(Exception):
    """The log cannot be written, or not be asked, just now. Says why, without a full stop."""

    def __init__(self, why):
        super().__init__(why.rstrip("."))


def open_journal(address):
    """The journal that `address` names: `memory:`, `redis://…`, or the path of a file. Touches nothing yet.

    Raises ValueError, with a sentence, for an address that is none.
    """
    if address == "memory:":
        return MemoryJournal()
    if settings.is_redis(address):
        return RedisJournal(address)
    if address.strip() in ("", "memory", "redis") or re.match(r"\w{2,}:", address) or os.path.isdir(address):
        kind = address.partition(":")[0] + ":…" if ":" in address else repr(address)  # behind it may be a password
        raise ValueError(f"must be memory:, the path of a file or redis://…, not {kind}.")
    return FileJournal(address)


def as_text(command):
    return orjson.dumps(command).decode()


def is_command(thing):
    """Whether it has what is asked of every command."""
    return (
        isinstance(thing, dict)
        and (type(thing.get("id")), type(thing.get("at")), type(thing.get("kind"))) == (str, int, str)
        and 0 <= thing["at"] < LATEST
    )


class Batch:
    """Commands that are written in one go."""

    def __init__(self):
        self.commands, self.texts = [], []
        self.outcomes = []  # for each its position, or what its `receive` raised; none where they were not written
        self.why = "whoever was writing was stopped"
        self.is_done = threading.Event()

    def outcome(self, place):
        if not self.outcomes:
            raise Unavailable(self.why)
        if isinstance(self.outcomes[place], Exception):
            raise self.outcomes[place]
        return self.outcomes[place]


class Together:
    """Commands that wait together are written in one go: who lays in the first of a batch writes it for all.

    While one batch is written, the next one gathers. Who waits for nobody is not made to wait for company.
    """

    MOST_TOGETHER = 64
    PATIENCE_SECONDS = 2  # for everything that somebody waits for
    TURN_SECONDS = 1  # of these, until one's turn comes

    def __init__(self):
        self._turn = threading.Lock()  # the order of writing is the order of receiving
        self._laying_in = threading.Lock()
        self._batch = Batch()  # into which commands are laid now

    def append(self, command):
        batch, place = self._lay_in(command, as_text(command))
        if place == 0:
            self._lead(batch)
        else:
            batch.is_done.wait()
        return batch.outcome(place)

    def _lay_in(self, command, text):
        with self._laying_in:
            if len(self._batch.commands) == self.MOST_TOGETHER:
                self._batch = Batch()
            batch = self._batch
            batch.commands.append(command)
            batch.texts.append(text)
            return batch, len(batch.commands) - 1

    def _lead(self, batch):
        """Write the batch, with all that is laid in until its turn comes."""
        deadline = time.monotonic() + self.PATIENCE_SECONDS
        try:
            # Every other greenlet that is ready lays its command in now: while SQLite waits for the disk, none can.
            time.sleep(0)
            if not self._turn.acquire(timeout=self.TURN_SECONDS):
                raise Unavailable("too many wait for the log")
            try:
                self._seal(batch)
                outcomes = self._write(batch)
            finally:
                self._turn.release()
            self._wait_for(outcomes, deadline)
            batch.outcomes = outcomes
        except Unavailable as error:
            batch.why = str(error)
        finally:
            self._seal(batch)
            batch.is_done.set()

    def _wait_for(self, outcomes, deadline):
        """Until `receive` has had what was written. Here it has, unless a kind of journal says otherwise."""

    def _seal(self, batch):
        """Let nothing more be laid in."""
        with self._laying_in:
            if self._batch is batch:
                self._batch = Batch()


class OneProcess:
    """What is simple for a log that one process has for itself: nobody else writes, nobody else is there."""

    def catch_up(self):
        pass

    def exchange(self, note):
        return {}


class MemoryJournal(OneProcess):
    """A log that lives and ends with its process."""

    # Nothing is rebuilt from this log, so its oldest part may go at any time: an evening of thirty friends is kept.
    KEPT_COMMANDS = 20_000

    def __init__(self):
        self.began = time.time_ns() // 1_000_000
        self._turn = threading.Lock()  # the order of writing is the order of receiving
        self._positions = itertools.count(1)
        self._log = deque(maxlen=self.KEPT_COMMANDS)

    def follow(self, rebuild, receive):
        self._receive = receive
        rebuild(self.replay())

    def append(self, command):
        with self._turn:
            position = next(self._positions)
            self._log.append((position, command))
            self._receive(position, command)
        return position

    def probe(self):
        pass

    def replay(self, after=None):
        return [entry for entry in list(self._log) if entry[0] > (after or 0)]

    def forgotten(self):
        return self._log[0][0] - 1 if self._log else math.nan

    def trim(self, before):
        while self._log and self._log[0][1]["at"] < before:
            self._log.popleft()

    def fill(self, entries):
        raise ValueError("is memory:, which ends with its process: name a file or a Redis.")

    def close(self):
        pass


# --- A file -----------------------------------------------------------------------------------------------------------


class Damaged(ValueError):
    """Something of the log in this file was changed or is missing: better no party than half a one."""

    def __init__(self, path, what):
        super().__init__(
            f"{path} {what}, and was left as it is. What is whole before that is saved by"
            f" `.venv/bin/flask --app app rescue {shlex.quote(str(path))}`; or put a backup in its place."
        )


class FileJournal(OneProcess, Together):
    """A log in a SQLite file, for one process: a command is in it, on the disk, before anybody hears of it.

    Commands that wait together share one transaction, and one wait for the disk.
    """

    began = 0
    # FULL waits for the disk at every commit, so that a power cut loses nothing that was acknowledged. NORMAL is
    # faster and would lose the last seconds; a killed process loses nothing with either.
    SYNCHRONOUS = "FULL"
    KEPT_FREE_BYTES = 4_000_000  # of SQLite's own log, when it is started over: what a thousand pages take
    LEAST_FREE_BYTES = 100_000  # a start needs half of it
    # Whoever waits for the file stops everybody, and nobody else writes: only somebody's own tools can be in the way.
    BUSY_SECONDS = 0.2

    def __init__(self, path):
        super().__init__()
        self.path, self.wal = Path(path), Path(f"{path}-wal")
        self._full = False
        self._open_files = contextlib.ExitStack()

    def follow(self, rebuild, receive):
        with contextlib.ExitStack() as if_it_fails, self._sentences():
            if_it_fails.callback(self.close)
            self.path.parent.mkdir(mode=0o700, exist_ok=True)
            self._lock()
            with nothing_collected():
                self._check()
                rebuild(self.replay())
            self._open()
            if_it_fails.pop_all()
        self._receive = receive

    @contextlib.contextmanager
    def _sentences(self):
        """Makes a ValueError with a sentence out of what the system and SQLite say."""
        try:
            yield
        except OSError as error:
            raise ValueError(obstacle(Path(error.filename or self.path), error)) from error
        except sqlite3.DatabaseError as error:
            code = getattr(error, "sqlite_errorcode", None)
            if not code:  # Python could not read a text, and cites it: those are somebody's words
                raise Damaged(self.path, "is damaged") from None
            if code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
                raise Damaged(self.path, f"is damaged ({error})") from error
            self._ensure_may_write()
            raise ValueError(f"{self.path} cannot be used, and was left as it is: {error}.") from error

    def _ensure_may_write(self):
        """Raises ValueError where the system stands in the way of SQLite, which does not say why."""
        here = self.path
        try:
            with tempfile.TemporaryFile(dir=self.path.parent) as file:
                file.write(bytes(self.LEAST_FREE_BYTES))
            for here in self.path.parent.glob(f"{glob.escape(self.path.name)}*"):
                if not os.access(here, os.R_OK | os.W_OK):
                    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        except OSError as error:
            raise ValueError(obstacle(here, error)) from error

    def _connect(self, path, **how):
        options = {"isolation_level": None, "check_same_thread": False}
        return self._open_files.enter_context(contextlib.closing(sqlite3.connect(path, **options | how)))

    def _lock(self):
        """Keep the file for this process until it ends, however it ends. Reading the log stays allowed."""
        if not self._open_files.enter_context(lease.on(self.path)):
            raise ValueError(f"{self.path} is in use: another party runs on it.")

    def _check(self):
        """Raises ValueError for a file in which something is missing that was there: better no party than half a one.

        A torn tail is no damage: SQLite drops the last transaction where it is not whole.
        """
        said = first_said(self.wal)
        if not self._is_there():
            if said:
                raise Damaged(self.path, f"is missing or empty beside its {self.wal.name}")
            return
        with self._reading() as database:
            if (verdict := database.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
                raise Damaged(self.path, f"is damaged ({verdict})")
            # Without a table nothing was given; unless its write-ahead log says otherwise.
            last = self._check_commands(database) if has_table(database) else 0
        if said > last + 1:
            raise Damaged(self.path, f"lacks commands, since its {self.wal.name} is damaged")

    def _check_commands(self, database):
        """Check every command, and that none is missing; gives the position that was given last."""
        given = last_given(database)
        last = deque((position for position, _ in self._commands(database)), maxlen=1)
        if last and last[0] != given:
            raise Damaged(self.path, "lacks its last commands")
        return given

    def _commands(self, database, after=0, most=-1):
        """(position, text) of each command behind `after`, or of the first `most`, in order. Raises Damaged where one
        was changed or is missing."""
        last = None
        for position, at, text, checksum in database.execute(
            "SELECT position, at, command, checksum FROM log WHERE position > ? ORDER BY position LIMIT ?",
            (after, most),
        ):
            if checksum_of(at, text) != checksum:
                raise Damaged(self.path, f"is damaged at command {position}")
            if last and position != last + 1:
                raise Damaged(self.path, f"lacks commands behind {last}")
            yield position, text
            last = position

    def _is_there(self):
        return self.path.exists() and self.path.stat().st_size > 0

    @contextlib.contextmanager
    def _reading(self):
        """The database for reading alone: SQLite then writes nothing into it, not even what a crash left to do."""
        with contextlib.closing(sqlite3.connect(f"{self.path.absolute().as_uri()}?mode=ro", uri=True)) as database:
            yield database

    def _open(self):
        is_new = not self._is_there()
        self.path.touch(mode=0o600)  # the mode of what SQLite puts beside it follows
        self._database = self._connect(self.path, timeout=self.BUSY_SECONDS)
        if is_new:
            # Killed in the middle of its first write, it is to be empty or begun, and nothing to be rolled back.
            self._database.execute("PRAGMA journal_mode = OFF")
        for setting in (
            "journal_mode = WAL",
            f"synchronous = {self.SYNCHRONOUS}",
            f"journal_size_limit = {self.KEPT_FREE_BYTES}",
            "secure_delete = ON",  # words that were trimmed are overwritten
        ):
            self._database.execute(f"PRAGMA {setting}")
        self._database.execute(
            "CREATE TABLE IF NOT EXISTS log (position INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL,"
            " command TEXT NOT NULL, checksum INTEGER NOT NULL)"
        )
        self._database.execute(
            "INSERT INTO sqlite_sequence SELECT 'new', 0"  # for `first_said`; fails where it may only be read
            " WHERE NOT EXISTS (SELECT * FROM sqlite_sequence WHERE name = 'new')"
        )

    def _write(self, batch):
        """Write it in one transaction, and receive each; where that fails, none is received."""
        positions = self._on_disk(self._commit, batch)
        return [self._receive_one(*entry) for entry in zip(positions, batch.commands, strict=True)]

    def probe(self):
        """Write a number that SQLite keeps in the file for its user: a transaction and its wait, as any."""
        if not self._turn.acquire(timeout=self.TURN_SECONDS):
            raise Unavailable("too many wait for the log")
        try:
            self._on_disk(self._database.execute, "PRAGMA user_version = 1")
        finally:
            self._turn.release()

    def _on_disk(self, write, *what):
        """What `write(*what)` gives. Raises Unavailable when that cannot be."""
        try:
            given = write(*what)
        except sqlite3.Error as error:
            self._note(error)
            raise Unavailable(str(error)) from error
        self._note(None)
        return given

    def _receive_one(self, position, command):
        """Gives the position, or what went wrong: that is for the one who appended this."""
        try:
            self._receive(position, command)
            return position
        except Exception as error:
            return error

    def _commit(self, batch):
        """Gives the positions."""
        with self._database as database:
            database.execute("BEGIN IMMEDIATE")
            positions = [self._insert(*row) for row in zip(batch.commands, batch.texts, strict=True)]
            database.execute("UPDATE sqlite_sequence SET seq = ? WHERE name = 'new'", positions[:1])
        return positions

    def _insert(self, command, text, position=None):
        """Gives the position: that one, else the next."""
        row = (position, command["at"], text, checksum_of(command["at"], text))
        statement = "INSERT INTO log (position, at, command, checksum) VALUES (?, ?, ?, ?)"
        return self._database.execute(statement, row).lastrowid

    def fill(self, entries):
        with contextlib.closing(self):
            self.follow(self._ensure_empty, None)
            with self._sentences(), self._database as database:
                database.execute("BEGIN IMMEDIATE")
                for position, command in entries:
                    self._insert(command, as_text(command), position if isinstance(position, int) else None)

    def _ensure_empty(self, entries):
        for _ in entries:
            raise ValueError(f"{self.path} holds commands already, and was left as it is.")

    def _note(self, error):
        """Tell the owner when writing stops and when it goes on, once each."""
        if error and not self._full:
            log.error("%s cannot be written: %s. Commands are refused until it can.", self.path, error)
        elif self._full and not error:
            log.warning("%s can be written again.", self.path)
        self._full = bool(error)

    def replay(self, after=None):
        with self._sentences():
            if not self._is_there():
                return
            with self._reading() as database:
                if has_table(database):
                    for position, text in self._commands(database, after or 0):
                        if (command := command_in(position, text)) is not None:
                            yield position, command

    def forgotten(self):
        with self._sentences():
            if not self._is_there():
                return 0
            with self._reading() as database:
                if not has_table(database):
                    return 0
                first = database.execute("SELECT min(position) FROM log").fetchone()[0]
                return first - 1 if first else last_given(database)

    def whole(self):
        """What `replay` gives, up to the first damage. One by one: a query looks ahead, and would fail too early."""
        last = 0
        with contextlib.suppress(Damaged, sqlite3.DatabaseError), self._reading() as database:
            while found := list(self._commands(database, last, most=1)):
                position, text = found[0]
                command = command_in(position, text)
                if command is None or last and position != last + 1:
                    return
                yield position, command
                last = position

    def trim(self, before):
        with self._turn, contextlib.suppress(sqlite3.Error):  # another time, then
            kept = self._database.execute(
                "SELECT position FROM log WHERE at >= ? ORDER BY position LIMIT 1", (before,)
            ).fetchone()
            if self._database.execute("DELETE FROM log WHERE position < ?", kept or (1 << 62,)).rowcount:
                # The words go out of the write-ahead log as well, unless somebody reads just now: who was frozen in the
                # middle of that would make everybody wait.
                self._database.execute("PRAGMA busy_timeout = 0")
                self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                self._database.execute(f"PRAGMA busy_timeout = {self.BUSY_SECONDS * 1000:.0f}")

    def close(self):
        with self._turn, contextlib.suppress(sqlite3.Error):
            self._open_files.close()


@contextlib.contextmanager
def nothing_collected():
    """Nothing of a log that is taken up is garbage: looking for some again and again takes a tenth of a start."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def has_table(database):
    """Whether the file is more than begun: a kill may come before its table is made."""
    return database.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0] > 0


def last_given(database):
    """The position that was given last, be it trimmed since; 0 where none was."""
    given = database.execute("SELECT seq FROM sqlite_sequence WHERE name = 'log'").fetchone()
    return given[0] if given else 0


def checksum_of(at, text):
    return zlib.crc32(f"{at} {text}".encode())


# The row of SQLite's table of the positions that were given (sqlite.org/fileformat2.html, sections 2.1 and 2.6.2) in
# which each transaction says the first of its own: the length of the row's header, the type of a text of three bytes,
# that of a number, the name under which it stands, the number. Nothing else looks like it: the text of a command holds
# no such control characters.
FIRST_OF_NEW = re.compile(rb"\x03\x13([\x01-\x06])new(.{8})", re.DOTALL)
BYTES_OF_TYPE = (0, 1, 2, 3, 4, 6, 8)


def first_said(wal):
    """The first position of the last transaction that any page in SQLite's write-ahead log tells of; 0 where none does.

    SQLite reads that log up to the first page that is not whole, and drops the rest in silence: right for a torn
    transaction at the end, wrong when more of them stand behind it. Every transaction that adds commands says where it
    begins, and what stands there from before the log was started over says a lower position.
    """
    data = wal.read_bytes() if wal.exists() else b""
    numbers = (number[: BYTES_OF_TYPE[kind[0]]] for kind, number in FIRST_OF_NEW.findall(data + bytes(8)))
    return max((int.from_bytes(number) for number in numbers), default=0)


# --- A Redis Stream ---------------------------------------------------------------------------------------------------

ANSWER_SECONDS = 0.9  # for one answer of Redis, and before it for a free connection
CONNECTIONS = 16  # at once, for questions; what is written has turns, and a connection of its own


def redis_at(address):
    """The Redis at `address`, for questions: each is answered or fails within two seconds. Does not connect.

    Raises ValueError, with a sentence, for an address that is none.
    """
    import redis

    options = redis_options(address) | {"max_connections": CONNECTIONS, "timeout": ANSWER_SECONDS}
    return redis.Redis(connection_pool=redis.BlockingConnectionPool(**options))


def redis_options(address):
    """What a connection to the Redis at `address` is made with. Raises ValueError, with a sentence."""
    import redis
    from redis.backoff import NoBackoff
    from redis.connection import parse_url
    from redis.retry import Retry

    ours = {
        "protocol": 2,
        "decode_responses": True,
        "encoding_errors": "replace",
        "socket_connect_timeout": ANSWER_SECONDS,
        "socket_timeout": ANSWER_SECONDS,
        # The library would try again by itself, and a command would be in the log twice.
        "retry": Retry(NoBackoff(), 0),
    }
    try:
        options = parse_url(address) | ours
        if not address.startswith("unix:") and not re.fullmatch(r"/?\d*", urlsplit(address).path):
            raise ValueError("the library would take this for number 0")
        redis.ConnectionPool(**options).make_connection()  # here it looks at what it was given
    except (ValueError, TypeError):
        # Not with the reason, which may hold a part of a password.
        raise ValueError("is not an address of a Redis: redis://HOST:PORT/NUMBER is one.") from None
    return options


class RedisJournal(Together):
    """A log in a Redis Stream, for as many processes as follow it: all apply what they read, in the stream's order.

    Redis must keep it: with `appendonly yes` and `appendfsync always` nothing acknowledged is lost, whatever is killed.
    """

    began = 0
    STREAM, HERE, PROBE = "party:log", "party:here", "party:probe"
    CHANGED = ""  # beside the names in HERE: another text after each change. A process without a note, for who is older
    READ_SECONDS = 0.5  # a reader that waits for news hears at least this often that there is none
    READ_AT_ONCE = 500
    SLICE_SECONDS = 0.003  # of receiving, then who has something else to do goes first
    # Behind what was new, more is awaited so long, and one reading serves for all of it; unless somebody here waits.
    GATHER_SECONDS = 0.01
    PROBE_SECONDS = 60  # then what was written on trial goes by itself
    REWRITE_SECONDS = 3_600
    # Counted in exchanges that were answered, of which the party has four a second, and not in seconds: who was frozen,
    # or without Redis, must not take the others for gone.
    STILL_HERE_EVERY, GONE_AFTER = 20, 60

    def __init__(self, address):
        """Raises ValueError for an address that is none. Does not connect."""
        import redis  # only who uses it waits for its import

        super().__init__()
        self._errors = redis.RedisError
        self._loading = redis.BusyLoadingError
        self._silence = redis.ConnectionError, redis.TimeoutError  # their kinds are answers: a no, or not yet
        self._redis = redis_at(address)
        self._reader, self._writer = (
            redis.Redis(connection_pool=redis.ConnectionPool(**redis_options(address))) for _ in range(2)
        )
        self._name = secrets.token_urlsafe(9)
        self._position = "0-0"  # of the last command that `receive` has had
        self._received = threading.Condition()
        self._is_awaited = threading.Event()  # that something is received
        self._away = None  # why Redis cannot be asked just now
        self._ended = False
        self._rewrite_due = 0
        self._others, self._exchanges, self._answered = {}, 0, 0
        self._note_given, self._note_text = None, None  # what note() gave last
        self._left, self._change = None, None  # our text in HERE, and what stood under CHANGED when all was fetched

    def follow(self, rebuild, receive):
        self._rebuild, self._receive = rebuild, receive
        deadline = time.monotonic() + 60
        while True:
            try:
                # A line of its own, which never breaks in silence: the library mends those of a pool by itself, and
                # behind another one the log may be another.
                self._line = self._reader.client()
                self._start_over()
                break
            except self._loading:
                if time.monotonic() > deadline:
                    raise ValueError("names a Redis that has been loading for a minute.") from None
                time.sleep(0.2)
            except self._errors as error:
                raise self._refusal(error) from error
        self._warn_of_settings()
        threading.Thread(target=self._read_on, daemon=True).start()

    def _refusal(self, error):
        """The ValueError for a Redis that gives this."""
        if type(error) not in self._silence:
            return ValueError(f"names a Redis that cannot be used: {str(error).rstrip('.')}.")
        at = self._redis.connection_pool.connection_kwargs  # not the address, which may hold a password
        place = at.get("path") or f"{at.get('host', 'localhost')}:{at.get('port', 6379)}"
        return ValueError(f"names a Redis, but nothing answers at {place}. Is it started?")

    def _warn_of_settings(self):
        with contextlib.suppress(self._errors):  # some hosts do not tell
            kept = self._redis.config_get("appendonly", "appendfsync")
            if kept and kept != {"appendonly": "yes", "appendfsync": "always"}:
                log.warning("This Redis may lose what was acknowledged: it needs appendonly yes, appendfsync always.")

    def append(self, command):
        if self._away:
            raise Unavailable(self._away)
        return super().append(command)

    def _write(self, batch):
        """Write it: one way there and back, one wait for the disk of Redis, and one answer for each who reads on."""
        adding = self._writer.pipeline(transaction=len(batch.texts) > 1)
        for text in batch.texts:
            adding.xadd(self.STREAM, {"command": text})
        return self._ask(adding.execute)

    def catch_up(self):
        deadline = time.monotonic() + self.PATIENCE_SECONDS
        self._wait_for_last(self._ask(self._redis.xrevrange, self.STREAM, count=1), deadline)

    def probe(self):
        """Redis refuses this where it refuses a command, and waits for its disk; and what it has must come here."""
        deadline = time.monotonic() + self.PATIENCE_SECONDS
        talk = self._redis.pipeline(transaction=False)
        talk.set(self.PROBE, "", ex=self.PROBE_SECONDS)
        talk.xrevrange(self.STREAM, count=1)
        self._wait_for_last(self._ask(talk.execute)[1], deadline)

    def _wait_for_last(self, entries, deadline):
        if entries:
            self._wait_for([entries[0][0]], deadline)

    def _ask(self, question, *what, **how):
        if self._away:
            raise Unavailable(self._away)
        try:
            return question(*what, **how)
        except self._errors as error:
            raise Unavailable(str(error)) from error

    def _wait_for(self, positions, deadline):
        wanted = in_order(positions[-1])
        self._is_awaited.set()
        if in_order(self._position) >= wanted:
            return
        with self._received:
            if not self._received.wait_for(lambda: in_order(self._position) >= wanted, deadline - time.monotonic()):
                raise Unavailable("the log could not be read in time")

    def _read_on(self):
        """Receive what is new, for ever, on a connection that nobody else uses."""
        goes_on, heard = True, time.monotonic()  # whether the next thing read is the next thing in the log
        while not self._ended:
            try:
                if not goes_on and not self._is_kept(self._position):
                    self._start_over()
                if self._receive_all(self._news()):
                    self._is_awaited.wait(self.GATHER_SECONDS)
                self._is_awaited.clear()
                self._note(None)
                # After a silence that is no answer of Redis, as when this process was frozen, much may be trimmed.
                before, heard = heard, time.monotonic()
                goes_on = heard - before < self.READ_SECONDS + ANSWER_SECONDS
            except Exception as error:  # whatever it is: without this loop nothing would ever be received again
                # One failure may be this process's own, which was frozen: who asks then is answered a moment later,
                # not with what was new before.
                if not goes_on:
                    self._note(error)
                goes_on = False
                self._reader.connection_pool.disconnect()
                time.sleep(0.1)

    def _receive_all(self, news):
        """Gives whether there was any. In slices: what is received may be told to thousands."""
        before = self._position
        slice_ends = time.monotonic() + self.SLICE_SECONDS
        for position, command in news:
            self._receive_one(position, command)
            self._position = position
            if time.monotonic() >= slice_ends:
                self._wake()
                time.sleep(0)
                slice_ends = time.monotonic() + self.SLICE_SECONDS
        self._wake()
        return self._position != before

    def _receive_one(self, position, command):
        try:
            if command is not None:
                self._receive(position, command)
        except Exception:
            records.recurring_mistake(log, f"Command {position} could not be applied; the next ones are.")

    def _news(self):
        # One that comes back is not waited for: commands are refused until this says that it answers.
        milliseconds = None if self._away else int(self.READ_SECONDS * 1000)
        for _, entries in self._line.xread({self.STREAM: self._position}, self.READ_AT_ONCE, milliseconds):
            for position, fields in entries:
                yield position, command_in(position, fields.get("command", ""))

    def _wake(self):
        with self._received:
            self._received.notify_all()

    def _is_kept(self, position):
        """Whether the log still holds what was read last. If not, it was trimmed behind it, or Redis lost its end."""
        return position == "0-0" or bool(self._line.xrange(self.STREAM, position, position))

    def _start_over(self):
        """Rebuild from all that there is; nothing is served meanwhile."""
        entries = list(self._entries(self._line))
        self._rebuild(entries)
        self._position = entries[-1][0] if entries else "0-0"
        self._wake()

    def _note(self, error):
        """Tell the owner when Redis goes and when it is back, once each."""
        if error and not self._away:
            mistake = None if isinstance(error, self._errors) else error
            log.error(
                "Redis does not answer (%s). Commands are refused until it does.",
                type(error).__name__,
                exc_info=mistake,
            )
        elif self._away and not error:
            log.warning("Redis answers again.")
        self._away = error and (str(error) or type(error).__name__)

    def replay(self, after=None):
        try:
            yield from self._entries(self._redis, after)
        except self._errors as error:
            raise self._refusal(error) from error

    def _entries(self, redis, after=None):
        """Of what `redis` tells: the reader's own line, or the one for questions, which the reader never closes."""
        start = f"({after}" if after else "-"
        while entries := redis.xrange(self.STREAM, start, count=self.READ_AT_ONCE):
            for position, fields in entries:
                if (command := command_in(position, fields.get("command", ""))) is not None:
                    yield position, command
            start = f"({position}"

    def forgotten(self):
        """Redis counts what ever was put into a stream, from its version 7 on."""
        try:
            if not self._redis.exists(self.STREAM):
                return 0
            about = self._redis.xinfo_stream(self.STREAM)
        except self._errors as error:
            raise self._refusal(error) from error
        return about.get("entries-added", math.nan) - about["length"]

    def exchange(self, note):
        if self._ended:
            return {}
        self._exchanges += 1
        mine = self._text_of(note())
        is_news = mine != self._left or self._exchanges % self.STILL_HERE_EVERY == 0
        if is_news or self._change is None or self._ask(self._redis.hget, self.HERE, self.CHANGED) != self._change:
            self._fetch_notes(mine if is_news else None)
        self._answered += 1
        for name in [name for name, other in self._others.items() if self._answered > other.last + self.GONE_AFTER]:
            self._ask(self._redis.hdel, self.HERE, name, self.CHANGED)
            del self._others[name]
        return {name: other.note for name, other in self._others.items()}

    def _text_of(self, note):
        """Made anew for another note only: most of the time it is the same."""
        if note is not self._note_given:
            self._note_given, self._note_text = note, as_text(note)
        return self._note_text

    def _fetch_notes(self, mine):
        """Leave `mine`, where it is news, and fetch what the others left."""
        talk = self._redis.pipeline(transaction=False)
        if mine:
            change = f"{self._name}{self._exchanges}"
            talk.hset(self.HERE, mapping={self._name: f"{self._exchanges} {mine}", self.CHANGED: f"{change} {{}}"})
        talk.hgetall(self.HERE)
        said = self._ask(talk.execute)[-1]
        self._change = said.pop(self.CHANGED, None)
        # A Redis that forgot ours is told again.
        self._left = said.pop(self._name, "").partition(" ")[2]
        self._others = {name: self._heard(name, words) for name, words in said.items()}

    def _heard(self, name, words):
        other = self._others.get(name)
        if other and other.words == words:
            return other
        return Other(words, orjson.loads(words.partition(" ")[2]), self._answered)

    def trim(self, before):
        """By the times in the commands: the clock of Redis may be another."""
        with contextlib.suppress(self._errors):  # another time, then
            end = "0-0"
            for position, command in self._entries(self._redis):
                if command["at"] >= before:
                    end = position
                    break
                milliseconds, number = in_order(position)
                end = f"{milliseconds}-{number + 1}"
            if self._redis.xtrim(self.STREAM, minid=end, approximate=False):
                self._rewrite()

    def fill(self, entries):
        """By way of a draft, which is given its name in one command."""
        draft = f"{self.STREAM}:draft"

        def put_in_place(redis):
            self._ensure_empty(redis)
            redis.multi()
            if count:
                redis.rename(draft, self.STREAM)

        try:
            self._ensure_empty(self._redis)
            self._redis.unlink(draft)
            count, entries = 0, iter(entries)
            while some := list(itertools.islice(entries, self.READ_AT_ONCE)):
                adding = self._redis.pipeline(transaction=False)
                for position, command in some:
                    adding.xadd(draft, {"command": as_text(command)}, position if isinstance(position, str) else "*")
                count += len(adding.execute())
            self._redis.transaction(put_in_place, self.STREAM, self.HERE)
        except self._errors as error:
            raise self._refusal(error) from error
        finally:
            with contextlib.suppress(self._errors):
                self._redis.unlink(draft)

    def _ensure_empty(self, redis):
        if redis.xlen(self.STREAM):
            raise ValueError("names a Redis that holds commands already; it was left as it is.")
        if redis.exists(self.HERE):  # it would go on with what it knows, behind commands that it never read
            raise ValueError(
                "names a Redis on which a party runs: stop it first. Where none does any more, since it was killed,"
                f" `redis-cli del {self.HERE}` says so."
            )

    def _rewrite(self):
        """Let the words go out of the file of Redis too, which else keeps them until it has doubled."""
        if time.monotonic() >= self._rewrite_due:
            self._rewrite_due = time.monotonic() + self.REWRITE_SECONDS
            self._redis.bgrewriteaof()

    def close(self):
        """Its people go at once, not only when the others notice."""
        self._ended = True
        with contextlib.suppress(Unavailable):
            self._ask(self._redis.hdel, self.HERE, self._name, self.CHANGED)


@dataclass
class Other:
    """What another process said last, and at which exchange that was answered here it was new."""

    words: str
    note: object
    last: int


def command_in(position, text):
    """The command in an entry of the log. None, with a word to the owner, for what somebody else put there."""
    with contextlib.suppress(ValueError):
        if is_command(command := orjson.loads(text)):
            return command
    log.error("What stands at %s in the log is no command, and is passed over.", position)


def in_order(position):
    """What a position of a stream is compared by."""
    return tuple(map(int, position.split("-")))
