"""Measures the party against a minimal Node server with Socket.IO, and against what C needs at least. `make bench`.

Servers are on one core and the crowd that measures them on another, ours and the peer's by turns, each round against
the same round of the other. Prints one table: the figures, what they are to reach, and how busy both sides were, as
server / client. Draws two curves into docs/pictures/. Talks to this machine alone and ends by itself; all of it takes
half an hour or more.
"""

import argparse
import contextlib
import dataclasses
import functools
import gc
import os
import shutil
import sys
import time
from pathlib import Path

from benchmarks import ROOT, guests, holding, lasting, posting, storms, telling
from benchmarks.client import Crowd, allow_descriptors
from benchmarks.machine import CLIENT, description
from benchmarks.peers import node_is_there, running_node, running_party
from benchmarks.sizes import FULL, QUICK
from benchmarks.table import table

POINTS = {
    "fanout": telling.fanout,
    "rooms": telling.rooms,
    "memory": holding.remembering,
    "held": holding.held,
    "idle": holding.idling,
    "storm": storms.storm,
    "posts": posting.posts,
    "cluster": posting.cluster,
    "growth": lasting.growth,
    "start": lasting.start,
    "services": posting.services,
    "guests": guests.guests,
    "curves": telling.curves,
}


class Bench:
    """What every point needs: how much is measured, servers, and the turns."""

    def __init__(self, sizes, runs, with_node, pictures):
        self.sizes, self.runs, self.with_node, self.pictures = sizes, runs, with_node, pictures
        self.crowd = Crowd()

    def party(self, processes=1, **settings):
        return running_party(self.crowd, processes, self.sizes.pause, **settings)

    def kinds(self):
        """(title, what starts one) of all that are compared."""
        return [("ours", self.party)] + [("Node", functools.partial(running_node, self.crowd))] * self.with_node

    @contextlib.contextmanager
    def peers(self):
        """All of them, ours first, running at the same time."""
        with contextlib.ExitStack() as stack:
            yield [stack.enter_context(running()) for _, running in self.kinds()]

    def by_turns(self, peers, measure):
        """{title: what `measure(peer)` gave in each round}."""
        given = {peer.title: [] for peer in peers}
        for n in range(self.runs):
            for peer in peers[:: -1 if n % 2 else 1]:
                given[peer.title].append(measure(peer))
        return given

    def by_turns_anew(self, measure):
        """As `by_turns`, with a new server each time."""
        given = {}
        for _ in range(self.runs):
            for title, running in self.kinds():
                with running() as peer:
                    given.setdefault(title, []).append(measure(peer))
        return given

    def draw(self, name, svg):
        self.pictures.mkdir(exist_ok=True)
        (self.pictures / f"{name}.svg").write_text(svg)

    def say(self, sentence):
        print(sentence, file=sys.stderr, flush=True)


def arguments():
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__.partition("\n")[0])
    parser.add_argument("--only", help=f"some of the points, with commas: {','.join(POINTS)}")
    parser.add_argument("--runs", type=int, help="rounds of each measurement, 5 if not given")
    parser.add_argument("--held", type=int, help="how many connections one process is to hold")
    parser.add_argument("--quick", action="store_true", help="tiny numbers: shows that it works, not how fast it is")
    parser.add_argument("--no-node", action="store_true", help="without the peer")
    parser.add_argument("--pictures", type=Path, default=ROOT / "docs/pictures", help="the folder for the two curves")
    given = parser.parse_args()
    given.points = given.only.split(",") if given.only else list(POINTS)
    if unknown := set(given.points) - POINTS.keys():
        parser.error(f"no such point: {', '.join(unknown)}")
    return given


def main():
    given = arguments()
    sizes = QUICK if given.quick else FULL
    if given.held is not None:
        sizes = dataclasses.replace(sizes, held=given.held)
    with_node = not given.no_node and node_is_there() and bool(shutil.which("node"))
    bench = Bench(sizes, given.runs or (1 if given.quick else 5), with_node, given.pictures)
    if not with_node and not given.no_node:
        bench.say("Going on without the peer: Node or benchmarks/node_modules is missing.")
    allow_descriptors(sizes.held + holding.SPARE_DESCRIPTORS)
    os.sched_setaffinity(0, {CLIENT})
    gc.disable()  # nothing here is in a circle, and a pause would count as the server's
    print(f"{description()}; medians of {bench.runs} rounds\n")
    rows, stuck = [], False
    for name in given.points:
        begun, bench.crowd = time.monotonic(), Crowd()
        try:
            rows += POINTS[name](bench)
            bench.say(f"{name}: measured in {time.monotonic() - begun:.1f} s")
        except Exception as error:  # the others are measured all the same
            stuck = True
            bench.say(f"{name} could not be measured: {error}")
    print(table(rows))
    sys.exit(stuck)


if __name__ == "__main__":
    main()
