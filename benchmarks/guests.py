"""Point 11: a hundred guests come in by one link within a second, while people talk in another room.

They come in a process of their own, so that their work does not count. `python -m benchmarks.guests ADDRESS ROOM TOKEN
COUNT` says `ready`, begins with the next line of its input, and prints in how many seconds all of them were inside.
"""

import contextlib
import itertools
import os
import subprocess
import sys
import time

from benchmarks import ROOT
from benchmarks.client import Crowd, Line
from benchmarks.peers import got, posted, token_in
from benchmarks.table import Goal, Row
from benchmarks.talking import delays, percentile

WITHIN_SECONDS = 1
A_SECOND = 20  # messages
households = itertools.count()  # of each, ten may come in within a minute


def guests(bench):
    sizes = bench.sizes
    with bench.party() as party:
        *people, host = party.connect(sizes.watchers + 1)
        room = party.open_room(people)
        rounds = [beside(party, room, host, sizes.guests) for _ in range(bench.runs)]
    alone, meanwhile, seconds = zip(*rounds, strict=True)
    what = f"ms until anybody has it, p99 at {A_SECOND} a second"
    yield Row("11 guests", what, [figure * 1e3 for figure in alone])
    yield Row("", f"the same while {sizes.guests} come in within a second", [figure * 1e3 for figure in meanwhile])
    ratios = [one / other for one, other in zip(meanwhile, alone, strict=True)]
    yield Row("", "with them against without", ratios, goal=Goal("ours", most=2))
    yield Row("", "seconds until the last of them is inside", list(seconds))


def beside(party, room, host, count):
    """(p99 of the seconds until somebody in the room has a message, the same while so many guests come in elsewhere, in
    how many seconds they were inside)."""
    elsewhere = party.ask(host, "host", topic="Anybody with the link")["room"]
    token = party.ask(host, "door", room=elsewhere, open="ask")["token"]
    command = [sys.executable, "-m", "benchmarks.guests", party.addresses[0], elsewhere, token, str(count)]
    coming = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert coming.stdout.readline() == "ready\n"
    alone, _, _ = delays(party, room, A_SECOND * WITHIN_SECONDS, A_SECOND)
    coming.stdin.write("come\n")
    coming.stdin.flush()
    meanwhile, _, _ = delays(party, room, A_SECOND * WITHIN_SECONDS, A_SECOND)
    took, _ = coming.communicate("go\n")
    party.ask(host, "close", room=elsewhere)
    return percentile(alone, 99), percentile(meanwhile, 99), float(took)


def newcomers(crowd, address, link, count):
    """The scripts of so many, one after the other over a second."""
    begun = time.perf_counter()
    for n in range(count):
        while (left := begun + n * WITHIN_SECONDS / count - time.perf_counter()) > 0:
            crowd.turn(left)
        source = f"127.0.{os.getpid() % 250}.{2 + next(households) % 250}"
        line = Line(address, source=source)
        yield line, coming_in(crowd, line, link, f"Gita the {n}th", source)


def coming_in(crowd, line, link, name, source):
    """A script: looks at what stands behind a link and comes in by it, as a browser does."""
    cookie, page = yield from got(line, "sign-in")
    form = link | {"token": token_in(page)}
    yield from posted(line, "entrance", form, cookie)
    cookie, _ = yield from posted(line, "guest", form | {"name": name}, cookie)
    yield from got(line, "", cookie)
    page, line = line, Line(f"http://{line.address}/", None, cookie, source)
    crowd.move_on(page, line)
    yield from line.connected()
    yield from line.answered("watch", room=link["room"])


def main():
    address, room, token, count = sys.argv[1:]
    with contextlib.suppress(PermissionError):
        os.nice(5)  # what is measured is how long others wait
    crowd = Crowd()
    print("ready", flush=True)
    sys.stdin.readline()
    begun = time.perf_counter()
    crowd.run(newcomers(crowd, address, {"room": room, "door": token}, int(count)), at_once=int(count))
    print(time.perf_counter() - begun, flush=True)
    sys.stdin.readline()  # they stay until they are told to go


if __name__ == "__main__":
    main()
