"""Thousands of WebSockets with as little around them as can be, so that the measure is the server's.

What comes is not parsed: frames of an event are counted by the bytes that begin each, and nothing else contains. A line
that has something to do step by step, such as to sign in, does it in a script: a generator that waits with
`yield from line.until(…)`.
"""

import contextlib
import json
import resource
import select
import socket
import time
from urllib.parse import urlsplit

MESSAGE, LOBBY = b'42["message",', b'42["lobby",'  # a quote within a text is escaped: no text contains these
ACKS, REFUSALS = (b'[{"ok": true', b'[{"ok":true'), (b'[{"ok": false', b'[{"ok":false')
ANSWER = ACKS[0][:5]  # what all of these begin with
PING = b"\x81\x012"  # a whole frame: JSON has no such control character
PONG = b"\x81\x81\0\0\0\x003"
READ = 262_144
PATIENCE = 30  # seconds without anything that somebody waits for
TEXT = "A message of about eighty characters, which is what people write in such a room."

HANDSHAKE = (
    "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n"
    "Host: {host}\r\nOrigin: http://{host}\r\n{cookie}Upgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n"
)


class Stuck(Exception):
    """What somebody waits for does not come."""


def allow_descriptors(count):
    """Gives how many this process, and what it starts, may open from now on: `count`, or as many as the system lets."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(count, most), max(count, most)))
        return count
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return min(count, most)


def framed(text):
    """A text frame from a browser, masked with zeros."""
    data = text.encode()
    size = bytes([0x80 | len(data)]) if len(data) < 126 else b"\xfe" + len(data).to_bytes(2, "big")
    return b"\x81" + size + b"\0\0\0\0" + data


def event(name, payload, id=1):
    """The frame of an event that asks for an acknowledgement."""
    return framed(f"42{id}" + json.dumps([name, payload]))


class Line:
    """One connection to a server. `got` counts the frames that came of the kind that its crowd counts."""

    __slots__ = ("socket", "address", "name", "cookie", "got", "tail", "heard", "script", "gone")

    def __init__(self, address, name=None, cookie=None, source=None):
        where = urlsplit(address)
        self.address, self.name, self.cookie = where.netloc, name, cookie
        self.got, self.tail, self.heard, self.script, self.gone = 0, b"", b"", None, False
        self.socket = socket.create_connection((where.hostname, where.port), source_address=source and (source, 0))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)

    def send(self, data):
        """What this asks is small: a socket that does not take it at once belongs to a server that does not read."""
        if self.socket.send(data) != len(data):
            raise Stuck("the server does not read")

    def until(self, marker):
        """In a script: waits for `marker`; gives what came up to its end."""
        while marker not in self.heard:
            yield
        end = self.heard.index(marker) + len(marker)
        said, self.heard = self.heard[:end], self.heard[end:]
        return said

    def connected(self):
        """A script: the handshake of WebSocket, then Socket.IO's."""
        cookie = f"Cookie: {self.cookie}\r\n" if self.cookie else ""
        self.send(HANDSHAKE.format(host=self.address, cookie=cookie).encode())
        head = yield from self.until(b"\r\n\r\n")
        if b" 101 " not in head:
            raise Stuck(f"the handshake was refused: {head[:200]!r}")
        self.send(framed("40"))
        yield from self.until(b'40{"sid"')

    def answered(self, name, **payload):
        """A script: sends an event; gives the bytes of its acknowledgement. A refusal ends everything."""
        self.send(event(name, payload))
        head = yield from self.until(b"431[")
        rest = size_of_frame(head[:-4]) - 4
        while len(self.heard) < rest:
            yield
        answer, self.heard = self.heard[:rest], self.heard[rest:]
        return b"[" + answer

    def asked(self, name, **payload):
        """A script: as `answered`, and gives what the acknowledgement says."""
        return json.loads((yield from self.answered(name, **payload)))[0]


def size_of_frame(head):
    """How long the frame is whose header ends `head`. What stands before the header is the end of a JSON text."""
    if head[-4:-2] == b"\x81\x7e":
        return int.from_bytes(head[-2:])
    if head[-10:-8] == b"\x81\x7f":
        return int.from_bytes(head[-8:])
    return head[-1]


class Crowd:
    """All lines of this process, of however many servers: whoever waits here for one, answers the pings of all."""

    def __init__(self):
        self.lines, self.told, self.acks, self.lost = {}, 0, 0, 0  # `told`: the sum of what its lines got
        self.note = None  # called with (line, frames) for what comes, where times are taken
        self.count(MESSAGE)
        self._poll = select.epoll()

    def count(self, marker):
        """Count frames that begin with `marker` from now on."""
        self.marker = marker
        for line in self.lines.values():
            line.got = 0

    def add(self, line):
        self.lines[line.socket.fileno()] = line
        self._poll.register(line.socket, select.EPOLLIN)
        return line

    def drop(self, lines):
        """Close these, without a goodbye, as when a network is gone."""
        for line in lines:
            if not line.gone:
                line.gone = True
                del self.lines[line.socket.fileno()]
                self._poll.unregister(line.socket)
                line.socket.close()

    def turn(self, seconds):
        """Reads once whatever has come within that time. True when there was something."""
        lines = self.lines
        ready = self._poll.poll(seconds)
        for fd, _ in ready:
            line = lines.get(fd)
            if line is None:  # dropped in this very turn
                continue
            try:
                data = line.socket.recv(READ)
            except ConnectionError:
                data = b""
            if data:
                self.read(line, data)
            else:
                self._lose(line)
        return bool(ready)

    def read(self, line, data):
        """Counts what is in `data`, which may begin and end anywhere."""
        text = line.tail + data if line.tail else data
        if found := text.count(self.marker):
            line.got += found
            self.told += found
            if self.note:
                self.note(line, found)
        if ANSWER in text:
            self._count_acks(text)
        if PING in text:
            line.send(PONG * text.count(PING))
        # An event ends with a bracket, which is in nothing that counts: then nothing was cut.
        line.tail = b"" if text.endswith(b"]") else self._beginning(text)
        if line.script:
            line.heard += data
            self._go_on(line)

    def _beginning(self, text):
        """The end of `text` that may be the beginning of something that counts. It holds nothing that was counted."""
        for size in range(len(ACKS[0]), 0, -1):
            end = text[-size:]
            if any(marker.startswith(end) and marker != end for marker in (self.marker, PING, *ACKS, *REFUSALS)):
                return end
        return b""

    def _count_acks(self, text):
        self.acks += sum(map(text.count, ACKS))
        for refusal in REFUSALS:
            if refusal in text:
                raise Stuck(f"refused: {text[text.index(refusal) :][:200]!r}")

    def _lose(self, line):
        self.lost += 1
        self.drop([line])
        if line.script:
            raise Stuck("the server closed a line that was entering")

    def _go_on(self, line):
        script = line.script
        try:
            next(script)
        except StopIteration as end:
            line.script, line.heard = None, b""
            self._given[script] = end.value

    def run(self, scripts, at_once=100):
        """Lets lines do what their scripts say, so many of them at the same time. `scripts` gives (line, script), and
        is asked for the next when there is room for one. Gives what the scripts gave, in their order."""
        self._given, all_scripts, waiting = {}, [], iter(scripts)
        while True:
            while len(all_scripts) - len(self._given) < at_once and (entry := next(waiting, None)):
                line, line.script = entry
                all_scripts.append(line.script)
                if line.socket.fileno() not in self.lines:
                    self.add(line)
                self._go_on(line)
            if len(all_scripts) == len(self._given):
                return [self._given[script] for script in all_scripts]
            self.expect()

    def move_on(self, old, new):
        """In a script of the line `old`: it goes on with `new`, and `old` is closed."""
        new.script, old.script = old.script, None
        self.add(new)
        self.drop([old])

    def expect(self):
        """Reads, and raises Stuck where nothing at all comes."""
        if not self.turn(PATIENCE):
            raise Stuck(f"nothing came in {PATIENCE} s")

    def stay(self, seconds):
        """Does nothing but answer pings."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self.turn(left)
