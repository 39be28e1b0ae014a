"""Whether the party is well, for machines: /healthz, /readyz, and /metrics with its figures."""

import hmac
import ipaddress
import threading
import time
from urllib.parse import urlsplit

from flask import request

from runtime import beside, metrics, settings, supervisor
from runtime.journal import Unavailable

NO_STORE = {"Cache-Control": "no-store"}
# Without a tick nobody is told what is new. One that waits for Redis, which is away, takes four seconds at most.
TICKS_MISSING_SECONDS = 10
PROBED_AT_MOST_EVERY = 1  # seconds: whoever asks more often has the last answer, and costs the disk nothing
SENTENCES = {
    "ticks": "People are not told what is new.",
    "connections": "Connections are not served.",
    "log": "The log cannot be written.",
}
NOT_FOR_YOU = "The figures are for this machine, and for who sends the token in PARTY_METRICS_TOKEN."
HERE = ("127.0.0.1", "::1", "localhost")
SIGNS_OF_PROXIES = ("Forwarded", "Via", "X-Real-IP", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto")


class Health:
    """Knows of the ticks, and asks for the rest: `probe_log()` raises Unavailable where the log cannot be written,
    `serves_connections()` says whether they are read and written."""

    def __init__(self, seconds_between_ticks, probe_log, serves_connections):
        self._between = seconds_between_ticks
        self._probe_log, self._serves_connections = probe_log, serves_connections
        self._ticked = self._told = None  # when a tick went through last, and when systemd was told that we are alive
        self._probing = threading.Lock()
        self._probed, self._takes_commands = None, False  # when the log was tried last, and what came of it

    def offer(self, app):
        """Let `app` answer for it, and the figures tell of it."""
        app.add_url_rule("/healthz", view_func=healthz)
        app.add_url_rule("/readyz", view_func=self.readyz)
        app.add_url_rule("/metrics", view_func=figures_for_machines, endpoint="metrics")
        app.after_request(count_request)
        metrics.ask_for(self.figures)

    def note_tick(self):
        """A tick went through."""
        now = time.monotonic()
        if self._ticked is not None:
            metrics.note("party_tick_delay_seconds", max(0.0, now - self._ticked - self._between))
        self._ticked = now
        metrics.move_on()

    def is_alive(self):
        """A tick came to an end, be it by a mistake: a new start helps who hangs, and of the rest /readyz tells."""
        now = time.monotonic()
        if self._told is None or now >= self._told + 1:
            self._told = now
            supervisor.tell("WATCHDOG=1")

    def checks(self):
        """{what must be so: whether it is}"""
        return {
            "ticks": self._ticked is not None and time.monotonic() < self._ticked + TICKS_MISSING_SECONDS,
            "connections": self._serves_connections(),
            "log": self._log_takes_commands(),
        }

    def _log_takes_commands(self):
        with self._probing:
            if self._probed is None or time.monotonic() >= self._probed + PROBED_AT_MOST_EVERY:
                try:
                    self._probe_log()
                    self._takes_commands = True
                except Unavailable:
                    self._takes_commands = False
                self._probed = time.monotonic()
            return self._takes_commands

    def readyz(self):
        """Whether somebody who comes now can be served: what they say is kept, and others are told."""
        missing = [SENTENCES[name] for name, is_so in self.checks().items() if not is_so]
        if missing:
            return {"status": "not ready", "version": settings.VERSION, "reason": " ".join(missing)}, 503, NO_STORE
        return {"status": "ready", "version": settings.VERSION}, NO_STORE

    def figures(self):
        return {
            "party_ready": {name: int(is_so) for name, is_so in self.checks().items()},
            "party_service_lag_seconds": beside.lags(),
            "party_last_backup_timestamp_seconds": last_backup(),
        }


def healthz():
    """Whether this process lives at all."""
    return {"status": "ok", "version": settings.VERSION}, NO_STORE


def last_backup():
    """When one was made, in seconds since 1970; None where none was."""
    try:
        return (settings.INSTANCE / settings.BACKED_UP_FILE).stat().st_mtime
    except OSError:
        return None


def figures_for_machines():
    """The figures, for a program on this machine or one that knows the token."""
    if not (has_token() or is_from_this_machine()):
        return f"{NOT_FOR_YOU}\n", 403, NO_STORE | {"Content-Type": "text/plain; charset=utf-8"}
    text, kind = metrics.as_text()
    return text, NO_STORE | {"Content-Type": kind}


def has_token():
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    wanted = settings.METRICS_TOKEN
    return bool(wanted) and kind.lower() == "bearer" and hmac.compare_digest(token.encode(), wanted.encode())


def is_from_this_machine():
    """Whether it came from here, asked for by an address of this machine, and through no proxy: behind one that nobody
    told us of, all the world comes from here."""
    if any(name in request.headers for name in SIGNS_OF_PROXIES) or is_behind_a_silent_proxy():
        return False
    return is_loopback(request.remote_addr) and urlsplit(f"//{request.host}").hostname in HERE


def is_behind_a_silent_proxy():
    """Whether pages come from elsewhere through a proxy that says nothing of itself, as nginx does by default."""
    return not settings.PROXIES and any(urlsplit(origin).hostname not in HERE for origin in settings.ORIGINS)


def is_loopback(address):
    try:
        return ipaddress.ip_address(address or "").is_loopback
    except ValueError:
        return False


def count_request(response):
    metrics.count("party_requests", request.endpoint or "none", str(response.status_code))
    return response
