"""Every setting, from the environment, read and checked once, when this is imported; and where things are kept.

A setting that makes no sense stops the start with a sentence that names it. docs/operating.md says what each is for.
"""

import json
import os
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
INSTANCE = ROOT / "instance"  # the secret key and the log; made when it is needed, for the owner alone


def text(name, default=""):
    """The setting as it was written, or the default where it is missing or empty."""
    return os.environ.get(name) or default


def choice(name, default, *others):
    value = text(name, default)
    if value not in (default, *others):
        raise SystemExit(f"{name} must be {' or '.join((default, *others))}, not {value!r}.")
    return value


def number(name, default, low, high, fractions=False):
    try:
        value = json.loads(text(name, str(default)))
    except ValueError:
        value = text(name)
    if not (type(value) is int or (fractions and type(value) is float)) or not low <= value <= high:
        kind = "number" if fractions else "whole number"
        raise SystemExit(f"{name} must be a {kind} from {low} to {high}, not {value!r}.")
    return value


def origins(name):
    given = [origin.strip() for origin in text(name).lower().split(",") if origin.strip()]
    if not all(re.fullmatch(r"https?://[^/?#\s]+", origin) for origin in given):
        raise SystemExit(f"{name} must be origins like https://blog.example, separated by commas.")
    return given


HOST = text("HOST", "127.0.0.1")
PORT = number("PORT", 5000, 0, 65_535)
SECRET_KEY = text("PARTY_SECRET_KEY")  # none: users.py makes one and keeps it
JOURNAL = text("PARTY_JOURNAL", str(INSTANCE / "party.db"))
ROOM_MINUTES = number("PARTY_ROOM_MINUTES", 30, 0.001, 120, fractions=True)
ROOM_MESSAGES = number("PARTY_ROOM_MESSAGES", 10_000, 1, 1_000_000)
SEATS = number("PARTY_SEATS", 8, 1, 100)  # of speakers beside the host: more voices than a reader can follow
PACE = number("PARTY_PACE", 5, 0, 1_000_000, fractions=True)  # commands a second
GUESTS = number("PARTY_GUESTS", 0, 0, 100_000)
ASSETS = choice("PARTY_ASSETS", "cdn", "local")
ORIGINS = origins("PARTY_ORIGINS")  # none: the server's own
PROXIES = number("PARTY_PROXIES", 0, 0, 10)
ASYNC_MODE = choice("PARTY_ASYNC_MODE", "eventlet", "threading")


def address(port=PORT):
    """The address of a party that listens on HOST and `port`."""
    return f"http://[{HOST}]:{port}/" if ":" in HOST else f"http://{HOST}:{port}/"
