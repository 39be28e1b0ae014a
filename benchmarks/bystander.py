"""Somebody who asks a small thing every few milliseconds while a server has much to do.

In a process of its own, so that the crowd's work does not count. `python -m benchmarks.bystander ADDRESS [COOKIE]` says
`ready`, goes on until its standard input ends, and prints its waits, in seconds, as JSON.
"""

import contextlib
import json
import os
import select
import subprocess
import sys
import time

from benchmarks import ROOT
from benchmarks.client import PING, PONG, Crowd, Line, event

EVERY_SECONDS = 0.003
NOTHING = event("nothing", {})  # the party answers that there is no such event, the peer that it is fine


def wait_for_answer(line):
    said = b""
    while b"431[" not in said:
        data = line.socket.recv(65_536)
        if not data:
            raise ConnectionError("the server closed the line")
        said += data
        if PING in data:
            line.socket.sendall(PONG)


def ask_until_told_to_end(line):
    waits = []
    while not select.select([sys.stdin], [], [], EVERY_SECONDS)[0]:
        begun = time.perf_counter()
        line.socket.sendall(NOTHING)
        wait_for_answer(line)
        waits.append(time.perf_counter() - begun)
    return waits


def main():
    with contextlib.suppress(PermissionError):
        os.nice(-10)  # what is measured is the server, not when the crowd lets this go on
    address, cookie = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None
    line = Line(address, cookie=cookie)
    Crowd().run([(line, line.connected())])
    line.socket.setblocking(True)
    line.socket.settimeout(60)
    print("ready", flush=True)
    print(json.dumps(ask_until_told_to_end(line)))


class Bystander:
    """Asks while a `with` block runs; afterwards `waits` has how long each answer took, in seconds."""

    def __init__(self, peer):
        peer.prepare(1)
        self.given = [peer.addresses[0], *filter(None, [peer.cookie_of("extra1")])]

    def __enter__(self):
        command = [sys.executable, "-m", "benchmarks.bystander", *self.given]
        self.process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "ready\n"
        return self

    def __exit__(self, *_):
        said, _ = self.process.communicate(timeout=90)
        self.waits = json.loads(said)


if __name__ == "__main__":
    main()
