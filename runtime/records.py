"""What the program tells its owner, on standard error: a line each. What would come again and again is told once a
minute."""

import contextlib
import logging
import secrets
import sys
import time
import traceback

from runtime import metrics, settings

LINE = "%(asctime)s %(levelname)s %(name)s: %(message)s"
MINUTE_SECONDS = 60
MOST_AT_ONCE = 100  # things that are told in one minute: whoever makes up new ones all the time fills no disk


def set_up():
    """From now on a record is a line for people, or with PARTY_LOG=json an object in a line for machines."""
    handler = logging.StreamHandler()
    handler.setFormatter(in_json() if settings.LOG == "json" else logging.Formatter(LINE))
    handler.formatter.formatException = lambda exc_info: "".join(trace_of(exc_info[1])).rstrip()
    logging.basicConfig(handlers=[handler], level=logging.INFO)


def in_json():
    from pythonjsonlogger.json import JsonFormatter  # only who asks for it waits for its import

    names = {"levelname": "level", "name": "logger", "exc_info": "exception"}
    return JsonFormatter(["levelname", "name", "message"], timestamp="time", rename_fields=names)


def trace_of(error):
    """Where it went wrong, and what kind of error it is. Not what it says: somebody's words may stand in that."""
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    yield from [*trace_of(before), "\nand then\n\n"] if before else []
    yield "Traceback (most recent call last):\n"
    yield from traceback.format_tb(error.__traceback__)
    yield f"{type(error).__qualname__}\n"


def mistake(log, sentence):
    """Record our own mistake, from where it was caught; gives the id under which it stands there. Whoever met it is
    shown that, and can name it."""
    metrics.count("party_mistakes")
    id = secrets.token_hex(4)
    log.exception("%s (%s)", sentence, id, extra={"id": id})
    return id


def recurring_mistake(log, sentence):
    """Record one that may come again at once, as of what is done all the time: once a minute for the same place."""
    if _told.may_tell("".join(trace_of(sys.exception()))):
        mistake(log, sentence)


@contextlib.contextmanager
def mistakes_recorded(log, sentence):
    """Whatever goes wrong in this is recorded so, and is no reason not to go on behind it."""
    try:
        yield
    except Exception:
        recurring_mistake(log, sentence)


def not_kept(log, error):
    """Record that the log did not take something; gives the id. The same one for the same reason within a minute: each
    that is refused would else add a line to a disk that may be full."""
    why = str(error)
    if _told.may_tell(why) or why not in _ids:
        _ids[why] = id = secrets.token_hex(4)
        log.error("Something could not be kept: %s. (%s)", why, id, extra={"id": id})
    return _ids[why]


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


_told = Sparingly()  # reasons why something was not kept, and traces
_ids = {}  # such a reason → under which id it was told last
