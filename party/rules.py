"""Who may do what in a room, and what happens then.

Each kind of command has a guard, which says who may, and a rule, which says what happens: both refuse or return, and
what a rule returns goes into the acknowledgement. Those about a room get `(room, command)` and reach nothing else; the
few about the party get `(state, command)`. The two tables below them name them all.

They know no web, no clock and no chance: a command brings its time (`at`) and its ids. Times are whole milliseconds,
UTC. A guard is asked twice: before a command goes into the log, and again where the log puts it.
"""

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Protocol

# {"kind": …, "user": a name or None, "at": …, "id": …, "key": text or None} and what its kind needs: "room", "who" …
Command = dict[str, Any]
# What an acknowledgement says.
Outcome = dict[str, Any]

MINUTE = 60_000
EXTENSION = 10 * MINUTE
LONGEST_ROOM = 120 * MINUTE
# Long enough to see one's own slip, short enough that what others have answered to stays.
TAKE_BACK_WITHIN = 2 * MINUTE
MOODS = ("agree", "say_more", "off_topic")
PULSE_LIFE = 1 * MINUTE  # about now: what was said a minute ago is not
PULSE_EVERY = 10_000
# More than anybody reads with approval in two hours; it keeps what a crowd likes small beside what is said.
LIKES_EACH = 500
# Long enough for a lift or a tunnel, short enough that a room is not left without a host.
HOST_GRACE = 1 * MINUTE
# Long enough to come back from a train's dead stretch, short enough that the lobby shows rooms with people in them.
EMPTY_GRACE = 5 * MINUTE
# An evening: whoever signs in before it starts is still signed in when it ends.
SIGN_IN_LIFE = 12 * 60 * MINUTE
SIGN_INS_EACH = 50

# A room at its limits holds 20 MB of Latin text, 80 MB of emoji. So these two bound the memory to 1 to 4 GB, if friends
# do their very worst for half an hour; an ordinary evening (a hundred messages a room) takes a few MB.
LIVE_ROOMS = 32
CLOSED_ROOMS = 16  # kept for reading; the one closed first goes first
CLOSED_LIFE = LONGEST_ROOM  # as long again as the longest discussion
LIVE_ROOMS_EACH = 3  # enough for one that drags on, one that runs and one that was a mistake

PLANS, PLANS_EACH = 32, 3  # a lobby that can still be read; the next evening, the one after, and one to be moved
PLANNED_FROM, PLANNED_UNTIL = 1 * MINUTE, 14 * 24 * 60 * MINUTE  # ahead: what is further away is forgotten by people
# Long enough for who comes home late and for a restart, short enough that nobody waits in vain for a whole evening.
WAITS_FOR_HOST = 10 * MINUTE
# The log is cut behind what matters no more. What stands for days is said again after as long as a room is remembered:
# so here too all that came since then is in the log, and the sign-in that it came through.
SAID_EVERY = LONGEST_ROOM + CLOSED_LIFE
SAYING_LIFE = 1 * MINUTE  # far longer than one is on its way
GUEST = "~"  # with which each guest's id begins
DOORS = ("closed", "watch", "ask")  # what guests may who come in: nobody comes, listen, ask to speak as well
GUESTS_EACH, GUESTS = 100, 200  # not shown out: of a room, and of all live ones
GUESTS_WAITING = 10  # at once: the host looks at each, and friends wait in the same queue
DENIALS = 2  # one can be a slip of the host's; after two they listen
GUEST_GRACE = 1 * MINUTE  # in the queue without a tab: as long as a host's

# --- What there is ----------------------------------------------------------------------------------------------------


class Refused(Exception):
    """The one way to say no: a code of the contract, and a sentence for a person."""

    def __init__(self, code: str, error: str, **more: Any) -> None:
        super().__init__(error)
        self.ack: Outcome = {"ok": False, "code": code, "error": error, **more}


@dataclass(frozen=True)
class Door:
    """Through which guests come into a room: whoever has its link."""

    open: str = "closed"  # one of DOORS
    asks: bool = False  # whether guests may ask to speak; who came in keeps that when it closes behind them
    whole: bool = False  # whether guests read the feed from its beginning
    hash: str | None = None  # of the token in the link, while it is open
    id: str | None = None  # of the command that made the link: the token is made from it


@dataclass
class Guest:
    """Somebody who came in by the link of a room: what they are called is no name but a label."""

    name: str | None  # None for one who did not say it, and so listens unnamed
    skeletons: list[str]  # what names that look like this one have in common with it
    since: int  # seq up to which they may not read
    denials: int = 0
    is_out: bool = False  # shown out, or signed out


@dataclass
class Plan:
    """When a room is to open that has not opened yet, and who says that they come."""

    at: int
    lasts: int
    said_at: int  # when the log said all of it last
    version: int = 0  # grows with each other time
    changes: int = 0  # grows with whatever changes: a saying that has fewer is an old one
    coming: dict[str, None] = field(default_factory=dict)  # names, who said so first is the first


@dataclass
class Room:
    """One discussion. Only the rules below change it."""

    id: str
    topic: str
    host: str
    opened_at: int
    closes_at: int
    active_at: int
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
    closed: str | None = None  # why: "host", "time" or "abandoned"
    closed_at: int | None = None
    continued_in: str | None = None  # id of the room that carries this one on
    listed: bool = True  # else no lobby shows it
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
        return None if self.closed_at is None else self.closed_at + CLOSED_LIFE


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
    called_off: dict[str, int] = field(default_factory=dict)  # id of a plan of theirs → when, of the last minute


class Party(Protocol):
    """What a rule about the party can reach: all rooms and all users."""

    rooms: dict[str, Room]
    users: dict[str, User]


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


def guests_waiting(room: Room) -> list[str]:
    return [user for user in room.waiting if is_guest(user)]


def said_at(room: Room, user: str) -> int:
    """When they said something there last; 0 where they never did."""
    return int(room.messages[room.last_said[user] - 1]["at"]) if user in room.last_said else 0


def is_over(signal: tuple[str, int], at: int) -> bool:
    return at >= signal[1] + PULSE_LIFE


# --- Guards: who may --------------------------------------------------------------------------------------------------


def anyone(_: Party, command: Command) -> None:
    pass


def of_a_room(state: Party, command: Command) -> None:
    find_room(state, command["room"])


def while_the_party_has_space(state: Party, command: Command) -> None:
    if "opens_at" in command:
        return while_it_can_be_planned(state, command)
    while_nobody_was_faster(state, command)
    if len(live_rooms(state)) >= LIVE_ROOMS:
        raise Refused("limit", "There are as many rooms as the party can hold. Join one of them.")
    if hosted_by(state, command["user"]) >= LIVE_ROOMS_EACH:
        raise Refused("limit", f"You host {LIVE_ROOMS_EACH} rooms already. Close one first.")


def while_nobody_was_faster(state: Party, command: Command) -> None:
    """What was carried on since the command was asked for is not carried on a second time."""
    old = state.rooms.get(command.get("continues", ""))
    if old and old.continued_in != command.get("instead"):
        ensure_not_carried_on(state, old)


def who_may_carry_on(state: Party, command: Command) -> None:
    """Those who can read a closed room carry it on, in one live room at a time."""
    if "continues" in command:
        old = find_room(state, command["continues"])
        ensure_may_read(old, command["user"])
        if old.is_live:
            raise Refused("conflict", "That room is still open. It can be carried on once it has closed.")
        ensure_not_carried_on(state, old)


def ensure_not_carried_on(state: Party, old: Room) -> None:
    new = state.rooms.get(old.continued_in or "")
    if new and new.is_live:
        raise Refused("conflict", "That room is carried on in another one already.", room=new.id)


def carrying_on(state: Party, room_id: str, here: Set[str], most: int) -> dict[str, Any]:
    """What a command that carries this room on says of it: in which room it went on before, which of those who have a
    seat are still inside, and that no lobby shows it."""
    old = state.rooms.get(room_id)
    speakers = [name for name in seated(old) if name in here and not is_guest(name)] if old else []
    more = {} if not old or old.listed else {"listed": False}
    return {"continues": room_id, "instead": old and old.continued_in, "speakers": speakers, "most": most} | more


def hosted_by(state: Party, user: str) -> int:
    """How many live rooms they host."""
    return sum(room.host == user for room in live_rooms(state))


def readers(room: Room, command: Command) -> None:
    ensure_may_read(room, command["user"])


def who_was_inside(state: Party, command: Command) -> None:
    """Of a room, those who were inside tell how it was, once it has closed."""
    if "room" not in command:
        return
    room = find_room(state, command["room"])
    ensure_has_opened(room)
    if command["user"] not in room.visitors:
        raise Refused("forbidden", "You were not in that room.")
    if room.is_live:
        raise Refused("conflict", "That room is still open. You can say how it was once it has closed.")


def ensure_may_read(room: Room, user: str) -> None:
    ensure_has_opened(room)
    if not room.is_live and user not in room.visitors:
        raise Refused("closed", "That room has closed. Only those who were inside can still read it.")


def ensure_has_opened(room: Room) -> None:
    if room.plan:
        raise Refused("conflict", "That room has not opened yet.", opens_at=room.plan.at)


def until_closed(room: Room, command: Command) -> None:
    ensure_has_opened(room)
    if not room.is_live:
        raise Refused("closed", "That room has closed.")


def while_live(room: Room, command: Command) -> None:
    until_closed(room, command)
    if command["at"] >= room.closes_at:
        raise Refused("closed", "The time of that room is up.")


def when_due(room: Room, command: Command) -> None:
    until_closed(room, command)
    if command["reason"] == "time" and command["at"] < room.closes_at:
        raise Refused("conflict", "That room has got more time.")


def watchers(room: Room, command: Command) -> None:
    while_live(room, command)
    if may_speak(room, command["user"]):
        raise Refused("forbidden", "You can already speak here.")
    if command["user"] in room.guests:
        ensure_guest_may_ask(room, command["user"])


def all_but_the_host(room: Room, command: Command) -> None:
    while_live(room, command)
    if room.host == command["user"]:
        raise Refused("forbidden", "That is for everybody but the host.")


def now_and_then(room: Room, command: Command) -> None:
    all_but_the_host(room, command)
    _, at = room.pulse.get(command["user"], (None, -PULSE_EVERY))
    if (wait := at + PULSE_EVERY - command["at"]) > 0:
        sentence = f"One signal in {PULSE_EVERY // 1000} seconds is enough. Please wait a moment."
        raise Refused("slow_down", sentence, retry_after=math.ceil(wait / 1000))


def those_waiting(room: Room, command: Command) -> None:
    while_live(room, command)
    if command["user"] not in room.waiting:
        raise Refused("forbidden", "You are not in the queue.")


def the_host(room: Room, command: Command) -> None:
    while_live(room, command)
    if room.host != command["user"]:
        raise Refused("forbidden", "Only the host can do that.")


def the_host_or_the_party(state: Party, command: Command) -> None:
    """The host hands over to whom they like who can take one more room; for one who is gone, the party does it."""
    room = find_room(state, command["room"])
    if "gone" in command:
        return while_gone(room, command)
    the_host(room, command)
    if is_guest(command["who"]):
        raise Refused("forbidden", "A guest cannot be the host.")
    if hosted_by(state, command["who"]) >= LIVE_ROOMS_EACH:
        raise Refused("limit", f"They host {LIVE_ROOMS_EACH} rooms already.")


def while_gone(room: Room, command: Command) -> None:
    until_closed(room, command)
    if command["gone"] != room.host or is_guest(command["who"]):
        raise Refused("conflict", "That room has another host by now.")


def host_and_speakers(room: Room, command: Command) -> None:
    while_live(room, command)
    if not may_speak(room, command["user"]):
        raise Refused("forbidden", "Only the host and the speakers can write. Ask to speak first.")


def its_author(room: Room, command: Command) -> None:
    while_live(room, command)
    if message_in(room, command["seq"])["user"] != command["user"]:
        raise Refused("forbidden", "That message is not yours.")


def all_but_its_author(room: Room, command: Command) -> None:
    while_live(room, command)
    if message_in(room, command["seq"], command["user"])["user"] == command["user"]:
        raise Refused("forbidden", "That message is your own.")


# --- Plans: who may ---------------------------------------------------------------------------------------------------


def while_it_can_be_planned(state: Party, command: Command) -> None:
    if "continues" in command:
        raise Refused("bad_input", "A room that is planned cannot carry on another one.")
    ensure_in_time(command)
    planned = planned_rooms(state)
    if len(planned) >= PLANS:
        raise Refused("limit", "There are as many plans as the party can hold.")
    if sum(room.host == command["user"] for room in planned) >= PLANS_EACH:
        raise Refused("limit", f"You have {PLANS_EACH} plans already. Call one off first.")


def ensure_in_time(command: Command) -> None:
    if not PLANNED_FROM <= command["opens_at"] - command["at"] <= PLANNED_UNTIL:
        raise Refused("bad_input", "A room can be planned from a minute up to 14 days ahead.")


def plan_of(room: Room) -> Plan:
    """The plan of a room that has not opened yet. Refuses one that has."""
    if room.plan:
        return room.plan
    until_closed(room, {})
    raise Refused("conflict", "That room has opened already.")


def who_planned_it(room: Room, command: Command) -> None:
    plan_of(room)
    if room.host != command["user"]:
        raise Refused("forbidden", "Only the host can do that.")


def the_host_even_of_a_plan(room: Room, command: Command) -> None:
    return who_planned_it(room, command) if room.is_planned else the_host(room, command)


def who_moves_it(room: Room, command: Command) -> None:
    who_planned_it(room, command)
    ensure_in_time(command)


def all_but_who_planned_it(room: Room, command: Command) -> None:
    plan_of(room)
    if room.host == command["user"]:
        raise Refused("forbidden", "That is for everybody but the host.")


def who_planned_it_or_the_party(state: Party, command: Command) -> None:
    """The party calls off what could not open: nobody waits for it any more."""
    room = find_room(state, command["room"])
    if command["user"] is not None:
        return who_planned_it(room, command)
    if command["at"] < plan_of(room).at + WAITS_FOR_HOST:
        raise Refused("conflict", "That room has another time by now.")


def when_its_time_has_come(state: Party, command: Command) -> None:
    room = find_room(state, command["room"])
    if command["at"] < plan_of(room).at:
        raise Refused("conflict", "That room has another time by now.")
    if len(live_rooms(state)) >= LIVE_ROOMS:  # then as soon as one of them closes, or it is called off
        raise Refused("limit", "There are as many rooms as the party can hold. Join one of them.")


def while_it_stands(state: Party, command: Command) -> None:
    """A plan is said again as it is, and once. Where the log was cut, this is the first that is heard of it."""
    called_off = state.users.get(command["host"], User()).called_off
    if command["at"] < called_off.get(command["room"], -SAYING_LIFE) + SAYING_LIFE:
        find_room(state, command["room"])  # there is none
    if room := state.rooms.get(command["room"]):
        plan = plan_of(room)
        is_old = command["changes"] < plan.changes
        if is_old or (command["changes"] == plan.changes and command["at"] < plan.said_at + SAID_EVERY):
            raise Refused("conflict", "That plan has been said already.")
# --- Guards of doors and guests ---------------------------------------------------------------------------------------


def ensure_guest_may(command: Command) -> None:
    """Refuse a guest whatever is not for guests, before anything else is looked at."""
    if is_guest(command["user"]) and command["kind"] not in FOR_GUESTS:
        raise Refused("forbidden", "Guests cannot do that.")


def ensure_guest_may_ask(room: Room, user: str) -> None:
    guest = room.guests[user]
    if not room.door.asks or guest.name is None:
        raise Refused("forbidden", "Guests only listen here.")
    if guest.denials >= DENIALS:
        raise Refused("limit", "The host has said no twice. You can go on listening.")
    if user not in room.waiting and len(guests_waiting(room)) >= GUESTS_WAITING:
        raise Refused("limit", "As many guests are waiting as the queue takes. Try again a bit later.")


def who_opens_the_door(state: Party, command: Command) -> None:
    the_host_even_of_a_plan(find_room(state, command["room"]), command)
    if command["open"] != "closed" and not command["doors"]:
        raise Refused("forbidden", "At this party doors stay closed.")


def room_behind(state: Party, room_id: str, door: str, at: int) -> Room:
    """The room that this link leads into. One that is wrong, old, of a closed door or of no room leads nowhere, and
    nobody learns which it is."""
    room = state.rooms.get(room_id)
    # Of what is compared here nobody can choose more than a hash: how long it takes says nothing of the token.
    if not room or room.door.hash != door or not (room.is_planned or (room.is_live and at < room.closes_at)):
        raise Refused("not_found", "That link leads nowhere. Ask for a new one.")
    return room


def whoever_has_the_link(state: Party, command: Command) -> None:
    room = room_behind(state, command["room"], command["door"], command["at"])
    ensure_has_opened(room)
    inside = [guest for guest in room.guests.values() if not guest.is_out]
    if command["user"] in state.users:
        raise Refused("conflict", "You are in already.")
    if any({*command["skeletons"]} & {*guest.skeletons} for guest in inside):
        raise Refused("conflict", "Somebody here is called like that. Please take another name.")
    if len(inside) >= GUESTS_EACH or guests_of_live_rooms(state) >= GUESTS:
        raise Refused("limit", "As many guests are in as there is space for. Try again a bit later.")


def guests_of_live_rooms(state: Party) -> int:
    """How many there are who were not shown out."""
    return sum(not guest.is_out for room in live_rooms(state) for guest in room.guests.values())


def the_host_about_a_guest(state: Party, command: Command) -> None:
    room = find_room(state, command["room"])
    the_host_even_of_a_plan(room, command)
    if not is_guest_of(room, command["who"]):
        raise Refused("not_found", "They are not a guest here.")


# --- Rules about a room: what happens ---------------------------------------------------------------------------------


def enter(room: Room, command: Command) -> None:
    room.visitors.add(command["user"])
    if command["user"] == room.host:
        room.awaits_host = False


def ask_to_speak(room: Room, command: Command) -> Outcome:
    user = command["user"]
    if user in room.waiting:
        raise Refused("conflict", "You are in the queue already.")
    room.waiting[user] = {"user": user, "pitch": command["pitch"], "at": command["at"]}
    return {"place": len(room.waiting)}


def withdraw(room: Room, command: Command) -> None:
    del room.waiting[command["user"]]


def admit(room: Room, command: Command) -> Outcome:
    """Give the waiting person a seat."""
    request = request_of(room, command["who"])
    # A log from before there were seats has no `most`.
    if "most" in command and len(room.speakers) >= command["most"]:
        raise Refused("limit", f"All seats are taken ({command['most']}). Remove a speaker first.")
    if is_guest(command["who"]) and sum(map(is_guest, room.speakers)) >= command["most"] // 2:
        raise Refused("limit", f"Guests can take half of the seats ({command['most'] // 2}). Remove one of them first.")
    del room.waiting[command["who"]]
    room.speakers.append(command["who"])
    return {"pitch": request["pitch"]}


def turn_away(room: Room, command: Command) -> None:
    request_of(room, command["who"])
    del room.waiting[command["who"]]
    if command["who"] in room.guests:
        room.guests[command["who"]].denials += 1


def request_of(room: Room, who: str) -> dict[str, Any]:
    """What the queue holds of `who`. Refuses somebody who does not wait."""
    if who not in room.waiting:
        raise Refused("not_found", "They are not waiting.")
    return room.waiting[who]


def unseat(room: Room, command: Command) -> None:
    if command["who"] not in room.speakers:
        raise Refused("not_found", "They are not a speaker here.")
    room.speakers.remove(command["who"])


def say(room: Room, command: Command) -> Outcome:
    if len(room.messages) >= command["most"]:
        raise Refused("limit", "This room is full of words: it takes no more messages.")
    reply = {"reply": command["reply"]} if "reply" in command else {}
    if reply:
        message_in(room, command["reply"], command["user"])
    message = {
        "room": room.id,
        "seq": len(room.messages) + 1,
        "user": command["user"],
        "text": command["text"],
        "at": command["at"],
        "key": command["key"],
        **reply,
    }
    room.messages.append(message)
    room.last_said[command["user"]] = message["seq"]
    room.active_at = command["at"]
    return {"message": message}


def take_back(room: Room, command: Command) -> None:
    """The words of a message go; that somebody said something there stays."""
    message = message_in(room, command["seq"])
    if "taken_back" in message:
        raise Refused("conflict", "You have taken that message back already.")
    if room.last_said[command["user"]] != command["seq"]:
        raise Refused("conflict", "Only your last message can be taken back.")
    if command["at"] >= message["at"] + TAKE_BACK_WITHIN:
        raise Refused("conflict", "It is too late to take that message back.")
    message.update(text="", taken_back=True)  # in place: the outcome that its key remembers holds this same message
    room.taken_back.append(command["seq"])
    room.likes.pop(command["seq"], None)
    for liked in room.liked.values():
        liked.discard(command["seq"])


def like(room: Room, command: Command) -> Outcome:
    """A person likes a message once, or not at all, however often they say so."""
    user, seq = command["user"], command["seq"]
    if "taken_back" in message_in(room, seq):
        raise Refused("conflict", "That message was taken back.")
    liked, count = room.liked.get(user, set()), room.likes.get(seq, 0)
    if command["liked"] and seq not in liked:
        if len(liked) >= LIKES_EACH:
            raise Refused("limit", "You like as many messages in this room as one person can.")
        room.liked.setdefault(user, set()).add(seq)
        room.likes[seq] = count + 1
    elif not command["liked"] and seq in liked:
        liked.remove(seq)
        room.likes[seq] = count - 1
        if count == 1:
            del room.likes[seq]
    return {"likes": room.likes.get(seq, 0)}


def give_a_signal(room: Room, command: Command) -> None:
    """One each, and it is the latest that counts."""
    room.pulse.pop(command["user"], None)
    for name in list(itertools.takewhile(lambda name: is_over(room.pulse[name], command["at"]), room.pulse)):
        del room.pulse[name]
    room.pulse[command["user"]] = (command["mood"], command["at"])


def ask_for_more_time(room: Room, command: Command) -> None:
    if command["user"] in room.more_time:
        raise Refused("conflict", "You have asked for more time already.")
    room.more_time.add(command["user"])


def extend(room: Room, command: Command) -> Outcome:
    latest = room.opened_at + LONGEST_ROOM
    if room.closes_at >= latest:
        raise Refused("limit", "Two hours is the longest that a room can be open.")
    room.closes_at = min(room.closes_at + EXTENSION, latest)
    room.more_time.clear()
    return {"room": room.id}


def close(room: Room, command: Command) -> None:
    # One whose time ran out while nobody was there to see it has been closed since then.
    room.closed, room.closed_at = command["reason"], min(command["at"], room.closes_at)
    room.waiting.clear()
    room.pulse.clear()
    room.more_time.clear()


# --- Rules about the party --------------------------------------------------------------------------------------------


def open_room(state: Party, command: Command) -> Outcome:
    if "opens_at" in command:
        return plan_room(state, command)
    at = command["at"]
    room = Room(command["id"], command["topic"], command["user"], at, at + command["lasts"], active_at=at)
    room.listed = command.get("listed", True)
    room.visitors.add(room.host)
    # Who keeps a seat of the room that this one continues. That may be unknown: the log may have been cut behind it.
    kept = [name for name in command.get("speakers", ()) if name != room.host]
    room.speakers = kept[: command.get("most")]
    if old := state.rooms.get(command.get("continues", "")):
        old.continued_in = room.id
    state.rooms[room.id] = room
    return {"room": room.id}


def hand_over(state: Party, command: Command) -> None:
    """The host becomes the speaker who joined last, and `who` the host."""
    room = find_room(state, command["room"])
    unseat(room, command)
    room.speakers.append(room.host)
    room.host = command["who"]
    room.awaits_host = False


def forget(state: Party, command: Command) -> None:
    forget_room(state, command["room"])


def forget_room(state: Party, room_id: str) -> None:
    """The room is gone, its guests and its words with it, also those that keys remember."""
    for guest in state.rooms.pop(room_id).guests:
        state.users.pop(guest, None)
    for user in state.users.values():
        for key, (body, outcome) in list(user.outcomes.items()):
            if room_id in (body.get("room"), outcome.get("room")):
                del user.outcomes[key]


def forget_surplus(state: Party) -> None:
    """Of more closed rooms than are kept, the one that closed first is forgotten."""
    closed_at = {room.id: room.closed_at for room in state.rooms.values() if room.closed_at is not None}
    if len(closed_at) > CLOSED_ROOMS:
        forget_room(state, min(closed_at, key=closed_at.__getitem__))


def note_sign_in(state: Party, command: Command) -> None:
    user = state.users.setdefault(command["user"], User())
    sign_ins = user.sign_ins
    for id in [id for id, known in sign_ins.items() if known.since + SIGN_IN_LIFE <= command["at"]]:
        del sign_ins[id]
    if len(sign_ins) >= SIGN_INS_EACH:
        # One that has ended must be remembered as ended.
        del sign_ins[next((id for id, known in sign_ins.items() if not known.ended), next(iter(sign_ins)))]
    # One process may still know an old number, and let in whom the others have revoked.
    revoked = user.number not in (None, command["number"])
    sign_ins[command["sign_in"]] = SignIn(command["since"], command["number"], ended=revoked)


def end_sign_in(state: Party, command: Command) -> None:
    if known := state.users.get(command["user"], User()).sign_ins.get(command["sign_in"]):
        known.ended = True
    for room in state.rooms.values():  # a guest has no other sign-in, and can never come back
        if is_guest_of(room, command["user"]):
            show_out_of(state, room, command["user"])


def renumber(state: Party, command: Command) -> None:
    """End the sign-ins with any other number, for good."""
    user = state.users.setdefault(command["user"], User())
    user.number = command["number"]
    for known in user.sign_ins.values():
        known.ended = known.ended or known.number != user.number
    if user.number is None:
        forget_plans_of(state, command)


# --- Plans: what happens ----------------------------------------------------------------------------------------------


def plan_room(state: Party, command: Command) -> Outcome:
    plan = Plan(command["opens_at"], command["lasts"], said_at=command["at"])
    state.rooms[command["id"]] = planned_room(command["id"], command["user"], plan, command)
    return {"room": command["id"]}


def planned_room(id: str, host: str, plan: Plan, command: Command) -> Room:
    room = Room(id, command["topic"], host, opened_at=0, closes_at=0, active_at=0, plan=plan)  # known once it opens
    room.listed = command.get("listed", True)
    room.door = Door(**command.get("door", {}))
    return room


def move(room: Room, command: Command) -> Outcome:
    plan = plan_of(room)
    if command["opens_at"] != plan.at:
        plan.at = command["opens_at"]
        plan.version += 1
        plan.changes += 1
    return {"room": room.id}


def come(room: Room, command: Command) -> None:
    """A person says so once, or not at all, however often they do."""
    plan = plan_of(room)
    if command["coming"]:
        plan.coming.setdefault(command["user"])
    else:
        plan.coming.pop(command["user"], None)
    plan.changes += 1


def call_off(state: Party, command: Command) -> None:
    """The plan is gone, and stays so, even if another process says it again just now."""
    host = state.users.setdefault(find_room(state, command["room"]).host, User())
    forget_room(state, command["room"])
    for id in [id for id, at in host.called_off.items() if at + SAYING_LIFE <= command["at"]]:
        del host.called_off[id]
    host.called_off[command["room"]] = command["at"]


def open_planned(state: Party, command: Command) -> Outcome:
    """From now on it is a room like any other, for as long as it was meant to be."""
    room = find_room(state, command["room"])
    lasts = plan_of(room).lasts
    room.opened_at = room.active_at = command["at"]
    room.closes_at = command["at"] + lasts
    room.plan, room.awaits_host = None, True
    return {"room": room.id, "host": room.host}


def say_again(state: Party, command: Command) -> None:
    """The whole plan, as it was when it was said: also where the log was cut behind it."""
    plan = Plan(command["opens_at"], command["lasts"], command["at"], command["version"], command["changes"])
    plan.coming = dict.fromkeys(command["coming"])
    state.rooms[command["room"]] = planned_room(command["room"], command["host"], plan, command)


def saying_of(room: Room, plan: Plan) -> dict[str, Any]:
    """What `say_again` needs to know."""
    return {
        "key": f"{room.id} {plan.said_at} {plan.changes}",
        "room": room.id,
        "topic": room.topic,
        "host": room.host,
        "listed": room.listed,
        "opens_at": plan.at,
        "lasts": plan.lasts,
        "version": plan.version,
        "changes": plan.changes,
        "coming": list(plan.coming),
        "door": asdict(room.door),
    }


def forget_plans_of(state: Party, command: Command) -> None:
    """They are none of the people any more: nobody waits for them, nor counts on them."""
    for room in planned_rooms(state):
        if room.host == command["user"]:
            call_off(state, command | {"room": room.id})
        elif command["user"] in plan_of(room).coming:
            come(room, command | {"coming": False})


def names_in_plans(state: Party) -> set[str]:
    """Of hosts, and of those who come."""
    return {name for room in planned_rooms(state) for name in (room.host, *plan_of(room).coming)}


def not_to_be_cut(state: Party, before: int) -> int:
    """Up to where the log can be cut, at most `before`: a plan that stands is to stand in it, and through which sign-in
    it was made or changed."""
    return min([before, *(plan_of(room).said_at - SIGN_IN_LIFE for room in planned_rooms(state))])


# --- What happens to nobody -------------------------------------------------------------------------------------------


def change_nothing(state: Party, command: Command) -> None:
    """It is in the log for who reads it from there: a service, or the owner."""


# --- Rules of doors and guests ----------------------------------------------------------------------------------------


def set_door(state: Party, command: Command) -> None:
    """Opening makes a link, or keeps the one that there is; closing ends it."""
    room, open = find_room(state, command["room"]), command["open"]
    door = replace(room.door, open=open, whole=command["whole"])
    if open == "closed":
        door = replace(door, hash=None, id=None)
    else:
        door = replace(door, asks=open == "ask")
        if room.door.hash is None or command["renew"]:
            door = replace(door, hash=command["hash"], id=command["id"])
    room.door = door
    if room.plan:
        room.plan.changes += 1
    if command["out"]:
        for guest in room.guests:
            show_out_of(state, room, guest)


def let_in(state: Party, command: Command) -> None:
    """By a sign-in that holds for this room alone."""
    room, user = state.rooms[command["room"]], command["user"]
    since = 0 if room.door.whole else len(room.messages)
    room.guests[user] = Guest(command["name"], command["skeletons"], since)
    state.users[user] = User(sign_ins={command["sign_in"]: SignIn(command["since"], None)})


def show_out(state: Party, command: Command) -> None:
    show_out_of(state, find_room(state, command["room"]), command["who"])


def show_out_of(state: Party, room: Room, guest: str) -> None:
    """They stand nowhere in the room any more, but beside what they said, and their sign-in has ended."""
    room.guests[guest].is_out = True
    room.speakers = [name for name in room.speakers if name != guest]
    room.waiting.pop(guest, None)
    room.visitors.discard(guest)
    for known in state.users.get(guest, User()).sign_ins.values():
        known.ended = True


# --- All kinds of commands --------------------------------------------------------------------------------------------

RoomRule = Callable[[Room, Command], Outcome | None]
PartyRule = Callable[[Party, Command], Outcome | None]

# kind: (who may, what happens)
ROOM_RULES: dict[str, tuple[RoomRule, RoomRule]] = {
    "watch": (readers, enter),
    "request": (watchers, ask_to_speak),
    "withdraw": (those_waiting, withdraw),
    "approve": (the_host, admit),
    "deny": (the_host, turn_away),
    "remove": (the_host, unseat),
    "message": (host_and_speakers, say),
    "take_back": (its_author, take_back),
    "like": (all_but_its_author, like),
    "pulse": (now_and_then, give_a_signal),
    "more_time": (all_but_the_host, ask_for_more_time),
    "extend": (the_host, extend),
    "close": (the_host, close),
    "end": (when_due, close),  # by the party itself
    "move": (who_moves_it, move),
    "coming": (all_but_who_planned_it, come),
}
PARTY_RULES: dict[str, tuple[PartyRule, PartyRule]] = {
    "host": (while_the_party_has_space, open_room),
    "hand_over": (the_host_or_the_party, hand_over),
    "call_off": (who_planned_it_or_the_party, call_off),  # by the party too, where it could not open
    "open": (when_its_time_has_come, open_planned),  # by the party itself
    "plan": (while_it_stands, say_again),  # by the party itself, before the log is cut
    "door": (who_opens_the_door, set_door),
    "put_out": (the_host_about_a_guest, show_out),
    # By the party itself, and by its pages.
    "guest_in": (whoever_has_the_link, let_in),
    "forget": (of_a_room, forget),
    "sign_in": (anyone, note_sign_in),
    "sign_out": (anyone, end_sign_in),
    "renumber": (anyone, renumber),
    # For the services, which learn from the log: what pages tell, what people say to the owner, what the owner enters.
    "opened": (anyone, change_nothing),
    "measured": (anyone, change_nothing),
    "feedback": (anyone, change_nothing),
    "answer": (anyone, change_nothing),
    "goals": (anyone, change_nothing),
    "spent": (anyone, change_nothing),
}

KINDS = {*ROOM_RULES, *PARTY_RULES}

# What is asked before a command goes into the log, and not again where the log puts it: one that was cut may no longer
# tell. So it may look only at what stays true once it is, such as that a room has closed.
AT_THE_DOOR: dict[str, PartyRule] = {"host": who_may_carry_on, "feedback": who_was_inside}

# What a guest may, of the room that they came into and of their own sign-in.
FOR_GUESTS = {"guest_in", "watch", "request", "withdraw", "message", "take_back", "like", "measured", "sign_out"}

# After these, a guest may have been shown out.
SHOWING_OUT = {"door", "put_out"}

# After these, there may be more closed rooms than are kept: `forget_surplus`.
CLOSING = {"close", "end"}

# After these, a sign-in of their user may have ended; also after a new one, where there are more than are kept.
ENDING_SIGN_INS = {"sign_in", "sign_out", "renumber"}

# --- What time decides ------------------------------------------------------------------------------------------------


def due(
    room: Room,
    at: int,
    here: Set[str],
    empty_since: int | None,
    host_gone_since: int | None,
    guests_gone_since: Mapping[str, int],
) -> Iterator[tuple[str, dict[str, Any]]]:
    """The commands, as (kind, body), that time has decided for this room at `at`.

    `here` are the names of those inside; the two times are None while somebody, or the host, is inside; the last are
    of the guests who wait without being inside.
    """
    if room.plan:
        yield from due_of_plan(room, room.plan, at)
        return
    if room.gone_at is not None:
        if at >= room.gone_at:
            yield "forget", {"room": room.id}
        return
    for name in here - room.visitors:  # who went in while the log was away
        yield "watch", {"room": room.id, "user": name}
    for guest, since in guests_gone_since.items():
        if at >= since + GUEST_GRACE and guest in room.waiting:
            yield "withdraw", {"room": room.id, "user": guest}
    heir = next((speaker for speaker in room.speakers if speaker in here and not is_guest(speaker)), None)
    if at >= room.closes_at:
        yield "end", {"room": room.id, "reason": "time"}
    elif room.awaits_host and room.host not in here:
        if at >= room.opened_at + WAITS_FOR_HOST:
            yield "end", {"room": room.id, "reason": "abandoned"}
    elif empty_since is not None and at >= empty_since + EMPTY_GRACE:
        yield "end", {"room": room.id, "reason": "abandoned"}
    elif heir and host_gone_since is not None and at >= host_gone_since + HOST_GRACE:
        yield "hand_over", {"room": room.id, "who": heir, "gone": room.host}


def due_of_plan(room: Room, plan: Plan, at: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """The same, of a room that has not opened yet."""
    if at >= plan.at + WAITS_FOR_HOST:  # the party was not running, or full
        yield "call_off", {"room": room.id}
    elif at >= plan.at:
        yield "open", {"room": room.id}
    elif at >= plan.said_at + SAID_EVERY:
        yield "plan", saying_of(room, plan)
