"""What the program tells its owner, on standard error: a line each, and nothing more than once a minute."""

import logging
import secrets
import time

LINE = "%(asctime)s %(levelname)s %(name)s: %(message)s"
MINUTE_SECONDS = 60
MOST_AT_ONCE = 100  # things that are told in one minute: whoever makes up new ones all the time fills no disk


def set_up():
    logging.basicConfig(format=LINE, level=logging.INFO)


def mistake(log, sentence):
    """Logs the exception being handled, with an id; gives the id."""
    id = secrets.token_hex(4)
    log.exception("%s (%s)", sentence, id)
    return id


class Sparingly:
    """Lets the same thing be told once a minute."""

    def __init__(self):
        self._told = {}  # what → when, in seconds

    def may_tell(self, what):
        """Whether this was not told in the last minute; then it counts as told now."""
        now = time.monotonic()
        self._told = {known: at for known, at in self._told.items() if now - at < MINUTE_SECONDS}
        if what in self._told or len(self._told) >= MOST_AT_ONCE:
            return False
        self._told[what] = now
        return True
