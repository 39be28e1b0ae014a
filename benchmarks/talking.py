"""People who talk, as fast as their messages arrive or at an easy pace, and what that takes."""

import itertools
import time

from benchmarks.client import TEXT, event
from benchmarks.machine import Meter

keys = itertools.count(1)


def message_in(room):
    return event("message", {"room": room.id, "text": TEXT, "key": f"k{next(keys)}"})


def talk(peer, rooms, messages, in_flight):
    """Says `messages` in all, by turns of the rooms and in each by turns of its speakers.

    A message is in flight until it is acknowledged and everybody inside has it; of several, as many count as arrived
    as there were deliveries for. The rooms are of one size. Gives what it took, and how many deliveries that were.
    Fails where somebody did not get everything exactly once.
    """
    crowd, size = peer.crowd, len(rooms[0].lines)
    turns = itertools.cycle([(room, itertools.cycle(room.speakers)) for room in rooms])
    messages = max(messages // len(rooms), 1) * len(rooms)
    for room in rooms:
        for line in room.lines:
            line.got = 0
    crowd.told = crowd.acks = posted = 0
    with Meter(peer.pids) as meter:
        while crowd.told < messages * size or crowd.acks < messages:
            while posted < messages and posted - min(crowd.told // size, crowd.acks) < in_flight:
                room, speakers = next(turns)
                next(speakers).send(message_in(room))
                posted += 1
            crowd.expect()
    wrong = {line.got for room in rooms for line in room.lines} - {messages // len(rooms)}
    assert not wrong, f"some were told {wrong} messages, not {messages // len(rooms)}"
    return meter.taken, messages * size


def post(peer, rooms, messages, in_flight):
    """Says `messages` in all as fast as acknowledgements come, with `in_flight` of them for each speaker. Gives what it
    took."""
    crowd = peer.crowd
    turns = [(room, speaker) for room in rooms for speaker in room.speakers]
    crowd.acks = posted = 0
    with Meter(peer.pids) as meter:
        while crowd.acks < messages:
            while posted < messages and posted - crowd.acks < in_flight * len(turns):
                room, speaker = turns[posted % len(turns)]
                speaker.send(message_in(room))
                posted += 1
            crowd.expect()
    return meter.taken


def delays(peer, room, messages, a_second):
    """Says `messages` at that pace. Gives the seconds until somebody had one, for everybody and every message; the
    seconds until the last had it, for every message; and what it all took."""
    crowd, posted, missing, each, last = peer.crowd, [], [], [], []
    speakers = itertools.cycle(room.speakers)
    for line in room.lines:
        line.got = 0

    def note(line, found):
        now = time.perf_counter()
        for n in range(line.got - found, line.got):
            each.append(now - posted[n])
            missing[n] -= 1
            if not missing[n]:
                last.append(now - posted[n])

    crowd.note = note
    with Meter(peer.pids) as meter:
        begun = time.perf_counter()
        while len(last) < messages:
            due = begun + len(posted) / a_second
            if len(posted) < messages and time.perf_counter() >= due:
                posted.append(time.perf_counter())
                missing.append(len(room.lines))
                next(speakers).send(message_in(room))
            elif len(posted) < messages:
                crowd.turn(max(0, due - time.perf_counter()))
            else:
                crowd.expect()
    crowd.note = None
    return each, last, meter.taken


def percentile(figures, part):
    """The smallest that at least this part of them is not above."""
    ordered = sorted(figures)
    return ordered[max(0, -(-len(ordered) * part // 100) - 1)]
