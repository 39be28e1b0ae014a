"""Real servers for tests and measurements, each in a process of its own on a free port of this machine."""

import contextlib
import os
import queue
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

# The people, the key and the rooms of who works here are met by nothing that tests and measurements start. One folder
# for all processes of a run, so that the page's files are put aside once.
os.environ["TESTS_INSTANCE"] = os.environ.get("TESTS_INSTANCE") or (instance := tempfile.TemporaryDirectory()).name
os.environ["PARTY_INSTANCE"] = os.environ["TESTS_INSTANCE"]

import redis
from person import Person, SocketLine, assert_ok, come_in_over_http, sign_in_over_http

import users

ROOT = Path(__file__).parent.parent
SECRET = "a secret for tests"


def password_of(name):
    return users.password(SECRET, name, users.PEOPLE.get(name, 1))


def share_files(instance):
    """Put the page's files into that folder as well, as the first start of a version does: compressing them would take
    longer than the rest of a start."""
    served = Path(os.environ["TESTS_INSTANCE"], "served")
    if served.exists() and not Path(instance, "served").exists():
        Path(instance).mkdir(mode=0o700, exist_ok=True)
        shutil.copytree(served, Path(instance, "served"), copy_function=os.link)


def free_ports(count):
    """The first of `count` free ports in a row. They are below those that the system gives to outgoing connections, and
    of tests in several processes each has ports of its own: else others could take the port of a server that is being
    restarted."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    while True:
        first = 10_000 + 2_000 * (worker % 11) + random.randrange(2_000 - count)
        with contextlib.suppress(OSError), contextlib.ExitStack() as listeners:
            for port in range(first, first + count):
                listeners.enter_context(socket.create_server(("127.0.0.1", port)))
            return first


def free_port():
    return free_ports(1)


allowed = {"server", "page"}  # the markers of the test that runs


def need(*markers):
    """Ends a test that has none of these markers and starts something for which it needs one."""
    assert not allowed.isdisjoint(markers), f"This test starts a process: mark it `{markers[0]}`, or do without."


class Victim:
    """Something with a `process` that can be frozen and killed."""

    def freeze(self):
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)

    def kill(self):
        """SIGKILL: it has no time for anything."""
        self.process.kill()
        self.process.wait()


FOR_EVERY_SERVER = {
    "PARTY_ASYNC_MODE": "eventlet",
    "EVENTLET_NO_GREENDNS": "yes",  # nobody here is asked by name, no Redis either
}


# A program in which rooms can be published, without the service that makes the pages: it would be a process more.
PUBLISHING = "from runtime import settings; settings.PUBLISHES = True; import app; app.main()"


class Server(Victim):
    """A party, in memory where no other PARTY_JOURNAL is given."""

    def __init__(self, program=("app.py",), **settings):
        defaults = {
            "HOST": "127.0.0.1",
            "PORT": "0",
            "PARTY_SECRET_KEY": SECRET,
            "PARTY_PACE": "0",
            "PARTY_JOURNAL": "memory:",
            "PARTY_SERVICES": "none",
            **FOR_EVERY_SERVER,
        }
        need("server", "page")
        if "PARTY_INSTANCE" in settings:
            share_files(settings["PARTY_INSTANCE"])
        # Not a pipe, which would stop the server when nobody reads it.
        self.errors = tempfile.TemporaryFile("w+")  # noqa: SIM115
        self.process = subprocess.Popen(
            [sys.executable, *program],
            cwd=ROOT,
            env={**os.environ, **defaults, **settings},
            text=True,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            process_group=0,  # Ctrl-C is for who started this, and ends it
        )
        self.address = self.process.stdout.readline().strip()
        assert self.address.startswith("http://"), self.said()
        self.port = int(re.search(r":(\d+)/", self.address).group(1))

    def person(self, name, cookies=None):
        """Signs in and connects."""
        return Person(name, SocketLine(self.address, cookies or self.cookies_of(name)))

    def guest(self, link, name="Gita", **how):
        """Somebody who comes in by that link, and connects."""
        answer, cookies = come_in_over_http(self.address, link, name, **how)
        return self.person(assert_ok(answer)["user"], cookies)

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


class Redis(Victim):
    """A Redis with the settings of deploy/, in a folder of its own. It can be killed, and started again there."""

    def __init__(self, *settings):
        self.settings, self.port = settings, free_port()
        self.address = f"redis://127.0.0.1:{self.port}/0"
        self.folder = tempfile.mkdtemp()
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            ["redis-server", "deploy/redis.conf", "--port", str(self.port), "--dir", self.folder, *self.settings],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            process_group=0,
        )
        deadline = time.monotonic() + 10
        while not self.answers():
            assert time.monotonic() < deadline and self.process.poll() is None, "Redis does not start"
            time.sleep(0.01)

    def client(self):
        return redis.Redis(port=self.port, decode_responses=True)

    def answers(self):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1) as line:
            line.sendall(b"PING\r\n")
            return line.recv(100) == b"+PONG\r\n"

    def stop(self):
        self.kill()
        shutil.rmtree(self.folder)


@contextlib.contextmanager
def running_redis(*settings):
    redis = Redis(*settings)
    try:
        yield redis
    finally:
        redis.stop()


class Prefix:
    """A proxy that serves a party below `/party/`, as the nginx of deploy/ does."""

    def __init__(self, port):
        self.port, self.refusal = port, None  # the status that it answers with while the party is away
        self.passes_upgrades = True
        self.refused = queue.Queue()  # what was asked then
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self.listener.getsockname()[1]}/party/"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                visitor, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._take, args=(visitor,), daemon=True).start()

    def _take(self, visitor):
        head = b""
        while b"\r\n\r\n" not in head:
            if not (data := visitor.recv(65_536)):
                return visitor.close()
            head += data
        line, rest = head.split(b"\r\n", 1)
        if refusal := self.refusal or (None if b" /party/" in line else "404 Not Found"):
            visitor.sendall(f"HTTP/1.1 {refusal}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".encode())
            self.refused.put(head)
            return visitor.close()
        line = line.replace(b" /party/", b" /", 1)
        # One request for each connection, so that no other needs a look; a WebSocket keeps its own.
        rest = re.sub(rb"(?i)connection: keep-alive", b"Connection: close", rest)
        if not self.passes_upgrades:
            rest = re.sub(rb"(?i)\r\nupgrade: websocket", b"", rest)
        server = socket.create_connection(("127.0.0.1", self.port))
        server.sendall(line + b"\r\nX-Forwarded-Prefix: /party\r\nX-Forwarded-For: 127.0.0.1\r\n" + rest)
        threading.Thread(target=self._pass_on, args=(visitor, server), daemon=True).start()
        self._pass_on(server, visitor)

    def _pass_on(self, one, other):
        with contextlib.suppress(OSError):
            while data := one.recv(65_536):
                other.sendall(data)
        for end in (one, other):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)  # unlike close, this also wakes the thread that passes on the other way
            end.close()
