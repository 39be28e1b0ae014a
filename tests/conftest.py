import os

# In this process the party runs on plain threads, so that nothing is patched under the tests' feet; the servers that
# tests start run on eventlet, like the product, and on threads where a test asks for it.
os.environ["PARTY_ASYNC_MODE"] = "threading"
os.environ["PARTY_SECRET_KEY"] = "a secret for tests"
os.environ["PARTY_PACE"] = "0"

import contextlib
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from person import InProcessLine, Person, SocketLine, form_token, sign_in_over_http

import app as party
import users

ROOT = Path(__file__).parent.parent
SECRET = os.environ["PARTY_SECRET_KEY"]


def password_of(name):
    return users.password(SECRET, name, users.people(1000)[name])


class Clock:
    """The party's time, standing still until a test lets it pass."""

    def __init__(self):
        self.at = party.now()

    def __call__(self):
        return self.at

    def passes(self, minutes=0, seconds=0):
        self.at += int(minutes * 60_000 + seconds * 1_000)


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(party, "now", clock)
    return clock


@pytest.fixture
def clean_party():
    """The party of this process, with nobody there and nothing remembered."""
    everything = (
        party.rooms, party.users, party.tabs, party.tabs_of, party.presence, party.departed, party.told,
        party.told_cards, party.stale_rooms, party.stale_cards,
    )  # fmt: skip
    for part in everything:
        part.clear()
    party.wrong_tries._tries.clear()
    party.socketio.server.manager.rooms.clear()
    return party


def browser_of(name):
    """A Flask test client, signed in."""
    browser = party.app.test_client()
    token = form_token(browser.get("/sign-in").text)
    answer = browser.post("/sign-in", data={"name": name, "password": password_of(name), "token": token})
    assert answer.status_code == 303, answer.text
    return browser


class Server:
    """A real server in a process of its own, on a free port."""

    def __init__(self, **settings):
        env = {**os.environ, "HOST": "127.0.0.1", "PORT": "0", "PARTY_ASYNC_MODE": "eventlet", **settings}
        # Not a pipe, which would stop the server when nobody reads it.
        self.errors = tempfile.TemporaryFile("w+")  # noqa: SIM115
        self.process = subprocess.Popen(
            [sys.executable, "app.py"], cwd=ROOT, env=env, text=True, stdout=subprocess.PIPE, stderr=self.errors
        )
        self.address = self.process.stdout.readline().strip()
        assert self.address.startswith("http://"), self.said()
        self.port = int(re.search(r":(\d+)/", self.address).group(1))

    def person(self, name, cookies=None):
        """Signs in and connects."""
        return Person(name, SocketLine(self.address, cookies or self.cookies_of(name)))

    def cookies_of(self, name):
        return sign_in_over_http(self.address, name, password_of(name))

    def said(self):
        """Everything on its standard error so far."""
        self.errors.seek(0)
        return self.errors.read()

    def stop(self, number=signal.SIGTERM):
        """Ends it, for certain; gives the exit status and what it said on standard error."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            self.process.wait(timeout=10)
        finally:
            self.process.kill()
        return self.process.returncode, self.said()


@contextlib.contextmanager
def running_server(**settings):
    """A server that is expected to live through the block, and to end well and silently after it."""
    server = Server(**settings)
    try:
        yield server
    finally:
        status, said = server.stop()
    assert "Traceback" not in said, said
    assert status == 0, said


@pytest.fixture(scope="session")
def eventlet_server():
    with running_server(PARTY_GUESTS="100") as server:
        yield server


@pytest.fixture(scope="session")
def threading_server():
    with running_server(PARTY_ASYNC_MODE="threading", PARTY_GUESTS="100") as server:
        yield server


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


@pytest.fixture(params=["in-process", "eventlet", "threading"])
def join_anywhere(request):
    """Like `join`, on the party of this process and on real servers of either kind: for promises about events."""
    if request.param == "in-process":
        yield request.getfixturevalue("join")
        return
    server, people = request.getfixturevalue(f"{request.param}_server"), []

    def join(name):
        people.append(server.person(name))
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
