"""Serving: a listening socket, what HTTP may cost, and an end that answers what runs."""

import contextlib
import errno
import gc
import itertools
import logging
import re
import signal
import socket
import time
from collections import Counter

import werkzeug.serving

from runtime import supervisor
from runtime.records import mistakes_recorded
from runtime.settings import ASYNC_MODE
from runtime.transport.frames import RESTARTING
from runtime.transport.line import lines

try:
    import resource
except ImportError:  # not on Windows
    resource = None

log = logging.getLogger("party.transport")

MAX_CONNECTIONS = 20_000  # the library's own 1,024 makes the next visitor, page or socket, hang without an answer
REQUEST_SECONDS = 10  # for a request to come, its body included; an open WebSocket has its pings instead
SENDING_SECONDS = 10  # without a byte taken of an answer
MOST_COMING = 2_000  # connections without a whole request: before more are taken, some are given up
KEPT_DESCRIPTORS = 16  # for files that are served, and the journal
NOT_LOOKED_AFTER = "A connection could not be looked after; the others are."
LOOKED_AFTER_AT_ONCE = 100  # lines, before others have their turn
ENDING_SECONDS = 3  # to hand out the goodbyes before the process ends; supervisors kill after 5 to 10

if ASYNC_MODE == "eventlet":
    import eventlet
    import eventlet.semaphore
    import eventlet.wsgi

    from runtime.transport.loop import LoopLine

    # What is there to be read is read without waiting: who sends without a pause would stop everybody else. So these
    # pause between two connections and two requests.

    class Requests(eventlet.wsgi.HttpProtocol):
        """One HTTP connection. Each of its requests has ten seconds to come, however its bytes are spread over them."""

        coming = {}  # connections of which no request is here as a whole → since when, the longest first
        answered = {}  # those whose request is being answered → since when
        turn = eventlet.semaphore.Semaphore(1)

        def handle_one_request(self):
            eventlet.sleep()
            self.coming[self] = time.monotonic()
            try:
                super().handle_one_request()
            finally:
                self.coming.pop(self, None)
                self.answered.pop(self, None)

        def parse_request(self):
            """Also refuses bodies that no browser sends: what nobody wants of a body is read without a pause too, and
            two ways to say its length are a way to hide a request in it."""
            if not super().parse_request():
                return False
            if self not in self.coming:  # given up: what is still to come of it is no request
                self.close_connection = True
                return False
            lengths = self.headers.get_all("Content-Length", ["0"])
            if "Transfer-Encoding" in self.headers or len(lengths) > 1 or not re.fullmatch("[0-9]{1,5}", lengths[0]):
                self.send_error(400, "A body needs one Content-Length, of five digits at most")
                return False
            if lengths == ["0"]:  # else the body is read while it is answered
                self.answered[self] = self.coming.pop(self)
            return True

        def handle_one_response(self):
            """One page, or one handshake, in each round of eventlet's: else all that came together would be answered in
            one go, and whoever is connected waits for all of them."""
            with self.turn:
                eventlet.sleep()
            super().handle_one_response()

        def log_message(self, *_):
            pass  # its lines hold addresses

        @classmethod
        def give_up_the_late(cls, now):
            while cls.coming and next(iter(cls.coming.values())) + REQUEST_SECONDS < now:
                next(iter(cls.coming)).give_up()

        @classmethod
        def make_room(cls):
            """Give up those that have been coming longest, or take their answer slowly, from the address with the most
            of them, a tenth of its own; gives whether there were any. Lines are not among them."""
            long_ago = time.monotonic() - REQUEST_SECONDS
            slow = [*cls.coming, *(one for one, since in cls.answered.items() if since < long_ago)]
            for address, number in Counter(one.client_address[0] for one in slow).most_common(1):
                of_address = (one for one in slow if one.client_address[0] == address)
                for one in itertools.islice(of_address, max(1, number // 10)):
                    one.give_up()
            return bool(slow)

        def give_up(self):
            """Whoever waits to read from it or to write to it is woken, and closes it."""
            is_coming = self.coming.pop(self, None) is not None
            self.answered.pop(self, None)
            self.close_connection = True
            with contextlib.suppress(OSError):
                self.connection.shutdown(socket.SHUT_RD if is_coming else socket.SHUT_RDWR)

    class PatientListener:
        """A listening socket that takes connections while descriptors run short, and outlives what eventlet's server
        would end at: none left for one more."""

        def __init__(self, listener):
            self._listener = listener

        def __getattr__(self, name):
            return getattr(self._listener, name)

        def accept(self):
            while True:
                eventlet.sleep()
                try:
                    connection, address = self._listener.accept()
                except OSError as error:
                    if error.errno not in (errno.EMFILE, errno.ENFILE) or not Requests.make_room():
                        log.warning("A connection could not be taken: %s.", error.strerror)
                        eventlet.sleep(1)
                    continue
                # The system gives the lowest number that is free, so a high one says how many are taken.
                is_short = connection.fileno() >= descriptors() - KEPT_DESCRIPTORS
                if is_short or len(Requests.coming) >= MOST_COMING:
                    Requests.make_room()
                return connection, address


def serve(party, app, gate, host, port, ready):
    """Serve until SIGTERM or SIGINT; then take nothing new, answer what runs, close every line with `RESTARTING`, and
    return.

    Calls `ready(port)` once it listens. Raises OSError when it cannot: two servers never share a port.
    """
    asked_to_end = _notice_signals()
    _allow_many_descriptors()
    _collect_seldom()
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.create_server(address[:2], family=family, backlog=1024)  # never SO_REUSEPORT
    # A message and its acknowledgement are two small frames: without this, the second waits 40 ms for the first.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    party.start_background_task(_serve_eventlet if ASYNC_MODE == "eventlet" else _serve_threading, listener, app)
    party.start_background_task(_look_after, party)
    ready(listener.getsockname()[1])
    supervisor.tell("READY=1")
    asked_to_end()
    supervisor.tell("STOPPING=1")
    gate.closed = True
    for line in lines(party):
        line.finish(RESTARTING, "restarting")
    deadline = time.monotonic() + ENDING_SECONDS
    while lines(party) and time.monotonic() < deadline:
        party.sleep(0.02)


def _serve_eventlet(listener, app):
    LoopLine.LOOP.start()
    eventlet.wsgi.server(
        PatientListener(listener),
        app,
        max_size=MAX_CONNECTIONS,
        socket_timeout=SENDING_SECONDS,
        keepalive=REQUEST_SECONDS,
        debug=False,  # True shows a stranger our tracebacks
        log_output=False,  # its lines hold addresses; what goes wrong inside is logged where it happens
        protocol=Requests,
    )


def _serve_threading(listener, app):
    class QuietHandler(werkzeug.serving.WSGIRequestHandler):
        timeout = REQUEST_SECONDS

        def log(self, *_):
            pass  # its lines hold addresses

    host, port = listener.getsockname()[:2]
    werkzeug.serving.make_server(
        host, port, app, threaded=True, request_handler=QuietHandler, fd=listener.fileno()
    ).serve_forever()


def _notice_signals():
    """Gives a function that waits until somebody asks this process to end. A signal interrupts no wait of eventlet's;
    a byte does."""
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    signal.set_wakeup_fd(writer.fileno())

    def wait():
        reader.recv(1)
        for number in (signal.SIGTERM, signal.SIGINT):
            # Who asks once more changes nothing, also while the interpreter ends: it gives up handlers, not this.
            signal.signal(number, signal.SIG_IGN)
        signal.set_wakeup_fd(-1)
        writer.close()

    return wait


def _allow_many_descriptors():
    """Systems let a process open 1,024 by default, and more when it asks."""
    if resource:
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _collect_seldom():
    """Keep Python's search for garbage short. It stops everybody: 85 ms for what stands already when we begin, which
    is never garbage, and then as much again for each 15,000 connections. So that is left out from now on, and thousands
    of connections that come together are no reason to search through all the others several times."""
    gc.freeze()
    gc.set_threshold(5_000, 10)


def descriptors():
    """How many this process may have open."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0] if resource else MAX_CONNECTIONS


def _look_after(party):
    while True:
        party.sleep(1)
        if ASYNC_MODE == "eventlet":
            with mistakes_recorded(log, NOT_LOOKED_AFTER):
                Requests.give_up_the_late(time.monotonic())
        for n, line in enumerate(lines(party), start=1):
            if not n % LOOKED_AFTER_AT_ONCE:
                party.sleep(0)  # thousands may have come together, and are pinged together
            with mistakes_recorded(log, NOT_LOOKED_AFTER):
                line.look_after(time.monotonic())
