"""What time it is, and what is done again and again."""

import logging
import time

from runtime import records

log = logging.getLogger("party.clock")

# A clock that nobody sets: it starts from the wall clock and then only runs on, through sleep as well where the
# system has such a clock (Linux).
STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
STARTED = time.time_ns() - time.clock_gettime_ns(STEADY)


def now():
    """Milliseconds UTC."""
    return (STARTED + time.clock_gettime_ns(STEADY)) // 1_000_000


def again_and_again(sleep, seconds, *tasks):
    """Do them for ever, with so many seconds between two times. Where one fails, the next one is done all the same."""
    while True:
        for task in tasks:
            with records.mistakes_recorded(log, f"What is done every {seconds:g} s failed; it is done again."):
                task()
        sleep(seconds)
