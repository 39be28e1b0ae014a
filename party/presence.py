"""Who is here: what the wire knows. In no log; the browsers rebuild it after a restart.

A tab is one connection of a signed-in person. It is inside rooms, in which people are counted by their tabs, over all
processes of the party.
"""

from collections import Counter, defaultdict, deque
from collections.abc import Mapping, Set
from dataclasses import dataclass, field

# {room id: {name: how many tabs}}
Counts = Mapping[str, Mapping[str, int]]


@dataclass
class Tab:
    """One connection of a signed-in person."""

    sid: str
    user: str
    sign_in_id: str
    room_ids: set[str] = field(default_factory=set)  # which it is inside


@dataclass
class People:
    """Who is inside a room, and since when somebody is missed there."""

    tabs: Counter[str] = field(default_factory=Counter)  # name → how many tabs, over all processes
    empty_since: int | None = None
    host_gone_since: int | None = None


class Presence:
    """The tabs of this process, and who is inside which room through any."""

    def __init__(self) -> None:
        self.tabs: dict[str, Tab] = {}  # by sid
        self.people: dict[str, People] = defaultdict(People)  # by room id
        self.changed: set[str] = set()  # ids of rooms where somebody went in or out
        self._sids: dict[str, set[str]] = defaultdict(set)  # by name
        self._departed: deque[str] = deque()
        self._others: dict[str, Counts] = {}  # by process

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

    def tabs_of(self, user: str) -> int:
        """How many tabs they have in this process."""
        return len(self._sids.get(user, ()))

    def enter(self, tab: Tab, room_id: str) -> bool:
        """The tab is inside from now on; gives whether it was not."""
        if room_id in tab.room_ids:
            return False
        tab.room_ids.add(room_id)
        self.add(room_id, {tab.user: 1})
        return True

    def leave(self, tab: Tab, room_id: str) -> bool:
        """The tab is inside no more; gives whether it was."""
        if room_id not in tab.room_ids:
            return False
        tab.room_ids.remove(room_id)
        self.add(room_id, {tab.user: -1})
        return True

    def tabs_inside(self, room_id: str) -> list[Tab]:
        """Those of this process."""
        return [tab for tab in self.tabs.values() if room_id in tab.room_ids]

    def names_in(self, room_id: str) -> Set[str]:
        """The names of those who have a tab inside."""
        return self.people[room_id].tabs.keys() if room_id in self.people else frozenset()

    def add(self, room_id: str, change: Mapping[str, int]) -> None:
        """Add to how many tabs people have inside, {name: how many}."""
        tabs = self.people[room_id].tabs
        tabs.update(change)
        for name in change:
            if tabs[name] <= 0:
                del tabs[name]
        self.changed.add(room_id)

    # --- Several processes ---

    def counts(self) -> Counts:
        """Who is inside where, through this process alone."""
        counts: dict[str, Counter[str]] = defaultdict(Counter)
        for tab in self.tabs.values():
            for room_id in tab.room_ids:
                counts[room_id][tab.user] += 1
        return counts

    def hear(self, others: Mapping[str, Counts]) -> None:
        """Count who is inside through the other processes, {process: counts}; who is no more among them is gone."""
        for process in self._others.keys() | others.keys():
            before, after = self._others.pop(process, {}), others.get(process, {})
            if before is not after:
                for room_id, people in before.items():
                    self.add(room_id, {name: -tabs for name, tabs in people.items()})
                for room_id, people in after.items():
                    self.add(room_id, people)
        self._others.update(others)

    # --- Who is missed ---

    def note_absence(self, room_id: str, host: str, at: int) -> None:
        """Note since when nobody is inside, and since when the host is not."""
        here = self.people[room_id]
        here.empty_since = None if here.tabs else here.empty_since or at
        here.host_gone_since = None if host in here.tabs else here.host_gone_since or at

    def forget_absences(self) -> None:
        """While the other processes cannot be asked, who is missed may have come in there: each grace starts anew."""
        for here in self.people.values():
            here.empty_since = here.host_gone_since = None
