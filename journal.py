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
    catch_up()                returns when `receive` has had all that is in the log now. Raises Unavailable.
    exchange(note)            leaves what note() gives for the processes that share this log, and gives what they
                              left: {process: note}, without those that are gone. Raises Unavailable.
    trim(before)              forgets what is older than `before`, in milliseconds UTC
    close()                   ends
    began                     sign-ins from before this time, in milliseconds UTC, are not in this log
"""

import contextlib
import itertools
import json
import logging
import re
import secrets
import sqlite3
import struct
import threading
import time
import zlib
from collections import deque
from dataclasses import dataclass
from pathlib import Path

log = logging.getLogger("party.journal")


class Unavailable(Exception):
    """The log cannot be written, or not be asked, just now."""


def open_journal(address):
    """The journal that `address` names: `memory:`, `redis://…`, or the path of a file. Touches nothing yet.

    Raises ValueError, with a sentence, for an address that is none.
    """
    if address == "memory:":
        return MemoryJournal()
    if re.match(r"(rediss?|unix)://", address):
        return RedisJournal(address)
    if not address.strip() or re.match(r"\w{2,}:", address) or Path(address).is_dir():
        kind = address.partition(":")[0] + ":…" if ":" in address else repr(address)  # behind it may be a password
        raise ValueError(f"must be memory:, the path of a file or redis://…, not {kind}")
    return FileJournal(address)


def as_text(command):
    return json.dumps(command, ensure_ascii=False, separators=(",", ":"))


class OneProcess:
    """What is simple for a log that one process has for itself: nobody else writes, nobody else is there."""

    def __init__(self):
        self._turn = threading.Lock()  # the order of writing is the order of receiving

    def append(self, command):
        with self._turn:
            position = self._write(command)
            self._receive(position, command)
        return position

    def catch_up(self):
        pass

    def exchange(self, note):
        return {}


class MemoryJournal(OneProcess):
    """A log that lives and ends with its process."""

    # Nothing is rebuilt from this log, so its oldest part may go at any time: an evening of thirty friends is kept.
    KEPT_COMMANDS = 20_000

    def __init__(self):
        super().__init__()
        self.began = time.time_ns() // 1_000_000
        self._positions = itertools.count(1)
        self._log = deque(maxlen=self.KEPT_COMMANDS)

    def follow(self, rebuild, receive):
        self._receive = receive
        rebuild(self.replay())

    def _write(self, command):
        self._log.append((next(self._positions), command))
        return self._log[-1][0]

    def replay(self, after=None):
        return [entry for entry in self._log if entry[0] > (after or 0)]

    def trim(self, before):
        while self._log and self._log[0][1]["at"] < before:
            self._log.popleft()

    def close(self):
        pass


# --- A file -----------------------------------------------------------------------------------------------------------


class FileJournal(OneProcess):
    """A log in a SQLite file, for one process: a command is in it, on the disk, before anybody hears of it."""

    began = 0
    # FULL waits for the disk at every commit, so that a power cut loses nothing that was acknowledged. NORMAL is
    # faster and would lose the last seconds; a killed process loses nothing with either.
    SYNCHRONOUS = "FULL"
    KEPT_FREE_BYTES = 4_000_000  # of SQLite's own log, when it is started over: what a thousand pages take

    def __init__(self, path):
        super().__init__()
        self.path = Path(path)
        self._full = False

    def follow(self, rebuild, receive):
        with self._sentences():
            self.path.parent.mkdir(mode=0o700, exist_ok=True)
            self._lock()
            self._check()
            rebuild(self.replay())
            self._open()
        self._receive = receive

    @contextlib.contextmanager
    def _sentences(self):
        """Makes a ValueError with a sentence out of what the system and SQLite say."""
        try:
            yield
        except OSError as error:
            raise ValueError(f"{self.path} cannot be used: {error.strerror}") from error
        except sqlite3.DatabaseError as error:
            raise ValueError(f"{self.path} cannot be used, and was left as it is: {error}") from error

    def _lock(self):
        """Keep the file for this process until it ends, however it ends.

        SQLite's own lock on an empty file beside it: that holds on every system, and reading the log stays allowed.
        """
        Path(f"{self.path}-lock").touch(mode=0o600)
        self._locked = sqlite3.connect(f"{self.path}-lock", timeout=0, isolation_level=None, check_same_thread=False)
        try:
            self._locked.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                raise
            raise ValueError(f"{self.path} is in use: another party runs on it") from None

    def _check(self):
        """Raises ValueError for a file in which something is missing that was there: better no party than half a one.

        A torn tail is no damage: SQLite drops the last transaction where its frames are not whole.
        """
        if not self._is_there():
            return
        if is_damaged_inside(Path(f"{self.path}-wal")):
            raise ValueError(f"{self.path}-wal is damaged, and was left as it is: commands would be missing")
        with self._reading() as database:
            if (said := database.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
                raise ValueError(f"{self.path} is damaged, and was left as it is: {said}")
            last = database.execute("SELECT seq FROM sqlite_sequence WHERE name = 'log'").fetchone()
            position = None
            for position, command, checksum in database.execute(
                "SELECT position, command, checksum FROM log ORDER BY position"
            ):
                if zlib.crc32(command.encode()) != checksum:
                    raise ValueError(f"{self.path} is damaged at command {position}, and was left as it is")
            count, first = database.execute("SELECT count(*), min(position) FROM log").fetchone()
            if count and (position, count) != (last and last[0], position - first + 1):
                raise ValueError(f"{self.path} lacks commands, and was left as it is")

    def _is_there(self):
        return self.path.exists() and self.path.stat().st_size > 0

    @contextlib.contextmanager
    def _reading(self):
        """The database for reading alone: SQLite then writes nothing into it, not even what a crash left to do."""
        with contextlib.closing(sqlite3.connect(f"{self.path.absolute().as_uri()}?mode=ro", uri=True)) as database:
            yield database

    def _open(self):
        self.path.touch(mode=0o600)  # the mode of what SQLite puts beside it follows
        self._database = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
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

    def _write(self, command):
        text = as_text(command)
        try:
            written = self._database.execute(
                "INSERT INTO log (at, command, checksum) VALUES (?, ?, ?)",
                (command["at"], text, zlib.crc32(text.encode())),
            )
        except sqlite3.Error as error:
            self._note(error)
            raise Unavailable(str(error)) from error
        self._note(None)
        return written.lastrowid

    def _note(self, error):
        """Tell the owner when writing stops and when it goes on, once each."""
        if error and not self._full:
            log.error("%s cannot be written: %s. Commands are refused until it can.", self.path, error)
        elif self._full and not error:
            log.warning("%s can be written again.", self.path)
        self._full = bool(error)

    def replay(self, after=None):
        if not self._is_there():
            return
        with self._reading() as database:
            for position, command in database.execute(
                "SELECT position, command FROM log WHERE position > ? ORDER BY position", (after or 0,)
            ):
                yield position, json.loads(command)

    def trim(self, before):
        with self._turn, contextlib.suppress(sqlite3.Error):  # another time, then
            kept = self._database.execute(
                "SELECT position FROM log WHERE at >= ? ORDER BY position LIMIT 1", (before,)
            ).fetchone()
            self._database.execute("DELETE FROM log WHERE position < ?", kept or (1 << 62,))

    def close(self):
        with self._turn, contextlib.suppress(sqlite3.Error):
            self._database.close()
            self._locked.close()


# A frame of SQLite's write-ahead log: page, size of the database after a commit (else 0), two salts, two checksums.
WAL_HEADER, WAL_FRAME = struct.Struct(">8I"), struct.Struct(">6I")


def is_damaged_inside(path):
    """Whether the write-ahead log at `path` holds commits behind a frame that is not whole.

    SQLite would drop them in silence, as if they were the rest of a torn transaction. That rest has one commit at
    most, so two are a sign of damage. Source: sqlite.org/fileformat2.html, sections 4.1 to 4.3.
    """
    data = path.read_bytes() if path.exists() else b""
    if len(data) < WAL_HEADER.size + WAL_FRAME.size:
        return False
    magic, _, page_size, _, *salts, sum_1, sum_2 = WAL_HEADER.unpack_from(data)
    words = struct.Struct(">II" if magic & 1 else "<II")
    checksum = wal_checksum(words, data[:24])
    whole, commits = checksum == (sum_1, sum_2), 0
    salts = salts if whole else list(WAL_FRAME.unpack_from(data, WAL_HEADER.size)[2:4])
    size = WAL_FRAME.size + (page_size if whole else 4096)
    for start in range(WAL_HEADER.size, len(data) - size + 1, size):
        _, commit, *of_frame, sum_1, sum_2 = WAL_FRAME.unpack_from(data, start)
        if whole:
            checksum = wal_checksum(words, data[start : start + 8], checksum)
            checksum = wal_checksum(words, data[start + WAL_FRAME.size : start + size], checksum)
            whole = of_frame == salts and checksum == (sum_1, sum_2)
        commits += not whole and of_frame == salts and commit != 0  # other salts: from before SQLite started it over
    return commits > 1


def wal_checksum(words, data, before=(0, 0)):
    sum_1, sum_2 = before
    for word_1, word_2 in words.iter_unpack(data):
        sum_1 = sum_1 + word_1 + sum_2 & 0xFFFFFFFF
        sum_2 = sum_2 + word_2 + sum_1 & 0xFFFFFFFF
    return sum_1, sum_2


# --- A Redis Stream ---------------------------------------------------------------------------------------------------


class RedisJournal:
    """A log in a Redis Stream, for as many processes as follow it: all apply what they read, in the stream's order.

    Redis must keep it: with `appendonly yes` and `appendfsync always` nothing acknowledged is lost, whatever is killed.
    """

    began = 0
    STREAM, HERE = "party:log", "party:here"
    PATIENCE_SECONDS = 2  # for everything that somebody waits for
    ANSWER_SECONDS = 0.9  # for one answer of Redis, and before it for a free connection
    READ_SECONDS = 0.5  # a reader that waits for news hears at least this often that there is none
    CONNECTIONS = 16  # at once for commands; one of them waits for the disk of Redis, not for its turn
    READ_AT_ONCE = 500
    # In exchanges, of which the party has four a second: a process that says nothing new within a minute of ours is
    # not gone when we slept ourselves; one that says nothing in eighty exchanges that we had is.
    STILL_HERE_EVERY, GONE_AFTER = 20, 80

    def __init__(self, address):
        """Raises ValueError for an address that is none. Does not connect."""
        import redis  # only who uses it waits for its import
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        self._errors = redis.RedisError
        self._loading = redis.BusyLoadingError
        options = {
            "protocol": 2,
            "decode_responses": True,
            "socket_connect_timeout": self.ANSWER_SECONDS,
            "socket_timeout": self.ANSWER_SECONDS,
            # The library would try again by itself, and a command would be in the log twice.
            "retry": Retry(NoBackoff(), 0),
        }
        try:
            self._redis = redis.Redis(
                connection_pool=redis.BlockingConnectionPool.from_url(
                    address, max_connections=self.CONNECTIONS, timeout=self.ANSWER_SECONDS, **options
                )
            )
            self._reader = redis.Redis.from_url(address, **options)
        except ValueError as error:
            raise ValueError("is not an address of a Redis: redis://HOST:PORT/NUMBER is one") from error
        self._name = secrets.token_urlsafe(9)
        self._position = "0-0"  # of the last command that `receive` has had
        self._received = threading.Condition()
        self._away = None  # why Redis cannot be asked just now
        self._ended = False
        self._others, self._exchanges, self._left = {}, 0, None

    def follow(self, rebuild, receive):
        self._rebuild, self._receive = rebuild, receive
        deadline = time.monotonic() + 60
        while True:
            try:
                self._start_over()
                break
            except self._loading:
                if time.monotonic() > deadline:
                    raise ValueError("names a Redis that has been loading for a minute") from None
                time.sleep(0.2)
            except self._errors as error:
                raise ValueError(f"names a Redis that cannot be used: {error}") from error
        self._warn_of_settings()
        threading.Thread(target=self._read_on, daemon=True).start()

    def _warn_of_settings(self):
        with contextlib.suppress(self._errors):  # some hosts do not tell
            kept = self._redis.config_get("appendonly", "appendfsync")
            if (kept["appendonly"], kept["appendfsync"]) != ("yes", "always"):
                log.warning("This Redis may lose what was acknowledged: it needs appendonly yes, appendfsync always.")

    def append(self, command):
        deadline = time.monotonic() + self.PATIENCE_SECONDS
        position = self._ask(self._redis.xadd, self.STREAM, {"command": as_text(command)})
        self._wait_for(position, deadline)
        return position

    def catch_up(self):
        deadline = time.monotonic() + self.PATIENCE_SECONDS
        for position, _ in self._ask(self._redis.xrevrange, self.STREAM, count=1):
            self._wait_for(position, deadline)

    def _ask(self, question, *what, **how):
        if self._away:
            raise Unavailable(self._away)
        try:
            return question(*what, **how)
        except self._errors as error:
            raise Unavailable(str(error)) from error

    def _wait_for(self, position, deadline):
        with self._received:
            if not self._received.wait_for(
                lambda: in_order(self._position) >= in_order(position), deadline - time.monotonic()
            ):
                raise Unavailable("the log could not be read in time")

    def _read_on(self):
        """Receive what is new, for ever, on a connection that nobody else uses."""
        goes_on = True  # whether the next thing read is the next thing in the log
        while not self._ended:
            try:
                if not goes_on and not self._is_kept(self._position):
                    self._start_over()
                asked = time.monotonic()
                for position, command in self._news():
                    try:
                        self._receive(position, command)
                    except Exception:
                        log.exception("Command %s could not be applied; the next ones are.", position)
                    self._position = position
                self._wake()
                # After a silence that is no answer of Redis, as when this process was frozen, much may be trimmed.
                goes_on = time.monotonic() - asked < self.READ_SECONDS + self.ANSWER_SECONDS
                self._note(None)
            except self._errors as error:
                # One failure may be this process's own, which was frozen: who asks then is answered a moment later,
                # not with what was new before.
                if not goes_on:
                    self._note(error)
                goes_on = False
                self._reader.connection_pool.disconnect()
                time.sleep(0.1)

    def _news(self):
        # One that comes back is not waited for: commands are refused until this says that it answers.
        milliseconds = None if self._away else int(self.READ_SECONDS * 1000)
        for _, entries in self._reader.xread({self.STREAM: self._position}, self.READ_AT_ONCE, milliseconds):
            for position, fields in entries:
                yield position, json.loads(fields["command"])

    def _wake(self):
        with self._received:
            self._received.notify_all()

    def _is_kept(self, position):
        """Whether the log still holds what was read last. If not, it was trimmed behind it, or Redis lost its end."""
        return position == "0-0" or bool(self._reader.xrange(self.STREAM, position, position))

    def _start_over(self):
        """Rebuild from all that there is; nothing is served meanwhile."""
        entries = list(self.replay())
        self._rebuild(entries)
        self._position = entries[-1][0] if entries else "0-0"
        self._wake()

    def _note(self, error):
        """Tell the owner when Redis goes and when it is back, once each."""
        if error and not self._away:
            log.error("Redis does not answer (%s). Commands are refused until it does.", type(error).__name__)
        elif self._away and not error:
            log.warning("Redis answers again.")
        self._away = error and str(error)

    def replay(self, after=None):
        start = f"({after}" if after else "-"
        while entries := self._reader.xrange(self.STREAM, start, count=self.READ_AT_ONCE):
            for position, fields in entries:
                yield position, json.loads(fields["command"])
            start = f"({position}"

    def exchange(self, note):
        if self._ended:
            return {}
        mine = as_text(note())
        self._exchanges += 1
        talk = self._redis.pipeline(transaction=False)
        if mine != self._left or self._exchanges % self.STILL_HERE_EVERY == 0:
            talk.hset(self.HERE, self._name, f"{self._exchanges} {mine}")
        talk.hgetall(self.HERE)
        said = self._ask(talk.execute)[-1]
        # A Redis that forgot ours is told again.
        self._left = mine if self._name in said else None
        self._others = {name: self._heard(name, words) for name, words in said.items() if name != self._name}
        for name in [name for name, other in self._others.items() if other.missed > self.GONE_AFTER]:
            del self._others[name]
            self._ask(self._redis.hdel, self.HERE, name)
        return {name: other.note for name, other in self._others.items()}

    def _heard(self, name, words):
        other = self._others.get(name)
        if other and other.words == words:
            other.missed += 1
            return other
        return Other(words, json.loads(words.partition(" ")[2]))

    def trim(self, before):
        with contextlib.suppress(Unavailable):  # another time, then
            self._ask(self._redis.xtrim, self.STREAM, minid=before, approximate=False)

    def close(self):
        """Its people go at once, not only when the others notice."""
        self._ended = True
        with contextlib.suppress(Unavailable):
            self._ask(self._redis.hdel, self.HERE, self._name)


@dataclass
class Other:
    """What another process said last, and in how many exchanges it has said nothing new."""

    words: str
    note: object
    missed: int = 0


def in_order(position):
    """What a position of a stream is compared by."""
    return tuple(map(int, position.split("-")))
