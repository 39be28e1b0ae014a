"""The log alone, of all three kinds: what is in it stays in it, in its order, whatever happens."""

import contextlib
import itertools
import json
import os
import random
import resource
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, strategies
from person import PATIENCE, assert_ok, seat, until
from servers import ROOT, Server, free_port, running_redis

from runtime.backup import rescue
from runtime.journal import FileJournal, RedisJournal, Unavailable, as_text, checksum_of, open_journal

STREAM, HERE = RedisJournal.STREAM, RedisJournal.HERE


def command(n, text="Hello", at=None):
    return {"id": f"c{n}", "at": n if at is None else at, "kind": "message", "text": text}


class Follower:
    """Somebody who follows a log, and keeps what it is given."""

    def __init__(self, address):
        self.rebuilt, self.received, self._news = [], [], threading.Condition()
        self.journal = open_journal(str(address))
        self.journal.follow(self.rebuild, self.receive)

    def rebuild(self, log):
        with self._news:
            self.rebuilt.append(list(log))
            self._news.notify_all()

    def receive(self, position, command):
        with self._news:
            self.received.append((position, command))
            self._news.notify_all()

    def append(self, *numbers, **more):
        """Gives the entries as the log must hold them."""
        return [(self.journal.append(command(n, **more)), command(n, **more)) for n in numbers]

    def waits_until(self, fulfilled):
        with self._news:
            assert self._news.wait_for(fulfilled, PATIENCE), (self.rebuilt, self.received)

    def close(self):
        self.journal.close()

    def wait_for_no_disk(self):
        """The same bytes in the same places; only a power cut could tell, and here is none."""
        self.journal._database.execute("PRAGMA synchronous = OFF")
        return self


@pytest.fixture
def follow():
    """Follows the log at an address, until the test ends: `follow(address)`."""
    with contextlib.ExitStack() as followers:
        yield lambda address: followers.enter_context(contextlib.closing(Follower(address)))


@pytest.fixture(params=["memory", "file", pytest.param("redis", marks=pytest.mark.server)])
def address(request, tmp_path):
    """The address of an empty log of each kind."""
    if request.param == "redis":
        return request.getfixturevalue("redis").address
    return {"memory": "memory:", "file": tmp_path / "party.db"}[request.param]


# --- Of every kind ----------------------------------------------------------------------------------------------------


def test_what_is_appended_is_received_and_replayed_in_order(follow, address):
    reader = follow(address)
    assert reader.rebuilt == [[]], "it must be empty first"
    entries = reader.append(1, 2, 3)
    assert reader.received == list(reader.journal.replay()) == entries


def test_replay_goes_on_behind_any_position(follow, address):
    reader = follow(address)
    entries = reader.append(*range(7))
    for n, (position, _) in enumerate(entries, start=1):
        assert list(reader.journal.replay(after=position)) == entries[n:]


def test_many_at_once_are_received_once_each_in_the_order_of_the_log(follow, address):
    reader = follow(address)
    threads = [threading.Thread(target=reader.append, args=range(n, n + 25)) for n in range(0, 200, 25)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(command["at"] for _, command in reader.received) == list(range(200))
    assert reader.received == list(reader.journal.replay())


def test_what_is_old_is_forgotten_and_no_position_is_given_twice(follow, address):
    reader = follow(address)
    given = reader.append(*range(10))
    for before, kept in ((0, 10), (4, 6), (10, 0)):
        reader.journal.trim(before)
        assert list(reader.journal.replay()) == given[10 - kept :]
    again = reader.append(11)
    assert list(reader.journal.replay()) == again
    assert again[0][0] not in [position for position, _ in given]


@pytest.mark.parametrize(
    "address", ["file", pytest.param("redis", marks=pytest.mark.server)], indirect=True
)
def test_how_much_was_forgotten_is_known_also_to_who_does_not_follow(follow, address):
    asks = open_journal(str(address))
    assert asks.forgotten() == 0
    writer = follow(address)
    assert asks.forgotten() == 0
    writer.append(*range(10))
    for before, forgotten in ((0, 0), (4, 4), (10, 10)):
        writer.journal.trim(before)
        assert asks.forgotten() == forgotten
    writer.append(11)
    assert asks.forgotten() == 10


def test_a_log_is_trimmed_and_goes_on_while_somebody_stopped_in_the_middle_of_reading_it(follow, tmp_path, monkeypatch):
    monkeypatch.setattr(FileJournal, "BUSY_SECONDS", 60)  # so long whoever waited would wait
    writer = follow(tmp_path / "party.db")
    entries = writer.append(*range(10))
    with contextlib.closing(open_journal(str(tmp_path / "party.db")).replay()) as reading:
        assert next(reading) == entries[0]
        began = time.monotonic()
        writer.journal.trim(4)
        entries += writer.append(10)
        assert time.monotonic() < began + 30
    assert list(writer.journal.replay()) == entries[4:]


def test_an_old_command_behind_a_newer_one_is_kept_with_it(follow, address):
    """The log is cut at one place: what is kept has no gap."""
    reader = follow(address)
    entries = reader.append(5) + reader.append(1) + reader.append(9)
    reader.journal.trim(4)
    assert list(reader.journal.replay()) == entries


@pytest.mark.parametrize(
    "address", ["file", pytest.param("redis", marks=pytest.mark.server)], indirect=True
)
@pytest.mark.parametrize("before", [0, 4, 10])
def test_a_restart_takes_up_all_that_is_kept(follow, address, before):
    entries = (first := follow(address)).append(*range(10))
    first.journal.trim(before)
    first.close()
    second = follow(address)
    assert second.rebuilt == [entries[before:]]
    more = second.append(10)
    assert [*second.journal.replay()] == entries[before:] + more
    assert more[0][0] not in dict(entries)


@pytest.mark.parametrize(
    "address",
    ["", "  ", "memory", "sqlite:///party.db", "http://:secret@host", "REDIS://:secret@host", "redis://:secret@host:port/0",
     "redis://:sec/ret@host/0", "redis://:secret@host/party", "redis://:secret@host/0?secret=1", "redis://[secret",
     "redis://:secret@host:99999/0", "redis:secret", str(ROOT)],
)  # fmt: skip
def test_an_address_that_is_none_is_refused_without_telling_a_password(address):
    with pytest.raises(ValueError) as refusal:
        open_journal(address)
    assert "sec" not in str(refusal.value)
    assert refusal.value.__suppress_context__ or not refusal.value.__context__


@pytest.mark.parametrize("path", ["no/such/folder/party.db", "a-file/party.db", "n" * 300])
def test_a_path_that_cannot_be_is_refused_with_a_sentence(tmp_path, path):
    (tmp_path / "a-file").touch()
    with pytest.raises(ValueError, match="cannot be used"):
        Follower(tmp_path / path)


# --- Together ---------------------------------------------------------------------------------------------------------

SHARED = pytest.mark.parametrize("address", ["file", pytest.param("redis", marks=pytest.mark.server)], indirect=True)


@contextlib.contextmanager
def append_together(reader, numbers):
    """Lets them wait together while somebody else writes, laid in in this order, until the block ends.

    Gives a list with a future for each.
    """
    journal, asked = reader.journal, []
    with ThreadPoolExecutor(len(numbers)) as threads, journal._turn:
        for laid_in, n in enumerate(numbers):
            asked.append(threads.submit(journal.append, command(n)))
            deadline = time.monotonic() + PATIENCE
            while len(journal._batch.commands) != laid_in % journal.MOST_TOGETHER + 1:
                assert time.monotonic() < deadline
                time.sleep(0.0001)
        yield asked


def batches_of(reader):
    """The sizes of what is written in one go from now on, in a list that grows."""
    sizes, write = [], reader.journal._write

    def counted(batch):
        sizes.append(len(batch.commands))
        return write(batch)

    reader.journal._write = counted
    return sizes


@SHARED
def test_what_waits_together_is_written_in_one_go_in_its_order(follow, address):
    reader = follow(address)
    sizes = batches_of(reader)
    with append_together(reader, range(20)) as asked:
        pass
    entries = [(each.result(), command(n)) for n, each in enumerate(asked)]
    assert reader.received == list(reader.journal.replay()) == entries
    assert sizes == [20]
    reader.append(20)
    assert sizes == [20, 1], "and who comes alone writes alone"


def test_what_waits_together_is_one_transaction_of_the_file(follow, tmp_path):
    reader, statements = follow(tmp_path / "party.db"), []
    reader.journal._database.set_trace_callback(statements.append)
    with append_together(reader, range(20)):
        assert not statements
    assert [said.split()[0] for said in statements] == ["BEGIN", *20 * ["INSERT"], "UPDATE", "COMMIT"]


def test_what_waits_together_is_one_command_of_redis_and_one_reading_for_each(redis, follow):
    one, other = follow(redis.address), follow(redis.address)
    before = calls_of(redis, "xread")
    with append_together(one, range(20)):
        pass
    other.waits_until(lambda: len(other.received) == 20)
    assert (calls_of(redis, "exec"), calls_of(redis, "xadd")) == (1, 20)
    assert calls_of(redis, "xread") - before <= 4, "one for each, and the one that waits for the next"


def calls_of(redis, name):
    """How often Redis was asked that; one that waits counts when it is answered."""
    return redis.client().info("commandstats").get(f"cmdstat_{name}", {"calls": 0})["calls"]


@SHARED
def test_so_many_are_written_in_one_go_and_no_more(follow, address):
    reader = follow(address)
    sizes, most = batches_of(reader), reader.journal.MOST_TOGETHER
    with append_together(reader, range(most + 10)) as asked:
        pass
    assert sorted(sizes) == [10, most]
    assert {each.result() for each in asked} == {position for position, _ in reader.journal.replay()}


@SHARED
def test_who_comes_alone_waits_for_no_company(follow, address, monkeypatch):
    reader, pauses = follow(address), []
    monkeypatch.setattr("runtime.journal.time.sleep", pauses.append)
    reader.append(1)
    assert pauses and not any(pauses), "it lets others go first, once, and never waits"


def read_only(reader):
    reader.journal._database.execute("PRAGMA query_only = ON")
    return lambda: reader.journal._database.execute("PRAGMA query_only = OFF")


def full_disk(reader):
    """There is room for the first pages of a transaction of twenty, and not for the last."""
    room, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (reader.journal.wal.stat().st_size + FRAME + 100, most))
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (room, most))


def odd_command(reader):
    """One that does not fit into the table, among others that do."""
    reader.journal._database.execute(
        "CREATE TEMP TRIGGER odd BEFORE INSERT ON log WHEN new.at = 15 BEGIN SELECT RAISE(ABORT, 'odd'); END"
    )
    return lambda: reader.journal._database.execute("DROP TRIGGER odd")


@pytest.mark.parametrize("fault", [read_only, full_disk, odd_command])
def test_where_one_cannot_be_written_none_is_that_waits_with_it(follow, tmp_path, fault):
    reader = follow(tmp_path / "party.db")
    entries = reader.append(*range(10))
    mend = fault(reader)
    try:
        with append_together(reader, range(10, 30)) as asked:
            pass
    finally:
        mend()
    for each in asked:
        with pytest.raises(Unavailable):
            each.result()
    assert reader.received == list(reader.journal.replay()) == entries
    entries += reader.append(30)
    assert reader.received == list(reader.journal.replay()) == entries


def test_what_goes_wrong_with_one_is_told_to_who_appended_it_and_hurts_no_other(follow, tmp_path):
    reader = follow(tmp_path / "party.db")

    def receive(position, command):
        reader.receive(position, command)
        if command["at"] == 3:
            raise RuntimeError("our own mistake")

    reader.journal._receive = receive
    with append_together(reader, range(6)) as asked:
        pass
    with pytest.raises(RuntimeError, match="our own mistake"):
        asked.pop(3).result()
    assert [each.result() for each in asked] == [1, 2, 3, 5, 6]
    assert reader.received == list(reader.journal.replay())


@SHARED
def test_who_is_stopped_while_writing_for_others_leaves_nobody_waiting(follow, address):
    """As when the line of the one who writes is cut: the others hear that theirs may not be there."""
    reader, write = follow(address), []
    reader.journal._write, write = lambda batch: sys.exit(), reader.journal._write
    with append_together(reader, range(3)) as asked:
        pass
    for each, error in zip(asked, (SystemExit, Unavailable, Unavailable), strict=True):
        with pytest.raises(error):
            each.result(PATIENCE)
    reader.journal._write = write
    assert reader.append(4) == list(reader.journal.replay())


def test_who_is_stopped_before_its_turn_is_in_nobodys_way(follow, tmp_path, monkeypatch):
    reader = follow(tmp_path / "party.db")
    with monkeypatch.context() as stopped, pytest.raises(SystemExit):
        stopped.setattr("runtime.journal.time.sleep", sys.exit)
        reader.append(1)
    assert reader.append(2) == list(reader.journal.replay())


@SHARED
def test_nobody_waits_longer_than_two_seconds_for_a_turn(follow, address):
    reader = follow(address)
    with reader.journal._turn:
        assert seconds_until_unavailable(lambda: reader.append(1)) < 2
    assert reader.append(2) == list(reader.journal.replay())


AT_ONCE = 20
COUNTING = """
import sys
import app
commit = app.journal._commit
def counted(batch):
    print("commit of", len(batch.commands), file=sys.stderr, flush=True)
    return commit(batch)
app.journal._commit = counted
app.main()
"""


def unread_lines(server):
    """How many lines to it hold something that it has not read."""
    rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()]
    return sum(row[1].endswith(f":{server.port:04X}") and not row[4].endswith(":00000000") for row in rows)


@pytest.mark.server
def test_messages_that_come_together_share_a_transaction_of_a_real_server(tmp_path):
    settings = {"PARTY_JOURNAL": str(tmp_path / "party.db"), "PARTY_EXTRAS": str(AT_ONCE), "PARTY_SEATS": str(AT_ONCE)}
    server = Server(program=("-c", COUNTING), **settings)
    try:
        asha = server.person("asha")
        room = asha.host("Together")
        others = [server.person(f"extra{n}") for n in range(1, AT_ONCE + 1)]
        for other in others:
            seat(asha, other, room)
        before = server.said().count("commit of")
        with ThreadPoolExecutor(AT_ONCE) as at_once:
            server.freeze()  # so that all have come when it looks
            asked = [at_once.submit(other.message, room, "Now") for other in others]
            until(lambda: unread_lines(server) >= AT_ONCE)
            server.thaw()
            seqs = {assert_ok(each.result())["message"]["seq"] for each in asked}
        assert seqs == set(range(1, AT_ONCE + 1))
        assert server.said().count("commit of") - before <= AT_ONCE / 4, server.said()
    finally:
        server.stop()


@given(strategies.dictionaries(strategies.text(), strategies.text() | strategies.integers(-(2**63), 2**63 - 1)))
def test_a_command_is_written_as_the_logs_before_have_it(command):
    assert as_text(command) == json.dumps(command, ensure_ascii=False, separators=(",", ":"))


# --- A file: what a kill leaves ---------------------------------------------------------------------------------------

WRITER = """
import sys
from runtime.journal import open_journal
journal = open_journal(sys.argv[1])
journal.follow(list, lambda position, command: None)
for n in range(int(sys.argv[2]), 1_000_000_000):
    print(journal.append({"id": f"c{n}", "at": n, "kind": "message", "text": "Hello"}), flush=True)
"""


def python(program, *arguments, **how):
    return subprocess.Popen(
        [sys.executable, "-c", program, *map(str, arguments)],
        cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **how,
    )  # fmt: skip


def positions(address):
    return [position for position, _ in open_journal(str(address)).replay()]


def test_a_killed_process_leaves_all_that_it_acknowledged_and_the_next_starts_at_once(tmp_path):
    path, acknowledged = tmp_path / "party.db", 0
    for kill in range(8):
        with python(WRITER, path, acknowledged) as writer:
            for _ in range(60 * (kill + 1) if kill else 1):
                acknowledged = int(writer.stdout.readline())
            writer.kill()
            acknowledged = [acknowledged, *map(int, writer.stdout.read().split())][-1]
        there = positions(path)
        assert there == list(range(1, len(there) + 1))
        assert acknowledged <= len(there) <= acknowledged + 1
        acknowledged = len(there)


MANY_WRITERS = """
import os, sys, threading
from runtime.journal import open_journal
journal = open_journal(sys.argv[1])
journal.follow(list, lambda position, command: None)
def write():
    while True:
        os.write(1, f"{journal.append({'id': 'c', 'at': 1, 'kind': 'message', 'text': 'Hello'})}\\n".encode())
for _ in range(8):
    threading.Thread(target=write).start()
"""


def test_what_was_acknowledged_to_many_at_once_is_left_by_a_kill_and_no_gap(tmp_path):
    path = tmp_path / "party.db"
    for kill in range(6):
        with python(MANY_WRITERS, path) as writers:
            acknowledged = [int(writers.stdout.readline()) for _ in range(20 * (kill + 1))]
            writers.kill()
            acknowledged += [int(line) for line in writers.stdout.read().splitlines(keepends=True)[:-1]]
        there = positions(path)
        assert there == list(range(1, len(there) + 1))
        assert set(acknowledged) <= set(there)


def test_a_first_start_that_is_killed_at_any_statement_does_not_stop_the_next(tmp_path, follow):
    program = """
import itertools, os, signal, sqlite3, sys
class Killed(sqlite3.Connection):
    statements = itertools.count(1)
    def execute(self, *what):
        answer = super().execute(*what)
        if next(self.statements) == int(sys.argv[2]):
            os.kill(os.getpid(), signal.SIGKILL)
        return answer
connect = sqlite3.connect
sqlite3.connect = lambda *what, **how: connect(*what, factory=Killed, **how)
from runtime.journal import open_journal
open_journal(sys.argv[1]).follow(list, print)
"""
    for statement in itertools.count(1):
        path = tmp_path / f"{statement}.db"
        with python(program, path, statement) as process:
            pass
        reader = follow(path)
        assert reader.append(1) == list(reader.journal.replay()), statement
        if process.returncode == 0:
            break
    assert statement > 8, "it must have been killed at each of several"


def test_what_is_acknowledged_is_on_the_disk(follow, tmp_path):
    database = follow(tmp_path / "party.db").journal._database
    assert database.execute("PRAGMA synchronous").fetchone() == (2,), "FULL"
    assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_second_party_on_the_same_file_is_refused_until_the_first_is_gone(tmp_path, follow):
    path = tmp_path / "party.db"
    with python(WRITER, path, 0) as writer:
        assert writer.stdout.readline() == "1\n", "it must be running first"
        with pytest.raises(ValueError, match="in use"):
            Follower(path)
        assert positions(path)[:1] == [1], "reading it is allowed all the same"
        writer.kill()
    assert follow(path).rebuilt[0]


def test_what_a_file_says_is_for_its_owner_alone(tmp_path, follow):
    follow(tmp_path / "new" / "party.db").append(1)
    for path in tmp_path.rglob("*"):
        assert path.stat().st_mode & 0o77 == 0, path


# --- A file: damage ---------------------------------------------------------------------------------------------------


TOGETHER = 50


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """Files as a kill leaves them, {how many commands were acknowledged: folder}. Of one, so many came together."""
    return {count: left_by_a_kill(tmp_path_factory.mktemp("killed"), count, trimmed) for count, trimmed in (
        (1, False), (2, False), (40, False), (300, False), (900, False), (901, True),
        (7 * TOGETHER, False))}  # fmt: skip


def left_by_a_kill(folder, count, trimmed):
    running = folder / "running"
    running.mkdir()
    reader, dice = Follower(running / "party.db").wait_for_no_disk(), random.Random(count)
    for n in range(0, count, last_together(count)):
        if last_together(count) > 1:
            with append_together(reader, range(n, n + TOGETHER)):
                continue
        reader.append(n, text="Hello" * dice.choice([1, 20, 20, 20, 1_000]))
        if trimmed and n % 200 == 150:
            reader.journal.trim(n - 50)
    for name in ("party.db", "party.db-wal"):
        shutil.copy(running / name, folder / name)
    reader.close()
    shutil.rmtree(running)
    return folder


def last_together(count):
    """How many stand in the last transaction, and are dropped with it where it is torn."""
    return TOGETHER if count == 7 * TOGETHER else 1


@pytest.fixture
def copy_of(killed, tmp_path):
    """A copy of the files with so many commands, to be damaged: `copy_of(40)`."""
    names = (tmp_path / f"copy-{n}" for n in itertools.count())
    copyfile = shutil.copyfile
    return lambda count: Path(shutil.copytree(killed[count], next(names), copy_function=copyfile)) / "party.db"


def start_on(path):
    """The positions that a start finds; None when it is refused, which must leave everything as it is."""
    before = bytes_of(path)
    try:
        reader = Follower(path)
    except ValueError as refusal:
        assert str(path) in str(refusal)
        assert f"flask --app app rescue {path}" in str(refusal), "it says what to do"
        after = bytes_of(path)
        assert {name: after[name] for name in before} == before, refusal
        assert not any(content for name, content in after.items() if name not in before)
        return None
    reader.close()
    return [position for position, _ in reader.rebuilt[0]]


def bytes_of(path):
    passing = (f"{path.name}-shm", f"{path.name}-lock")
    return {file.name: file.read_bytes() for file in path.parent.iterdir() if file.name not in passing}


def garble(path, damage):
    content = bytearray(path.read_bytes())
    damage(content)
    path.write_bytes(content)


def test_what_is_whole_is_taken_up_whole(copy_of, killed):
    for count in killed:
        assert start_on(copy_of(count))[-1] == count


FRAME = 24 + 4096


@pytest.mark.parametrize("count", [2, 40, 300, 7 * TOGETHER])
@pytest.mark.parametrize("how", ["cut", "cut a little", "zeroed", "garbled"])
def test_a_torn_tail_is_dropped(copy_of, count, how):
    path, part = copy_of(count), {"cut a little": 100, "garbled": 300}.get(how, FRAME)
    wal = path.with_name("party.db-wal")
    end = len(wal.read_bytes())
    if how.startswith("cut"):
        os.truncate(wal, end - part)
    else:
        noise = random.Random(1).randbytes(part) if how == "garbled" else bytes(part)
        garble(wal, lambda content: content.__setitem__(slice(end - part, end), noise))
    assert start_on(path) == list(range(1, count - last_together(count) + 1))


@pytest.mark.parametrize("seed", range(6))
def test_wherever_the_write_ahead_log_is_hit_no_earlier_command_is_lost_in_silence(copy_of, killed, seed):
    dice, refused = random.Random(seed), 0
    for _ in range(60):
        count = dice.choice(list(killed))
        path, harm = copy_of(count), random_harm(dice)
        garble(path.with_name("party.db-wal"), harm)
        found = start_on(path)
        refused += found is None
        assert found is None or (found or [0])[-1] >= count - last_together(count), (count, harm)
        shutil.rmtree(path.parent)
    assert 10 < refused < 60, "some must be refused, some not"


def random_harm(dice):
    """A flipped bit, in a page or where a page of the log begins; or a block of the disk that reads as zeros."""
    part, chance, bit = dice.choice(["anywhere", "head", "commit mark", "block"]), dice.random(), 1 << dice.randrange(8)

    def harm(content):
        at, frames = int(chance * len(content)), len(content) // FRAME
        head = 32 + FRAME * int(chance * frames)
        if part == "block":
            start = at // 4096 * 4096
            content[start : start + 4096] = bytes(len(content[start : start + 4096]))
        elif part == "commit mark":
            content[head + 4 : head + 8] = bytes(4)
        else:
            content[at if part == "anywhere" else head + bit % 24] ^= bit

    return harm


def test_a_bad_head_of_the_write_ahead_log_stops_the_start(copy_of):
    for place in range(32):
        path = copy_of(300)
        garble(path.with_name("party.db-wal"), lambda content, at=place: content.__setitem__(at, content[at] ^ 77))
        assert start_on(path) is None, place


def statement(path, *sql):
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as database:
        assert database.execute(*sql).rowcount


def flip_in_text(path):
    garble(path, lambda content: content.__setitem__(content.index(b"HelloHello"), ord("J")))


def zero_a_page(path):
    garble(path, lambda content: content.__setitem__(slice(8192 * 4, 8192 * 4 + 4096), bytes(4096)))


HARMS = {
    "a letter": flip_in_text,
    "a page of zeros": zero_a_page,
    "a page at its end is gone": lambda path: os.truncate(path, path.stat().st_size - 4096),
    "half of it is gone": lambda path: os.truncate(path, path.stat().st_size // 2),
    "no database": lambda path: path.write_text("Dear diary\n" * 1_000),
    "no head": lambda path: garble(path, lambda content: content.__setitem__(slice(0, 100), bytes(100))),
    "its count of free pages": lambda path: garble(path, lambda content: content.__setitem__(39, content[39] ^ 1)),
    "a row is gone": lambda path: statement(path, "DELETE FROM log WHERE position = 150"),
    "the last row is gone": lambda path: statement(path, "DELETE FROM log WHERE position = 300"),
    "a row is another's": lambda path: statement(path, "UPDATE log SET command = '{}' WHERE position = 150"),
    "a time is another": lambda path: statement(path, "UPDATE log SET at = 1 << 60 WHERE position = 150"),
}


@pytest.mark.parametrize("harm", HARMS)
def test_damage_in_the_file_stops_the_start(copy_of, harm):
    path = copy_of(300)
    statement(path, "UPDATE log SET at = at")  # into the file itself, by the close that follows
    assert not path.with_name("party.db-wal").exists()
    HARMS[harm](path)
    assert start_on(path) is None


@pytest.mark.parametrize("part", [{"id": ["c150"]}, {"kind": []}, {"at": 10**18}])
def test_what_is_no_command_in_a_whole_file_is_passed_over(copy_of, follow, caplog, part):
    path = copy_of(300)
    statement(path, "UPDATE log SET at = at")
    text = as_text({"id": "c150", "at": 150, "kind": "message"} | part)
    row = (text, checksum_of(150, text))
    statement(path, "UPDATE log SET at = 150, command = ?, checksum = ? WHERE position = 150", row)
    assert len(follow(path).rebuilt[0]) == 299
    assert "What stands at 150 in the log is no command" in caplog.text
    assert [position for position, _ in FileJournal(path).whole()] == list(range(1, 150)), "what is saved has no gap"


def test_a_start_that_is_refused_tells_no_words_of_the_log(copy_of):
    """What Python cannot read as text it would cite in full."""
    path = copy_of(300)
    statement(path, "UPDATE log SET at = at")
    garble(path, lambda content: content.__setitem__(content.index(b"HelloHello"), 0xFF))
    with pytest.raises(ValueError, match="is damaged, and was left") as refusal:
        Follower(path)
    assert "Hello" not in str(refusal.value) and refusal.value.__suppress_context__


def test_a_start_that_was_refused_is_in_nobodys_way(copy_of, follow):
    path = copy_of(40)
    wal = path.with_name("party.db-wal")
    whole = wal.read_bytes()
    wal.write_bytes(bytes(32) + whole[32:])
    refused = open_journal(str(path))
    with pytest.raises(ValueError, match="damaged|cannot be used"):
        refused.follow(list, print)
    wal.write_bytes(whole)
    assert len(follow(path).rebuilt[0]) == 40
    refused.close()


@pytest.mark.parametrize("seed", range(4))
def test_a_flipped_bit_in_the_file_changes_no_command(copy_of, seed):
    path, dice = copy_of(300), random.Random(seed)
    statement(path, "UPDATE log SET at = at")
    whole, commands, refused = path.read_bytes(), list(open_journal(str(path)).replay()), 0
    for _ in range(40):
        place = dice.randrange(len(whole))
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << dice.randrange(8)]) + whole[place + 1 :])
        found = start_on(path)
        refused += found is None
        assert found is None or list(open_journal(str(path)).replay()) == commands
    assert refused > 10


@pytest.mark.parametrize("left", ["nothing", "an empty file"])
def test_a_write_ahead_log_without_its_file_is_kept(copy_of, left):
    path = copy_of(40)
    path.unlink() if left == "nothing" else os.truncate(path, 0)
    assert start_on(path) is None


# --- A file: what is saved of a damaged one ---------------------------------------------------------------------------


def rescued_from(path):
    """What `rescue` saves, for which a party can start on it; [] where it says that there is nothing. The damaged files
    are left as they are."""
    before = bytes_of(path)
    try:
        said = list(rescue(str(path)))
    except ValueError as nothing:
        assert "Nothing whole is left" in str(nothing)
        said = []
    after = bytes_of(path)
    assert {name: after[name] for name in before} == before
    new = path.with_name("rescued-party.db")
    assert new.exists() == bool(said)
    entries = list(open_journal(str(new)).replay())
    if said:
        assert said[0].startswith(f"{new}: {len(entries)} commands are whole; the last is from 1970-01-01 00:00:00.")
        assert new.stat().st_mode & 0o777 == 0o600
        assert start_on(new) == [position for position, _ in entries]
    return entries


def before_the_first_that_cannot_be_looked_up(path, entries):
    """How many commands of the file can be read each by itself, up to the first that cannot."""
    with contextlib.closing(sqlite3.connect(path)) as database, contextlib.suppress(sqlite3.DatabaseError):
        for count, (position, command) in enumerate(entries):
            row = database.execute("SELECT at, command FROM log WHERE position = ?", (position,)).fetchone()
            if row != (command["at"], as_text(command)):
                return count
        return len(entries)
    return count


# How many of three hundred; where none is said, as many as can be looked up.
SAVED = {"its count of free pages": 300, "a row is gone": 149, "the last row is gone": 299, "a row is another's": 149,
         "a time is another": 149, "a letter": 0, "no database": 0, "no head": 0}  # fmt: skip


@pytest.mark.parametrize("harm", HARMS)
def test_what_is_whole_before_the_damage_is_saved(copy_of, harm):
    path = copy_of(300)
    statement(path, "UPDATE log SET at = at")
    entries = list(open_journal(str(path)).replay())
    HARMS[harm](path)
    saved = rescued_from(path)
    assert saved == entries[: len(saved)]
    if harm in SAVED:
        assert len(saved) == SAVED[harm]
    else:
        os.truncate(path, 500_000)  # of a shorter one than it was SQLite reads nothing
        assert 0 < len(saved) == before_the_first_that_cannot_be_looked_up(path, entries) < 300


@pytest.mark.parametrize("seed", range(3))
def test_wherever_a_file_is_hit_all_before_it_is_saved(copy_of, seed):
    dice, counts = random.Random(seed), set()
    whole = copy_of(300)
    statement(whole, "UPDATE log SET at = at")
    entries = list(open_journal(str(whole)).replay())
    while len(counts) < 8:
        path = Path(tempfile.mkdtemp(dir=whole.parent)) / "party.db"
        shutil.copy(whole, path)
        bit = 1 << dice.randrange(8)
        garble(path, lambda content: content.__setitem__(dice.randrange(len(content)), bit))  # noqa: B023
        if start_on(path) is None:
            saved = rescued_from(path)
            assert saved == entries[: len(saved)]
            assert len(saved) >= before_the_first_that_cannot_be_looked_up(path, entries)
            counts.add(len(saved))


@pytest.mark.parametrize("seed", range(3))
def test_wherever_the_write_ahead_log_is_hit_all_before_it_is_saved(copy_of, killed, seed):
    dice, counts = random.Random(seed), set()
    while len(counts) < 5:
        count = dice.choice([40, 300, 900])
        path, harm = copy_of(count), random_harm(dice)
        entries = list(open_journal(str(path)).replay())
        garble(path.with_name("party.db-wal"), harm)
        if start_on(path) is None:
            expected = before_the_first_bad_page(copy_of(count), path)
            assert rescued_from(path) == expected == entries[: len(expected)]
            counts.add(len(expected))


def before_the_first_bad_page(whole, damaged):
    """The entries of a log whose write-ahead log ends where that of the other is damaged."""
    wal, other = (path.with_name("party.db-wal").read_bytes() for path in (whole, damaged))
    parts = itertools.pairwise([0, *range(32, len(wal), FRAME), len(wal)])
    bad = next(start for start, end in parts if wal[start:end] != other[start:end])
    whole.with_name("party.db-wal").write_bytes(wal[:bad])
    return list(open_journal(str(whole)).replay())


@pytest.mark.parametrize("left", ["nothing", "an empty file"])
def test_a_write_ahead_log_without_its_file_is_saved_where_it_holds_all(copy_of, left):
    path = copy_of(40)
    entries = list(open_journal(str(path)).replay())
    path.unlink() if left == "nothing" else os.truncate(path, 0)
    assert rescued_from(path) == entries


def test_a_rescue_ends_with_two_commands_that_put_it_in_its_place(copy_of, tmp_path):
    path = copy_of(300)
    statement(path, "DELETE FROM log WHERE position = 150")
    folder = path.parent.rename(tmp_path / "a folder of mine")
    damaged = bytes_of(folder / "party.db")
    *_, first, second = rescue(str(folder / "party.db"))
    for line in (first, second):
        assert os.system(line) == 0
    (aside,) = folder.glob("damaged-*")
    assert damaged.items() <= bytes_of(aside / "party.db").items() and aside.stat().st_mode & 0o777 == 0o700
    aside.rename(tmp_path / "aside")
    assert start_on(folder / "party.db") == list(range(1, 150))


def test_there_is_nothing_to_rescue_where_all_is_whole_or_nothing_is_there(copy_of, follow, tmp_path):
    whole = shutil.move(copy_of(40), tmp_path / "whole.db")
    follow(tmp_path / "running.db")
    for path, why in ((whole, "is whole"), (tmp_path / "none.db", "no log"), (tmp_path / "running.db", "in use")):
        with pytest.raises(ValueError, match=why):
            list(rescue(str(path)))
    assert not list(tmp_path.glob("rescued-*"))


def test_what_was_rescued_before_is_not_written_over(copy_of):
    path = copy_of(300)
    statement(path, "DELETE FROM log WHERE position = 150")
    path.with_name("rescued-party.db").write_text("the first try")
    with pytest.raises(ValueError, match="is there already"):
        list(rescue(str(path)))
    assert path.with_name("rescued-party.db").read_text() == "the first try"


# --- A file: no room, no right ----------------------------------------------------------------------------------------


def test_what_cannot_be_written_is_unavailable_until_it_can(follow, tmp_path):
    reader = follow(tmp_path / "party.db")
    entries = reader.append(1)
    reader.journal._database.execute("PRAGMA query_only = ON")
    for _ in range(3):
        with pytest.raises(Unavailable, match="readonly"):
            reader.append(2)
    assert reader.received == list(reader.journal.replay()) == entries
    reader.journal._database.execute("PRAGMA query_only = OFF")
    assert reader.append(3) == list(reader.journal.replay())[1:]


def test_a_full_disk_tells_its_owner_once_and_again_when_there_is_room(follow, tmp_path, caplog):
    reader = follow(tmp_path / "party.db")
    entries = reader.append(1)
    room, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (reader.journal.wal.stat().st_size + FRAME, most))
    try:
        for _ in range(3):
            with pytest.raises(Unavailable):
                reader.append(2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, most))
    entries += reader.append(3, 4)
    assert reader.received == list(reader.journal.replay()) == entries
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]


@pytest.mark.alone
def test_somebody_elses_tool_that_writes_does_not_stop_everybody_for_long(follow, tmp_path):
    reader = follow(tmp_path / "party.db")
    with contextlib.closing(sqlite3.connect(tmp_path / "party.db", isolation_level=None)) as tool:
        tool.execute("BEGIN IMMEDIATE")
        assert seconds_until_unavailable(lambda: reader.append(1)) < 0.5
    reader.append(2)


AS_NOBODY = """
import os, sys
from runtime.journal import open_journal
if os.getuid() == 0:  # to whom nothing is forbidden
    os.setgroups([]), os.setgid(65_534), os.setuid(65_534)
try:
    open_journal(sys.argv[1]).follow(list, print)
except ValueError as refusal:
    print(refusal)
"""


@pytest.mark.parametrize("read_only", ["party.db", "."])
def test_a_start_where_nothing_may_be_written_says_so(follow, read_only):
    folder = Path(tempfile.mkdtemp())
    try:
        follow(folder / "party.db").append(1)
        for path in (folder, *folder.iterdir()):
            if os.getuid() == 0:
                os.chown(path, 65_534, 65_534)
        (folder / "party.db-lock").rename(folder / "moved")
        (folder / read_only).chmod(0o400 if read_only == "party.db" else 0o500)
        with python(AS_NOBODY, folder / "party.db") as process:
            assert "cannot be used" in process.stdout.read()
    finally:
        folder.chmod(0o700)
        shutil.rmtree(folder)


# --- A file: what is trimmed ------------------------------------------------------------------------------------------


def test_a_file_stays_small_whatever_went_through_it(follow, tmp_path):
    reader, most = follow(tmp_path / "party.db").wait_for_no_disk(), 0
    for n in range(4_000):
        reader.append(n, text="Hello" * 100)
        if n >= 200 and n % 100 == 99:
            reader.journal.trim(n - 199)
            most = max(most, sum(path.stat().st_size for path in tmp_path.iterdir()))
    kept = sum(len(json.dumps(command)) for _, command in reader.journal.replay())
    assert len(positions(tmp_path / "party.db")) == 200
    assert most < 4 * kept < 4_000 * 500, "it went through twenty times"


def test_words_that_are_trimmed_are_in_no_file_any_more(follow, tmp_path):
    reader = follow(tmp_path / "party.db")
    reader.append(*range(0, 50), text="An early secret")
    reader.append(*range(50, 100), text="A later word")
    written = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"An early secret" in written
    reader.journal.trim(50)
    written = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"A later word" in written
    assert b"An early secret" not in written


# --- Redis ------------------------------------------------------------------------------------------------------------


class Wire:
    """A way to a Redis that can be cut, or swallow what goes through it."""

    def __init__(self, redis):
        self.redis, self.port = redis, free_port()
        self.address = f"redis://127.0.0.1:{self.port}/0"
        self.unanswered = None  # a connection over which these bytes went gets no answer any more
        self.swallows = threading.Event()
        self.start()

    def start(self):
        listener = socket.create_server(("127.0.0.1", self.port))
        self.ends = [listener]
        threading.Thread(target=self._take, args=(listener,), daemon=True).start()

    def _take(self, listener):
        with contextlib.suppress(OSError):
            while True:
                near, far = listener.accept()[0], socket.create_connection(("127.0.0.1", self.redis.port))
                self.ends += [near, far]
                open_to_answers = threading.Event()
                open_to_answers.set()
                for ends in ((near, far), (far, near)):
                    threading.Thread(target=self._carry, args=(*ends, open_to_answers, near), daemon=True).start()

    def _carry(self, source, target, open_to_answers, near):
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                if self.unanswered and self.unanswered in data:
                    open_to_answers.clear()
                    self.swallows.set()
                if source is near or open_to_answers.is_set():
                    target.sendall(data)
            target.shutdown(socket.SHUT_RDWR)

    def cut(self):
        for end in self.ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def become_a_black_hole(self):
        """Nobody answers there any more, not even with a no."""
        self.cut()
        hole = socket.create_server(("127.0.0.1", self.port), backlog=0)
        self.ends = [hole]
        with contextlib.suppress(TimeoutError):
            while True:
                self.ends.append(socket.create_connection(("127.0.0.1", self.port), timeout=0.2))


@pytest.fixture
def wire(redis):
    wire = Wire(redis)
    yield wire
    wire.cut()


def seconds_until_unavailable(ask):
    began = time.monotonic()
    with pytest.raises(Unavailable):
        ask()
    return time.monotonic() - began


def longest_of_many(ask, count):
    """The seconds of the slowest of so many who ask at once, all in vain."""
    took = []
    threads = [
        threading.Thread(target=lambda: took.append(seconds_until_unavailable(ask)), daemon=True) for _ in range(count)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert len(took) == count
    return max(took)


AWAY = {
    "frozen": lambda wire: wire.redis.freeze(),
    "gone": Wire.cut,
    "a black hole": Wire.become_a_black_hole,
}


@pytest.mark.alone
@pytest.mark.parametrize("how", AWAY)
def test_while_redis_is_away_nobody_waits_longer_than_two_seconds(wire, follow, how):
    """Each way of asking has connections of its own to find out with."""
    readers = [follow(wire.address) for _ in range(3)]
    readers[0].append(1)
    append, catch_up, exchange = (reader.journal for reader in readers)
    asks = (lambda: append.append(command(2)), catch_up.catch_up, lambda: exchange.exchange(dict))
    AWAY[how](wire)
    with ThreadPoolExecutor(len(asks)) as at_once:
        longest = list(at_once.map(lambda ask: longest_of_many(ask, 60), asks))
    assert max(longest) < 2.1, longest
    for ask in asks:
        seconds_until_unavailable(ask)  # by the reader's second failure it is known, and nobody waits any more
        assert seconds_until_unavailable(ask) < 0.1


def break_connections(redis):
    assert redis.client().client_kill_filter(_type="normal") >= 1


def freeze_for_a_while(redis):
    redis.freeze()
    time.sleep(1.5)
    redis.thaw()


def restart(redis):
    redis.kill()
    redis.start()


@pytest.mark.parametrize("how", [break_connections, freeze_for_a_while, restart])
def test_a_follower_goes_on_where_it_was(redis, follow, how):
    one, other = follow(redis.address), follow(redis.address)
    entries = one.append(1) + other.append(2)
    how(redis)
    entries += append_when_possible(one, 3) + append_when_possible(other, 4)
    for reader in (one, other):
        reader.waits_until(lambda reader=reader: len(reader.received) == 4)
        assert reader.received == entries
        assert reader.rebuilt == [[]], "nothing was lost, so nothing is built anew"


def append_when_possible(reader, n):
    deadline = time.monotonic() + PATIENCE
    while True:
        with contextlib.suppress(Unavailable):
            return reader.append(n)
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_who_reads_on_begins_anew_without_cutting_off_a_trim_that_waits_for_its_answer(redis, wire, follow):
    reader = follow(wire.address)
    entries = reader.append(1, 2)
    wire.unanswered = b"XRANGE"
    with ThreadPoolExecutor(1) as meanwhile:
        trimming = meanwhile.submit(reader.journal.trim, 2)
        assert wire.swallows.wait(PATIENCE)
        wire.unanswered = None
        for client in redis.client().client_list():
            if client["cmd"] == "xread":
                redis.client().client_kill_filter(_id=client["id"])
        entries += reader.append(3)  # it has begun anew
        trimming.result()  # which only gives up
    assert list(reader.journal.replay()) == entries, "it must have waited in vain"
    reader.journal.trim(2)
    assert list(reader.journal.replay()) == entries[1:]


def test_a_redis_that_goes_in_the_middle_of_a_question_is_told_as_one_that_does_not_answer(wire):
    wire.unanswered = b"XRANGE"
    with ThreadPoolExecutor(1) as meanwhile:
        asked = meanwhile.submit(list, open_journal(wire.address).replay())
        assert wire.swallows.wait(PATIENCE)
        wire.cut()
        with pytest.raises(ValueError, match=f"nothing answers at 127.0.0.1:{wire.port}"):
            asked.result()


def test_a_follower_whose_place_was_trimmed_meanwhile_is_given_all_anew(redis, wire, follow):
    other, cut_off = follow(redis.address), follow(wire.address)
    entries = other.append(1, 2)
    cut_off.waits_until(lambda: cut_off.received == entries)
    wire.cut()
    seconds_until_unavailable(lambda: cut_off.append(9))
    kept = other.append(3, 4)
    other.journal.trim(4)
    wire.start()
    cut_off.waits_until(lambda: len(cut_off.rebuilt) == 2)
    assert cut_off.rebuilt[1] == kept[1:]
    entries = other.append(5)
    cut_off.waits_until(lambda: cut_off.received[2:] == entries)


@pytest.mark.server
@pytest.mark.parametrize("what_is_left", ["an older log", "nothing"])
def test_a_redis_that_lost_its_end_makes_everybody_start_anew(follow, what_is_left):
    with running_redis() as redis:
        one, other = follow(redis.address), follow(redis.address)
        kept = one.append(1, 2)
        older = Path(redis.folder, "older")
        shutil.copytree(Path(redis.folder, "appendonlydir"), older)
        one.append(3)
        other.waits_until(lambda: len(other.received) == 3)
        redis.kill()
        shutil.rmtree(Path(redis.folder, "appendonlydir"))
        if what_is_left == "nothing":
            kept = []
        else:
            older.rename(Path(redis.folder, "appendonlydir"))
        redis.start()
        for reader in (one, other):
            reader.waits_until(lambda reader=reader: len(reader.rebuilt) == 2)
            assert reader.rebuilt[1] == kept
        entries = kept + append_when_possible(one, 5) + append_when_possible(other, 6)
        assert list(one.journal.replay()) == entries


@pytest.mark.alone
def test_a_lost_answer_leaves_the_command_in_the_log_once(redis, wire, follow):
    reader = follow(wire.address)
    reader.append(1)
    wire.unanswered = b"XADD"
    assert seconds_until_unavailable(lambda: reader.append(2)) < 2.1
    reader.waits_until(lambda: len(reader.received) == 2)
    assert [command["at"] for _, command in reader.journal.replay()] == [1, 2]
    assert redis.client().info("commandstats")["cmdstat_xadd"]["calls"] == redis.client().xlen(STREAM)


@pytest.fixture(autouse=True)
def counted_anew(request):
    if "shared_redis" in request.fixturenames:
        request.getfixturevalue("shared_redis").client().config_resetstat()


def test_a_follower_reads_on_behind_what_is_no_command(redis, follow, caplog):
    reader = follow(redis.address)
    entries = reader.append(1)
    for fields in ({"what": "ever"}, {"command": "{"}, {"command": b"\xff"}, {"command": '{"id":"1","at":1}'}):
        redis.client().xadd(STREAM, fields)
    entries += reader.append(2)
    assert reader.received == list(reader.journal.replay()) == follow(redis.address).rebuilt[0] == entries
    assert "is no command" in caplog.text


def test_a_command_that_cannot_be_applied_does_not_stop_the_next(redis):
    def receive(position, command):
        received.append(command["at"])
        if command["at"] == 1:
            raise RuntimeError("our own mistake")

    received, journal = [], open_journal(redis.address)
    journal.follow(list, receive)
    for n in (1, 2):
        journal.append(command(n))
    journal.close()
    assert received == [1, 2]


@pytest.mark.alone  # a Redis that loads looks at its lines after each 1,024 commands, which must take less than 0.9 s
@pytest.mark.server
def test_a_start_waits_for_a_redis_that_is_loading(follow, monkeypatch):
    monkeypatch.setattr("runtime.journal.ANSWER_SECONDS", PATIENCE)  # one that loads on a busy machine answers seldom
    with running_redis("--key-load-delay", "700") as redis:
        entries = follow(redis.address).append(1)
        adding = redis.client().pipeline(transaction=False)
        for n in range(2, 2_000):
            adding.xadd(STREAM, {"command": json.dumps(command(n))})
        entries += zip(adding.execute(), map(command, range(2, 2_000)), strict=True)
        redis.kill()
        starting = threading.Thread(target=redis.start)
        starting.start()
        while not redis_is_loading(redis):
            assert starting.is_alive(), "it must be seen loading"
        assert follow(redis.address).rebuilt == [entries]
        starting.join()


def redis_is_loading(redis):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", redis.port), timeout=1) as line:
        line.sendall(b"PING\r\n")
        return line.recv(100).startswith(b"-LOADING")


@pytest.mark.server
@pytest.mark.parametrize(
    ("settings", "warns"),
    [((), False), (("--appendonly", "no"), True), (("--appendfsync", "everysec"), True)],
)
def test_a_redis_that_may_lose_what_was_acknowledged_is_warned_of(follow, caplog, settings, warns):
    with running_redis(*settings) as redis:
        follow(redis.address)
        assert ("may lose" in caplog.text) is warns


@pytest.mark.parametrize("fault", ["a wrong password", "nobody there", "another thing under the log's name"])
def test_a_redis_that_cannot_be_used_stops_the_start_with_a_sentence(redis, fault):
    port = free_port() if fault == "nobody there" else redis.port
    if fault.startswith("another"):
        redis.client().set(STREAM, "a text")
    sentence = f"nothing answers at 127.0.0.1:{port}. Is it started" if fault == "nobody there" else "cannot be used: "
    with pytest.raises(ValueError, match=sentence) as refusal:
        Follower(f"redis://{':a-secret@' if fault == 'a wrong password' else ''}127.0.0.1:{port}/0")
    assert "a-secret" not in str(refusal.value)


@pytest.mark.server
def test_no_password_is_ever_logged(follow, caplog):
    with running_redis() as redis:
        redis.client().acl_setuser("party", enabled=True, passwords=["+a-secret"], commands=["+@all"], keys=["*"])
        reader = follow(redis.address.replace("//", "//party:a-secret@"))
        reader.append(1)
        redis.kill()
        said = pytest.raises(Unavailable, reader.append, 2)
        until(lambda: reader.journal._away)
    assert "does not answer" in caplog.text
    assert "a-secret" not in caplog.text + str(said.value) + repr(reader.journal)


# --- Redis: who shares the log ----------------------------------------------------------------------------------------


class Talker:
    """A process of the party, as far as the others hear of it."""

    def __init__(self, address, note):
        self.journal, self.note = open_journal(address), note

    def hears(self):
        return sorted(self.journal.exchange(lambda: self.note).values())


@pytest.fixture
def three(redis):
    talkers = [Talker(redis.address, note) for note in "abc"]
    yield talkers
    for talker in talkers:
        talker.journal.close()


def test_what_a_process_says_is_with_the_others_at_their_next_exchange(three):
    for talker in three:
        talker.hears()
    assert [talker.hears() for talker in three] == [["b", "c"], ["a", "c"], ["a", "b"]]
    three[0].note = "news"
    three[0].hears()
    assert three[1].hears() == ["c", "news"]


def test_who_closes_is_gone_at_once(three):
    for talker in three * 2:
        talker.hears()
    three[2].journal.close()
    assert three[0].hears() == ["b"]
    assert three[2].hears() == [], "it says nothing more"
    assert three[0].hears() == ["b"]


def test_who_is_silent_is_gone_after_so_many_exchanges_and_comes_back(three):
    silent, *others = three
    silent.hears()
    silence = [[other.hears() for other in others][1] for _ in range(RedisJournal.GONE_AFTER + 3)]
    assert "a" in silence[RedisJournal.GONE_AFTER - 1]
    assert silence[-1] == ["b"], "those who talk with nothing new to say stay"
    for _ in range(2):
        silent.hears()
    assert [other.hears() for other in others] == [["a", "c"], ["a", "b"]]


def test_who_was_frozen_takes_nobody_for_gone(three):
    frozen, *others = three
    for talker in three:
        talker.hears()
    for _ in range(3 * RedisJournal.GONE_AFTER):
        for other in others:
            other.hears()
    assert frozen.hears() == ["b", "c"], "it is its own exchanges that count"


def test_who_was_without_redis_takes_nobody_for_gone(three, monkeypatch):
    for _ in range(2):
        for talker in three:
            talker.hears()
    for talker in three:
        monkeypatch.setattr(talker.journal, "_away", "it is away")
        for _ in range(2 * RedisJournal.GONE_AFTER):
            with pytest.raises(Unavailable):
                talker.hears()
        monkeypatch.setattr(talker.journal, "_away", None)
    assert [talker.hears() for talker in three] == [["b", "c"], ["a", "c"], ["a", "b"]]


def test_where_nothing_happened_an_exchange_asks_one_short_question(redis, three, monkeypatch):
    for _ in range(2):
        for talker in three:
            talker.hears()
    made, asked = [], {name: calls_of(redis, name) for name in ("hget", "hgetall", "hset")}
    monkeypatch.setattr("runtime.journal.as_text", made.append)
    for _ in range(10):
        assert [talker.hears() for talker in three] == [["b", "c"], ["a", "c"], ["a", "b"]]
    assert {name: calls_of(redis, name) - before for name, before in asked.items()} == {
        "hget": 30, "hgetall": 0, "hset": 0}  # fmt: skip
    assert not made, "the note is the same"


def test_a_version_that_knows_no_sign_of_change_takes_it_for_somebody_with_nothing_to_say(redis, three):
    for talker in three:
        talker.hears()
    sign = redis.client().hget(HERE, RedisJournal.CHANGED)
    assert json.loads(sign.partition(" ")[2]) == {}


def test_what_is_forgotten_and_said_by_others_again_between_two_exchanges_is_noticed(redis, three):
    for _ in range(2):
        for talker in three:
            talker.hears()
    redis.client().delete(HERE)
    for talker in three[1:] * 2:
        talker.hears()
    three[0].hears()
    three[0].hears()
    assert three[1].hears() == ["a", "c"]


def test_a_redis_that_forgot_is_told_again(redis, three):
    for talker in three:
        talker.hears()
    redis.client().delete(HERE)
    for _ in range(2):
        for talker in three:
            talker.hears()
    assert [talker.hears() for talker in three] == [["b", "c"], ["a", "c"], ["a", "b"]]


# --- Redis, in the loop that the product runs in ----------------------------------------------------------------------

LIKE_THE_PRODUCT = {**os.environ, "PARTY_ASYNC_MODE": "eventlet"}

ON_EVENTLET = """
from runtime import transport  # first, as the party does
import json, os, signal, sys, time
import eventlet
from runtime.journal import Unavailable, open_journal

received, ticks, took = [], [], {}
journal = open_journal(sys.argv[1])
journal.follow(list, lambda position, command: received.append(command["at"]))

def tick():
    while True:
        eventlet.sleep(0.02)
        ticks.append(time.monotonic())

def timed(what, ask):
    began = time.monotonic()
    try:
        ask()
        took[what] = None
    except Unavailable:
        took[what] = time.monotonic() - began

def append(n):
    journal.append({"id": "c", "at": n, "kind": "message"})

eventlet.spawn(tick)
append(1)
os.kill(int(sys.argv[2]), signal.SIGSTOP)
waiting = [eventlet.spawn(timed, f"append {n}", lambda n=n: append(n)) for n in range(2, 42)]
waiting += [eventlet.spawn(timed, "catch_up", journal.catch_up)]
waiting += [eventlet.spawn(timed, "exchange", lambda: journal.exchange(dict))]
for one in waiting:
    one.wait()
for _ in range(2):
    timed("by the second failure", lambda: append(98))
timed("known", lambda: append(99))
os.kill(int(sys.argv[2]), signal.SIGCONT)
while received[-1] != 100:
    try:
        append(100)
    except Unavailable:
        eventlet.sleep(0.02)
print(json.dumps({"stall": max(b - a for a, b in zip(ticks, ticks[1:])), "took": took, "received": received}))
"""


@pytest.mark.alone
def test_while_redis_is_frozen_the_loop_goes_on(redis):
    with python(ON_EVENTLET, redis.address, redis.process.pid, env=LIKE_THE_PRODUCT) as process:
        said, errors = process.communicate(timeout=20)
    told = json.loads(said or errors)
    assert None not in told["took"].values(), told
    assert max(told["took"].values()) < 2.1
    assert told["took"]["known"] < 0.1
    assert told["stall"] < 0.25
    assert (told["received"][0], told["received"][-1]) == (1, 100)
    assert len(set(told["received"])) == len(told["received"])


BEHIND = """
from runtime import transport  # first, as the party does
import json, sys, time
import eventlet
from runtime.journal import as_text, open_journal

journal, ticks = open_journal(sys.argv[1]), []

def receive(position, command):
    deadline = time.monotonic() + 0.01  # as long as telling a thousand people takes
    while time.monotonic() < deadline:
        pass

def tick():
    while True:
        ticks.append(time.monotonic())
        eventlet.sleep(0.01)

journal.follow(list, receive)
eventlet.spawn(tick)
pipeline = journal._redis.pipeline()
for n in range(100):
    pipeline.xadd(journal.STREAM, {"command": as_text({"id": str(n), "at": n, "kind": "message"})})
pipeline.execute()
journal.catch_up()
print(json.dumps(max(b - a for a, b in zip(ticks, ticks[1:]))))
"""


@pytest.mark.alone
def test_a_process_that_is_behind_lets_others_go_first(redis):
    """A hundred commands that came at once take a second to tell everybody; nobody waits that long meanwhile."""
    with python(BEHIND, redis.address, env=LIKE_THE_PRODUCT) as process:
        said, errors = process.communicate(timeout=20)
    assert float(said or errors) < 0.25


def test_one_reading_serves_for_many_that_come_one_after_the_other(redis, follow):
    reader = follow(redis.address)
    reader.journal.GATHER_SECONDS = 60
    before = calls_of(redis, "xread")
    for n in range(50):
        redis.client().xadd(STREAM, {"command": json.dumps(command(n))})
    reader.journal.catch_up()
    assert len(reader.received) == 50
    assert calls_of(redis, "xread") - before <= 6


@pytest.mark.server
def test_a_redis_that_lost_its_end_is_noticed_by_who_was_not_reading_meanwhile(follow):
    with running_redis("--appendonly", "no") as redis:
        reader = follow(redis.address)
        reader.journal.GATHER_SECONDS = 0.5  # Redis is back before this is over
        redis.client().xadd(STREAM, {"command": json.dumps(command(1))})
        reader.waits_until(lambda: reader.received)
        redis.kill()
        redis.start()
        reader.waits_until(lambda: len(reader.rebuilt) == 2)
        assert reader.rebuilt[1] == []


@pytest.mark.alone
def test_who_waits_here_does_not_wait_until_more_has_come(redis, follow):
    reader = follow(redis.address)
    reader.journal.GATHER_SECONDS = 60
    for ask in (lambda: reader.append(1), reader.journal.catch_up) * 3:
        redis.client().xadd(STREAM, {"command": json.dumps(command(0))})
        ask()
    assert len(reader.received) == 9, "what was added last is read too"


@pytest.mark.server
def test_trimmed_words_are_no_longer_in_the_files_of_redis(follow):
    with running_redis() as redis:
        reader = follow(redis.address)
        reader.append(1, text="A secret word")
        reader.append(2)
        assert files_with("A secret word", redis.folder), "it is there first"
        reader.journal.trim(before=2)
        until(lambda: not files_with("A secret word", redis.folder))  # Redis writes the new file beside the old one


def files_with(words, folder):
    return [path for path in Path(folder).rglob("*") if path.is_file() and words.encode() in read_if_there(path)]


def read_if_there(path):
    with contextlib.suppress(FileNotFoundError):
        return path.read_bytes()
    return b""
