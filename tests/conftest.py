import os
from pathlib import Path

# Before the party is imported, which reads its settings then. In this process it runs on plain threads, so that nothing
# is patched under the tests' feet; the servers that tests start run on eventlet, like the product, and on threads where
# a test asks for it.
os.environ["PARTY_ASYNC_MODE"] = "threading"
os.environ["PARTY_SECRET_KEY"] = "a secret for tests"
os.environ["PARTY_PACE"] = "0"
os.environ["PARTY_JOURNAL"] = "memory:"
# What it reads out of Python's tables and our modules is there for the next process, and the next run.
os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = str(Path(__file__).parent.parent / ".pytest_cache" / "hypothesis")

import fcntl
import gc
import itertools
import secrets
import shutil
import sys

import pytest
import servers
from person import InProcessLine, Person
from playwright.sync_api import sync_playwright
from servers import ROOT, running_redis, running_server
from xdist.scheduler import LoadGroupScheduling

import app
import users
from party.model import GUEST
from party.presence import Presence
from party.state import State
from runtime import entrance, settings, transport
from runtime.journal import open_journal
from runtime.pace import TriesInMemory, WrongTries

gc.disable()  # until all tests are found: a thousand times over it would look through what only becomes more
app.begin()
# What a page can send, in the order of the contract.
EVENTS = [name for name in app.socketio.server.handlers["/"] if name not in ("connect", "disconnect", "*")]


class ByFile(LoadGroupScheduling):
    """Of tests in several processes, each file goes to one; so do all tests together that have to be alone."""

    def _split_scope(self, nodeid):
        return super()._split_scope(nodeid).partition("::")[0]


@pytest.hookimpl(optionalhook=True)  # so that `-p no:xdist` works as well
def pytest_xdist_make_scheduler(config, log):
    return ByFile(config, log)


@pytest.hookimpl(wrapper=True, tryfirst=True)  # around the time limit of a test: who waits here has not begun
def pytest_runtest_protocol(item):
    """Of tests in several processes, one that is marked `alone` runs while no other does: it waits until the others
    have ended, and keeps none of them waiting meanwhile."""
    with open(ROOT / "pyproject.toml") as machine:
        fcntl.flock(machine, fcntl.LOCK_EX if item.get_closest_marker("alone") else fcntl.LOCK_SH)
        return (yield)


# Who asks for one of these fixtures, even through another, needs what it starts.
SERVERS = (
    "eventlet_server", "threading_server", "two_processes", "two_doors", "server_of_its_own", "start", "shared_redis",
)  # fmt: skip
STARTED_BY = {"playwright": "page", **dict.fromkeys(SERVERS, "server")}


# The files that take long, the longest first, so that in the end no process works alone while the others have ended.
LONG = (
    "test_torture", "test_accessibility", "test_cluster", "test_asking", "test_noticing", "test_transport", "test_feed",
    "test_room", "test_connection", "test_ending", "test_recovery", "test_speed", "test_clock", "test_app_like",
    "test_journal", "test_events", "test_trace", "test_people",
)  # fmt: skip


def turn(item):
    """Long files first; last and together who has to be alone, so that everybody waits for them once."""
    place = LONG.index(item.path.stem) if item.path.stem in LONG else len(LONG)
    return item.get_closest_marker("alone") is not None, place, str(item.path)


@pytest.hookimpl(tryfirst=True)  # before `-m` chooses
def pytest_collection_modifyitems(items):
    for item in items:
        for fixture in STARTED_BY.keys() & set(item.fixturenames):
            item.add_marker(STARTED_BY[fixture])
        if item.get_closest_marker("alone"):
            item.add_marker(pytest.mark.xdist_group("alone"))
    items.sort(key=turn)


def pytest_collection_finish(session):
    gc.freeze()  # all of this stays to the end
    gc.enable()
    if session.config.getoption("loadgroup", False):  # else each of them makes everybody wait, wherever it stands
        alone = [item.nodeid for item in session.items if item.get_closest_marker("alone")]
        assert all(nodeid.endswith("@alone") for nodeid in alone), "xdist does not group tests under this pytest."


@pytest.hookimpl(tryfirst=True)  # before any fixture
def pytest_runtest_setup(item):
    servers.allowed = {marker.name for marker in item.iter_markers()}


def look_at_process(event, arguments):
    """Ends a test that starts what it is not marked for: `make check` needs neither a server nor a browser."""
    if event == "subprocess.Popen":
        command = list(map(str, arguments[1]))
        if "playwright" in command[0]:
            servers.need("page")
        elif command[0] != sys.executable or "-c" not in command:  # a Python with a few lines is no server
            servers.need("server", "page")


sys.addaudithook(look_at_process)


class Clock:
    """The party's time, standing still until a test lets it pass."""

    def __init__(self):
        self.at = app.now()

    def __call__(self):
        return self.at

    def passes(self, minutes=0, seconds=0):
        self.at += int(minutes * 60_000 + seconds * 1_000)


@pytest.fixture
def clock(request, monkeypatch):
    kind = getattr(request.node, "callspec", None) and request.node.callspec.params.get("join_anywhere")
    assert kind in (None, "in-process"), "A server has a clock of its own: this one would do nothing there."
    clock = Clock()
    for module in (app, entrance):
        monkeypatch.setattr(module, "now", clock)
    return clock


@pytest.fixture
def clean_party(monkeypatch):
    """The app of this process, with nobody there and nothing remembered."""
    new = {
        "state": State(),
        "presence": Presence(),
        "news": app.News(),
        "journal": open_journal("memory:"),
    }
    tries = WrongTries("memory:", entrance.WRONG_TRIES, entrance.WRONG_TRIES_WITHIN)
    monkeypatch.setattr(entrance, "wrong_tries", lambda: tries)
    monkeypatch.setattr(entrance, "entries", TriesInMemory(entrance.ENTRIES, entrance.ENTRIES_WITHIN))
    for name, thing in new.items():
        monkeypatch.setattr(app, name, thing)
    app.socketio.server.manager.rooms.clear()
    app.begin()
    return app


@pytest.fixture
def party(clean_party, tmp_path, monkeypatch):
    """The party of this process with a log and stores in files of its own."""
    monkeypatch.setattr(settings, "INSTANCE", tmp_path)
    monkeypatch.setattr(clean_party, "journal", open_journal(str(tmp_path / "party.db")))
    clean_party.begin()
    yield clean_party
    clean_party.journal.close()


@pytest.fixture
def stores(clean_party, monkeypatch, tmp_path):
    """Where the services' stores are, of a party whose services run: tests/stores.py fills them."""
    monkeypatch.setattr(settings, "INSTANCE", tmp_path)
    monkeypatch.setattr(settings, "JOURNAL", str(tmp_path / "party.db"))
    monkeypatch.setattr(settings, "SERVICES", ["figures", "feedback"])
    return tmp_path


@pytest.fixture
def publishes(monkeypatch):
    """The party publishes rooms whose hosts say so: at `memory:` it would not."""
    monkeypatch.setattr(settings, "PUBLISHES", True)


@pytest.fixture
def hung_up(clean_party, monkeypatch):
    """The sids of the tabs that were hung up on, as the wire was asked."""
    sids = []
    monkeypatch.setattr(transport, "hang_up", lambda _, sid, *how: sids.append(sid))
    return sids


def sid_of(person):
    manager = person.line.party.socketio.server.manager
    return manager.sid_from_eio_sid(person.line.client.eio_sid, "/")


def browser_of(name):
    """A Flask test client, signed in: with the cookie that the form would have left."""
    browser = app.app.test_client()
    mine = {"user": name, "id": secrets.token_urlsafe(9), "since": app.now(), "number": users.number_of(name)}
    app.log_sign_in(mine)
    with browser.session_transaction() as session:
        session["sign_in"] = mine
    return browser


def guest_of(room, name="Gita"):
    """The id of a guest who comes in by that room's open door, and a Flask test client that has their cookie."""
    mine = {
        "user": GUEST + secrets.token_urlsafe(9),
        "id": secrets.token_urlsafe(9),
        "since": app.now(),
        "number": None,
    }
    called = {"name": name, "skeletons": [name.casefold()] if name else []}
    hash = app.state.rooms[room].door.hash
    app.submit("guest_in", mine["user"], room=room, hash=hash, sign_in=mine["id"], since=mine["since"], **called)
    browser = app.app.test_client()
    with browser.session_transaction() as session:
        session["sign_in"] = mine | {"room": room}
    return mine["user"], browser


def browser_path():
    """The Chromium of `make test`, else one that is there. Fails loudly: a browser test is never skipped."""
    names = ("chromium", "chromium-browser", "google-chrome")
    path = os.environ.get("BROWSER_PATH") or next(filter(None, map(shutil.which, names)), None)
    assert path, "No browser: `make test` installs one, or set BROWSER_PATH."
    return path


def how_to_launch(path):
    """What Playwright needs to know to start a browser that finds nothing but this machine: no test asks the CDN. To
    it, party.example leads here as well, without TLS."""
    hosts = "--host-resolver-rules=MAP party.example 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
    return {"executable_path": path, "args": [hosts, *(["--no-sandbox"] if os.geteuid() == 0 else [])]}


@pytest.fixture(scope="session")
def playwright():
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="session")
def browser(playwright):
    """The Chromium without a screen, where there is one: a page costs a third of the time in it."""
    browser = playwright.chromium.launch(**how_to_launch(shutil.which("chromium-headless-shell") or browser_path()))
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def whole_browser(playwright):
    """For what the one without a screen does not have: notifications."""
    browser = playwright.chromium.launch(**how_to_launch(browser_path()))
    yield browser
    browser.close()


# What the contract's events say does not depend on how often news is gathered, and five times as often is five times as
# soon. A promise about seconds needs a server of its own.
SHARED = {"program": ("-c", "import app; app.TICK_SECONDS = 0.05; app.main()"), "PARTY_EXTRAS": "100"}


@pytest.fixture(scope="session")
def eventlet_server(tmp_path_factory):
    journal = str(tmp_path_factory.mktemp("eventlet") / "party.db")
    with running_server(**SHARED, PARTY_JOURNAL=journal) as server:
        yield server


@pytest.fixture(scope="session")
def threading_server(tmp_path_factory):
    journal = str(tmp_path_factory.mktemp("threading") / "party.db")
    with running_server(**SHARED, PARTY_ASYNC_MODE="threading", PARTY_JOURNAL=journal) as server:
        yield server


@pytest.fixture(scope="session")
def two_processes():
    """Two servers that share one log in Redis. A visitor may say what their address is."""
    with running_redis() as redis:
        settings = {**SHARED, "PARTY_JOURNAL": redis.address, "PARTY_PROXIES": "1"}
        with running_server(**settings) as one, running_server(**settings) as other:
            yield one, other


@pytest.fixture(scope="session")
def shared_redis(tmp_path_factory):
    """Listens on a port and on a socket."""
    with running_redis("--unixsocket", str(tmp_path_factory.mktemp("redis") / "redis.sock")) as redis:
        yield redis


@pytest.fixture
def redis(shared_redis):
    """A Redis with nothing in it, that a test may ask and freeze but not end."""
    shared_redis.client().flushall()
    yield shared_redis
    shared_redis.thaw()


@pytest.fixture
def server(eventlet_server):
    return eventlet_server


@pytest.fixture
def join(clean_party):
    """Lets somebody join the party of this process: `join("asha")`."""
    lines = []

    def join(name, browser=None):
        lines.append(InProcessLine(clean_party, browser or browser_of(name)))
        return Person(name, lines[-1])

    yield join
    for line in lines:
        if line.client.is_connected():
            line.hang_up()


def in_process(name):
    """A fixture: that person at the party of this process, by the test's own clock."""

    @pytest.fixture(name=name)
    def person(join, clock):
        return join(name)

    return person


@pytest.fixture
def come_in(join):
    """Lets a guest into a room of the party of this process, whose door is open: `come_in(room, "Gita")`."""
    return lambda room, name="Gita": join(*guest_of(room, name))


REAL_SERVERS = [pytest.param(kind, marks=pytest.mark.server) for kind in ("eventlet", "threading", "two processes")]


@pytest.fixture(params=["in-process", *REAL_SERVERS])
def join_anywhere(request):
    """Like `join`, on the party of this process and on real servers of each kind: for promises about events.

    Of two processes, people join one and the other by turns.
    """
    if request.param == "in-process":
        yield request.getfixturevalue("join")
        return
    if request.param == "two processes":
        servers = itertools.cycle(request.getfixturevalue("two_processes"))
    else:
        servers = itertools.repeat(request.getfixturevalue(f"{request.param}_server"))
    people = []

    def join(name):
        people.append(next(servers).person(name))
        return people[-1]

    yield join
    for person in people:
        if person.line.closed is None:
            rooms = {view["id"] for view in person.heard("room") if view["host"] == person.name}
            for room in rooms:
                person.close(room)
            person.line.hang_up()


@pytest.fixture
def asha(join_anywhere):
    return join_anywhere("asha")


@pytest.fixture
def bilal(join_anywhere):
    return join_anywhere("bilal")


@pytest.fixture
def chen(join_anywhere):
    return join_anywhere("chen")
