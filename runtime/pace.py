"""How often somebody may do something. Times are milliseconds, given by the caller; nothing here looks at a clock."""

import math
from collections import defaultdict, deque

from party.model import is_guest
from runtime import settings
from runtime.journal import Unavailable, redis_at

BURST = 4  # times the pace
GUEST_PACE, GUEST_BURST = 1, 5  # a second, and at once


class Paces:
    """How fast each person may be, over all their tabs: `pace` acts a second, a guest one. A pace of 0 is no limit."""

    def __init__(self, pace):
        self._people = TokenBuckets(pace, pace * BURST)
        self._guests = TokenBuckets(min(pace, GUEST_PACE), GUEST_BURST)

    def _of(self, user):
        return self._guests if is_guest(user) else self._people

    def take(self, user, at):
        """Let them act once; gives 0. Where they are too fast, counts nothing and gives the seconds until they may."""
        return self._of(user).take(user, at)

    def refusals(self, user):
        return self._of(user).refusals(user)


class TokenBuckets:
    """A bucket for each person: it holds `burst` tokens, at least one, gets `pace` a second, and each act takes one.

    A pace of 0 is no limit.
    """

    TRACKED = 10_000  # at most: guests are others every day

    def __init__(self, pace, burst):
        self.pace, self.burst = pace, max(1, burst)
        self._buckets = {}  # who → (tokens, when counted)
        self._refusals = defaultdict(int)  # who → how many in a row

    def take(self, who, at):
        """Take a token; gives 0. With none there, takes nothing and gives the seconds until there is one."""
        if not self.pace:
            return 0
        tokens, counted_at = self._buckets.pop(who, (self.burst, at))
        if len(self._buckets) >= self.TRACKED:  # the one who did something longest ago has long had a full one again
            longest_ago = next(iter(self._buckets))
            del self._buckets[longest_ago]
            self._refusals.pop(longest_ago, None)
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
    """Counts wrong tries under keys, of which `most` within `within` milliseconds block a key.

    A key is (kind, value), as ("name", "asha"); one whose value is None counts for nobody. They are counted in memory,
    or in Redis where `address`, the journal's, names one: there all processes count together. Both methods then raise
    Unavailable, within two seconds, when it cannot be asked.
    """

    def __init__(self, address, most, within):
        self._tries = TriesInRedis(address, most, within) if settings.is_redis(address) else TriesInMemory(most, within)

    def wait(self, at, *keys):
        """Seconds until none of `keys` is blocked any more; 0 when none is."""
        return self._ask(at, keys, notes=False)

    def note(self, at, *keys):
        """Count a wrong try; gives 0. Where a key is blocked, counts nothing and gives the seconds until none is."""
        return self._ask(at, keys, notes=True)

    def _ask(self, at, keys, notes):
        keys = [f"{kind}:{value}" for kind, value in keys if value is not None]
        return max(0, math.ceil(self._tries.ask(at, keys, notes) / 1000)) if keys else 0


class TriesInMemory:
    """The tries of one process."""

    TRACKED = 10_000  # keys at most, so that a stranger with many addresses fills no memory

    def __init__(self, most, within):
        self.most, self.within = most, within
        self._tries = {}  # key → when, the oldest first

    def ask(self, at, keys, notes):
        """The milliseconds until none of `keys` is blocked. Notes a try under each when none is, where it `notes`."""
        full = [self._tries[key] for key in keys if len(self._tries.get(key, ())) == self.most]
        wait = max((tries[0] + self.within - at for tries in full), default=0)
        if notes and wait <= 0:
            for key in keys:
                self._note(at, key)
        return wait

    def _note(self, at, key):
        tries = self._tries.pop(key, None) or deque(maxlen=self.most)
        tries.append(at)
        self._tries[key] = tries  # at the end: the one tried longest ago is forgotten first
        if len(self._tries) > self.TRACKED:
            del self._tries[next(iter(self._tries))]


class TriesInRedis:
    """The tries of all processes, a list for each key, the latest first. Redis forgets a list after `within`: that
    bounds its memory, at some 300 bytes for each address that was wrong within that time."""

    # One script, so that nothing comes between looking and noting: of a hundred tries at once, `most` are let pass.
    ASK = """
        local at, most, within, notes = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4] == "1"
        local wait = 0
        for _, key in ipairs(KEYS) do
            local oldest = redis.call("LINDEX", key, most - 1)
            if oldest then wait = math.max(wait, oldest + within - at) end
        end
        if notes and wait <= 0 then
            for _, key in ipairs(KEYS) do
                redis.call("LPUSH", key, ARGV[1])
                redis.call("LTRIM", key, 0, most - 1)
                redis.call("PEXPIRE", key, within)
            end
        end
        return wait
    """

    def __init__(self, address, most, within):
        import redis  # only who uses it waits for its import

        self._errors = redis.RedisError
        self._limits = most, within
        self._ask = redis_at(address).register_script(self.ASK)

    def ask(self, at, keys, notes):
        """As in memory. Raises Unavailable."""
        try:
            return self._ask([f"party:wrong:{key}" for key in keys], [at, *self._limits, int(notes)])
        except self._errors as error:
            raise Unavailable(str(error)) from error
