"""The loop that reads, answers and writes lines: what must hold whatever the network takes, on a pair of sockets."""

import socket
from types import SimpleNamespace

import pytest

from runtime import records
from runtime.transport import frames, line, loop


class Server:
    """Engine.IO, as far as a line asks for it."""

    reason = SimpleNamespace(TRANSPORT_CLOSE="transport close")

    def __init__(self):
        self.sockets, self.told = {}, []

    def _trigger_event(self, event, sid, *data):
        self.told.append((event, *data))


@pytest.fixture
def pair(monkeypatch):
    """A line whose network takes little at once, and its other end."""
    monkeypatch.setattr(loop.LoopLine, "LOOP", loop.Loop())
    ours, theirs = socket.socketpair()
    for end in (ours, theirs):
        end.setblocking(False)
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)
    made = loop.LoopLine(Server(), "sid")
    made.socket = ours
    made.LOOP.watch(made, loop.READ)
    yield made, theirs
    made.cut()
    ours.close()
    theirs.close()


def comes(theirs):
    """Everything that is there to be read."""
    came = b""
    try:
        while data := theirs.recv(1 << 20):
            came += data
    except BlockingIOError:
        pass
    return came


def settle(made):
    """What the loop's greenlets would do by and by."""
    while made.LOOP._to_answer:
        if (first := made.LOOP._to_answer.popleft()).answer_next():
            made.LOOP._to_answer.append(first)
    while made.LOOP._ended:
        made.LOOP._ended.popleft().say_that_it_ended()


def test_frames_that_the_network_takes_in_pieces_come_whole_and_in_order(pair):
    made, theirs = pair
    sent = [frames.packed(f"{n} " + "x" * (n * 37 % 3_000)) for n in range(400)]
    came = b""
    for n, frame in enumerate(sent):
        made.lay_in(frame)
        if n % 7 == 0:
            made.write()
        if n % 50 == 0:
            came += comes(theirs)
    while made._waiting:
        made.write()
        came += comes(theirs)
    assert came + comes(theirs) == b"".join(sent)
    assert (made._waiting_bytes, made._is_blocked) == (0, False)


def test_a_frame_of_any_size_may_be_on_its_way_and_what_waits_behind_it_is_bounded(pair):
    made, _ = pair
    made.lay_in(bytes(2 * line.MAX_QUEUED_BYTES))
    made.write()
    made.lay_in(b"and more")
    assert made._is_blocked and not made.ended
    made.lay_in(bytes(line.MAX_QUEUED_BYTES))
    assert made.ended


def test_no_more_packets_wait_than_are_allowed_and_a_reader_that_reads_is_told_more_in_one_round(pair):
    made, theirs = pair
    for n in range(line.MAX_QUEUED_PACKETS + 500):
        made.lay_in(b"x")
        if made.LOOP.round == 0 and n == line.MAX_QUEUED_PACKETS:
            assert not made.ended, "it was written, for the first time"
    assert comes(theirs)
    made.lay_in(bytes(1_000_000))
    made.write()
    for _ in range(line.MAX_QUEUED_PACKETS):
        made.lay_in(b"x")
    assert made.ended


def test_what_the_other_said_last_is_read_though_we_can_write_no_more(pair):
    made, theirs = pair
    made.socket.close()  # TCP: a local pair of sockets knows no reset
    listener = socket.create_server(("127.0.0.1", 0))
    theirs_tcp = socket.create_connection(listener.getsockname())
    made.LOOP._watched.clear()
    made.watched_for = 0
    made.socket = listener.accept()[0]
    made.socket.setblocking(False)
    made.LOOP.watch(made, loop.READ)
    made.socket.send(b"something that they do not read")
    mask = b"\x81\x85\0\0\0\0"
    theirs_tcp.sendall(mask + b"42[1]")
    theirs_tcp.close()  # with something unread: a reset
    listener.close()
    for _ in range(5):
        made.lay_in(frames.packed("news"))
        made.write()
    for _ in range(5):
        made.LOOP._read(None)
    settle(made)
    assert ("message", "2[1]") in made.server.told
    settle(made)
    assert made.server.told[-1] == ("disconnect", "transport close")


def test_an_end_is_told_once_and_after_what_was_said_before_it(pair):
    made, theirs = pair
    theirs.send(b"\x81\x85\0\0\0\0" + b"42[1]" + b"\x81\x85\0\0\0\0" + b"42[2]")
    theirs.close()
    while not made.ended:
        made.LOOP._read(None)
    settle(made)
    made.cut()
    settle(made)
    assert made.server.told == [("message", "2[1]"), ("message", "2[2]"), ("disconnect", "transport close")]


def test_a_mistake_of_ours_ends_one_line_and_is_in_the_log(pair, caplog):
    made, _ = pair
    made._received.append("42[1]")
    made._has_handler = True
    loop.guarded(made, lambda: 1 / 0)
    settle(made)
    assert made.server.told == [("disconnect", "transport close")]
    assert "ZeroDivisionError" in caplog.text


def test_what_is_told_to_thousands_again_and_again_waits_once_for_each(monkeypatch):
    """And a line that has something new is written in the next round, however many are late."""
    rounds, written, late = [], [], []
    monkeypatch.setattr(loop.eventlet, "sleep", lambda seconds=0: rounds.append(seconds))
    ours = loop.Loop()

    class Told:
        def __init__(self, name):
            self.write = lambda: written.append(name)

    crowd = list(map(Told, range(5_000)))

    def next_round(blocking=True):
        late.append(not blocking)
        if len(late) <= 20:
            ours._to_write = list(crowd)
        elif len(late) == 21:
            ours._to_write = [Told("alone")]
        elif blocking:
            raise StopIteration
        else:
            ours._to_write = []

    monkeypatch.setattr(ours, "_has_to_write", SimpleNamespace(acquire=next_round))
    with pytest.raises(StopIteration):
        ours._write()
    assert len(late) < 30, "what is late is as many lines as there are"
    first = written.index("alone")
    assert first == 20 * 2 * loop.WRITTEN_IN_A_ROUND - loop.WRITTEN_IN_A_ROUND, "it is the first of its round"
    assert set(written) >= set(range(5_000))


def test_a_mistake_that_ends_many_lines_is_recorded_once_a_minute_with_its_id(monkeypatch, caplog):
    monkeypatch.setattr(records, "_told", records.Sparingly())
    given_up = []
    for _ in range(3):
        loop.guarded(SimpleNamespace(give_up_on=lambda: given_up.append(1)), lambda: 1 / 0)
    assert len(given_up) == 3
    assert [record.getMessage() for record in caplog.records] == [f"A line was ended. ({caplog.records[0].id})"]
