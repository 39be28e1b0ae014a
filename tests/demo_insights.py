"""A party with a made-up fortnight, to look at its owner's page: `make demo-insights ARGS="--fortnight dying"`.

It has an instance of its own, which is gone when it ends: it touches no party that there is.
"""

import argparse
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading

# Before the settings are read. Whatever else is set, the real party and its log are not for this.
os.environ["PARTY_INSTANCE"] = (instance := tempfile.TemporaryDirectory(ignore_cleanup_errors=True)).name
os.environ["PARTY_JOURNAL"] = f"{instance.name}/party.db"
os.environ["PARTY_SECRET_KEY"] = ""  # one of its own
os.environ["PARTY_SERVICES"] = "figures,feedback"
os.environ["PARTY_SERVICES_BESIDE"] = "yes"

import fortnight

import services
import users
from runtime import settings
from runtime.clock import now
from runtime.journal import open_journal
from runtime.obstacles import why_not_listening
from services.follow import Follower


class ToItsEnd:
    """A service that has `ended` once it has read all there is."""

    def __init__(self, service):
        self._service, self.ended = service, threading.Event()

    def __getattr__(self, name):
        return getattr(self._service, name)

    def rest(self, database, at):
        self._service.rest(database, at)
        self.ended.set()


def fill(name):
    """Put that fortnight into the log, and let the services read it: the party cuts off what is older than 16 hours."""
    commands = fortnight.commands(fortnight.fortnight(name, now()))
    open_journal(settings.JOURNAL).fill(enumerate(commands, start=1))
    for service in settings.SERVICES:
        reader = ToItsEnd(services.made(service))
        Follower(reader, open_journal(settings.JOURNAL)).follow(reader.ended)


def ensure_listening():
    """Stops with a sentence where a party listens already."""
    try:
        socket.create_server((settings.HOST, settings.PORT)).close()
    except OSError as error:
        raise SystemExit(f"HOST {settings.HOST}, PORT {settings.PORT}: {why_not_listening(error)}") from None


def main():
    parser = argparse.ArgumentParser(description="Serve a party with a made-up fortnight.")
    parser.add_argument("--fortnight", choices=fortnight.STORIES, default="thriving")
    wanted = parser.parse_args()
    ensure_listening()
    fill(wanted.fortnight)
    owner, address = users.owner(), settings.addresses()[0]
    password = users.password(users.secret_key(), owner, users.number_of(owner))
    print(f"Sign in as its owner: {users.invite(address, owner, password)}\nThen open {address}insights")
    print("All of this is made up, and gone when you end it with Ctrl-C.", flush=True)
    with subprocess.Popen([sys.executable, "app.py"], cwd=settings.ROOT, process_group=0) as party:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda number, _: party.send_signal(number))
    sys.exit(party.returncode)


if __name__ == "__main__":
    main()
