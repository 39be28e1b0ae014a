"""One connection that distrusts its other end: its patience, its pings, its goodbye.

`Line` is what every connection does, be it read and written by a loop (loop.py) or, as the library has it, by two
threads (`ThreadedLine`).
"""

import contextlib
import functools
import logging
import re
import socket
import time

import engineio.exceptions
import engineio.packet
import engineio.socket

from runtime.transport import frames

log = logging.getLogger("party.transport")

PING_SECONDS = 15  # whole numbers: a fraction is announced to the browser as 0
PING_TIMEOUT_SECONDS = 10
PATIENCE_SECONDS = 10  # how long a line may stay unfinished: not yet connected, or attachments missing
GOODBYE_SECONDS = 1  # for one line to take its goodbye: a reader that does not read gets none
MAX_QUEUED_PACKETS = 2_000  # what may wait for a reader: seconds of the liveliest room, not minutes
MAX_QUEUED_BYTES = 8_000_000  # the same for large packets, such as a feed, behind one of any size


class Line:
    """What the party asks of a connection. Who reads and writes it is up to the kinds below."""

    __slots__ = (
        "server", "sid", "closed", "answers", "goodbye", "cut_due", "patience_ends", "ping_due", "pong_due",
    )  # fmt: skip
    # What an honest client sends, before Socket.IO looks at it: pong, close, message. The digit behind the 4 keeps
    # Engine.IO from parsing it as JSON on its own account.
    PROPER = re.compile(r"3|1|4[0-6].*", re.DOTALL)

    def begin(self, server, sid):
        self.server, self.sid = server, sid
        self.closed = self.answers = False
        self.goodbye = None  # (code, reason), to be said when what runs is answered
        self.cut_due = self.ping_due = self.pong_due = None
        self.patience_ends = time.monotonic() + PATIENCE_SECONDS

    def schedule_ping(self):
        """Note when the next ping is due, by a clock that nobody sets: the library asks for this when the line is made
        and at each pong."""
        self.ping_due, self.pong_due = time.monotonic() + PING_SECONDS, None

    def look_after(self, now):
        """Do what is due at `now`: the next ping, or the end of a line that is silent, unfinished or still open."""
        if self.cut_due and self.cut_due < now or self.pong_due and self.pong_due < now:
            self.cut()
        elif self.patience_ends and self.patience_ends < now:
            self.hang_up(frames.POLICY, "unfinished")
        elif self.ping_due and self.ping_due < now:
            self.ping_due, self.pong_due = None, now + PING_TIMEOUT_SECONDS
            self.ping()

    @contextlib.contextmanager
    def answering(self):
        """While an event of this line is handled."""
        self.answers = True
        try:
            yield
        finally:
            self.answers = False
            if self.goodbye:
                self.hang_up(*self.goodbye)

    @property
    def unsent(self):
        """How many packets wait for the other end to take them."""
        raise NotImplementedError

    def finish(self, code, reason):
        """Hang up as soon as what runs is answered."""
        if self.answers:
            self.goodbye = code, reason
        else:
            self.hang_up(code, reason)

    def hang_up(self, code, reason):
        """Say goodbye with a WebSocket close code, then end. Returns at once."""
        raise NotImplementedError

    def cut(self):
        """End the line now, without a word: nothing more is read or written."""
        raise NotImplementedError

    def give_up(self):
        log.warning("A line that does not read was cut.")
        self.cut()


class ThreadedLine(Line, engineio.socket.Socket):
    """A line of the library's own kind: one thread reads it, another takes from a queue what is to be written."""

    def __init__(self, server, sid):
        super().__init__(server, sid)
        self.begin(server, sid)
        self.last_ping = None  # ours are by another clock
        self.ws = None
        self.given_up = False
        self.queued_bytes = 0

    @property
    def is_open(self):
        return bool(self.ws) and not self.closed

    def _websocket_handler(self, ws):
        self.ws = ws
        wait = ws.wait
        ws.wait = lambda: self.checked(wait())
        try:
            return super()._websocket_handler(ws)
        finally:
            self.cut()
            self.server.sockets.pop(self.sid, None)  # the web server's way out is an exception: the library would not

    def checked(self, packet):
        """`packet`, when it is one that Engine.IO can take, or None when nothing more is taken, after a goodbye.
        Otherwise raises ValueError, which ends the line."""
        if self.closed:
            return None
        if isinstance(packet, str) and not self.PROPER.fullmatch(packet):
            raise ValueError("not a packet")
        return packet

    def send(self, packet):
        if self.closed:
            return  # the library would raise, and the others of the audience would not hear it
        if self.queue.qsize() < MAX_QUEUED_PACKETS and self.queued_bytes < MAX_QUEUED_BYTES:
            self.queued_bytes += size_of(packet)
            super().send(packet)
        elif not self.given_up:
            self.given_up = True
            self.give_up()

    @property
    def unsent(self):
        return self.queue.qsize()

    def ping(self):
        self.send(engineio.packet.Packet(engineio.packet.PING))

    def poll(self):
        """Wait for what is queued, however long: the pings look after a line that has nothing to say."""
        while True:
            with contextlib.suppress(engineio.exceptions.QueueEmpty):
                packets = super().poll()
                self.queued_bytes -= sum(map(size_of, packets))
                return packets

    def hang_up(self, code, reason):
        self.cut_due = self.cut_due or time.monotonic() + GOODBYE_SECONDS
        self.queue.put(Goodbye(functools.partial(self._say_goodbye, code, reason)))

    def _say_goodbye(self, code, reason):
        with contextlib.suppress(Exception):  # somebody else may have closed it just now
            self.ws.close = self.cut  # else its writer would say goodbye as well, and fail at that
            self.ws.ws.close(code, reason)
        self.cut()

    def cut(self):
        """Whoever waits to read from the line or to write to it is woken."""
        with contextlib.suppress(OSError):
            self.ws.ws.sock.shutdown(socket.SHUT_RDWR)


class Goodbye:
    """What stands behind the packets of a `ThreadedLine`, and is said when they are sent."""

    size = 0

    def __init__(self, say):
        self.encode = say  # the library asks for this when its turn has come


def size_of(packet):
    """The bytes of an Engine.IO packet, counted once for all who get it."""
    if not hasattr(packet, "size"):
        data = packet.encode()
        packet.size = len(data.encode() if isinstance(data, str) else data)
    return packet.size


def lines(party):
    """The connections of the SocketIO extension `party` that stand now."""
    return [line for line in list(party.server.eio.sockets.values()) if line.is_open]
