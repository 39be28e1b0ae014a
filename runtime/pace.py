"""How often somebody may do something. Times are milliseconds, given by the caller; nothing here looks at a clock."""

import math
from collections import defaultdict, deque


class TokenBuckets:
    """A bucket for each person: it holds `burst` tokens, at least one, gets `pace` a second, and each act takes one.

    A pace of 0 is no limit.
    """

    def __init__(self, pace, burst):
        self.pace, self.burst = pace, max(1, burst)
        self._buckets = {}  # who → (tokens, when counted)
        self._refusals = defaultdict(int)  # who → how many in a row

    def take(self, who, at):
        """Take a token; gives 0. With none there, takes nothing and gives the seconds until there is one."""
        if not self.pace:
            return 0
        tokens, counted_at = self._buckets.get(who, (self.burst, at))
        tokens = min(self.burst, tokens + (at - counted_at) / 1000 * self.pace)
        if tokens < 1:
            self._buckets[who] = tokens, at
            self._refusals[who] += 1
            return math.ceil((1 - tokens) / self.pace)
        self._buckets[who] = tokens - 1, at
        self._refusals.pop(who, None)
        return 0

    def refusals(self, who):
        """How many times in a row they were told to wait."""
        return self._refusals.get(who, 0)


class WrongTries:
    """Counts wrong tries under keys (an address, a name): `most` within `within` milliseconds block a key."""

    TRACKED = 10_000  # keys at most, so that a stranger with many addresses fills no memory

    def __init__(self, most, within):
        self.most, self.within = most, within
        self._tries = {}  # key → when, the oldest first

    def note(self, at, *keys):
        """A wrong try at `at`."""
        for key in keys:
            tries = self._tries.pop(key, None) or deque(maxlen=self.most)
            tries.append(at)
            self._tries[key] = tries  # at the end: the one tried longest ago is forgotten first
        while len(self._tries) > self.TRACKED:
            del self._tries[next(iter(self._tries))]

    def wait(self, at, *keys):
        """Seconds until none of `keys` is blocked any more; 0 when none is."""
        full = [self._tries[key] for key in keys if len(self._tries.get(key, ())) == self.most]
        return max(0, math.ceil(max((tries[0] + self.within - at for tries in full), default=0) / 1000))
