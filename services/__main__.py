"""Runs the services that PARTY_SERVICES names, until it is told to stop: `python -m services`.

With `--beside` also until its standard input ends, as it does when the party that started it is gone, however that
ended.
"""

import argparse
import contextlib
import logging
import os
import signal
import sys
import threading

import services
import users
from runtime import records, settings
from runtime.journal import open_journal
from services.follow import Follower

log = logging.getLogger("party.services")

ENDINGS = {signal.SIGTERM, signal.SIGINT}


def main():
    parser = argparse.ArgumentParser(prog="python -m services", description="Run the services of the party.")
    parser.add_argument("--beside", action="store_true", help="end when standard input does")
    is_beside = parser.parse_args().beside
    if not settings.SERVICES:
        print("There is nothing to run: PARTY_SERVICES names none, or PARTY_JOURNAL is memory:.")
        return
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDINGS)  # in every thread: one alone waits for them
    records.set_up()
    users.secret_key()  # where there can be none, this says so, and ends
    with contextlib.suppress(OSError):
        os.nice(10)  # where one processor is there for both, the party goes first
    if is_beside:
        threading.Thread(target=end_with_party, daemon=True).start()
    run(followers())


def followers():
    """One for each of PARTY_SERVICES that can be loaded: a mistake in one of them is recorded, and keeps no other from
    its work. Stops with a sentence where the log cannot be used."""
    found = []
    for name in settings.SERVICES:
        with records.mistakes_recorded(log, f"The service {name} cannot be loaded; the others run."):
            found.append(services.made(name))
    try:
        return [Follower(service, open_journal(settings.JOURNAL)) for service in found]
    except ValueError as error:
        raise SystemExit(f"PARTY_JOURNAL {error}") from None


def run(followers):
    """Until this process is told to end."""
    ended = threading.Event()
    threads = [threading.Thread(target=follower.follow, args=(ended,)) for follower in followers]
    for thread in threads:
        thread.start()
    signal.sigwait(ENDINGS)
    ended.set()
    for thread in threads:
        thread.join()


def end_with_party():
    while os.read(sys.stdin.fileno(), 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
