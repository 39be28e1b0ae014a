"""Points 3 and 4: what people take who are only there."""

from benchmarks.client import LOBBY, MESSAGE, allow_descriptors
from benchmarks.machine import Meter, memory
from benchmarks.table import Goal, Row
from benchmarks.talking import delays, percentile

SPARE_DESCRIPTORS = 300  # for files, the log, and the few lines that sign people in


def memory_each(peer, count):
    """KiB that each of `count` people takes more: (in the lobby, after all have entered one room)."""
    before = memory(peer.pids[0])
    peer.prepare(count)
    room = peer.open_room(peer.connect(1), seats=0)
    lines = peer.connect(count)
    peer.crowd.stay(0.5)
    in_the_lobby = memory(peer.pids[0]) - before
    peer.enter(lines, room.id)
    peer.crowd.stay(0.5)
    return in_the_lobby / count, (memory(peer.pids[0]) - before) / count


def remembering(bench):
    """Memory for a connection that does nothing, each time on new servers."""
    measured = bench.by_turns_anew(lambda peer: memory_each(peer, bench.sizes.remembered))
    for n, where in enumerate(("in the lobby", "inside a room")):
        figures = {title: [given[n] for given in rounds] for title, rounds in measured.items()}
        yield Row("3 memory" if n == 0 else "", f"KiB a connection that does nothing, {where}", figures["ours"],
                  figures.get("Node", []), goal=Goal("ours", most=5))  # fmt: skip


def held(bench):
    """As many as one process holds: once, since it takes minutes."""
    most = allow_descriptors(bench.sizes.held + SPARE_DESCRIPTORS) - SPARE_DESCRIPTORS
    count, crowd = min(bench.sizes.held, most), bench.crowd
    with bench.party() as party:
        before, crowd.lost = memory(party.pids[0]), 0
        party.prepare(count)
        lines = party.connect(count)
        crowd.stay(bench.sizes.held_seconds)
        taken = (memory(party.pids[0]) - before) * 1024 / 1e6
        room = party.open_room(lines[:20])
        _, last, busy = delays(party, room, bench.sizes.delayed, 20)
        lost = crowd.lost
    yield Row("3 held", f"MB for {count:,} connections", [taken], goal=Goal("ours", most=250))
    yield Row("", "of them dropped within two ping intervals", [lost], goal=Goal("ours", most=0, least=0))
    yield Row("", "ms until the last of 20 of them has a message, p99", [percentile(last, 99) * 1e3],
              goal=Goal("ours", most=50), takens={"ours": [busy]})  # fmt: skip


def idling(bench):
    """Processor for people who do nothing, both servers at the same time; then one room is opened."""
    sizes, crowd = bench.sizes, bench.crowd
    shares, takens = {}, {}
    with bench.peers() as peers:
        for peer in peers:
            peer.connect(sizes.idle)
        for _ in range(bench.runs):
            meters = [Meter(peer.pids) for peer in peers]
            for meter in meters:
                meter.__enter__()
            crowd.stay(sizes.idle_seconds)
            for peer, meter in zip(peers, meters, strict=True):
                meter.__exit__()
                shares.setdefault(peer.title, []).append(meter.taken.server / meter.taken.wall * 100)
                takens.setdefault(peer.title, []).append(meter.taken)
        party = peers[0]
        party.leave(party.lines[sizes.lobby :])
        crowd.stay(1)
        frames = [frames_for_a_change(party) for _ in range(bench.runs)]
    yield Row("4 idle", f"% of a core for {sizes.idle:,} who do nothing", shares["ours"], shares.get("Node", []),
              goal=Goal("ours", most=2), takens=takens)  # fmt: skip
    yield Row("", f"frames to each of {sizes.lobby:,} for a lobby change", frames, goal=Goal("ours", most=1, least=1))


def frames_for_a_change(party):
    """How many frames about the lobby anybody there gets at most for one change: a room opens, somebody enters it and
    leaves it, it closes."""
    host, guest, crowd = party.lines[0], party.lines[1], party.crowd
    most, room = [], None
    for who, event, what in (
        (host, "host", {"topic": "What changes?"}),
        (guest, "watch", {}),
        (guest, "leave", {}),
        (host, "close", {}),
    ):
        crowd.count(LOBBY)
        answer = party.ask(who, event, **what | ({"room": room} if room else {}))
        room = room or answer["room"]
        crowd.stay(1)
        assert min(line.got for line in party.lines) > 0, "everybody hears of it"
        most.append(max(line.got for line in party.lines))
    crowd.count(MESSAGE)
    return max(most)
