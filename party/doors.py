"""The door of a room, and the guests who come in by its link: who may, and what happens then."""

from dataclasses import replace

from party.model import (
    MINUTE,
    Command,
    Guest,
    Outcome,
    Party,
    Refused,
    Room,
    SignIn,
    User,
    ensure_has_opened,
    find_room,
    is_guest,
    is_guest_of,
    live_rooms,
)
from party.plans import the_host_even_of_a_plan

DOORS = ("closed", "watch", "ask")  # what guests may who come in: nobody comes, listen, ask to speak as well
GUESTS_EACH, GUESTS = 100, 200  # not shown out: of a room, and of all live ones
GUESTS_EVER = 1_000  # of a room, also shown out: what each is called stands beside what they said
GUESTS_WAITING = 10  # at once: the host looks at each, and friends wait in the same queue
DENIALS = 2  # one can be a slip of the host's; after two they listen
GUEST_GRACE = 1 * MINUTE  # in the queue without a tab, and until their first visit: as long as a host's
# What a guest may, of the room that they came into and of their own sign-in.
FOR_GUESTS = {
    "guest_in", "watch", "request", "withdraw", "message", "take_back", "like", "leave_out", "measured", "sign_out",
}  # fmt: skip


def guests_waiting(room: Room) -> list[str]:
    return [user for user in room.waiting if is_guest(user)]


def never_came(room: Room, user: str, at: int) -> bool:
    """Whether this guest has had the time to look in, and did not: so they keep nobody else's place."""
    return is_guest_of(room, user) and user not in room.visitors and at >= room.guests[user].at + GUEST_GRACE


def rooms_with_doors(state: Party) -> list[Room]:
    """Those that have not closed, and whose door is open or has let guests in."""
    rooms = [room for room in state.rooms.values() if not room.closed]
    return [room for room in rooms if room.door.hash or any(is_guest_of(room, guest) for guest in room.guests)]


# --- Who may ----------------------------------------------------------------------------------------------------------


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
    """The host; and the party itself closes those that are open where there are none any more."""
    room = find_room(state, command["room"])
    if command["user"] is not None:
        the_host_even_of_a_plan(room, command)
    if command["open"] != "closed" and not command["doors"]:
        raise Refused("forbidden", "At this party doors stay closed.")


def room_behind(state: Party, room_id: str, hash: str, at: int) -> Room:
    """The room that this link leads into. One that is wrong, old, of a closed door or of no room leads nowhere, and
    nobody learns which it is."""
    room = state.rooms.get(room_id)
    # Of what is compared here nobody can choose more than a hash: how long it takes says nothing of the token.
    if not room or room.door.hash != hash or not (room.is_planned or (room.is_live and at < room.closes_at)):
        raise Refused("not_found", "That link leads nowhere. Ask for a new one.")
    return room


def whoever_has_the_link(state: Party, command: Command) -> None:
    room = room_behind(state, command["room"], command["hash"], command["at"])
    ensure_has_opened(room)
    if is_guest_of(room, command["user"]):
        return  # they ask again whom the answer did not reach
    if command["user"] in room.guests or command["user"] in state.users:
        raise Refused("signed_out", "You are signed out. Please sign in again.")
    inside = [guest for guest in room.guests.values() if not guest.is_out]
    if any({*command["skeletons"]} & {*guest.skeletons} for guest in inside):
        raise Refused("conflict", "Somebody here has that name already. Please take another.")
    if len(inside) >= GUESTS_EACH or guests_of_live_rooms(state) >= GUESTS:
        raise Refused("limit", "As many guests are in as there is space for. Try again a bit later.")
    if len(room.guests) >= GUESTS_EVER:
        raise Refused("limit", "As many guests as a room can take have come into this one. It takes no more.")


def guests_of_live_rooms(state: Party) -> int:
    """How many there are who were not shown out."""
    return sum(not guest.is_out for room in live_rooms(state) for guest in room.guests.values())


def the_host_about_a_guest(state: Party, command: Command) -> None:
    """The host, also once the room has closed, where guests read on; and the party, about one who never came."""
    room = find_room(state, command["room"])
    if command["user"] not in (None, room.host):
        the_host_even_of_a_plan(room, command)
    if not is_guest_of(room, command["who"]):
        raise Refused("not_found", "They are not a guest here.")
    if command["user"] is None and not never_came(room, command["who"], command["at"]):
        raise Refused("conflict", "They have come by now.")


# --- What happens -----------------------------------------------------------------------------------------------------


def set_door(state: Party, command: Command) -> None:
    """Opening makes a link, or keeps the one that there is; closing ends it."""
    room, open = find_room(state, command["room"]), command["open"]
    door = replace(room.door, whole=command["whole"])
    if open == "closed":
        door = replace(door, hash=None, id=None)
    else:
        door = replace(door, way=open)
        if room.door.hash is None or command["renew"]:
            door = replace(door, hash=command["hash"], id=command["id"])
    room.door = door
    if room.plan:
        room.plan.changes += 1
    if command["out"]:
        for guest in room.guests:
            show_out_of(state, room, guest)


def let_in(state: Party, command: Command) -> Outcome:
    """By a sign-in that holds for this room alone; gives it, also to whom it was given before. What the host denied to
    somebody of that name counts on: who signs out and comes in again is the same to the host.
    """
    room, user = state.rooms[command["room"]], command["user"]
    if user not in room.guests:
        since = 0 if room.door.whole else len(room.messages)
        skeletons = {*command["skeletons"]}
        denials = [guest.denials for guest in room.guests.values() if skeletons & {*guest.skeletons}]
        at = command["at"]
        room.guests[user] = Guest(command["name"], command["skeletons"], since, at, denials=max(denials, default=0))
        state.users[user] = User(sign_ins={command["sign_in"]: SignIn(command["since"], None)})
    ((sign_in, known),) = state.users[user].sign_ins.items()
    return {"sign_in": sign_in, "since": known.since}


def show_out(state: Party, command: Command) -> None:
    show_out_of(state, find_room(state, command["room"]), command["who"])


def show_out_of(state: Party, room: Room, guest: str) -> None:
    """They stand nowhere in the room any more, but beside what they said. Their sign-in goes, and what their keys led
    to: nobody can be that guest again."""
    room.guests[guest].is_out = True
    room.speakers = [name for name in room.speakers if name != guest]
    room.waiting.pop(guest, None)
    room.visitors.discard(guest)
    state.users.pop(guest, None)
