"""Point 5: everybody comes at once, and everybody goes at once, while somebody else goes on asking."""

from benchmarks.bystander import Bystander
from benchmarks.client import Line
from benchmarks.machine import Meter
from benchmarks.peers import signed_in
from benchmarks.table import Goal, Row
from benchmarks.talking import post

AT_ONCE = 200  # newcomers on their way in at the same moment; more would wait in the listener's backlog


def storm(bench):
    sizes = bench.sizes
    coming = bench.by_turns_anew(lambda peer: come(peer, sizes.storm, sizes.feed))
    going = bench.by_turns_anew(lambda peer: go(peer, sizes.closing, sizes.closing_seconds))
    takens = {title: [taken for taken, _ in rounds] for title, rounds in coming.items()}

    def row(point, what, figure, goal=None, pick=None):
        figures = {title: [figure(taken, waits) for taken, waits in rounds] for title, rounds in coming.items()}
        return Row(point, what, figures["ours"], figures.get("Node", []), goal=goal, pick=pick, takens=takens)

    yield row("5 storm", f"seconds for {sizes.storm:,} to come", lambda taken, _: taken.wall, Goal("ratio", most=2))
    yield row("", "of the server's processor", lambda taken, _: taken.server)
    yield row("", "ms, somebody's longest wait meanwhile, of all rounds", lambda _, waits: max(waits) * 1e3,
              Goal("ours", most=50), max)  # fmt: skip
    waits = {title: [max(waits) * 1e3 for waits in rounds] for title, rounds in going.items()}
    yield Row("", f"ms, the longest wait when {sizes.closing:,} close, of all rounds", waits["ours"],
              waits.get("Node", []), goal=Goal("ours", most=100), pick=max)  # fmt: skip


def come(peer, count, feed):
    """Lets so many enter a room of `feed` messages: of the party they sign in first, and get the feed. Gives what it
    took, and the bystander's waits."""
    crowd = peer.crowd
    room = peer.open_room(peer.connect(1), seats=0)
    post(peer, [room], feed, in_flight=8)
    came = []
    with Bystander(peer) as bystander, Meter(peer.pids) as meter:
        came += crowd.run((newcomer(peer, n, room.id) for n in range(count)), AT_ONCE)
    crowd.drop(came)
    return meter.taken, bystander.waits


def newcomer(peer, n, room_id):
    """(line, script) of somebody who comes."""
    source = f"127.0.0.{2 + n % 200}"
    line = Line(peer.addresses[0], f"extra{n + 1}", source=source)
    return line, entering(peer, line, room_id, source)


def entering(peer, line, room_id, source):
    """A script: signs in where the peer asks for that, and goes on with a line of its own, as a browser does."""
    if peer.title == "ours":
        cookie = yield from signed_in(line, line.name)
        page, line = line, Line(peer.addresses[0], line.name, cookie, source)
        peer.crowd.move_on(page, line)
    yield from line.connected()
    yield from line.answered("watch", room=room_id)
    return line


def go(peer, count, seconds):
    """Lets so many close their lines at the same moment. Gives a bystander's waits from then on."""
    lines = peer.connect(count + 1)
    peer.open_room(lines, seats=0)
    with Bystander(peer) as bystander:
        peer.leave(lines[1:])
        peer.crowd.stay(seconds)
    return bystander.waits
