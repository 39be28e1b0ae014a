"""What leaves: each view names the fields that its audience may see. Nothing else of a room is ever sent.

A message, and a request in the queue, is kept as it leaves: the rules `say` and `ask_to_speak` name its fields.
"""

import itertools
from collections import Counter
from collections.abc import Iterable, Mapping, Set
from typing import Any

from party import publishing
from party.model import Command, Outcome, Plan, Room, is_guest, is_over, may_speak, said_at, seated, unread_before
from party.rules import MOODS

View = dict[str, Any]

FEED_PAGE = 200  # messages given at once: a few screens
CATCH_UP = 1_000  # messages given at once to who comes back: minutes of the liveliest room
LAST_WORDS = 200  # characters on a card: two or three lines of a phone
LISTENING = 50  # names: a small party whole, and of a crowd no more than somebody looks through
WRITERS = 3  # names: each who writes sees two others
CROWD = 100  # people inside, above which nobody is told who is writing: it would be news for all of them all the time

# --- Of a room. `here` are the names of those inside, `named` of those who are so by name, in order -------------------


def room(room: Room, here: Set[str], named: Iterable[str], seats: int, at: int) -> View:
    """The room at `at`, as everyone inside may see it."""
    listening = list(itertools.islice((name for name in named if not may_speak(room, name)), LISTENING))
    return outline(room, here) | {
        "seats": seats,
        "away": [name for name in seated(room) if name not in here],
        "listening": listening,
        "waiting": len(room.waiting),
        "more_time": len(room.more_time),
        "pulse": moods(room, at),
        "seq": len(room.messages),
        "closed": room.closed,
        "closed_at": room.closed_at,
        "gone_at": room.gone_at,
        "continued_in": room.continued_in,
        "publishes_at": room.publishes_at,
        "published": room.is_published,
        "guests": guests(room, itertools.chain(room.speakers, listening, room.last_said)),
    }


def room_for_guests(view: View, room: Room) -> View:
    """The same, as a guest may see it, who learns of no other room; and whether guests may ask to speak."""
    return view | {"continued_in": None, "asks": room.door.asks}


def card(room: Room, here: Set[str]) -> View:
    """The room as everyone in the lobby may see it."""
    if room.plan:
        return plan(room, room.plan)
    last = last_words(room)
    named = [*room.speakers, *([last["user"]] if last else [])]
    return outline(room, here) | {"active_at": room.active_at, "last": last, "guests": guests(room, named)}


def is_news(card: View, told: View | None, with_words: bool) -> bool:
    """Whether the card differs from the one that was told last; with or without what messages alone change."""
    # Which guests have a seat, `speakers` says as well.
    parts = card.keys() if with_words else card.keys() - {"active_at", "last", "guests"}
    return told is None or card.keys() != told.keys() or any(card[part] != told[part] for part in parts)


def last_words(room: Room) -> View | None:
    """Who said what last, in one line, of what was not taken back; None where nobody said anything.

    As each can take back only their last message, few of them stand at the end.
    """
    said = next((message for message in reversed(room.messages) if "taken_back" not in message), None)
    return said and {"user": said["user"], "text": " ".join(said["text"].split())[:LAST_WORDS]}


def outline(room: Room, here: Set[str]) -> View:
    """What everyone may see of a live room."""
    return {
        "id": room.id,
        "topic": room.topic,
        "host": room.host,
        "speakers": list(room.speakers),
        "watching": len(here) - sum(name in here for name in seated(room)),
        "opened_at": room.opened_at,
        "closes_at": room.closes_at,
        "door": room.door.open,
        "publish": room.publish,
    }


def guests(room: Room, users: Iterable[str]) -> dict[str, str]:
    """What those of these users are called who are guests, {id: name}. They are named by this alone."""
    known = {user: room.guests[user].name for user in users if user in room.guests} if room.guests else {}
    return {user: name for user, name in known.items() if name is not None}


def door(room: Room, token: str | None) -> View:
    """Who may come in, with the token of the link, as the host alone may see it."""
    return {"room": room.id, "open": room.door.open, "whole": room.door.whole, "token": token}


def entrance(room: Room, here: Set[str], at: int) -> View:
    """The room as somebody may see it who has its link and is not inside yet. What was said there, only where the host
    lets guests read it."""
    if room.plan:
        told, fields = plan(room, room.plan), ("id", "topic", "host", "opens_at", "minutes", "door", "publish")
        return {name: told[name] for name in fields} | {"now": at}
    view = outline(room, here)
    named = list(room.speakers)
    if room.door.whole and (last := last_words(room)):
        view["last"] = last
        named.append(last["user"])
    return view | {"guests": guests(room, named), "now": at}


def moods(room: Room, at: int) -> dict[str, int]:
    """How many gave each signal within the last minute, and nobody's name."""
    counts = Counter(signal[0] for signal in room.pulse.values() if not is_over(signal, at))
    return {mood: counts[mood] for mood in MOODS}


def writing(room: Room, here: Set[str], since: Mapping[str, int]) -> list[str]:
    """Who is writing, the longest first. `since` says who began when; what they have said since then ended it."""
    if not room.is_live or len(here) > CROWD:
        return []
    names = (name for name in sorted(since, key=since.__getitem__) if name in here and may_speak(room, name))
    return [name for name in names if since[name] > said_at(room, name)][:WRITERS]


def queue(room: Room) -> list[View]:
    """The queue as the host alone may see it."""
    return list(room.waiting.values())


def waiting(room: Room) -> View:
    """The queue, and what the guests in it are called."""
    return {"room": room.id, "waiting": queue(room), "guests": guests(room, room.waiting)}


def places(room: Room) -> dict[str, int]:
    """The place in the queue of each who waits, which they alone may see."""
    return {user: place for place, user in enumerate(room.waiting, start=1)}


def readable(rooms: Iterable[Room], user: str) -> list[View]:
    """The closed ones of these rooms that the person may still read, the one closed last first."""
    mine = [room for room in rooms if room.closed and room.listed and user in room.visitors]
    return [
        {
            "id": room.id,
            "topic": room.topic,
            "host": room.host,
            "closed_at": room.closed_at,
            "gone_at": room.gone_at,
            "published": room.is_published,
        }
        for room in sorted(mine, key=lambda room: room.closed_at or 0, reverse=True)
    ]


# --- Of plans ---------------------------------------------------------------------------------------------------------


def plan(room: Room, plan: Plan) -> View:
    """The room that has not opened yet, as everyone in the lobby may see it."""
    return {
        "id": room.id,
        "topic": room.topic,
        "host": room.host,
        "opens_at": plan.at,
        "minutes": plan.minutes,
        "coming": len(plan.coming),
        "door": room.door.open,
        "publish": room.publish,
    }


def for_calendar(room: Room | None) -> View | None:
    """The plan, as the calendar of a friend may keep it; None of what is no plan."""
    if room is None or room.plan is None:
        return None
    return {
        "id": room.id,
        "topic": room.topic,
        "host": room.host,
        "opens_at": room.plan.at,
        "closes_at": room.plan.at + room.plan.lasts,
        "version": room.plan.version,
    }


def lobby(cards: Iterable[View]) -> dict[str, list[View]]:
    """These cards, those of rooms that have opened and those of plans."""
    of_kind: dict[str, list[View]] = {"rooms": [], "plans": []}
    for card in cards:
        of_kind["plans" if "opens_at" in card else "rooms"].append(card)
    return of_kind


def coming(rooms: Iterable[Room], user: str) -> list[str]:
    """The ids of the planned ones of these rooms that the person comes to. Who said so knows them, listed or not."""
    return [room.id for room in rooms if room.plan and user in room.plan.coming]


def expected(room: Room) -> View:
    """Who comes, as the host alone may see it; and what no lobby shows: the plan of a room that is not listed."""
    users = list(room.plan.coming) if room.plan else []
    return {"room": room.id, "users": users} | ({} if room.listed else {"plan": room.plan and plan(room, room.plan)})


# --- For services -----------------------------------------------------------------------------------------------------


def transcript(room: Room, start: int = 0, without: Set[str] = frozenset()) -> View:
    """What was said there behind the seq `start`, message by message, with the labels that their authors have; of what
    was taken back, or is of those in `without`, that something was said there and no more."""
    return {
        "room": room.id,
        "topic": room.topic,
        "host": room.host,
        "opened_at": room.opened_at,
        "closed_at": room.closed_at,
        "messages": [quoted(room, message, without) for message in room.messages[start:]],
    }


def quoted(room: Room, message: Mapping[str, Any], without: Set[str] = frozenset()) -> View:
    """One of them."""
    is_there = "taken_back" not in message and message["user"] not in without
    return {"seq": message["seq"], "at": message["at"]} | (said(room, message) if is_there else {})


def said(room: Room, message: Mapping[str, Any]) -> View:
    user = message["user"]
    return {
        "user": user,
        "name": room.guests[user].name if user in room.guests else user,
        "is_guest": is_guest(user),
        "text": message["text"],
        "reply": message.get("reply"),
        "likes": room.likes.get(message["seq"], 0),
    }


def published(room: Room) -> View:
    """What is, or will be, published of it."""
    return transcript(room, without=publishing.left_out(room))


# --- Of a feed --------------------------------------------------------------------------------------------------------


def on_entering(room: Room, user: str, after: int | None) -> View:
    """What a tab of the user lacks that goes in: messages, with the last of them what is liked; the host the queue."""
    hidden = unread_before(room, user)
    entry: View = {"room": room.id} | feed_after(room, after, hidden)
    if not entry["later"]:
        seqs = [seq for seq in room.likes if seq > hidden]
        entry |= {"likes": likes(room, seqs), "liked": sorted(room.liked.get(user, ()))}
    if room.publishes_at is not None:
        entry["left_out"] = user in publishing.left_out(room)
    return entry | ({"waiting": queue(room)} if user == room.host else {})


def feed_after(room: Room, after: int | None, hidden: int) -> View:
    """Of the messages behind `after` a thousand, whether there are later ones, and what up to there was taken back; for
    None the last few screens. `hidden`, here and below, is the seq up to which the reader may not read."""
    if after is None:
        return feed_before(room, len(room.messages) + 1, hidden) | {"later": False}
    start = max(min(after, len(room.messages)), hidden)
    later = start + CATCH_UP < len(room.messages)
    taken_back = [seq for seq in room.taken_back if hidden < seq <= after]
    return feed(room, start, start + CATCH_UP, hidden) | {"later": later, "taken_back": taken_back}


def feed_before(room: Room, seq: int, hidden: int) -> View:
    """The last messages before `seq`, and whether there are earlier ones."""
    end = min(seq - 1, len(room.messages))
    return feed(room, max(end - FEED_PAGE, 0), end, hidden)


def feed(room: Room, start: int, end: int, hidden: int) -> View:
    start = max(start, hidden)
    return {"messages": room.messages[start:end], "earlier": start > hidden}


def likes(room: Room, seqs: Iterable[int]) -> dict[str, int]:
    """How many like each of these messages, and nobody's name."""
    return {str(seq): room.likes.get(seq, 0) for seq in seqs}


# --- Of what just happened: (room, command, outcome) ------------------------------------------------------------------


def message(room: Room, command: Command, outcome: Outcome) -> View:
    said: View = outcome["message"]  # the rule `say` names its fields
    return said


def taken_back(room: Room, command: Command, outcome: Outcome) -> View:
    return {"room": room.id, "seq": command["seq"]}


def liked(room: Room, command: Command, outcome: Outcome) -> View:
    """For who likes it, or no longer does."""
    return {"room": room.id, "seq": command["seq"], "liked": command["liked"]}


def comes(room: Room, command: Command, outcome: Outcome) -> View:
    """For who comes, or no longer does."""
    return {"room": room.id, "coming": command["coming"]}


def leaves_out(room: Room, command: Command, outcome: Outcome) -> View:
    """For who leaves their words out of what will be published, or puts them back."""
    return {"room": room.id, "out": command["out"]}


def approved(room: Room, command: Command, outcome: Outcome) -> View:
    return {"room": room.id, "pitch": outcome["pitch"]}


def decided(room: Room, command: Command, outcome: Outcome) -> View:
    """For somebody who was denied or removed."""
    return {"room": room.id}


def closed(room: Room, command: Command, outcome: Outcome) -> View:
    return {"room": room.id, "reason": command["reason"], "by": command["user"], "gone_at": room.gone_at}
