"""How fast one speaker's words reach a thousand watchers, and what a connection costs. Run it with `make bench`.

Starts a server of its own on one core, lets the watchers in, and measures from another core: deliveries a second when
the speaker posts as fast as acknowledgements come, the time from posting to the last watcher at an easy pace, and the
server's memory for each connection. Talks to 127.0.0.1 alone and ends by itself.
"""

import argparse
import json
import os
import selectors
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from person import sign_in_over_http  # noqa: E402

import users  # noqa: E402

SECRET = "a secret for measuring"
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
        self.buffer += self.socket.recv(65_536)
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


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--watchers", type=int, default=1_000)
    parser.add_argument("--messages", type=int, default=200, help="in each of the rounds")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    settings = {"HOST": "127.0.0.1", "PORT": "0", "PARTY_PACE": "0", "PARTY_SECRET_KEY": SECRET}
    server = subprocess.Popen(
        [sys.executable, "app.py"],
        cwd=ROOT,
        env={**os.environ, **settings, "PARTY_GUESTS": str(options.watchers)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        measure(server, server.stdout.readline().strip(), options)
    finally:
        server.terminate()
        server.wait(10)


def measure(server, address, options):
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(server.pid, cores[:1])
    os.sched_setaffinity(0, cores[-1:])

    def sign_in(name):
        return sign_in_over_http(address, name, users.password(SECRET, name, 1))

    speaker = Tab(address, sign_in("asha"))
    room = speaker.ask("host", topic="How fast is it?")["room"]
    cookies = [sign_in(f"guest{n}") for n in range(1, options.watchers + 1)]
    before = memory(server.pid)
    watchers = [Tab(address, cookie) for cookie in cookies]
    for watcher in watchers:
        assert watcher.ask("watch", room=room)["ok"]
    time.sleep(1)  # presence is told by then
    each = (memory(server.pid) - before) / options.watchers
    rates, costs = [], []
    for _ in range(options.rounds):
        began, burned = time.perf_counter(), cpu_seconds(server.pid)
        post_and_count(speaker, watchers, room, options.messages, pause=0)
        deliveries = options.messages * options.watchers
        rates.append(deliveries / (time.perf_counter() - began))
        costs.append((cpu_seconds(server.pid) - burned) / deliveries * 1e6)
    easy = post_and_count(speaker, watchers, room, 40, pause=0.25)
    rounds = f"medians of {options.rounds} × {options.messages} messages"
    print(f"1 room, 1 speaker, {options.watchers:,} watchers; {rounds}")
    print(f"deliveries a second     {statistics.median(rates):>10,.0f}   ({min(rates):,.0f} to {max(rates):,.0f})")
    print(f"processor, µs each      {statistics.median(costs):>10.1f}")
    last, worst = statistics.median(easy) * 1e3, max(easy) * 1e3
    print(f"to the last watcher, ms {last:>10.1f}   (at 4 messages a second; worst {worst:.1f})")
    print(f"memory, KiB each        {each:>10.1f}   (a connection inside a room)")


if __name__ == "__main__":
    main()
