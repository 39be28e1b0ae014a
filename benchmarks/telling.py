"""Points 1 and 2: what it costs to tell one large room, and many small ones; and the two curves."""

import statistics

from benchmarks import drawing
from benchmarks.peers import floor
from benchmarks.table import Goal, Row
from benchmarks.talking import delays, percentile, talk

FRAME_BYTES = 215  # of a message with our text, as it goes out


def cost(measured):
    """Microseconds of the server's processor for a delivery."""
    taken, deliveries = measured
    return taken.server / deliveries * 1e6


def rate(measured):
    taken, deliveries = measured
    return deliveries / taken.wall


def compared(point, what, figure, measured, goal=None, c=None):
    """A row from {title of a peer: [what talk() gave, …]}."""
    figures = {title: list(map(figure, rounds)) for title, rounds in measured.items()}
    takens = {title: [taken for taken, _ in rounds] for title, rounds in measured.items()}
    return Row(point, what, figures["ours"], figures.get("Node", []), c=c, goal=goal, takens=takens)


def fanout(bench):
    """One room of a thousand."""
    sizes = bench.sizes
    least = floor(sizes.watchers, 160, FRAME_BYTES) or {}
    with bench.peers() as peers:
        rooms = {peer: peer.open_room(peer.connect(sizes.watchers)) for peer in peers}
        one = bench.by_turns(peers, lambda peer: talk(peer, [rooms[peer]], sizes.messages, 1))
        many = bench.by_turns(peers, lambda peer: talk(peer, [rooms[peer]], sizes.messages * 2, 16))
        slow = bench.by_turns(peers, lambda peer: delays(peer, rooms[peer], sizes.delayed, 20))
    yield compared("1 fan-out", "µs a delivery, 16 in flight", cost, many, Goal("ratio", most=0.4), least.get(16))
    yield compared("", "µs a delivery, 1 in flight", cost, one, Goal("ratio", most=0.9), least.get(1))
    yield Row("", "µs a frame, 4 in one send", [], c=least.get(4))
    yield compared("", "deliveries a second, 16 in flight", rate, many, Goal("ratio", least=2))
    for n, what in ((1, "the last"), (0, "anybody")):
        figures = {title: [percentile(given[n], 99) * 1e3 for given in rounds] for title, rounds in slow.items()}
        takens = {title: [given[2] for given in rounds] for title, rounds in slow.items()}
        yield Row("", f"ms until {what} has it, p99 at 20 a second", figures["ours"], figures.get("Node", []),
                  goal=Goal("ratio", most=1), takens=takens)  # fmt: skip


def rooms(bench):
    """Many small rooms in which all talk; and whether a message costs more where there are more rooms."""
    sizes = bench.sizes
    messages = sizes.rooms_messages

    def fill(peer, count):
        return [peer.open_room(peer.connect(sizes.people)) for _ in range(count)]

    with bench.peers() as peers, bench.party() as small:
        filled = {peer: fill(peer, sizes.rooms) for peer in peers}
        filled[small] = fill(small, 1)
        speakers = len(filled[peers[0]][0].speakers)
        one_talks = bench.by_turns(peers, lambda peer: talk(peer, filled[peer], messages, sizes.rooms))
        all_talk = bench.by_turns(peers, lambda peer: talk(peer, filled[peer], messages, sizes.rooms * speakers))
        costs = [
            (cost(talk(peers[0], filled[peers[0]], messages, 1)), cost(talk(small, filled[small], messages, 1)))
            for _ in range(bench.runs)
        ]
    all_rooms = f"µs a delivery, {sizes.rooms} rooms of {sizes.people}"
    yield compared("2 many rooms", f"{all_rooms}, {speakers} in flight each", cost, all_talk, Goal("ratio", most=0.7))
    yield compared("", f"{all_rooms}, 1 in flight each", cost, one_talks, Goal("ratio", most=0.7))
    yield Row("", f"{all_rooms}, 1 in flight in all", [many for many, _ in costs])
    yield Row("", "the same with 1 room", [one for _, one in costs])
    yield Row("", f"{sizes.rooms} rooms against 1", [many / one for many, one in costs], goal=Goal("ours", most=1.05))


def curves(bench):
    """Cost over the size of a room, and over messages in flight: two drawings."""
    sizes, largest = bench.sizes, max(bench.sizes.room_sizes)
    with bench.peers() as peers:
        rooms = {(peer, size): peer.open_room(peer.connect(size)) for peer in peers for size in sizes.room_sizes}

        def costs(size, in_flight):
            messages = max(sizes.curve_deliveries // size, in_flight)
            given = bench.by_turns(peers, lambda peer: talk(peer, [rooms[peer, size]], messages, in_flight))
            return {title: statistics.median(map(cost, rounds)) for title, rounds in given.items()}

        by_size = {size: costs(size, 16) for size in sizes.room_sizes}
        by_flight = {in_flight: costs(largest, in_flight) for in_flight in sizes.flights}
    for name, title, below, given in (
        ("cost_by_size", "16 messages in flight", "people in the room", by_size),
        ("cost_by_flight", f"a room of {largest:,}", "messages in flight", by_flight),
    ):
        series = {peer.title: {x: figures[peer.title] for x, figures in given.items()} for peer in peers}
        bench.draw(name, drawing.chart(f"µs of processor for a delivery, {title}", below, series))
        for x, figures in given.items():
            node = [figures["Node"]] if "Node" in figures else []
            yield Row("curve", f"µs a delivery, {title}, {x:,} {below}", [figures["ours"]], node)
