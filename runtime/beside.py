"""The process of the services, beside the party: it reads the same log, and costs the party nothing."""

import logging
import os
import subprocess
import sys
import time

from runtime import records, settings

log = logging.getLogger("party.services")

PROGRAM = (sys.executable, "-m", "services", "--beside")
LISTENING_SECONDS = 0.5  # by then the party listens: nobody is to wait for the start of this
PAUSE_SECONDS = 10  # at least, between two starts
ENDING_SECONDS = 1  # then it is killed, which takes nothing from it: what it did not keep it reads again


class Beside:
    """Starts it, starts it again when it died, and ends it. When the party is killed it ends by itself, with the pipe
    to it."""

    def __init__(self):
        self._process, self._may_tell = None, records.Sparingly().may_tell
        self._due = time.monotonic() + LISTENING_SECONDS

    def look_after(self):
        """Start it where it does not run, now and then."""
        if not (settings.SERVICES_BESIDE and settings.SERVICES) or self._runs() or time.monotonic() < self._due:
            return
        if self._process and self._may_tell("ended"):
            log.error("The services have ended (%s) and are started again.", self._process.returncode)
        self._due = time.monotonic() + PAUSE_SECONDS
        self._process = subprocess.Popen(
            PROGRAM,
            cwd=settings.ROOT,
            env=settings.environment(PARTY_JOURNAL=journal_seen_from_anywhere()),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
        )

    def end(self):
        """It ends before the party does, so that the next one finds everything free."""
        if self._runs():
            self._process.stdin.close()
            try:
                self._process.wait(ENDING_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()

    def _runs(self):
        return self._process is not None and self._process.poll() is None


def journal_seen_from_anywhere():
    return settings.JOURNAL if settings.is_redis(settings.JOURNAL) else os.path.abspath(settings.JOURNAL)


_began = time.time()


def lags():
    """{service: for how many seconds it has not had all of the log}; since this process began, where it never had."""
    return {name: max(0.0, time.time() - caught_up_at(name)) for name in settings.SERVICES}


def caught_up_at(name):
    try:
        return settings.caught_up_file_of(name).stat().st_mtime
    except OSError:
        return _began
