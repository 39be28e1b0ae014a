"""Every setting, from the environment, read and checked once, when this is imported; and where things are kept.

A setting that makes no sense stops whatever was started with a sentence that names it. What only its user can check,
such as whether there is a Redis, they check. docs/operating.md says what each is for.

runtime/transport/ imports this before it makes the standard library cooperative: nothing here may import what waits.
"""

import contextlib
import os
import re
import select
import unicodedata
from pathlib import Path
from urllib.parse import quote

VERSION = "1.4.0"  # CHANGELOG.md says what is new in it
ROOT = Path(__file__).resolve().parent.parent
NOTIFY_SOCKET = os.environ.get("NOTIFY_SOCKET")  # no setting of ours: systemd gives it to what it starts

RENAMED = {"PARTY_GUESTS": "PARTY_EXTRAS"}  # a guest is who comes in by a room's door, since 1.3.0
EMPTY_IS_MISSING = {"HOST", "PORT", "PARTY_SECRET_KEY", "PARTY_INSTANCE", "PARTY_METRICS_TOKEN", "PARTY_ASYNC_MODE"}
known = set()  # the names of all settings, noted as each is read


def text(name, default):
    known.add(name)
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


def names(name, everything):
    """Those of `everything` that are given, in its order; `none` is none of them."""
    given, there_are = text(name, everything), everything.split(",")
    wanted = [] if given.strip() == "none" else [one.strip() for one in given.split(",")]
    if set(wanted) - set(there_are):
        raise SystemExit(f"{name} must be none, or some of {everything}, not {given!r}.")
    return [one for one in there_are if one in wanted]


def origin(given):
    """The origin as browsers send it, however it was written; None for what is none."""
    given = unicodedata.normalize("NFKC", given).lower()
    parts = re.fullmatch(r"(https?)://([\w.-]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?/?", given)
    if not parts or int(parts[3] or 0) > 65_535:
        return None
    scheme, host, port = parts.groups()
    labels = (label if label.isascii() else f"xn--{label.encode('punycode').decode()}" for label in host.split("."))
    is_own_port = port is None or int(port) == {"http": 80, "https": 443}[scheme]
    return f"{scheme}://{'.'.join(labels)}{'' if is_own_port else f':{int(port)}'}"


def origins(name):
    given = [one.strip() for one in text(name, "").split(",") if one.strip()]
    for one in given:
        if not origin(one):
            raise SystemExit(
                f"{name} must be origins like https://blog.example, without a path, separated by commas, not {one!r}."
            )
    return [origin(one) for one in given]


def address(name, such_as):
    """Where something is found from outside, with a slash at its end; None where nothing is given."""
    given = text(name, "").strip()
    parts = re.fullmatch(r"(https?://[^/?#]+)((?:/[^\s?#]*)?)", given, re.IGNORECASE)
    if given and not (parts and origin(parts[1])):
        raise SystemExit(f"{name} must be an address like {such_as}, not {given!r}.")
    return f"{origin(parts[1])}{quote(parts[2], safe='/%~!$&()*+,;=:@')}".rstrip("/") + "/" if given else None


def environment(**changed):
    """For another process of ours: what this one was given, but for that."""
    return os.environ | changed


def folder(name, default):
    return ROOT / text(name, default)


def folder_or_none(name):
    return ROOT / given if (given := text(name, "")) else None


def is_redis(address):
    return bool(re.match(r"(rediss?|unix)://", address))


def store_of(service):
    """Where what this service knows is kept."""
    return INSTANCE / f"{service}.db"


def caught_up_file_of(service):
    """The file whose time says when this service had read all of the log last."""
    return INSTANCE / f"{service}.caught-up"


def refuse_unknown():
    """A misspelt setting would count as missing, and nobody would be told."""
    for name in sorted(os.environ):
        if name.startswith("PARTY_") and name not in known:
            if name in RENAMED:
                raise SystemExit(f"{name} is no setting any more: it is called {RENAMED[name]} now.")
            import difflib  # nobody else waits for it

            words = {one.removeprefix("PARTY_"): one for one in known}
            near = difflib.get_close_matches(name.removeprefix("PARTY_"), words, 1)
            hint = f"{words[near[0]]} may be meant" if near else "docs/operating.md lists those that there are"
            raise SystemExit(f"{name} is no setting: {hint}.")


HOST = text("HOST", "127.0.0.1")
PORT = number("PORT", 5000, 0, 65_535)
SECRET_KEY = text("PARTY_SECRET_KEY", None)  # None: users.py makes one and keeps it
INSTANCE = folder("PARTY_INSTANCE", "instance")  # made when it is needed, for the owner alone; with these files:
SECRET_KEY_FILE, PEOPLE_FILE, HOOKS_FILE, BACKED_UP_FILE = "secret_key", "people.json", "hooks.toml", "backed_up"
EVERY_SERVICE = "figures,feedback,publisher,hooks,moments"
STORES = tuple(f"{name}.db" for name in EVERY_SERVICE.split(","))  # see `store_of`
JOURNAL = text("PARTY_JOURNAL", str(INSTANCE / "party.db"))
DISK = choice("PARTY_DISK", "kept", "thrown-away")  # at the next deploy, as on platforms that start a Procfile
ROOM_MINUTES = number("PARTY_ROOM_MINUTES", 30, 0.001, 120, fractions=True)
ROOM_MESSAGES = number("PARTY_ROOM_MESSAGES", 10_000, 1, 1_000_000)
SEATS = number("PARTY_SEATS", 8, 1, 100)  # of speakers beside the host: more voices than a reader can follow
PACE = number("PARTY_PACE", 5, 0, 1_000_000, fractions=True)  # commands a second
EXTRAS = number("PARTY_EXTRAS", 0, 0, 100_000)
DOORS = choice("PARTY_DOORS", "yes", "no") == "yes"  # whether a host may open a room's door to guests
DEV = choice("PARTY_DEV", "no", "yes") == "yes"
ASSETS = choice("PARTY_ASSETS", "cdn", "local")
if DEV:
    ASSETS = "local"  # Vue's development build is there as an own copy alone
ORIGINS = origins("PARTY_ORIGINS")  # none: the server's own
PROXIES = number("PARTY_PROXIES", 0, 0, 10)
LOG = choice("PARTY_LOG", "plain", "json")  # how records are written
METRICS_TOKEN = text("PARTY_METRICS_TOKEN", None)  # None: figures are for this machine alone
ASYNC_MODE = choice("PARTY_ASYNC_MODE", "eventlet", "threading")
SERVICES = names("PARTY_SERVICES", EVERY_SERVICE)
if JOURNAL == "memory:":
    SERVICES = []  # no other process can read that
PUBLISHES = "publisher" in SERVICES  # whether a room can become a page
PUBLISHED = INSTANCE / "published"
PUBLISHED_AT = address("PARTY_PUBLISHED_AT", "https://blog.example/talks/")  # None: see `published_at`
PUBLISHED_TEMPLATES = folder_or_none("PARTY_PUBLISHED_TEMPLATES")  # None: ours alone
# Of an AI, without the end chat/completions; None: there is none.
MOMENTS_AT = address("PARTY_MOMENTS_AT", "http://127.0.0.1:11434/v1")
MOMENTS_MODEL = text("PARTY_MOMENTS_MODEL", "").strip()
MOMENTS_KEY = text("PARTY_MOMENTS_KEY", "").strip()
if not MOMENTS_KEY.isascii() or not MOMENTS_KEY.isprintable():
    raise SystemExit("PARTY_MOMENTS_KEY must be on one line, of ASCII characters.")
if MOMENTS_AT and not MOMENTS_MODEL:
    raise SystemExit("PARTY_MOMENTS_AT needs PARTY_MOMENTS_MODEL: the name of a model that there is at that address.")
AI = MOMENTS_MODEL if MOMENTS_AT and "moments" in SERVICES else None  # who reads a room that has closed
HOOKS = INSTANCE / HOOKS_FILE
SERVICES_BESIDE = choice("PARTY_SERVICES_BESIDE", "yes", "no") == "yes"  # whether the party starts and ends them
refuse_unknown()

IS_FLASK_COMMAND = "FLASK_RUN_FROM_CLI" in os.environ
if IS_FLASK_COMMAND:
    ASYNC_MODE = "threading"  # the `flask` command only reads the log, and has imported too much to be patched
if not hasattr(select, "epoll"):
    ASYNC_MODE = "threading"  # the loop in runtime/transport/ needs what only Linux has
if not is_redis(JOURNAL) or JOURNAL.startswith("unix:"):
    # Nobody is asked by name then, and without its own way to do that eventlet is there in a fifth less time.
    os.environ.setdefault("EVENTLET_NO_GREENDNS", "yes")


# Where HOST is everywhere: what this machine is called here, and who is far away, towards whom it shows its address.
EVERYWHERE = {"0.0.0.0": ("127.0.0.1", "192.0.2.1"), "::": ("::1", "2001:db8::1")}


def addresses(port=PORT):
    """The addresses of a party that listens on HOST and `port`: the first for this machine, the last for others."""
    import socket  # whoever asks for an address is behind the patch of the standard library

    hosts = [HOST]
    if HOST in EVERYWHERE:
        here, elsewhere = EVERYWHERE[HOST]
        hosts = [here]
        family = socket.AF_INET6 if ":" in HOST else socket.AF_INET
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as nothing_is_sent:
            nothing_is_sent.connect((elsewhere, port or 1))
            hosts.append(nothing_is_sent.getsockname()[0])
    return [f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/" for host in hosts]


def own_address():
    """Where the party is found from outside, as far as that is known here."""
    return f"{ORIGINS[0]}/" if ORIGINS else addresses()[-1]


def published_at():
    """Where PUBLISHED is found from outside."""
    return PUBLISHED_AT or f"{own_address()}published/"


def party_at():
    """Where the party is found from outside; its path, too, where what is published lies below that."""
    at = published_at()
    return at.removesuffix("published/") if at.endswith("/published/") else own_address()
