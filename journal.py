"""The ordered log in front of the state: what is in it happened, in this order.

It knows nothing of rooms or of Flask: a command is a dict. Every kind of journal offers the same three things:

    append(command)    puts a command at the end; gives its position (1, 2, 3 …)
    replay(after=0)    gives (position, command) for everything behind the position `after`, in order
    began              since when this log remembers, in milliseconds UTC: what is older is not in it
"""

import itertools
import time
from collections import deque


class MemoryJournal:
    """A log that lives and ends with its process."""

    # Nothing is rebuilt from this log, so its oldest part may go: an evening of thirty friends is kept, and of it what
    # is not older than the longest room and the time for which it can be read.
    KEPT_COMMANDS = 20_000
    KEPT_MILLISECONDS = 4 * 60 * 60_000

    def __init__(self):
        self.began = time.time_ns() // 1_000_000
        self._positions = itertools.count(1)
        self._log = deque(maxlen=self.KEPT_COMMANDS)

    def append(self, command):
        position = next(self._positions)
        self._log.append((position, command))
        while self._log[0][1]["at"] < command["at"] - self.KEPT_MILLISECONDS:
            self._log.popleft()
        return position

    def replay(self, after=0):
        return (entry for entry in list(self._log) if entry[0] > after)


def open_journal(address):
    """The journal that `address` names. Raises ValueError, with a sentence, for one that is not known."""
    if address == "memory:":
        return MemoryJournal()
    raise ValueError(f"must be memory:, not {address!r}")
