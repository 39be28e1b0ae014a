"""How lines are read, answered and written with eventlet: by one loop, off their greenlets.

A greenlet for each quiet connection costs its stack, its buffers and two registrations for each frame; a `send` for
each frame is half of what a delivery costs. So eventlet's hub itself reads what has come on any line, and nothing there
may wait; a bounded number of greenlets answer it; and one writes: what is ready for a line in the same round goes out
in one `send`.
"""

import base64
import contextlib
import functools
import hashlib
import itertools
import logging
import select
import socket
import time
from collections import deque

import eventlet
import eventlet.hubs
import eventlet.semaphore
import eventlet.wsgi

from runtime import records
from runtime.transport import frames
from runtime.transport.cooperative import epoll
from runtime.transport.line import GOODBYE_SECONDS, MAX_QUEUED_BYTES, MAX_QUEUED_PACKETS, Line

log = logging.getLogger("party.transport")

TURN_SECONDS = 0.002  # how long reading, writing, or all that answer together may go on before others have their turn
WRITTEN_IN_A_ROUND = 1_000  # lines that have something new to be told, and as many that are late
LONGEST_PAUSE_SECONDS = 0.02  # between two rounds
MOST_HANDLERS = 256  # events answered at once: while they wait for the disk or for Redis, others go on
READ_AT_ONCE = 8  # lines
RECEIVED_AT_ONCE = 16_384  # bytes of a line
MOST_UNANSWERED = 64  # messages taken of one line before they are answered; the rest waits in the network
WRITTEN_AT_ONCE = 262_144  # bytes; more is not taken off a process's hands in one go anyway

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # of every handshake: RFC 6455, section 1.3
PING = frames.packed("2")  # of Engine.IO
READ, WRITE = select.EPOLLIN, select.EPOLLOUT


class Turn:
    """A share of the loop; it begins now."""

    def __init__(self):
        self.begin()

    def begin(self):
        self._began = time.monotonic()

    def is_over(self, shared_by=1):
        return time.monotonic() > self._began + TURN_SECONDS / shared_by

    def breathe(self, shared_by=1):
        """Let the others go on, when it is over."""
        if self.is_over(shared_by):
            eventlet.sleep()
            self.begin()


def guarded(line, step):
    """What `step()` gives. A mistake of ours in it, whatever it is, ends this line; the loop goes on for all others."""
    try:
        return step()
    except Exception:
        records.recurring_mistake(log, "A line was ended.")
        with contextlib.suppress(Exception):
            line.give_up_on()


class Loop:
    """Reads, answers and writes the lines of a process."""

    def __init__(self):
        self._epoll = epoll()  # waits for nothing itself: eventlet waits for it, as for one descriptor
        self._watched = {}  # descriptor → line
        self._to_write, self._has_to_write = [], eventlet.semaphore.Semaphore(0)
        self._writer = None  # the greenlet that writes
        self.round = 0  # of writing
        self._to_answer, self._handlers = deque(), 0
        self._ended, self._tells_of_ends = deque(), False

    def start(self):
        hub = eventlet.hubs.get_hub()
        # Once and for all: each time that one epoll begins to watch another, the system looks through all of its lines.
        hub.add(hub.READ, self._epoll.fileno(), self._read, None, None)
        self._writer = eventlet.spawn_n(self._write)

    def is_alive(self):
        """Whether it reads and writes. (A mistake outside of `guarded` ends either, and the hub says nothing of it.)"""
        hub = eventlet.hubs.get_hub()
        is_writing = self._writer is not None and not self._writer.dead
        return is_writing and self._epoll.fileno() in hub.listeners[hub.READ]

    # --- Reading ---

    def watch(self, line, events):
        """From now on tell the line when it can be read (READ), written (WRITE), either or, with 0, none of it."""
        if events == line.watched_for:
            return
        descriptor = line.socket.fileno()
        if not line.watched_for:
            self._epoll.register(descriptor, events)
            self._watched[descriptor] = line
        elif events:
            self._epoll.modify(descriptor, events)
        else:
            self._epoll.unregister(descriptor)
            del self._watched[descriptor]
        line.watched_for = events

    def _read(self, _):
        turn = Turn()
        while not turn.is_over() and (ready := self._epoll.poll(0, READ_AT_ONCE)):
            for descriptor, events in ready:
                if line := self._watched.get(descriptor):
                    guarded(line, functools.partial(line.on_ready, events))

    # --- Answering ---

    def answer(self, line):
        """The line has something to be answered: it gets a handler, after those who wait already."""
        self._to_answer.append(line)
        if self._handlers < MOST_HANDLERS:
            self._handlers += 1
            eventlet.spawn_n(self._answer)

    def _answer(self):
        turn = Turn()
        while self._to_answer:
            line = self._to_answer.popleft()
            if guarded(line, line.answer_next):
                self._to_answer.append(line)
            turn.breathe(self._handlers)
        self._handlers -= 1

    def end(self, line):
        """The line has ended, and nothing of it is left to be answered: that is told, and its descriptor given back."""
        self._ended.append(line)
        if not self._tells_of_ends:
            self._tells_of_ends = True
            eventlet.spawn_n(self._tell_of_ends)

    def _tell_of_ends(self):
        turn = Turn()
        while self._ended:
            line = self._ended.popleft()
            guarded(line, line.say_that_it_ended)
            turn.breathe()
        self._tells_of_ends = False

    # --- Writing ---

    def write(self, line):
        """The line has something to be written: it goes out in the next round, with what comes until then."""
        if not self._to_write:
            self._has_to_write.release()
        self._to_write.append(line)

    def _write(self):
        turn, late = Turn(), {}  # lines, as keys: each waits once
        while True:
            self._has_to_write.acquire(blocking=not late)
            turn.begin()
            began = time.monotonic()
            new, self._to_write = self._to_write, []
            self.round += 1
            # What is told to thousands takes several rounds: a room that talks meanwhile does not wait for all of it.
            for line in new[:WRITTEN_IN_A_ROUND] + list(itertools.islice(late, WRITTEN_IN_A_ROUND)):
                late.pop(line, None)
                guarded(line, line.write)
                turn.breathe()
            late |= dict.fromkeys(new[WRITTEN_IN_A_ROUND:])
            # As long as this took: half of the time is for what is to be written, and the busier it is, the more of it
            # goes out together. A lone message waits for nothing.
            eventlet.sleep(min(time.monotonic() - began, LONGEST_PAUSE_SECONDS))


class LoopLine(Line):
    """A line of the loop. To the library it is an Engine.IO socket that was upgraded to a WebSocket at once."""

    __slots__ = (
        "socket", "watched_for", "audiences", "is_ending", "ended", "_unparsed", "_received", "_has_handler",
        "_waiting", "_waiting_bytes", "_round", "_is_blocked",
    )  # fmt: skip
    LOOP = Loop()

    def __init__(self, server, sid):
        self.begin(server, sid)
        self.socket = None
        self.watched_for = 0
        self.audiences = []  # whose news it hears: names
        self.is_ending = False  # a goodbye was said: nothing more is taken
        self.ended = False  # nothing is read or written any more
        self._unparsed = b""
        self._received = []  # messages
        self._has_handler = False
        self._waiting = []  # frames that are not written yet
        self._waiting_bytes = 0
        self._round = None  # in which it was to be written last
        self._is_blocked = False  # the network takes no more of it just now

    @property
    def is_open(self):
        return self.socket is not None and not self.closed

    @property
    def unsent(self):
        return len(self._waiting)

    # --- What the library asks of a socket ---

    def handle_get_request(self, environ, start_response):
        """Take the connection from the web server, whose greenlet ends, and answer the handshake."""
        connection = environ["eventlet.input"].get_socket().fd  # below eventlet's own
        self.socket = type(connection)(fileno=connection.detach())
        self.socket.setblocking(False)
        accepted = hashlib.sha1(environ["HTTP_SEC_WEBSOCKET_KEY"].encode() + GUID).digest()
        self._waiting.insert(
            0,
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
            + base64.b64encode(accepted)
            + b"\r\n\r\n",
        )
        self._waiting_bytes += len(self._waiting[0])
        self.LOOP.watch(self, READ)
        self.LOOP.write(self)
        eventlet.wsgi.WSGI_LOCAL.already_handled = True  # the web server writes nothing more
        return []

    def send(self, packet):
        """Send an Engine.IO packet."""
        self.lay_in(frames.packed(packet.encode()))

    def ping(self):
        self.lay_in(PING)

    # --- Reading ---

    def on_ready(self, events):
        if events & WRITE:
            self.write()
        if events & ~WRITE and not self.ended:  # an end or a fault is there to be read too
            self._read()

    def _read(self):
        try:
            data = self.socket.recv(RECEIVED_AT_ONCE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.cut()
        elif not self.is_ending:
            self._unparsed += data
            self._parse()

    def _parse(self):
        """Take apart what has come, as far as it is whole and not too much at once."""
        at = 0
        try:
            while len(self._received) < MOST_UNANSWERED and not self.is_ending:
                if not (frame := frames.take(self._unparsed, at)):
                    break
                opcode, payload, at = frame
                self._take(opcode, payload)
        except frames.BadFrame as error:
            self._say_goodbye(error.code, error.reason)
        self._unparsed = self._unparsed[at:]
        self._watch()
        self._ask_for_a_handler()

    def _take(self, opcode, payload):
        if opcode == frames.PING:
            self.lay_in(frames.packed(payload, frames.PONG))
        elif opcode == frames.CLOSE or payload == "1":
            self._say_goodbye(frames.NORMAL, "")
        elif payload == "3":
            self.schedule_ping()
        elif opcode == frames.TEXT and not self.PROPER.fullmatch(payload):
            self._say_goodbye(frames.POLICY, "not a packet")
        elif opcode != frames.PONG:
            self._received.append(payload)

    def _watch(self):
        """Nothing more is read of who is not answered yet, and nobody waits to write who has nothing to write."""
        may_read = READ if self.is_ending or len(self._received) < MOST_UNANSWERED else 0
        self.LOOP.watch(self, 0 if self.ended else may_read | (WRITE if self._is_blocked else 0))

    # --- Answering ---

    def _ask_for_a_handler(self):
        if self._has_handler:
            return
        self._has_handler = bool(self._received) or self.ended
        if self._received:
            self.LOOP.answer(self)
        elif self.ended:
            self.LOOP.end(self)

    def answer_next(self):
        """Answer the oldest message; gives whether there are more."""
        if self._received:
            message = self._received.pop(0)
            self.server._trigger_event("message", self.sid, message[1:] if isinstance(message, str) else message)
        if not self._received:
            self._parse()  # what had to wait until these were answered
        self._has_handler = bool(self._received)
        self._ask_for_a_handler()
        return bool(self._received)

    def say_that_it_ended(self):
        if self.closed:
            return
        self.socket.close()
        self.server.sockets.pop(self.sid, None)
        self.server._trigger_event("disconnect", self.sid, self.server.reason.TRANSPORT_CLOSE)
        self.closed = True

    # --- Writing ---

    def lay_in(self, frame):
        """Have a frame written, after those that wait already. The only way out."""
        if self.is_ending or self.ended:
            return
        self._waiting.append(frame)
        self._waiting_bytes += len(frame)
        if self._round != self.LOOP.round and self.socket and not self._is_blocked:
            self._round = self.LOOP.round
            self.LOOP.write(self)
        if self._waiting_bytes > MAX_QUEUED_BYTES or len(self._waiting) > MAX_QUEUED_PACKETS:
            self._relieve()

    def _relieve(self):
        """Give up a reader that does not read; but not one that was only told much in one round, or is at a large
        frame: one of any size is taken."""
        if not self._is_blocked:
            self.write()
        behind = self._waiting_bytes - len(self._waiting[0]) if self._waiting else 0
        if len(self._waiting) > MAX_QUEUED_PACKETS or behind > MAX_QUEUED_BYTES:
            self.give_up()

    def write(self):
        """Write what waits, as far as the network takes it; the rest when it takes more."""
        if not self._waiting:
            return
        try:
            written = self.socket.send(self._next_bytes())
        except BlockingIOError:
            written = 0
        except OSError:
            written = self._waiting_bytes  # lost; what the other sent before is still to be read, and then the end
        if written == self._waiting_bytes:
            self._waiting.clear()
        else:
            self._drop(written)
        self._waiting_bytes -= written
        if self._is_blocked != bool(self._waiting):
            self._is_blocked = bool(self._waiting)
            self._watch()
        if self.is_ending and not self._waiting:
            self._shut()

    def _next_bytes(self):
        if len(self._waiting) == 1:
            return self._waiting[0]
        if self._waiting_bytes <= WRITTEN_AT_ONCE:
            return b"".join(self._waiting)
        size, number = len(self._waiting[0]), 1
        while size < WRITTEN_AT_ONCE:
            size += len(self._waiting[number])
            number += 1
        return self._waiting[0] if number == 1 else b"".join(self._waiting[:number])

    def _drop(self, written):
        """Forget what was written: some frames, and the beginning of another."""
        number = 0
        while written and written >= len(self._waiting[number]):
            written -= len(self._waiting[number])
            number += 1
        del self._waiting[:number]
        if written:
            self._waiting[0] = memoryview(self._waiting[0])[written:]

    # --- Ending ---

    def hang_up(self, code, reason):
        self._received.clear()
        self._say_goodbye(code, reason)

    def _say_goodbye(self, code, reason):
        """Take and send nothing more. What came before is answered all the same, though nobody hears the answers."""
        self.lay_in(frames.goodbye(code, reason))
        self.is_ending = True
        self.cut_due = self.cut_due or time.monotonic() + GOODBYE_SECONDS
        if self.socket and not self.ended:
            self._watch()
            if not self._waiting:
                self._shut()

    def _shut(self):
        """The goodbye is on its way: what follows is the end of what the other has sent."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)

    def give_up_on(self):
        """After a mistake of ours: whatever was to be answered is not."""
        self._received.clear()
        self._has_handler = False
        self.cut()

    def cut(self):
        if self.ended or not self.socket:
            return
        self.LOOP.watch(self, 0)
        self.ended = True  # the socket is closed when that is told: it takes longer than all the rest
        self._waiting.clear()
        self._waiting_bytes = 0
        self._ask_for_a_handler()
