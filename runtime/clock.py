"""What time it is."""

import time

# A clock that nobody sets: it starts from the wall clock and then only runs on, through sleep as well where the
# system has such a clock (Linux).
STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
STARTED = time.time_ns() - time.clock_gettime_ns(STEADY)


def now():
    """Milliseconds UTC."""
    return (STARTED + time.clock_gettime_ns(STEADY)) // 1_000_000
