"""Rooms that are to become a page: who says no, who leaves their words out, and what of it is left then.

That a room will be published is said before anybody speaks there, so it can be switched off, and never on.
"""

from collections.abc import Set

from party.model import (
    MINUTE,
    Command,
    Outcome,
    Party,
    Refused,
    Room,
    ensure_has_opened,
    ensure_hosts,
    is_guest_of,
)

LEAVE_OUT_WITHIN = 60 * MINUTE  # of the end: long enough to read what one said, once more and in peace
# The party looks four times a second. Where it publishes as late as this, it or its log was away, for longer than a
# restart or an update takes: whoever wanted to leave their words out may have found nobody to tell.
LATE = 5 * MINUTE


def is_yet_to_come(room: Room) -> bool:
    """Whether it has closed, and those who spoke there can still leave their words out."""
    return room.publishes_at is not None and not room.is_published


def is_due(room: Room, at: int) -> bool:
    return is_yet_to_come(room) and at >= (room.publishes_at or 0)


def left_out(room: Room) -> Set[str]:
    """Whose words are not published. A guest who has gone can no more leave theirs out, so these are not either."""
    if room.is_published:  # whoever goes after that
        return room.left_out
    return room.left_out | room.removed | {guest for guest in room.guests if not is_guest_of(room, guest)}


def has_words_left(room: Room) -> bool:
    """Whether there is anything to publish."""
    out = left_out(room)
    return any(message["user"] not in out and "taken_back" not in message for message in room.messages)


def is_worth_keeping(room: Room) -> bool:
    """Whether it is yet to be published, and there is anything to."""
    return is_yet_to_come(room) and has_words_left(room)


# --- Who may ----------------------------------------------------------------------------------------------------------


def ensure_will_be_published(room: Room) -> None:
    if room.is_published:
        raise Refused("closed", "That room is published already.")
    if not room.publish:
        raise Refused("conflict", "That room will not be published.")


def the_host_even_of_what_has_closed(room: Room, command: Command) -> None:
    ensure_hosts(room, command["user"])
    ensure_will_be_published(room)


def who_said_something(room: Room, command: Command) -> None:
    """Once the room has closed: till then, a message can be taken back."""
    ensure_has_opened(room)
    ensure_will_be_published(room)
    if command["user"] not in room.last_said:
        raise Refused("forbidden", "You said nothing in that room.")
    if room.publishes_at is None:
        raise Refused("conflict", "That room is still open. You can leave your words out once it has closed.")
    if command["user"] in room.removed:  # who has that name now cannot speak for who had it
        raise Refused("forbidden", "What was said under a name that was removed from the people stays out.")


def when_everybody_had_their_time(room: Room, command: Command) -> None:
    ensure_will_be_published(room)
    if not is_due(room, command["at"]):
        raise Refused("conflict", "Those who spoke there can still leave their words out.")


# --- What happens -----------------------------------------------------------------------------------------------------


def begin_the_hour(room: Room, command: Command) -> None:
    """In which those who spoke there can leave their words out. Where nobody has any, there is nothing to publish."""
    if has_words_left(room):
        room.publishes_at = command["at"] + LEAVE_OUT_WITHIN
    else:
        withhold(room, command)


def withhold(room: Room, command: Command) -> None:
    room.publish, room.publishes_at = False, None
    if room.plan:
        room.plan.changes += 1


def leave_out(room: Room, command: Command) -> None:
    """A person says so once, or not at all, however often they do."""
    if command["out"]:
        room.left_out.add(command["user"])
    else:
        room.left_out.discard(command["user"])


def publish(room: Room, command: Command) -> Outcome:
    """From here on what is published is certain. Where no words are left, nothing is; where it comes too late, not yet:
    those who spoke there have another hour."""
    if command["at"] >= (room.publishes_at or 0) + LATE:
        begin_the_hour(room, command)
    elif has_words_left(room):
        room.left_out, room.is_published = {*left_out(room)}, True
    else:
        withhold(room, command)
    return {"published": room.is_published}


def leave_out_of_all(state: Party, user: str) -> None:
    """They are none of the people any more, so they cannot say it themselves; nor can who gets their name later."""
    for room in state.rooms.values():
        if room.publish and not room.is_published and user in room.last_said:
            room.removed.add(user)
