"""How fast one speaker's words reach a thousand watchers, what a log on the disk costs, and what a connection takes.
Run it with `make bench`.

For each kind of journal it starts a server of its own on one core and lets the watchers in. It measures from another
core, the kinds by turns: deliveries a second when the speaker posts as fast as acknowledgements come, the time from
posting to the last watcher at an easy pace, posts a second of many speakers with nobody else inside, the server's
memory for each connection, and how long a start takes that replays the log of all this; with Redis, also what a post
costs a second process. Talks to 127.0.0.1 alone and ends by itself.
"""

import argparse
import contextlib
import json
import os
import selectors
import socket
import statistics
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from servers import running_redis, running_server  # noqa: E402

from runtime.journal import open_journal  # noqa: E402

SPEAKERS = 20  # who post at the same time where posts are counted
KINDS = ["memory", "file", "redis"]
TEXT = "A message of about eighty characters, which is what people write in such a room."


class Tab:
    """One WebSocket with as little around it as can be, so that the measure is the server's."""

    def __init__(self, address, cookies):
        where = urlsplit(address)
        self.socket = socket.create_connection((where.hostname, where.port))
        self.socket.sendall(
            "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n"
            f"Host: {where.netloc}\r\nOrigin: {address.rstrip('/')}\r\nCookie: {cookies}\r\n"
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
        )
        self.buffer = b""
        while b"\r\n\r\n" not in self.buffer:
            self.buffer += self.socket.recv(4096)
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        assert b" 101 " in head, head
        self.send("40")

    def send(self, packet):
        """Sends a text frame, masked with zeros."""
        data = packet.encode()
        length = bytes([0x80 | len(data)]) if len(data) < 126 else b"\xfe" + len(data).to_bytes(2, "big")
        self.socket.sendall(b"\x81" + length + b"\0\0\0\0" + data)

    def frames(self):
        """What has come, as a list of payloads. Waits for the first."""
        received = self.socket.recv(65_536)
        if not received:
            raise ConnectionError("the server has closed the connection")
        self.buffer += received
        found, at = [], 0
        while len(self.buffer) >= at + 2:
            length, head = self.buffer[at + 1], 2
            if length == 126:
                length, head = int.from_bytes(self.buffer[at + 2 : at + 4], "big"), 4
            elif length == 127:
                length, head = int.from_bytes(self.buffer[at + 2 : at + 10], "big"), 10
            if len(self.buffer) < at + head + length:
                break
            found.append(self.buffer[at + head : at + head + length])
            at += head + length
        self.buffer = self.buffer[at:]
        for frame in found:
            if frame == b"2":
                self.send("3")
        return found

    def ask(self, event, **payload):
        """Sends an event; gives its acknowledgement."""
        self.send("421" + json.dumps([event, payload]))
        while True:
            for frame in self.frames():
                if frame.startswith(b"431"):
                    return json.loads(frame[3:])[0]


def memory(pid):
    """Resident memory in KiB."""
    return int(
        next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS")).split()[
            1
        ]
    )


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def post_and_count(speaker, watchers, room, messages, pause):
    """Posts `messages`, each after the one before was acknowledged and `pause` seconds after it.

    Gives for each message the seconds until the last watcher had it.
    """
    waiting = selectors.DefaultSelector()
    for tab in (speaker, *watchers):
        waiting.register(tab.socket, selectors.EVENT_READ, tab)
    posted, missing, taken = [], [], []

    def post():
        posted.append(time.perf_counter())
        missing.append(len(watchers))
        message = {"room": room, "text": TEXT, "key": str(time.time_ns())}
        speaker.send("421" + json.dumps(["message", message]))

    got = dict.fromkeys(watchers, 0)
    due = time.perf_counter()
    acknowledged = True
    while len(taken) < messages:
        if acknowledged and len(posted) < messages and time.perf_counter() >= due:
            acknowledged = False
            post()
        for key, _ in waiting.select(timeout=max(0, due - time.perf_counter()) if acknowledged else 5):
            tab = key.data
            for frame in tab.frames():
                if frame.startswith(b"431"):
                    acknowledged, due = True, time.perf_counter() + pause
                elif frame.startswith(b'42["message"') and tab is not speaker:
                    n = got[tab]
                    got[tab] += 1
                    missing[n] -= 1
                    if not missing[n]:
                        taken.append(time.perf_counter() - posted[n])
    return taken


class Party:
    """A server with one kind of journal, a speaker's room full of watchers, and a room of speakers alone."""

    def __init__(self, server, settings):
        self.server, self.pid, self.settings = server, server.process.pid, settings
        self.rates, self.costs, self.posts, self.watchers = [], [], [], []
        self.speaker = self.tab("asha")
        self.room = self.speaker.ask("host", topic="How fast is it?", minutes=30)["room"]
        self.seat_speakers()
        self.memory_before = memory(self.pid)

    def let_in(self, name):
        """One more watcher."""
        self.watchers.append(self.tab(name))
        assert self.watchers[-1].ask("watch", room=self.room)["ok"]

    def measure_memory(self):
        self.memory_each = (memory(self.pid) - self.memory_before) / len(self.watchers)

    def tab(self, name):
        return Tab(self.server.address, self.server.cookies_of(name))

    def seat_speakers(self):
        """Other people talk in another room, where nobody watches: each post is told to nobody."""
        host = self.tab("bilal")
        self.busy_room = host.ask("host", topic="All at once", minutes=30)["room"]
        self.speakers = [self.tab(f"guest{n}") for n in range(1, SPEAKERS + 1)]
        for n, speaker in enumerate(self.speakers, start=1):
            assert speaker.ask("request", room=self.busy_room)["ok"]
            assert host.ask("approve", room=self.busy_room, user=f"guest{n}")["ok"]
        self.host = host

    def stay(self):
        """Answers the pings that have come while the others were measured: who does not is taken for gone."""
        waiting = selectors.DefaultSelector()
        for tab in (self.speaker, self.host, *self.watchers, *self.speakers):
            waiting.register(tab.socket, selectors.EVENT_READ, tab)
        while ready := waiting.select(timeout=0):
            for key, _ in ready:
                key.data.frames()

    def measure_deliveries(self, messages):
        began, burned = time.perf_counter(), cpu_seconds(self.pid)
        post_and_count(self.speaker, self.watchers, self.room, messages, pause=0)
        deliveries = messages * len(self.watchers)
        self.rates.append(deliveries / (time.perf_counter() - began))
        self.costs.append((cpu_seconds(self.pid) - burned) / deliveries * 1e6)

    def measure_posts(self, messages):
        began = time.perf_counter()
        post_at_once(self.speakers, self.busy_room, messages)
        self.posts.append(messages / (time.perf_counter() - began))

    def measure_delay(self):
        taken = post_and_count(self.speaker, self.watchers, self.room, 20, pause=0.25)
        self.delay, self.worst_delay = statistics.median(taken) * 1e3, max(taken) * 1e3

    def measure_following(self, messages):
        """What a post costs another process on the same log, whose people are elsewhere."""
        with running_server(**self.settings) as other:
            burned = cpu_seconds(other.process.pid)
            post_at_once(self.speakers, self.busy_room, messages)
            self.following = (cpu_seconds(other.process.pid) - burned) / messages * 1e6

    def measure_start(self):
        """How long it takes until the next server listens, with everything back."""
        self.commands = sum(1 for _ in open_journal(self.settings["PARTY_JOURNAL"]).replay())
        began = time.perf_counter()
        with running_server(**self.settings):
            self.start = time.perf_counter() - began


def post_at_once(speakers, room, messages):
    """Lets all post, each again as soon as it was acknowledged, until there are `messages` acknowledgements."""
    waiting = selectors.DefaultSelector()

    def post(speaker):
        message = {"room": room, "text": TEXT, "key": str(time.time_ns())}
        speaker.send("421" + json.dumps(["message", message]))

    for speaker in speakers:
        waiting.register(speaker.socket, selectors.EVENT_READ, speaker)
        post(speaker)
    posted, acknowledged = len(speakers), 0
    while acknowledged < messages:
        for key, _ in waiting.select(timeout=5):
            for frame in key.data.frames():
                if frame.startswith(b"431"):
                    assert b'"ok":true' in frame.replace(b" ", b""), frame
                    acknowledged += 1
                    if posted < messages:
                        posted += 1
                        post(key.data)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--watchers", type=int, default=1_000)
    parser.add_argument("--messages", type=int, default=100, help="in each of the rounds")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--journals", nargs="+", choices=KINDS, default=KINDS)
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, cores[-1:])  # Redis, which starts from here, keeps to this core as well
        parties = {}
        for kind in options.journals:
            settings = {
                "PARTY_JOURNAL": address_of(kind, stack),
                "PARTY_GUESTS": str(options.watchers),
                "PARTY_SEATS": str(SPEAKERS),
            }
            server = stack.enter_context(running_server(**settings))
            os.sched_setaffinity(server.process.pid, cores[:1])
            parties[kind] = Party(server, settings)
        for n in range(1, options.watchers + 1):
            for party in parties.values():
                party.let_in(f"guest{n}")
                if n % 100 == 0:
                    party.stay()
        for party in parties.values():
            party.measure_memory()
        for _ in range(options.rounds):
            for party in parties.values():
                party.measure_deliveries(options.messages)
                party.measure_posts(options.messages * 10)
                for each in parties.values():
                    each.stay()
        for party in parties.values():
            party.stay()
            party.measure_delay()
            for each in parties.values():
                each.stay()
        if "redis" in parties:
            parties["redis"].measure_following(options.messages * 20)
        for party in parties.values():
            party.server.stop()
            party.measure_start()
        report(parties, options)


def address_of(kind, stack):
    """The address of a new journal of this kind."""
    if kind == "memory":
        return "memory:"
    if kind == "file":
        return str(Path(stack.enter_context(tempfile.TemporaryDirectory())) / "party.db")
    return stack.enter_context(running_redis()).address


def report(parties, options):
    def row(name, figure, digits=0, suffix=""):
        cells = "".join(f"{figure(party):>14,.{digits}f}{suffix}" for party in parties.values())
        print(f"{name:<34}{cells}")

    first = next(iter(parties.values()))
    print(f"1 speaker, {options.watchers:,} watchers; medians of {options.rounds} × {options.messages} messages")
    print(f"{'journal':<34}" + "".join(f"{kind:>14}" for kind in parties))
    row("deliveries a second", lambda party: statistics.median(party.rates))
    row("  slowest round", lambda party: min(party.rates))
    row("  fastest round", lambda party: max(party.rates))
    # A round against the same round of the first kind, measured seconds before: noise of the machine hits both.
    row("  of the first, %", lambda party: ratio(party.rates, first.rates) * 100, 1)
    row("processor for a delivery, µs", lambda party: statistics.median(party.costs), 1)
    row(f"posts a second, {SPEAKERS} speakers", lambda party: statistics.median(party.posts))
    row("to the last watcher, ms", lambda party: party.delay, 1)
    row("  the slowest", lambda party: party.worst_delay, 1)
    row("memory for a connection, KiB", lambda party: party.memory_each, 1)
    row("commands in the log at the end", lambda party: party.commands)
    row("a start with them, seconds", lambda party: party.start, 2)
    if "redis" in parties:
        print(f"processor for a post through another process on the same Redis: {parties['redis'].following:.0f} µs")


def ratio(figures, others):
    return statistics.median(figure / other for figure, other in zip(figures, others, strict=True))


if __name__ == "__main__":
    main()
