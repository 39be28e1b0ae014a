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
from typing import Any

from party import doors, plans, publishing
from party.model import (
    LONGEST_ROOM,
    MINUTE,
    SIGN_IN_LIFE,
    Command,
    Door,
    Outcome,
    Party,
    Refused,
    Room,
    SignIn,
    User,
    ensure_has_opened,
    find_room,
    forget_room,
    is_guest,
    is_guest_of,
    is_over,
    live_rooms,
    may_speak,
    message_in,
    seated,
    the_host,
    until_closed,
    while_live,
    while_there_is_space,
)

EXTENSION = 10 * MINUTE
# Long enough to see one's own slip, short enough that what others have answered to stays.
TAKE_BACK_WITHIN = 2 * MINUTE
MOODS = ("agree", "say_more", "off_topic")
PULSE_EVERY = 10_000
# More than anybody reads with approval in two hours; it keeps what a crowd likes small beside what is said.
LIKES_EACH = 500
# Long enough for a lift or a tunnel, short enough that a room is not left without a host.
HOST_GRACE = 1 * MINUTE
# Long enough to come back from a train's dead stretch, short enough that the lobby shows rooms with people in them.
EMPTY_GRACE = 5 * MINUTE
SIGN_INS_EACH = 50
CLOSED_ROOMS = 16  # kept for reading; the one closed first goes first
LIVE_ROOMS_EACH = 3  # enough for one that drags on, one that runs and one that was a mistake

# --- Guards: who may --------------------------------------------------------------------------------------------------


def anyone(_: Party, command: Command) -> None:
    pass


def of_a_room(state: Party, command: Command) -> None:
    find_room(state, command["room"])


def while_the_party_has_space(state: Party, command: Command) -> None:
    if "opens_at" in command:
        return plans.while_it_can_be_planned(state, command)
    while_nobody_was_faster(state, command)
    while_there_is_space(state)
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


def when_due(room: Room, command: Command) -> None:
    until_closed(room, command)
    if command["reason"] == "time" and command["at"] < room.closes_at:
        raise Refused("conflict", "That room has got more time.")


def watchers(room: Room, command: Command) -> None:
    while_live(room, command)
    if may_speak(room, command["user"]):
        raise Refused("forbidden", "You can already speak here.")
    if command["user"] in room.guests:
        doors.ensure_guest_may_ask(room, command["user"])


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
    if is_guest(command["who"]):
        ensure_guests_have_a_seat(room, command["most"] // 2)
    del room.waiting[command["who"]]
    room.speakers.append(command["who"])
    return {"pitch": request["pitch"]}


def ensure_guests_have_a_seat(room: Room, most: int) -> None:
    if not most:
        raise Refused("limit", "Here guests can only listen: there is one seat, and half of that is none.")
    if sum(map(is_guest, room.speakers)) >= most:
        raise Refused("limit", f"Guests can take half of the seats ({most}). Remove one of them first.")


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
    if room.publish:
        publishing.begin_the_hour(room, command)
    room.door = Door()
    room.waiting.clear()
    room.pulse.clear()
    room.more_time.clear()


# --- Rules about the party --------------------------------------------------------------------------------------------


def open_room(state: Party, command: Command) -> Outcome:
    if "opens_at" in command:
        return plans.plan_room(state, command)
    at = command["at"]
    room = Room(command["id"], command["topic"], command["user"], at, at + command["lasts"], active_at=at, logged_at=at)
    room.listed, room.publish = command.get("listed", True), command.get("publish", False)
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


def forget_surplus(state: Party) -> None:
    """Of more closed rooms than are kept, the one that closed first is forgotten; one with words that are yet to be
    published, only where there is no other."""
    closed = [room for room in state.rooms.values() if room.closed_at is not None]
    if len(closed) > CLOSED_ROOMS:
        forget_room(state, min(closed, key=lambda room: (publishing.is_worth_keeping(room), room.closed_at)).id)


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
    """A guest has no other one, and goes for good."""
    room = state.rooms.get(command.get("room", ""))
    if room and is_guest_of(room, command["user"]):
        doors.show_out_of(state, room, command["user"])
    elif known := state.users.get(command["user"], User()).sign_ins.get(command["sign_in"]):
        known.ended = True


def renumber(state: Party, command: Command) -> None:
    """End the sign-ins with any other number, for good."""
    user = state.users.setdefault(command["user"], User())
    user.number = command["number"]
    for known in user.sign_ins.values():
        known.ended = known.ended or known.number != user.number
    if user.number is None:
        plans.forget_plans_of(state, command)
        publishing.leave_out_of_all(state, command["user"])


def change_nothing(state: Party, command: Command) -> None:
    """It is in the log for who reads it from there: a service, or the owner."""


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
    "withhold": (publishing.the_host_even_of_what_has_closed, publishing.withhold),
    "leave_out": (publishing.who_said_something, publishing.leave_out),
    "publish": (publishing.when_everybody_had_their_time, publishing.publish),  # by the party itself
    "move": (plans.who_moves_it, plans.move),
    "coming": (plans.all_but_who_planned_it, plans.come),
}
PARTY_RULES: dict[str, tuple[PartyRule, PartyRule]] = {
    "host": (while_the_party_has_space, open_room),
    "hand_over": (the_host_or_the_party, hand_over),
    "call_off": (plans.who_planned_it_or_the_party, plans.call_off),  # by the party too, where it could not open
    "open": (plans.when_its_time_has_come, plans.open_planned),  # by the party itself
    "plan": (plans.while_it_stands, plans.say_again),  # by the party itself, before the log is cut
    "door": (doors.who_opens_the_door, doors.set_door),
    "put_out": (doors.the_host_about_a_guest, doors.show_out),
    # By the party itself, and by its pages.
    "guest_in": (doors.whoever_has_the_link, doors.let_in),
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
BEFORE_THE_LOG: dict[str, PartyRule] = {"host": who_may_carry_on, "feedback": who_was_inside}

# After these, a guest may have been shown out.
SHOWING_OUT = {"door", "put_out"}

# After these, there may be more closed rooms than are kept: `forget_surplus`.
CLOSING = {"close", "end", "call_off", "renumber"}

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
        yield from plans.due_of_plan(room, room.plan, at)
        return
    if room.gone_at is not None:
        if publishing.is_due(room, at):
            yield "publish", {"room": room.id}  # or another hour begins, so nothing is forgotten at once
        elif at >= room.gone_at:
            yield "forget", {"room": room.id}
        return
    for name in here - room.visitors:  # who went in while the log was away
        yield "watch", {"room": room.id, "user": name}
    for guest, since in guests_gone_since.items():
        if at >= since + doors.GUEST_GRACE and guest in room.waiting:
            yield "withdraw", {"room": room.id, "user": guest}
    for guest in room.guests:
        if guest not in here and doors.never_came(room, guest, at):
            yield "put_out", {"room": room.id, "who": guest}
    heir = next((speaker for speaker in room.speakers if speaker in here and not is_guest(speaker)), None)
    if at >= room.closes_at:
        yield "end", {"room": room.id, "reason": "time"}
    elif room.awaits_host and room.host not in here:
        if at >= room.opened_at + plans.WAITS_FOR_HOST:
            yield "end", {"room": room.id, "reason": "abandoned"}
    elif empty_since is not None and at >= empty_since + EMPTY_GRACE:
        yield "end", {"room": room.id, "reason": "abandoned"}
    elif heir and host_gone_since is not None and at >= host_gone_since + HOST_GRACE:
        yield "hand_over", {"room": room.id, "who": heir, "gone": room.host}
