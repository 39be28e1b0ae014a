"""Every setting, from the environment, read and checked once, when this is imported; and where things are kept.

A setting that makes no sense stops whatever was started with a sentence that names it. What only its user can check,
such as whether there is a Redis, they check. docs/operating.md says what each is for.

runtime/transport/ imports this before it makes the standard library cooperative: nothing here may import what waits.
"""

import contextlib
import os
import re
import select
from pathlib import Path

VERSION = "1.1.0"  # CHANGELOG.md says what is new in it
ROOT = Path(__file__).resolve().parent.parent
INSTANCE = ROOT / "instance"  # the secret key and the log; made when it is needed, for the owner alone
NOTIFY_SOCKET = os.environ.get("NOTIFY_SOCKET")  # no setting of ours: systemd gives it to what it starts


EMPTY_IS_MISSING = {"HOST", "PORT", "PARTY_SECRET_KEY", "PARTY_ASYNC_MODE", "PARTY_METRICS_TOKEN"}


def text(name, default):
    given = os.environ.get(name, default)
    return default if given == "" and name in EMPTY_IS_MISSING else given


def choice(name, default, *others):
    value = text(name, default)
    if value not in (default, *others):
        raise SystemExit(f"{name} must be {' or '.join((default, *others))}, not {value!r}.")
    return value


def number(name, default, low, high, fractions=False):
    given = text(name, str(default))
    for kind in (int, float) if fractions else (int,):
        with contextlib.suppress(ValueError):
            if low <= (value := kind(given)) <= high:
                return value
    raise SystemExit(f"{name} must be a {'' if fractions else 'whole '}number from {low} to {high}, not {given!r}.")


def origins(name):
    given = [origin.strip() for origin in text(name, "").lower().split(",") if origin.strip()]
    if not all(re.fullmatch(r"https?://[^/?#\s]+", origin) for origin in given):
        raise SystemExit(f"{name} must be origins like https://blog.example, separated by commas.")
    return given


HOST = text("HOST", "127.0.0.1")
PORT = number("PORT", 5000, 0, 65_535)
SECRET_KEY = text("PARTY_SECRET_KEY", None)  # None: users.py makes one and keeps it
JOURNAL = text("PARTY_JOURNAL", str(INSTANCE / "party.db"))
BACKED_UP = INSTANCE / "backed_up"  # touched by every backup
ROOM_MINUTES = number("PARTY_ROOM_MINUTES", 30, 0.001, 120, fractions=True)
ROOM_MESSAGES = number("PARTY_ROOM_MESSAGES", 10_000, 1, 1_000_000)
SEATS = number("PARTY_SEATS", 8, 1, 100)  # of speakers beside the host: more voices than a reader can follow
PACE = number("PARTY_PACE", 5, 0, 1_000_000, fractions=True)  # commands a second
GUESTS = number("PARTY_GUESTS", 0, 0, 100_000)
DEV = choice("PARTY_DEV", "no", "yes") == "yes"
ASSETS = choice("PARTY_ASSETS", "cdn", "local")
if DEV:
    ASSETS = "local"  # Vue's development build is there as an own copy alone
ORIGINS = origins("PARTY_ORIGINS")  # none: the server's own
PROXIES = number("PARTY_PROXIES", 0, 0, 10)
LOG = choice("PARTY_LOG", "plain", "json")  # how records are written
METRICS_TOKEN = text("PARTY_METRICS_TOKEN", None)  # None: figures are for this machine alone
ASYNC_MODE = choice("PARTY_ASYNC_MODE", "eventlet", "threading")
if "FLASK_RUN_FROM_CLI" in os.environ:
    ASYNC_MODE = "threading"  # the `flask` command only reads the log, and has imported too much to be patched
if not hasattr(select, "epoll"):
    ASYNC_MODE = "threading"  # the loop in runtime/transport/ needs what only Linux has
if not JOURNAL.startswith("redis"):
    # Nobody is asked by name then, and without its own way to do that eventlet is there in a fifth less time.
    os.environ.setdefault("EVENTLET_NO_GREENDNS", "yes")


def address(port=PORT):
    """The address of a party that listens on HOST and `port`."""
    return f"http://[{HOST}]:{port}/" if ":" in HOST else f"http://{HOST}:{port}/"
