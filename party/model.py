"""What there is: rooms with their doors, guests and plans, and users; the one way to refuse; guards of many kinds.

Times are whole milliseconds, UTC.
"""

from dataclasses import dataclass, field
from typing import Any, Protocol

# {"kind": …, "user": a name or None, "at": …, "id": …, "key": text or None} and what its kind needs: "room", "who" …
Command = dict[str, Any]
# What an acknowledgement says.
Outcome = dict[str, Any]

MINUTE = 60_000
LONGEST_ROOM = 120 * MINUTE
PULSE_LIFE = 1 * MINUTE  # about now: what was said a minute ago is not
# An evening: whoever signs in before it starts is still signed in when it ends.
SIGN_IN_LIFE = 12 * 60 * MINUTE

# A room at its limits holds 20 MB of Latin text, 80 MB of emoji. So this and CLOSED_ROOMS bound the memory to 1 to 4
# GB, if friends do their very worst for half an hour; an ordinary evening (a hundred messages a room) takes a few MB.
LIVE_ROOMS = 32
CLOSED_LIFE = LONGEST_ROOM  # as long again as the longest discussion
GUEST = "~"  # with which each guest's id begins


class Refused(Exception):
    """The one way to say no: a code of the contract, and a sentence for a person."""

    def __init__(self, code: str, error: str, **more: Any) -> None:
        super().__init__(error)
        self.ack: Outcome = {"ok": False, "code": code, "error": error, **more}


@dataclass(frozen=True)
class Door:
    """Through which guests come into a room: whoever has its link."""

    way: str = "watch"  # what guests may: "watch" or "ask"; who came in keeps that when it closes behind them
    whole: bool = False  # whether guests read the feed from its beginning
    hash: str | None = None  # of the token in the link, while it is open
    id: str | None = None  # of the command that made the link: the token is made from it

    @property
    def open(self) -> str:
        """One of DOORS."""
        return self.way if self.hash else "closed"

    @property
    def asks(self) -> bool:
        """Whether guests may ask to speak."""
        return self.way == "ask"


@dataclass
class Guest:
    """Somebody who came in by the link of a room: what they are called is no name but a label."""

    name: str | None  # None for one who did not say it, and so listens unnamed
    skeletons: list[str]  # what names that look like this one have in common with it
    since: int  # seq up to which they may not read
    at: int  # when they came in
    denials: int = 0
    is_out: bool = False  # shown out, or signed out


@dataclass
class Plan:
    """When a room is to open that has not opened yet, and who says that they come."""

    at: int
    lasts: int
    version: int = 0  # grows with each other time
    changes: int = 0  # grows with whatever changes: a saying that has fewer is an old one
    coming: dict[str, None] = field(default_factory=dict)  # names, who said so first is the first

    @property
    def minutes(self) -> int:
        """How long it is to be open."""
        return max(1, round(self.lasts / MINUTE))


@dataclass
class Room:
    """One discussion. Only rules change it: those of `rules`, `doors` and `plans`."""

    id: str
    topic: str
    host: str
    opened_at: int  # this and the next two are 0 while it is planned
    closes_at: int
    active_at: int
    logged_at: int  # when the log last said the whole of it: it was opened or planned, or its plan said again
    speakers: list[str] = field(default_factory=list)  # the longest-standing first
    # name → what the host sees of the request, in the queue's order
    waiting: dict[str, dict[str, Any]] = field(default_factory=dict)
    visitors: set[str] = field(default_factory=set)  # who has been inside: they may read it after closing
    messages: list[dict[str, Any]] = field(default_factory=list)  # message n has seq n, and is kept as it is sent
    last_said: dict[str, int] = field(default_factory=dict)  # name → seq of their last message
    taken_back: list[int] = field(default_factory=list)  # seqs of the messages without words
    likes: dict[int, int] = field(default_factory=dict)  # seq → how many like it, where anybody does
    liked: dict[str, set[int]] = field(default_factory=dict)  # name → seqs of what they like
    # name → (mood, when), the oldest first; some may be over
    pulse: dict[str, tuple[str, int]] = field(default_factory=dict)
    more_time: set[str] = field(default_factory=set)  # names of who asked for it since it was given last
    closed: str | None = None  # why: "host", "time", "abandoned" or "called_off"
    closed_at: int | None = None
    continued_in: str | None = None  # id of the room that carries this one on
    listed: bool = True  # else no lobby shows it
    publish: bool = False  # whether it is to become a page that everybody can read
    publishes_at: int | None = None  # when it is published at the earliest, once it has closed
    is_published: bool = False
    left_out: set[str] = field(default_factory=set)  # who leaves their words out of that
    removed: set[str] = field(default_factory=set)  # who said something, and then was removed from the people
    plan: Plan | None = None  # until it opens: till then it is neither live nor closed
    awaits_host: bool = False  # it was planned, and its host has not been inside yet
    door: Door = Door()
    guests: dict[str, Guest] = field(default_factory=dict)  # id → Guest, also who was shown out

    @property
    def is_live(self) -> bool:
        return self.closed is None and self.plan is None

    @property
    def is_planned(self) -> bool:
        return self.plan is not None

    @property
    def gone_at(self) -> int | None:
        """When a closed room is forgotten, at the latest; None while it is live."""
        # What closed while nobody was there to see it is published later than that.
        return None if self.closed_at is None else max(self.closed_at + CLOSED_LIFE, self.publishes_at or 0)


@dataclass
class SignIn:
    """One sign-in of a person: all tabs of one browser."""

    since: int
    number: int | None  # the person's at that time; raising it ends the sign-in. None for a guest's
    ended: bool = False


@dataclass
class User:
    """What the log says of a person."""

    number: int | None = None  # once the log says it, sign-ins with another one have ended
    sign_ins: dict[str, SignIn] = field(default_factory=dict)  # id → SignIn
    # key → (what was asked for with it first, see `body_of`, and the outcome), the oldest first
    outcomes: dict[str, tuple[dict[str, Any], Outcome]] = field(default_factory=dict)


class Party(Protocol):
    """What a rule about the party can reach: all rooms and all users."""

    rooms: dict[str, Room]
    users: dict[str, User]


# --- What is asked of it ----------------------------------------------------------------------------------------------


def is_guest(user: str | None) -> bool:
    """Whether this is the id of a guest. No name of one of the people begins as these do."""
    return bool(user) and str(user).startswith(GUEST)


def live_rooms(state: Party) -> list[Room]:
    return [room for room in state.rooms.values() if room.is_live]


def planned_rooms(state: Party) -> list[Room]:
    return [room for room in state.rooms.values() if room.is_planned]


def listed_rooms(state: Party) -> list[Room]:
    """Those that the lobby shows: live ones and planned ones."""
    return [room for room in state.rooms.values() if room.listed and (room.is_live or room.is_planned)]


def not_to_be_cut(state: Party, before: int) -> int:
    """Up to where the log can be cut, at most `before`: whatever room there is, a start is to find it, and through
    which sign-in it was made or changed. It may be old: it was planned, or the party did not run."""
    return min([before, *(room.logged_at - SIGN_IN_LIFE for room in state.rooms.values())])


def find_room(state: Party, room_id: str, user: str | None = None) -> Room:
    """The room with that id. Refuses an unknown one; to a guest, every other than theirs is unknown."""
    room = state.rooms.get(room_id)
    if not room or (is_guest(user) and not is_guest_of(room, user)):
        raise Refused("not_found", "There is no such room. It may be gone by now.")
    return room


def message_in(room: Room, seq: int, user: str | None = None) -> dict[str, Any]:
    """The message `seq` of the room. Refuses one that there is not, or that this user may not read."""
    if not unread_before(room, user) < seq <= len(room.messages):
        raise Refused("not_found", "There is no such message in that room.")
    return room.messages[seq - 1]


def may_speak(room: Room, user: str) -> bool:
    return user == room.host or user in room.speakers


def seated(room: Room) -> list[str]:
    """Who may speak: the host, then the speakers."""
    return [room.host, *room.speakers]


def is_guest_of(room: Room, user: str | None) -> bool:
    """Whether they came in by this room's link, and were not shown out."""
    return user in room.guests and not room.guests[user].is_out


def is_nameless(room: Room, user: str) -> bool:
    """Whether they are a guest who did not say what to call them."""
    return user in room.guests and room.guests[user].name is None


def unread_before(room: Room, user: str | None) -> int:
    """The seq up to which they may not read: of a guest, what was said before they came."""
    return room.guests[user].since if user in room.guests else 0


def said_at(room: Room, user: str) -> int:
    """When they said something there last; 0 where they never did."""
    return int(room.messages[room.last_said[user] - 1]["at"]) if user in room.last_said else 0


def is_over(signal: tuple[str, int], at: int) -> bool:
    return at >= signal[1] + PULSE_LIFE


# --- Guards of many kinds ---------------------------------------------------------------------------------------------


def ensure_has_opened(room: Room) -> None:
    if room.plan:
        known = {"topic": room.topic, "host": room.host, "opens_at": room.plan.at, "minutes": room.plan.minutes}
        raise Refused("conflict", "That room has not opened yet.", **known, publish=room.publish)
    if room.closed == "called_off":
        raise Refused("closed", "That room was called off.")


def until_closed(room: Room, command: Command) -> None:
    ensure_has_opened(room)
    if not room.is_live:
        raise Refused("closed", "That room has closed.")


def while_live(room: Room, command: Command) -> None:
    until_closed(room, command)
    if command["at"] >= room.closes_at:
        raise Refused("closed", "The time of that room is up.")


def the_host(room: Room, command: Command) -> None:
    while_live(room, command)
    ensure_hosts(room, command["user"])


def ensure_hosts(room: Room, user: str) -> None:
    if room.host != user:
        raise Refused("forbidden", "Only the host can do that.")


def while_there_is_space(state: Party) -> None:
    if len(live_rooms(state)) >= LIVE_ROOMS:
        raise Refused("limit", "There are as many rooms as the party can hold. Join one of them.")


def forget_room(state: Party, room_id: str) -> None:
    """The room is gone, its guests and its words with it, also those that keys remember."""
    for id, guest in state.rooms.pop(room_id).guests.items():
        if not guest.is_out:  # what is known of the others has gone before
            del state.users[id]
    for user in state.users.values():
        for key, (body, outcome) in list(user.outcomes.items()):
            if room_id in (body.get("room"), outcome.get("room")):
                del user.outcomes[key]
