"""The servers that are compared, each on one core, with what a crowd needs to get into their rooms."""

import contextlib
import itertools
import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from servers import password_of, running_server

from benchmarks.client import Line, Stuck
from benchmarks.machine import CLIENT, SERVERS, on_core, wait_until_calm

HERE = Path(__file__).resolve().parent
NAMES = 1_000  # who comes beyond these is another tab of one of them, of which each may have twenty
SEATS = 8  # of speakers beside the host, as the party has it by default


@dataclass
class Room:
    """Lines that all hear what is said there; the first of them can speak."""

    id: str
    lines: list
    speakers: list


class Peer:
    """A server, or several that share their rooms, and the lines that a crowd has to it."""

    def __init__(self, crowd, addresses, pids):
        self.crowd, self.addresses, self.pids = crowd, addresses, pids
        self.lines = []

    def connect(self, count, at_once=100):
        """So many lines more, spread over the servers: one person each, as long as there are names."""
        new = []

        def scripts():
            for _ in range(count):
                new.append(self.new_line())
                yield new[-1], new[-1].connected()

        self.crowd.run(scripts(), at_once)
        return new

    def new_line(self):
        """A line that is not connected yet, from one of many addresses: each has some 28,000 ports."""
        n = len(self.lines)
        address, name = self.addresses[n % len(self.addresses)], f"extra{n % NAMES + 1}"
        self.lines.append(Line(address, name, self.cookie_of(name), source=f"127.0.0.{2 + n % 200}"))
        return self.lines[-1]

    def leave(self, lines):
        self.crowd.drop(lines)
        left = set(lines)
        self.lines = [line for line in self.lines if line not in left]

    def enter(self, lines, room_id, at_once=100):
        self.crowd.run(((line, line.answered("watch", room=room_id)) for line in lines), at_once)

    def ask(self, line, name, **payload):
        return self.crowd.run([(line, line.asked(name, **payload))])[0]


class Node(Peer):
    """A minimal Socket.IO server: see peer.js."""

    title = "Node"
    ids = itertools.count(1)

    def cookie_of(self, name):
        return None

    def prepare(self, count):
        pass

    def open_room(self, lines, seats=SEATS):
        room = f"room{next(self.ids)}"
        self.enter(lines, room)
        return Room(room, lines, lines[: 1 + seats])


class Party(Peer):
    """The party, with everything on that it has by default, but for the pace that it holds people to."""

    title = "ours"

    def __init__(self, crowd, addresses, pids, pause):
        super().__init__(crowd, addresses, pids)
        self.cookies, self.pause = {}, pause

    def cookie_of(self, name):
        return self.cookies[name]

    def prepare(self, count):
        """Signs in who will come, where the point is not signing in."""
        names = [name for n in range(count) if (name := f"extra{n % NAMES + 1}") not in self.cookies]
        names = list(dict.fromkeys(names))
        lines = [Line(self.addresses[0]) for _ in names[:20]]
        shares = [names[n :: len(lines)] for n in range(len(lines))]
        for given in self.crowd.run(
            (line, signed_in_all(line, share)) for line, share in zip(lines, shares, strict=True)
        ):
            self.cookies |= given
        self.crowd.drop(lines)

    def connect(self, count, at_once=100):
        self.prepare(len(self.lines) + count)
        return super().connect(count, at_once)

    def open_room(self, lines, seats=SEATS):
        """The first hosts it, the next get the seats."""
        host, *others = lines
        room = self.ask(host, "host", topic="How fast is it?")["room"]
        self.enter(others, room)
        self.seat(host, others[:seats], room)
        self.crowd.stay(self.pause)
        return Room(room, lines, lines[: 1 + seats])

    def open_empty_room(self, lines):
        """The first hosts it and is alone in it; all others have seats and stay outside."""
        host, *speakers = lines
        room = self.ask(host, "host", topic="Who hears it?")["room"]
        self.seat(host, speakers, room)
        self.crowd.stay(self.pause)
        return Room(room, [host], speakers)

    def end(self):
        """All go. Waits until the servers have noticed: one that is busy with that would not end in time."""
        were_many = len(self.lines) > 500
        self.leave(self.lines)
        if were_many:
            wait_until_calm(self.pids)

    def seat(self, host, lines, room):
        for line in lines:
            self.ask(line, "request", room=room)
            self.ask(host, "approve", room=room, user=line.name)


def signed_in_all(line, names):
    """A script: several people sign in, one after the other. Gives {name: cookie}."""
    cookies = {}
    for name in names:
        cookies[name] = yield from signed_in(line, name)
    return cookies


def signed_in(line, name):
    """A script: the form is got and posted, as a browser does. Gives the cookie."""
    cookie, page = yield from got(line, "sign-in")
    form = {"name": name, "password": password_of(name), "token": token_in(page)}
    cookie, _ = yield from posted(line, "sign-in", form, cookie, b" 303 ")
    return cookie


def token_in(page):
    return re.search(rb'name="token"\s+value="([^"]+)"', page)[1].decode()


def got(line, path, cookie=""):
    """A script: asks for a page. Gives its answer, as (its cookie, its body)."""
    line.send(f"GET /{path} HTTP/1.1\r\nHost: {line.address}\r\nCookie: {cookie}\r\n\r\n".encode())
    return (yield from answered(line, b" 200 "))


def posted(line, path, fields, cookie, status=b" 200 "):
    """A script: posts a form. Gives its answer, as (its cookie, its body)."""
    form = urlencode(fields)
    line.send(
        f"POST /{path} HTTP/1.1\r\nHost: {line.address}\r\nCookie: {cookie}\r\nContent-Length: {len(form)}\r\n"
        f"Content-Type: application/x-www-form-urlencoded\r\n\r\n{form}".encode()
    )
    return (yield from answered(line, status))


def answered(line, status):
    """A script: the answer to a request, as (its cookie, or None where it stays the same, its body)."""
    head = yield from line.until(b"\r\n\r\n")
    if status not in head.partition(b"\r\n")[0]:
        raise Stuck(f"not the answer that was expected: {head[:200]!r}")
    length = int(re.search(rb"(?i)\r\ncontent-length: (\d+)", head)[1])
    while len(line.heard) < length:
        yield
    body, line.heard = line.heard[:length], line.heard[length:]
    cookie = re.search(rb"(?i)\r\nset-cookie: ([^;]+)", head)
    return cookie and cookie[1].decode(), body


@contextlib.contextmanager
def running_party(crowd, processes=1, pause=0.5, **settings):
    """A party on a file of its own, unless settings say otherwise. Where a room was filled, `pause` seconds pass before
    anything is measured: who is inside is told at the next tick."""
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        defaults = {"PARTY_JOURNAL": f"{folder}/party.db", "PARTY_EXTRAS": str(NAMES), "PARTY_ROOM_MINUTES": "120"}
        # Each round says more in the same room. The pace is asked, and holds nobody up.
        defaults |= {"PARTY_ROOM_MESSAGES": "1000000", "PARTY_PACE": "1000000"}
        with on_core(SERVERS):
            servers = [stack.enter_context(running_server(**defaults | settings)) for _ in range(processes)]
        pids = [server.process.pid for server in servers]
        party = Party(crowd, [server.address for server in servers], pids, pause)
        stack.callback(party.end)
        yield party


def node_is_there():
    return (HERE / "node_modules/socket.io").exists()


@contextlib.contextmanager
def running_node(crowd):
    with on_core(SERVERS):
        process = subprocess.Popen(["node", HERE / "peer.js"], stdout=subprocess.PIPE, text=True, process_group=0)
    try:
        node = Node(crowd, [process.stdout.readline().strip()], [process.pid])
        yield node
        node.leave(node.lines)
    finally:
        process.kill()
        process.wait()


def floor(connections, frames, size):
    """Microseconds of processor for a frame where C sends {1, 4, 16 frames at once}; None without a compiler."""
    with tempfile.TemporaryDirectory() as folder:
        program = f"{folder}/floor"
        try:
            subprocess.run(["cc", "-O2", "-o", program, HERE / "floor.c"], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            return None
        given = [program, *map(str, (connections, frames, size, SERVERS, CLIENT))]
        said = subprocess.run(given, check=True, capture_output=True, text=True).stdout
    return dict(zip((1, 4, 16), map(float, said.split()), strict=True))
