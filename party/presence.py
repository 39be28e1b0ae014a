"""Who is here: what the wire knows. In no log; the browsers rebuild it after a restart.

A tab is one connection of a signed-in person. It is inside rooms, in which people are counted by their tabs, over all
processes of the party.
"""

from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field

from party.model import is_guest

# What one process tells the others: {room id: {name: how many tabs}}; below UNNAMED and a room's id how many of these
# tabs listen unnamed, below WRITING and an id who writes there since when. In a rolling restart a version that does not
# know these takes them for rooms that it has not heard of.
Note = Mapping[str, Mapping[str, int]]
UNNAMED, WRITING = "unnamed:", "writing:"

# A sign-in ends with age as well, which nothing announces. Its tabs can do nothing meanwhile: each command asks anew.
LOOK_AT_ALL_EVERY = 60_000

# A page says every few seconds that somebody still writes. Long enough to think of a word, short enough that nobody
# waits for what was given up.
WRITING_LIFE = 6_000


TABS_EACH, GUEST_TABS_EACH = 20, 3


def tabs_each(user: str) -> int:
    """How many tabs they can have in a process."""
    return GUEST_TABS_EACH if is_guest(user) else TABS_EACH


@dataclass
class Tab:
    """One connection of a signed-in person."""

    sid: str
    user: str
    sign_in_id: str
    room_ids: set[str] = field(default_factory=set)  # which it is inside
    unnamed_in: set[str] = field(default_factory=set)  # in which of them it listens unnamed


@dataclass
class People:
    """Who is inside a room, and since when somebody is missed there."""

    tabs: Counter[str] = field(default_factory=Counter)  # name → how many tabs, over all processes
    unnamed: Counter[str] = field(default_factory=Counter)  # name → how many of them listen unnamed
    named: dict[str, None] = field(default_factory=dict)  # who has no such tab, in the order in which they came
    empty_since: int | None = None
    host_gone_since: int | None = None
    guests_gone_since: dict[str, int] = field(default_factory=dict)  # of those who wait, and are not inside


class Presence:
    """The tabs of this process, and who is inside which room through any."""

    def __init__(self) -> None:
        self.tabs: dict[str, Tab] = {}  # by sid
        self.people: dict[str, People] = defaultdict(People)  # by room id
        self.changed: set[str] = set()  # ids of rooms where somebody went in or out
        self.doubted: set[str] = set()  # names of people of whom a sign-in may have ended
        self._all_looked_at = 0  # when all tabs were last looked at for that
        self._sids: dict[str, set[str]] = defaultdict(set)  # by name
        self._departed: deque[str] = deque()
        self._others: dict[str, Note] = {}  # by process
        self._note: Note | None = None  # what `note` gave, until something changes here
        # By room id: name → (since when, until when) somebody writes through this process.
        self._writing: dict[str, dict[str, tuple[int, int]]] = defaultdict(dict)

    def arrive(self, tab: Tab) -> None:
        self.tabs[tab.sid] = tab
        self._sids[tab.user].add(tab.sid)

    def note_departure(self, sid: str) -> None:
        """The connection has ended: `forget_departed` does the rest, soon. May be called at any moment."""
        self._departed.append(sid)

    def forget_departed(self) -> None:
        """Forget the tabs whose connection has ended."""
        while self._departed:
            if tab := self.tabs.pop(self._departed.popleft(), None):
                for room_id in list(tab.room_ids):
                    self.leave(tab, room_id)
                self._sids[tab.user].remove(tab.sid)
                if not self._sids[tab.user]:
                    del self._sids[tab.user]

    def tabs_of(self, user: str) -> list[Tab]:
        """Those that they have in this process."""
        return [self.tabs[sid] for sid in self._sids.get(user, ())]

    def doubtful_tabs(self, at: int) -> list[Tab]:
        """Those whose sign-in may have ended since this was asked last: the doubted people's, and once a minute all."""
        if at >= self._all_looked_at + LOOK_AT_ALL_EVERY:
            self._all_looked_at = at
            self.doubted.update(self._sids)
        tabs = [tab for user in self.doubted for tab in self.tabs_of(user)]
        self.doubted.clear()
        return tabs

    def enter(self, tab: Tab, room_id: str, unnamed: bool = False) -> bool:
        """The tab is inside from now on, by name or unnamed; gives whether it was not inside."""
        self._set_unnamed(tab, room_id, unnamed)
        if room_id in tab.room_ids:
            return False
        tab.room_ids.add(room_id)
        self._count(tab, room_id, 1)
        return True

    def leave(self, tab: Tab, room_id: str) -> bool:
        """The tab is inside no more; gives whether it was."""
        if room_id not in tab.room_ids:
            return False
        tab.room_ids.remove(room_id)
        self._count(tab, room_id, -1)
        self._set_unnamed(tab, room_id, False)
        return True

    def _set_unnamed(self, tab: Tab, room_id: str, unnamed: bool) -> None:
        if unnamed and room_id not in tab.unnamed_in:
            tab.unnamed_in.add(room_id)
            self._count(tab, room_id, 1, unnamed=True)
        elif not unnamed and room_id in tab.unnamed_in:
            tab.unnamed_in.remove(room_id)
            self._count(tab, room_id, -1, unnamed=True)

    def _count(self, tab: Tab, room_id: str, more: int, unnamed: bool = False) -> None:
        self._note = None
        self.add(room_id, {tab.user: more}, unnamed)

    def tabs_inside(self, room_id: str) -> list[Tab]:
        """Those of this process."""
        return [tab for tab in self.tabs.values() if room_id in tab.room_ids]

    def names_in(self, room_id: str) -> Set[str]:
        """The names of those who have a tab inside."""
        return self.people[room_id].tabs.keys() if room_id in self.people else frozenset()

    def named_in(self, room_id: str) -> Iterable[str]:
        """Of those, who is there by name: through no tab unnamed. In the order in which this process heard of them."""
        return self.people[room_id].named if room_id in self.people else ()

    def add(self, room_id: str, change: Mapping[str, int], unnamed: bool = False) -> None:
        """Add to how many tabs people have inside, or to how many of them listen unnamed, {name: how many}."""
        here = self.people[room_id]
        counts = here.unnamed if unnamed else here.tabs
        counts.update(change)
        for name in change:
            if counts[name] <= 0:
                del counts[name]
            if name in here.tabs and name not in here.unnamed:
                here.named[name] = None
            else:
                here.named.pop(name, None)
        self.changed.add(room_id)

    # --- Who is writing ---

    def note_writing(self, room_id: str, user: str, at: int, said_at: int) -> None:
        """They are writing there for the next seconds: since before, unless they said that at `said_at`."""
        since, _ = self._writing[room_id].get(user, (at, at))
        self._writing[room_id][user] = (since if since > said_at else at, at + WRITING_LIFE)
        self._note = None

    def forget_writing(self, at: int) -> None:
        """Forget who said for some seconds no more that they are writing."""
        for room_id, writing in list(self._writing.items()):
            for user in [user for user, (_, until) in writing.items() if at >= until]:
                del writing[user]
                self._note = None
            if not writing:
                del self._writing[room_id]

    def rooms_with_writing(self) -> set[str]:
        keys = (key for note in self._others.values() for key in note if key.startswith(WRITING))
        return {*self._writing, *(key.removeprefix(WRITING) for key in keys)}

    def writing_in(self, room_id: str) -> dict[str, int]:
        """Since when who is writing there, {name: when}, over all processes."""
        here = {user: since for user, (since, _) in self._writing.get(room_id, {}).items()}
        for note in self._others.values():
            here |= note.get(WRITING + room_id, {})
        return here

    # --- Several processes ---

    def note(self) -> Note:
        """Who is inside where, and how, through this process alone. The very same again while nothing changes here."""
        if self._note is None:
            self._note = self._new_note()
        return self._note

    def _new_note(self) -> Note:
        note: dict[str, Counter[str]] = defaultdict(Counter)
        for tab in self.tabs.values():
            for room_id in tab.room_ids:
                note[room_id][tab.user] += 1
            for room_id in tab.unnamed_in:
                note[UNNAMED + room_id][tab.user] += 1
        for room_id, writing in self._writing.items():
            note[WRITING + room_id].update({user: since for user, (since, _) in writing.items()})
        return note

    def hear(self, others: Mapping[str, Note]) -> None:
        """Count who is inside through the other processes, {process: note}; who is no more among them is gone."""
        for process in self._others.keys() | others.keys():
            before, after = self._others.pop(process, {}), others.get(process, {})
            if before is not after:
                for key in {**before, **after}:
                    self._hear(key, before.get(key, {}), after.get(key, {}))
        self._others.update(others)

    def _hear(self, key: str, before: Mapping[str, int], after: Mapping[str, int]) -> None:
        """Only what changed, so that who stays keeps the place in the order."""
        change = {name: after.get(name, 0) - before.get(name, 0) for name in {**before, **after}}
        change = {name: more for name, more in change.items() if more}
        if change and not key.startswith(WRITING):
            self.add(key.removeprefix(UNNAMED), change, unnamed=key.startswith(UNNAMED))

    # --- Who is missed ---

    def note_absence(self, room_id: str, host: str, waiting: Iterable[str], at: int, is_begun: bool) -> People:
        """Note since when nobody is inside, and since when the host is not, nor those guests; gives who is. In a room
        that has not begun, the first two are not missed yet."""
        here = self.people[room_id]
        here.empty_since = None if here.tabs or not is_begun else here.empty_since or at
        here.host_gone_since = None if host in here.tabs or not is_begun else here.host_gone_since or at
        gone = here.guests_gone_since
        here.guests_gone_since = {guest: gone.get(guest, at) for guest in waiting if guest not in here.tabs}
        return here

    def forget_absences(self) -> None:
        """While the other processes cannot be asked, who is missed may have come in there: each grace starts anew."""
        for here in self.people.values():
            here.empty_since = here.host_gone_since = None
            here.guests_gone_since.clear()
