"""What people were told last, and so what is new to whom. In no log; after a restart all of it is news.

What is told is (audience, event, payload). An audience has a name: a tab's own, or one of those below.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from party import model, views
from party.model import Command, Door, Party, Room
from party.presence import Presence
from party.views import View

Told = tuple[str, str, View]
Seen = Callable[[Room], View]

LIVELY_CARDS_EVERY = 10_000  # what messages alone change of the cards goes to everybody at most this often
EVERYONE = "everyone"  # of the people


def inside(room_id: str, who: str = "all") -> str:
    """Of those inside "all", or the "friends" or the "guests", who each hear of the room itself what they may."""
    return f"{who} inside:{room_id}"


def audiences_of(user: str, room_id: str) -> tuple[str, str]:
    """Those that a tab of theirs belongs to which is inside."""
    return inside(room_id), inside(room_id, "guests" if model.is_guest(user) else "friends")


def person(user: str) -> str:
    return f"person:{user}"


@dataclass
class News:
    """What people were told last, and of which rooms there may be something new to tell at the next tick."""

    told: dict[str, dict[str, Any]] = field(default_factory=dict)  # room id → {what: what was told last}
    told_cards: dict[str, View] = field(default_factory=dict)  # room id → the card that the lobby was told last
    stale_rooms: set[str] = field(default_factory=set)  # ids, for those inside, the host and those who wait
    stale_cards: set[str] = field(default_factory=set)  # ids, for the lobby
    lively_cards: set[str] = field(default_factory=set)  # ids, for the lobby too, of which only messages are new
    lively_cards_at: int = 0  # when these were told last
    # id of a planned room → its host, and what they were told last of who comes and of the door
    told_plans: dict[str, tuple[str, View | None, Door]] = field(default_factory=dict)
    stale_likes: dict[str, set[int]] = field(default_factory=dict)  # room id → seqs, for those inside
    other_people: bool = False  # the owner's list has changed, and the log has not heard of it yet

    def note(self, room: Room, command: Command) -> None:
        """There may be something new to tell of the room, and of one that it continues."""
        if command["kind"] == "take_back":
            self.lively_cards_at = 0  # a card may show these words
        if command["kind"] == "message":  # those inside hear the message itself
            self.lively_cards.add(room.id)
        elif command["kind"] == "like":
            self.stale_likes.setdefault(room.id, set()).add(command["seq"])
        else:
            self.stale_rooms.update({room.id, command.get("continues", room.id)})

    def all(
        self, state: Party, presence: Presence, at: int, room_view: Seen, door_view: Seen, card: Seen
    ) -> Iterator[Told]:
        """What is new since it was told last. The views are of a room as it is now."""
        self.stale_rooms.update(presence.changed)
        presence.changed.clear()
        self.stale_cards.update(self.stale_rooms, self.told_cards.keys() - state.rooms.keys())
        yield from self._of_plans(state, door_view)
        self.stale_rooms.update(self.rooms_of_the_moment(presence))
        for room_id in list(self.stale_rooms):
            self.stale_rooms.discard(room_id)
            if room_id in state.rooms and not state.rooms[room_id].is_planned:
                yield from self._of_room(state.rooms[room_id], presence, room_view, door_view)
        self.stale_likes.clear()
        yield from self._of_cards(state, at, card)

    def rooms_of_the_moment(self, presence: Presence) -> set[str]:
        """The ids of rooms with news that no card shows: what is liked, who writes, a signal that may be over."""
        told = {id for id, last in self.told.items() if last["writing"] or any(last["view"]["pulse"].values())}
        return told | presence.rooms_with_writing() | self.stale_likes.keys()

    def _of_room(self, room: Room, presence: Presence, room_view: Seen, door_view: Seen) -> Iterator[Told]:
        """For those inside, the host and those who wait."""
        last = self.told.get(room.id, {})
        view = room_view(room)
        if last.get("view") != view:
            yield inside(room.id, "friends"), "room", view
        if last.get("guests' view") != (guests_view := views.room_for_guests(view, room)):
            yield inside(room.id, "guests"), "room", guests_view
        if last.get("waiting") != (waiting := (room.host, views.queue(room))):
            yield person(room.host), "waiting", views.waiting(room)
        if last.get("door", (room.host, Door())) != (door := (room.host, room.door)):
            yield person(room.host), "door", door_view(room)
        for user, place in (places := views.places(room)).items():
            if last.get("places", {}).get(user) != place:
                yield person(user), "place", {"room": room.id, "place": place}
        if seqs := self.stale_likes.pop(room.id, None):
            yield inside(room.id), "likes", {"room": room.id, "likes": views.likes(room, seqs)}
        writing = views.writing(room, presence.names_in(room.id), presence.writing_in(room.id))
        if last.get("writing", []) != writing:
            yield inside(room.id), "writing", {"room": room.id, "users": writing}
        self.told[room.id] = {"view": view, "guests' view": guests_view, "waiting": waiting, "door": door}
        self.told[room.id] |= {"places": places, "writing": writing}

    def _of_plans(self, state: Party, door_view: Seen) -> Iterator[Told]:
        """For hosts: who comes and who may, and of what no lobby shows that it is over."""
        planned = {room.id: room for room in model.planned_rooms(state)}
        for room_id in self.told_plans.keys() - planned.keys():
            host, last, _ = self.told_plans.pop(room_id)
            if last and "plan" in last:
                yield person(host), "expected", last | {"users": [], "plan": None}
        for room in planned.values():
            _, expected, door = self.told_plans.get(room.id, (room.host, None, Door()))
            if expected != (now_expected := views.expected(room)):
                yield person(room.host), "expected", now_expected
            if door != room.door:
                yield person(room.host), "door", door_view(room)
            if (expected, door) != (now_expected, room.door):
                self.stale_cards.add(room.id)
            self.told_plans[room.id] = room.host, now_expected, room.door

    def _of_cards(self, state: Party, at: int, card: Seen) -> Iterator[Told]:
        """For everyone: which cards changed and which are gone. Words wait for their time, whatever else was done."""
        with_words = at >= self.lively_cards_at + LIVELY_CARDS_EVERY
        if self.lively_cards and with_words:
            self.stale_cards |= self.lively_cards
            self.lively_cards, self.lively_cards_at = set(), at
        shown = {room.id: card(room) for room in model.listed_rooms(state) if room.id in self.stale_cards}
        changed = {id: new for id, new in shown.items() if views.is_news(new, self.told_cards.get(id), with_words)}
        gone = [id for id in self.stale_cards if id in self.told_cards and id not in shown]
        self.stale_cards.clear()
        self.told_cards.update(changed)
        for id in gone:
            del self.told_cards[id]
        if changed or gone:
            yield EVERYONE, "lobby", {"now": at, **views.lobby(changed.values()), "gone": gone}
