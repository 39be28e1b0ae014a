"""All that the log says: rooms and users, and the one door through which they change, `apply`.

The same commands in the same order give the same dicts, on every machine, today or after a restart; anybody can make
them anew from the log with a `State()` of their own.
"""

import hashlib
from dataclasses import dataclass, field
from typing import Any

from party import doors, model, plans, rules
from party.model import Command, Outcome, Refused, Room, SignIn, User, find_room
from party.rules import BEFORE_THE_LOG, CLOSING, PARTY_RULES, ROOM_RULES, anyone

KEYS_EACH = 256  # a page sends again within minutes; at the full pace these are the last fifty seconds
GUARD, RULE = 0, 1  # their places in a row of the tables
# What the server adds to what a person asked for: with another of these it is still the same.
ADDED = {"id", "at", "key", "most", "through", "speakers", "instead", "hash", "doors"}


@dataclass
class State:
    """The rooms, live ones, planned ones and closed ones kept for reading, by id; and the users, by name."""

    rooms: dict[str, Room] = field(default_factory=dict)
    users: dict[str, User] = field(default_factory=dict)

    def apply(self, command: Command) -> Outcome:
        """Change the dicts as `command` says; gives its outcome, which is what the acknowledgement will say.

        Nothing else changes them, and nothing but the command and the dicts decides what happens.
        """
        try:
            outcome = self.first_outcome(command)
            if outcome is None:
                self.guard(command)
                outcome = {"ok": True} | self.ruling(command)
                self.remember(command, outcome)
        except Refused as refusal:
            # The same key may be used again: it may soon be allowed, as after signing in again.
            outcome = refusal.ack
        return outcome

    def foresee(self, command: Command) -> Outcome | None:
        """The outcome that is remembered under the command's key, None for a new one. Refuses what a guard refuses."""
        outcome = self.first_outcome(command)
        if outcome is None:
            self.ensure_signed_in(command, even_where_it_was_cut=False)
            self.guard(command)
            BEFORE_THE_LOG.get(command["kind"], anyone)(self, command)
        return outcome

    def guard(self, command: Command) -> None:
        """Refuse where the sign-in does not hold, it is not for guests, the room is unknown, or the guard of this kind
        says no."""
        self.ensure_signed_in(command)
        doors.ensure_guest_may(command)
        self.ask(GUARD, command)

    def ensure_signed_in(self, command: Command, even_where_it_was_cut: bool = True) -> None:
        """Refuse where the sign-in does not hold. What is done to a plan may be as old as the log, and its sign-in cut
        away: whether that held was asked before the command went into the log."""
        if "through" not in command or self.is_signed_in(command["user"], command["through"], command["at"]):
            return
        room = self.rooms.get(command.get("room", ""))
        is_cut = bool(room and room.is_planned and not self.sign_in_of(command["user"], command["through"]))
        if not (is_cut and even_where_it_was_cut):
            raise Refused("signed_out", "You are signed out. Please sign in again.")

    def ruling(self, command: Command) -> Outcome:
        """What the rule says, which may be a no: that is remembered like a yes."""
        try:
            said = self.ask(RULE, command) or {}
            if command["kind"] in CLOSING:
                rules.forget_surplus(self)
            return said
        except Refused as refusal:
            return refusal.ack

    def ask(self, which: int, command: Command) -> Outcome | None:
        """What the GUARD or the RULE of this kind says. Refuses as it does, and an unknown room."""
        if command["kind"] in PARTY_RULES:
            return PARTY_RULES[command["kind"]][which](self, command)
        return ROOM_RULES[command["kind"]][which](find_room(self, command["room"], command["user"]), command)

    def sign_in_of(self, user: str, sign_in_id: str) -> SignIn | None:
        """The sign-in, where the log knows it; it may have ended."""
        return self.users[user].sign_ins.get(sign_in_id) if user in self.users else None

    def is_signed_in(self, user: str, sign_in_id: str, at: int) -> bool:
        """Whether that sign-in of theirs is known, and holds at that time."""
        known = self.sign_in_of(user, sign_in_id)
        return bool(known and not known.ended and at < known.since + model.SIGN_IN_LIFE)

    def has_other_number(self, name: str, number: int | None) -> bool:
        """Whether the log has another number for somebody than this, which the people have now; or counts on somebody
        who is none of them any more."""
        if number is None and name in plans.names_in_plans(self):
            return True
        user = self.users.get(name, User())
        held = {known.number for known in user.sign_ins.values() if not known.ended}
        return user.number not in (None, number) or not held <= {number}

    def names(self) -> set[str]:
        """Of everybody whom the log speaks of."""
        return {*self.users, *plans.names_in_plans(self)}

    # --- Keys: what is sent again happens once ---

    def first_outcome(self, command: Command) -> Outcome | None:
        """What this user's key led to the first time, or None. Refuses the same key with another body."""
        known = self.remembered(command)
        if known is None:
            return None
        body, outcome = known
        if body != body_of(command):
            raise Refused("conflict", "That key was used for something else.")
        return outcome

    def remembered(self, command: Command) -> tuple[dict[str, Any], Outcome] | None:
        """(body, outcome) of the first command with this user's key, or None."""
        user = self.users.get(owner_of_key(command))
        return user.outcomes.get(command["key"]) if user else None

    def remember(self, command: Command, outcome: Outcome) -> None:
        """Keep the first outcome of a key, for as long as a page may send it again; of a guest who has gone, none."""
        if command["key"] and not (model.is_guest(command["user"]) and command["user"] not in self.users):
            outcomes = self.users.setdefault(owner_of_key(command), User()).outcomes
            outcomes.setdefault(command["key"], (body_of(command), outcome))
            if len(outcomes) > KEYS_EACH:
                del outcomes[next(iter(outcomes))]


def owner_of_key(command: Command) -> str:
    """Whose keys count; the party's own stand under no name."""
    return command["user"] or ""


def body_of(command: Command) -> dict[str, Any]:
    """What the person asked for: enough to know the same again, and no words, since those may be taken back."""
    body = {name: value for name, value in command.items() if name not in ADDED}
    if "text" in body:
        body["text"] = hashlib.sha256(body["text"].encode()).digest()
    return body
