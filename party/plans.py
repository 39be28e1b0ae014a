"""Rooms that are planned: who may, and what happens until they open."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from party.model import (
    CLOSED_LIFE,
    LONGEST_ROOM,
    MINUTE,
    Command,
    Door,
    Outcome,
    Party,
    Plan,
    Refused,
    Room,
    ensure_hosts,
    find_room,
    planned_rooms,
    the_host,
    until_closed,
    while_there_is_space,
)

PLANS, PLANS_EACH = 32, 3  # a lobby that can still be read; the next evening, the one after, and one to be moved
PLANNED_FROM, PLANNED_UNTIL = 1 * MINUTE, 14 * 24 * 60 * MINUTE  # ahead: what is further away is forgotten by people
# Long enough for who comes home late and for a restart, short enough that nobody waits in vain for a whole evening.
WAITS_FOR_HOST = 10 * MINUTE
# The log is cut behind what matters no more. What stands for days is said again after as long as a room is remembered:
# so here too all that came since then is in the log, and the sign-in that it came through.
SAID_EVERY = LONGEST_ROOM + CLOSED_LIFE


# --- Who may ----------------------------------------------------------------------------------------------------------


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
    ensure_hosts(room, command["user"])


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
    while_there_is_space(state)  # else as soon as a room closes, or it is called off


def while_it_stands(state: Party, command: Command) -> None:
    """A plan is said again as it is, and once. Where the log was cut, this is the first that is heard of it."""
    if room := state.rooms.get(command["room"]):
        plan = plan_of(room)
        is_old = command["changes"] < plan.changes
        if is_old or (command["changes"] == plan.changes and command["at"] < room.logged_at + SAID_EVERY):
            raise Refused("conflict", "That plan has been said already.")


# --- What happens -----------------------------------------------------------------------------------------------------


def plan_room(state: Party, command: Command) -> Outcome:
    plan = Plan(command["opens_at"], command["lasts"])
    state.rooms[command["id"]] = planned_room(command["id"], command["user"], plan, command)
    return {"room": command["id"]}


def planned_room(id: str, host: str, plan: Plan, command: Command) -> Room:
    at = command["at"]
    room = Room(id, command["topic"], host, opened_at=0, closes_at=0, active_at=0, logged_at=at, plan=plan)
    room.listed, room.publish = command.get("listed", True), command.get("publish", False)
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
    """It closes before it has opened: so it stays called off also where another process says it again just now."""
    room = find_room(state, command["room"])
    room.plan, room.door, room.publish = None, Door(), False
    room.closed, room.closed_at = "called_off", command["at"]


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
    plan = Plan(command["opens_at"], command["lasts"], command["version"], command["changes"])
    plan.coming = dict.fromkeys(command["coming"])
    state.rooms[command["room"]] = planned_room(command["room"], command["host"], plan, command)


def saying_of(room: Room, plan: Plan) -> dict[str, Any]:
    """What `say_again` needs to know."""
    return {
        "key": f"{room.id} {room.logged_at} {plan.changes}",
        "room": room.id,
        "topic": room.topic,
        "host": room.host,
        "listed": room.listed,
        "publish": room.publish,
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


# --- What time decides ------------------------------------------------------------------------------------------------


def due_of_plan(room: Room, plan: Plan, at: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """The commands, as (kind, body), that time has decided at `at` for a room that has not opened yet."""
    if at >= plan.at + WAITS_FOR_HOST:  # the party was not running, or full
        yield "call_off", {"room": room.id}
    elif at >= plan.at:
        yield "open", {"room": room.id}
    elif at >= room.logged_at + SAID_EVERY:
        yield "plan", saying_of(room, plan)
