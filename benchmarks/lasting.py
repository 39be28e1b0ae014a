"""Points 8 and 9: whether what was said before makes the next message, the memory or a start more expensive."""

import tempfile
import time

from benchmarks.client import TEXT
from benchmarks.machine import memory
from benchmarks.peers import Room
from benchmarks.table import Goal, Row
from benchmarks.talking import post, talk
from runtime.journal import FileJournal

BEGUN = 50  # messages in a room that is young
WARM = 100  # rooms opened and closed before memory is looked at: more than are kept for reading


def growth(bench):
    """A message in an old room against one in a young room, by turns."""
    sizes, ratios = bench.sizes, []
    messages = sizes.growth_messages
    with bench.party() as party:
        old = party.open_room(party.connect(sizes.people))
        talk(party, [old], sizes.grown, in_flight=64)
        for _ in range(bench.runs):
            lines = party.connect(sizes.people)
            young = party.open_room(lines)
            talk(party, [young], BEGUN, in_flight=1)
            costs = [talk(party, [room], messages, in_flight=1)[0].server for room in (old, young)]
            ratios.append(costs[0] / max(costs[1], 1e-9))
            party.ask(lines[0], "close", room=young.id)
            party.leave(lines)
    with bench.party() as party:
        rooms = memory_after_rooms(party, sizes.closed_rooms)
    yield Row("8 growth", f"message {sizes.grown:,} against message {BEGUN}", ratios, goal=Goal("ours", most=1.05))
    yield Row("", f"memory after {sizes.closed_rooms:,} rooms against before", [rooms], goal=Goal("ours", most=1.05))


def memory_after_rooms(party, count):
    hosts = party.connect(5)

    def open_and_close(count):
        for n in range(count):
            host = hosts[n % len(hosts)]
            room = party.ask(host, "host", topic="How long is it remembered?")["room"]
            post(party, [Room(room, [host], [host])], 3, in_flight=1)
            party.ask(host, "close", room=room)

    open_and_close(min(WARM, count))
    before = memory(party.pids[0])
    open_and_close(count)
    return memory(party.pids[0]) / before


def start(bench):
    """Seconds until a server listens."""
    measured = {}
    for _ in range(bench.runs):
        for title, running in bench.kinds():
            measured.setdefault(title, []).append(seconds_to_start(running))
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/party.db"
        write_log(path, bench.sizes.commands)
        full = [seconds_to_start(lambda: bench.party(PARTY_JOURNAL=path)) for _ in range(bench.runs)]
    yield Row("9 start", "seconds, empty", measured["ours"], measured.get("Node", []), goal=Goal("ours", most=0.5))
    yield Row("", f"seconds, {bench.sizes.commands:,} commands in the log", full, goal=Goal("ours", most=1.2))


def seconds_to_start(running):
    begun = time.perf_counter()
    with running():
        return time.perf_counter() - begun


class QuickJournal(FileJournal):
    SYNCHRONOUS = "OFF"  # a log that is made for a measurement need not survive a power cut


def write_log(path, count):
    """A log of so many commands: people who sign in, open ten rooms and talk in them."""
    journal, at = QuickJournal(path), time.time_ns() // 1_000_000
    journal.follow(lambda entries: None, lambda position, command: None)
    try:
        for n in range(count):
            host, base = f"extra{n % 10 + 1}", {"id": f"{n:016x}", "at": at, "user": f"extra{n % 10 + 1}", "key": None}
            if n < 10:
                more = {"kind": "sign_in", "sign_in": f"sign-in of {host}", "since": at, "number": 1}
            elif n < 20:
                more = {"kind": "host", "topic": "How long is it?", "lasts": 1_800_000, "through": f"sign-in of {host}"}
            else:
                more = {"kind": "message", "room": f"{10 + n % 10:016x}", "text": TEXT, "key": f"k{n}",
                        "most": 20_000, "through": f"sign-in of {host}"}  # fmt: skip
            journal.append(base | more)
    finally:
        journal.close()
