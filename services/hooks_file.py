"""The owner's file of who is told what happens: instance/hooks.toml. docs/operating.md says what stands in it."""

import base64
import contextlib
import logging
import re
import threading
from typing import NamedTuple

from runtime.obstacles import obstacle
from services import follow

log = logging.getLogger("party.services")

TYPES = ("room.planned", "room.opened", "speaker.joined", "room.closed", "room.published", "log.gap")
HOOKS = 16  # each has a thread while it is called
SECRETS = 4  # two while they rotate, and some for who is late
SECRET_BYTES = 24, 64  # as the specification has it


class Hook(NamedTuple):
    name: str
    address: str
    secrets: list
    events: list = TYPES
    words: bool = False
    unlisted: bool = False

    def wants(self, event):
        return event.type in self.events and (self.unlisted or event.data.get("listed", True))


KEYS = Hook._fields[1:]  # that a table may have


class Content(NamedTuple):
    """What the file says."""

    hooks: dict = {}  # name → Hook
    allowed: list = ()  # like localhost:8080


class HooksFile:
    """Of whoever has it: the latest that made sense, also for several threads."""

    def __init__(self, path):
        self._path, self._lock = path, threading.Lock()
        self._seen, self._good, self._wrong = (), None, None

    def now(self):
        """Raises `follow.Unreadable` where it has not made sense since the start."""
        with self._lock:
            seen = self._look()
            if seen != self._seen:
                self._read(seen)
                self._seen = seen
            if self._good is None:
                raise follow.Unreadable(self._wrong)
            return self._good

    def _look(self):
        try:
            there = self._path.stat()
            return there.st_ino, there.st_mtime_ns, there.st_ctime_ns, there.st_mode
        except OSError:
            return None

    def _read(self, seen):
        try:
            self._good, self._wrong = read(self._path), None
        except ValueError as error:
            self._wrong = str(error)
            log.error("%s%s", error, " What it said before counts." if self._good else "")
        if seen and seen[3] & 0o077:
            log.warning("%s has secrets in it, and others can read it: `chmod 600 %s`.", self._path, self._path)


def read(path):
    """What the file says; nothing where there is none. Raises ValueError with a sentence."""
    import tomllib

    try:
        return checked(tomllib.loads(path.read_text(encoding="utf-8-sig")))
    except FileNotFoundError:
        return Content()
    except OSError as error:
        raise ValueError(obstacle(path, error)) from None
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not written in UTF-8.") from None
    except tomllib.TOMLDecodeError as error:
        what, _, where = str(error).rpartition(" (at ")
        raise ValueError(f"{path}, {where.rstrip(')')}: {what}.") from None
    except RecursionError:
        raise ValueError(f"{path} has lists within lists without end.") from None
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def checked(content):
    """The same, of what was read. Raises ValueError with a sentence."""
    for key in content.keys() - {"allowed", "hook"}:
        raise ValueError(f"There is no `{key}`: only `allowed`, and tables like [hook.blog].")
    allowed, hooks = content.get("allowed", []), content.get("hook", {})
    if not are_texts(allowed, r"[^\s/]+:\d+"):
        raise ValueError('`allowed` is a list like ["localhost:8080"].')
    if not isinstance(hooks, dict) or not all(isinstance(given, dict) for given in hooks.values()):
        raise ValueError("A hook is a table like [hook.blog].")
    if len(hooks) > HOOKS:
        raise ValueError(f"{HOOKS} hooks are the most.")
    return Content({name: hook_in(name, given, allowed) for name, given in hooks.items()}, allowed)


def hook_in(name, given, allowed):
    from services import posting

    def ensure(is_right, sentence):
        if not is_right:
            raise ValueError(f"[hook.{name}] {sentence}")

    ensure(are_texts([name], r"[\w-]{1,40}"), "may be named with letters, digits, - and _ alone.")
    for key in given.keys() - KEYS:
        ensure(False, f"has no `{key}`: {', '.join(KEYS)} are what there is.")
    for key in ("address", "secrets"):
        ensure(key in given, f"needs `{key}`.")
    ensure(isinstance(given["address"], str), "has an `address` that is no text.")
    try:
        posting.address_of(given["address"], allowed)
    except posting.Unanswered as error:
        ensure(False, f"cannot be called: {error}")
    secrets, events = given["secrets"], given.get("events", [])
    are_secrets = isinstance(secrets, list) and 1 <= len(secrets) <= SECRETS and all(map(is_secret, secrets))
    ensure(are_secrets, f"needs `secrets`: a list of one to {SECRETS} like whsec_ and 24 to 64 bytes as base64.")
    ensure(isinstance(events, list) and all(one in TYPES for one in events), f"can have {', '.join(TYPES)}.")
    for key in ("words", "unlisted"):
        ensure(isinstance(given.get(key, False), bool), f"can have `{key} = true` or `false`.")
    return Hook(name, **given)


def are_texts(given, form):
    return isinstance(given, list) and all(isinstance(one, str) and re.fullmatch(form, one) for one in given)


def is_secret(given):
    if not isinstance(given, str) or not given.startswith("whsec_"):
        return False
    with contextlib.suppress(ValueError):
        return SECRET_BYTES[0] <= len(base64.b64decode(given.removeprefix("whsec_"), validate=True)) <= SECRET_BYTES[1]
    return False
