"""Points 6, 7 and 10: how many messages can be said, several processes on one Redis, and what reads along beside."""

import contextlib
import shutil
import tempfile

from servers import running_redis

from benchmarks.machine import Meter
from benchmarks.peers import Room
from benchmarks.table import Goal, Row
from benchmarks.talking import post, talk
from benchmarks.telling import compared, cost

EACH_IN_FLIGHT = 4
SPEAKERS = 20  # where posts are counted that nobody hears


def posts(bench):
    sizes = bench.sizes
    with bench.peers() as peers:
        rooms = {peer: peer.open_room(peer.connect(sizes.table)) for peer in peers}
        heard = bench.by_turns(
            peers, lambda peer: talk(peer, [rooms[peer]], sizes.said, EACH_IN_FLIGHT * len(rooms[peer].speakers))
        )
    yield compared("6 posts", f"messages a second, nine to {sizes.table:,} people, on a file",
                   lambda measured: sizes.said / measured[0].wall, heard, goal=Goal("ours", least=1_000))  # fmt: skip
    if not shutil.which("redis-server"):
        return bench.say("Without redis-server its points are left out: deploy/install_packages.sh installs it.")
    settings = {"PARTY_SEATS": str(SPEAKERS)}
    with running_redis() as redis, bench.party(PARTY_JOURNAL=redis.address, **settings) as party:
        room = party.open_empty_room(party.connect(1 + SPEAKERS))
        takens = [post(party, [room], sizes.alone, 1) for _ in range(bench.runs)]
        with bench.party(PARTY_JOURNAL=redis.address, **settings) as other:
            following = [cost_of_following(party, other, room, sizes.alone) for _ in range(bench.runs)]
    yield Row("", f"posts a second on Redis, {SPEAKERS} speakers, nobody inside",
              [sizes.alone / taken.wall for taken in takens], goal=Goal("ours", least=2_100),
              takens={"ours": takens})  # fmt: skip
    yield Row("", "µs that a post of another process takes", following, goal=Goal("ours", most=60))


def cost_of_following(party, other, room, messages):
    """Microseconds of processor for each post, of a process that tells it nobody."""
    with Meter(other.pids) as meter:
        post(party, [room], messages, 1)
    return meter.taken.server / messages * 1e6


def cluster(bench):
    """One room whose people are spread over several processes, all on one core: what they take together."""
    sizes = bench.sizes
    if not shutil.which("redis-server"):
        return
    with contextlib.ExitStack() as stack:
        parties = []
        for processes in sizes.processes:
            redis = stack.enter_context(running_redis())
            party = stack.enter_context(bench.party(processes, PARTY_JOURNAL=redis.address))
            party.title = f"{processes}"
            parties.append(party)
        rooms = {party: party.open_room(party.connect(sizes.spread)) for party in parties}
        measured = bench.by_turns(parties, lambda party: talk(party, [rooms[party]], sizes.spread_messages, 16))
    costs = {title: list(map(cost, rounds)) for title, rounds in measured.items()}
    first = costs[str(sizes.processes[0])]
    for title, figures in costs.items():
        point, takens = "7 processes" if figures is first else "", {"ours": [taken for taken, _ in measured[title]]}
        yield Row(point, f"µs a delivery, {title} on one Redis", figures, takens=takens)
    for title in list(costs)[1:]:
        ratios = [figure / one for figure, one in zip(costs[title], first, strict=True)]
        yield Row("", f"{title} processes against 1", ratios, goal=Goal("ours", most=1.15))


def services(bench):
    """The same posts by turns, with and without what reads along, which shares the party's core: what they take of the
    party, and how long somebody waits who says one after the other."""
    sizes, names = bench.sizes, "figures,feedback"
    with (
        tempfile.TemporaryDirectory() as instance,
        bench.party(PARTY_SEATS=str(SPEAKERS)) as alone,
        bench.party(PARTY_SEATS=str(SPEAKERS), PARTY_SERVICES=names, PARTY_INSTANCE=instance) as followed,
    ):
        alone.title, followed.title = "alone", "followed"
        rooms = {party: party.open_empty_room(party.connect(1 + SPEAKERS)) for party in (alone, followed)}
        ones = {party: Room(room.id, room.lines, room.speakers[:1]) for party, room in rooms.items()}
        many = bench.by_turns((alone, followed), lambda party: post(party, [rooms[party]], sizes.alone, 1))
        single = bench.by_turns((alone, followed), lambda party: post(party, [ones[party]], sizes.alone // 4, 1))
    for point, what, given, of in (
        ("10 services", "µs of the party for a post, what reads along against without", many, "server"),
        ("", "ms until a post is acknowledged, what reads along against without", single, "wall"),
    ):
        ratios = [
            getattr(one, of) / getattr(other, of) for one, other in zip(given["followed"], given["alone"], strict=True)
        ]
        yield Row(point, what, ratios, goal=Goal("ours", most=1.03), takens={"ours": given["followed"]})
