"""The wire: everything that knows eventlet or the insides of Engine.IO, and nothing of rooms.

Around a Flask-SocketIO application it puts a server loop with limits, a gate that turns strangers away before a
socket exists, and lines (connections) that distrust what comes in and do not wait for those who do not read.

Import it before anything else: with eventlet it makes the standard library cooperative, and a `sleep` imported
earlier would stop everybody. `PARTY_ASYNC_MODE=threading` runs the same party on plain threads: the day eventlet
ends, one word changes.
"""

import warnings

from runtime.settings import ASYNC_MODE

if ASYNC_MODE == "eventlet":
    warnings.filterwarnings("ignore", message="[\\s]*Eventlet is deprecated")  # known, and the reason for ASYNC_MODE
    import eventlet

    eventlet.monkey_patch()

    import eventlet.websocket
    import eventlet.wsgi

import base64
import binascii
import contextlib
import functools
import json
import logging
import re
import signal
import socket
import time
from types import SimpleNamespace

import engineio.base_socket
import engineio.exceptions
import engineio.packet
import engineio.socket
import socketio.packet
import werkzeug.serving

try:
    import resource
except ImportError:  # not on Windows
    resource = None

log = logging.getLogger("party.transport")

MAX_CONNECTIONS = 20_000  # the library's own 1,024 makes the next visitor, page or socket, hang without an answer
HEADERS_SECONDS = 10  # a request half sent is given up; an open WebSocket has its pings instead
KEEPALIVE_SECONDS = 15
MAX_FRAME_BYTES = 16_000  # 2,000 characters take 8,000 at most; unmasking is pure Python, 4 ms for this many
MAX_ATTACHMENTS = 4  # no event takes binary: enough to refuse one politely, no more to hold in memory
PING_SECONDS = 15  # whole numbers: a fraction is announced to the browser as 0
PING_TIMEOUT_SECONDS = 10
PATIENCE_SECONDS = 10  # how long a line may stay unfinished: not yet connected, or attachments missing
MAX_QUEUED_PACKETS = 2_000  # what may wait for a reader: seconds of the liveliest room, not minutes
MAX_QUEUED_BYTES = 8_000_000  # the same for large packets, such as a feed; one of any size is taken on an empty queue
GOODBYE_SECONDS = 3  # to hand out the goodbyes before the process ends; supervisors kill after 5 to 10

# WebSocket close codes: RFC 6455 section 7.4.1, and IANA's registry for 1012.
NORMAL, UNSUPPORTED, POLICY, RESTARTING = 1000, 1003, 1008, 1012


class Packet(socketio.packet.Packet):
    """A Socket.IO packet. One from outside must be of a known kind, in the default namespace, an event with a name."""

    INCOMING = {
        socketio.packet.CONNECT,
        socketio.packet.DISCONNECT,
        socketio.packet.EVENT,
        socketio.packet.BINARY_EVENT,
    }
    RESERVED = {"connect", "connect_error", "disconnect", "*"}  # the library would run our handlers for these

    def decode(self, encoded_packet):
        """Raises ValueError (also RecursionError, from JSON) for anything that no honest page sends."""
        attachments = super().decode(encoded_packet)
        if self.packet_type not in self.INCOMING or self.namespace not in (None, "/") or attachments > MAX_ATTACHMENTS:
            raise ValueError("not a packet for this party")
        if self.packet_type in (socketio.packet.EVENT, socketio.packet.BINARY_EVENT):
            name = self.data[0] if isinstance(self.data, list) and self.data else None
            if not isinstance(name, str) or name in self.RESERVED:
                raise ValueError("not an event")
        return attachments

    def encode(self):
        if self.packet_type == socketio.packet.DISCONNECT:
            self.data = None  # the library gives a reason, which the browsers' parser takes for an error
        return super().encode()


class Json:
    """JSON without escapes: most of the world's words take half as many bytes."""

    dumps = staticmethod(functools.partial(json.dumps, ensure_ascii=False))
    loads = staticmethod(json.loads)


# What the party gives to SocketIO(app, **OPTIONS).
OPTIONS = {
    "async_mode": ASYNC_MODE,
    "transports": ["websocket"],  # long-polling loses packets, and whoever holds its sid is the user
    "async_handlers": False,  # True answers one person's events in another order than they were sent
    "always_connect": True,  # so that what a connect handler emits comes after the connection is confirmed
    "max_http_buffer_size": MAX_FRAME_BYTES,
    "ping_interval": PING_SECONDS,
    "ping_timeout": PING_TIMEOUT_SECONDS,
    "cors_allowed_origins": [],  # switched off here: the gate asks for the exact origin, also where none is sent
    "serializer": Packet,
    "json": Json,
}


if ASYNC_MODE == "eventlet":
    # What is there to be read is read without waiting: who sends without a pause would stop everybody else. So these
    # pause between two frames, two connections and two requests.

    class CheckedMessage(eventlet.websocket.RFC6455WebSocket.Message):
        """One message of a WebSocket, which refuses fragments: their sum is bounded by no limit of the library.

        Browsers do not fragment frames of this size.
        """

        def push(self, data, final=False):
            eventlet.sleep()
            if not final:
                raise eventlet.websocket.FailedConnectionError(UNSUPPORTED, "Fragments are not taken here.")
            super().push(data, final)

    class PatientListener:
        """A listening socket that outlives what eventlet's server would end at: no descriptor left for one more."""

        def __init__(self, listener):
            self._listener = listener

        def __getattr__(self, name):
            return getattr(self._listener, name)

        def accept(self):
            while True:
                eventlet.sleep()
                try:
                    return self._listener.accept()
                except OSError as error:
                    log.warning("A connection could not be taken: %s.", error.strerror)
                    eventlet.sleep(1)

    class Requests(eventlet.wsgi.HttpProtocol):
        """The requests of one HTTP connection."""

        def handle_one_request(self):
            eventlet.sleep()
            super().handle_one_request()

        def parse_request(self):
            """Also refuses bodies that no browser sends: what nobody wants of a body is read without a pause too, and
            two ways to say its length are a way to hide a request in it."""
            if not super().parse_request():
                return False
            lengths = self.headers.get_all("Content-Length", ["0"])
            if "Transfer-Encoding" in self.headers or len(lengths) > 1 or not re.fullmatch("[0-9]{1,5}", lengths[0]):
                self.send_error(400, "A body needs one Content-Length, of five digits at most")
                return False
            return True

        def log_message(self, *_):
            pass  # its lines hold addresses


class Gate:
    """WSGI in front of the application: lets a WebSocket handshake through only when it is proper, from an allowed
    origin and of a visitor who may come in; and puts `headers` on every response that has not its own.

    `refusal_of_visitor(environ)` gives None to let in, or (status, sentence) to refuse.
    """

    def __init__(self, app, path, origins, headers, refusal_of_visitor):
        self.closed = False
        self.app, self.path, self.origins, self.headers = app, path, origins, headers
        self.refusal_of_visitor = refusal_of_visitor

    def __call__(self, environ, start_response):
        def start(status, headers, exc_info=None):
            set_already = {name for name, _ in headers}
            more = [header for header in self.headers_for(environ) if header[0] not in set_already]
            return start_response(status, headers + more, exc_info)

        if refusal := self.refusal_of(environ):
            status, sentence = refusal
            start(status, [("Content-Type", "text/plain; charset=utf-8")])
            return [sentence.encode()]
        if environ["PATH_INFO"].startswith(self.path):  # a handshake: nothing else gets here
            # Compression costs every connection 100 KiB, and each recipient's copy would be compressed anew.
            environ.pop("HTTP_SEC_WEBSOCKET_EXTENSIONS", None)
            if "werkzeug.socket" in environ:
                # With a timeout, simple-websocket sends the beginning of a long frame alone. Not later: its reader,
                # when it has begun, would take the change for the end.
                environ["werkzeug.socket"].settimeout(None)
        return self.app(environ, start)

    def headers_for(self, environ):
        secure = environ["wsgi.url_scheme"] == "https"
        return self.headers + ([("Strict-Transport-Security", "max-age=31536000")] if secure else [])

    def refusal_of(self, environ):
        """(status, sentence) for a request that is not let through, else None."""
        if self.closed:
            return "503 Service Unavailable", "The party is restarting. Please try again in a moment."
        if not environ["PATH_INFO"].startswith(self.path):
            return None
        if not is_handshake(environ):
            return "400 Bad Request", "Only WebSocket connections are taken here."
        own = f"{environ['wsgi.url_scheme']}://{environ.get('HTTP_HOST')}"
        if environ.get("HTTP_ORIGIN") not in (self.origins or [own]):
            return "403 Forbidden", "That origin may not connect."
        return self.refusal_of_visitor(environ)


def is_handshake(environ):
    """Whether this is a well-formed WebSocket handshake (RFC 6455 section 4.1) for a new Engine.IO 4 connection."""
    query = set(environ.get("QUERY_STRING", "").split("&"))
    try:
        key = base64.b64decode(environ.get("HTTP_SEC_WEBSOCKET_KEY", ""), validate=True)
    except (binascii.Error, ValueError):
        return False
    return (
        environ["REQUEST_METHOD"] == "GET"
        and environ.get("HTTP_UPGRADE", "").lower() == "websocket"
        and "upgrade" in re.split(r"[\s,]+", environ.get("HTTP_CONNECTION", "").lower())
        and environ.get("HTTP_SEC_WEBSOCKET_VERSION") == "13"
        and len(key) == 16
        and {"EIO=4", "transport=websocket"} <= query
        and not any(part.startswith(("sid=", "j=")) for part in query)
    )


class Rest(engineio.packet.Packet):
    """What the wire did not take of a frame: it goes out as it is, before anything else."""

    class Bytes(bytes):
        pass

    def __init__(self, frame):
        super().__init__(engineio.packet.MESSAGE, self.Bytes(frame))

    def encode(self, b64=False):
        return self.data


def size_of(packet):
    """The bytes of an Engine.IO packet, counted once for all who get it."""
    if not hasattr(packet, "size"):
        data = packet.encode()
        packet.size = len(data.encode() if isinstance(data, str) else data)
    return packet.size


class Line(engineio.socket.Socket):
    """One connection that distrusts its other end."""

    # What an honest client sends, before Socket.IO looks at it: pong, close, message. The digit behind the 4 keeps
    # Engine.IO from parsing it as JSON on its own account.
    PROPER = re.compile(r"3|1|4[0-6].*", re.DOTALL)

    def __init__(self, server, sid):
        super().__init__(server, sid)
        self.ws = None
        self.had_sid = self.given_up = self.answers = False
        self.goodbye = None  # (code, reason), to be said when what runs is answered
        self.queued_bytes = 0
        self.ping_due = self.cut_due = None
        self.patience_ends = time.monotonic() + PATIENCE_SECONDS

    def _websocket_handler(self, ws):
        self.ws = ws
        wait = ws.wait
        ws.wait = lambda: self.checked(wait())
        if ASYNC_MODE == "eventlet":
            ws.Message = CheckedMessage
            send = ws.send
            ws.send = lambda data, **how: ws._send(data) if type(data) is Rest.Bytes else send(data, **how)
            ws.log = eventlet.wsgi.LoggerNull()  # its lines hold addresses
        try:
            return super()._websocket_handler(ws)
        finally:
            self.cut()

    def checked(self, packet):
        """`packet`, when it is one that Engine.IO can take, or None when nothing more is taken, after a goodbye.
        Otherwise raises ValueError, which ends the line."""
        if self.closed:
            return None
        if isinstance(packet, str) and not self.PROPER.fullmatch(packet):
            raise ValueError("not a packet")
        return packet

    def send(self, packet):
        """Write `packet` at once when the line is idle, which spares a queue, a greenlet and a frame for each of
        a room's thousand recipients; what the wire does not take waits in the queue."""
        if self.closed:
            return  # the library would raise, and the others of the audience would not hear it
        if self.queue.qsize() < MAX_QUEUED_PACKETS and self.queued_bytes < MAX_QUEUED_BYTES:
            rest = self.write_now(packet) if self.is_idle() else packet
            if rest:
                self.queued_bytes += size_of(rest)
                super().send(rest)
        elif not self.given_up:
            self.given_up = True
            log.warning("A line that does not read was cut.")
            self.cut()

    def is_idle(self):
        """Whether nothing waits to be written, or is being written, before what comes now."""
        if ASYNC_MODE != "eventlet" or not self.ws or self.closing:
            return False
        return not self.queue.qsize() and not self.ws._sendlock.locked()

    def write_now(self, packet):
        """Write without waiting; gives the rest, None when there is none. The first recipient's frame is kept on the
        packet and serves all others."""
        if not hasattr(packet, "frame"):
            packet.frame = self.ws._pack_message(packet.encode())
        try:
            written = self.ws.socket.fd.send(packet.frame)
        except BlockingIOError:
            written = 0
        except OSError:
            return None  # the line has broken; its reader notices too
        return Rest(packet.frame[written:]) if written < len(packet.frame) else None

    def poll(self):
        """Wait for what is queued. An empty queue is no reason to end, as the library has it: what is written at once
        never passes through."""
        while True:
            with contextlib.suppress(engineio.exceptions.QueueEmpty):
                packets = super().poll()
                self.queued_bytes -= sum(map(size_of, packets))
                return packets

    def schedule_ping(self):
        """Note when the next ping is due: the library's own way, a sleeping greenlet for each connection, keeps
        all memory of a connection that has ended until that wakes."""
        if self.last_ping:
            self.last_ping, self.ping_due = None, time.monotonic() + PING_SECONDS

    def look_after(self, now):
        """Do what is due at `now`: the next ping, or the end of a line that stays unfinished or open."""
        if self.cut_due and self.cut_due < now:
            self.cut()
        elif self.patience_ends and self.patience_ends < now:
            self.hang_up(POLICY, "unfinished")
        elif self.ping_due and self.ping_due < now:
            self.last_ping, self.ping_due = now, None
            self.send(engineio.packet.Packet(engineio.packet.PING))

    @contextlib.contextmanager
    def answering(self):
        """While an event of this line is handled."""
        self.answers = True
        try:
            yield
        finally:
            self.answers = False
            if self.goodbye:
                self.hang_up(*self.goodbye)

    def finish(self, code, reason):
        """Hang up as soon as what runs is answered."""
        if self.answers:
            self.goodbye = code, reason
        else:
            self.hang_up(code, reason)

    def hang_up(self, code, reason):
        """Say goodbye with a WebSocket close code, then cut. Returns at once."""
        self.cut_due = self.cut_due or time.monotonic() + 1  # a reader that does not read gets no goodbye
        self.server.start_background_task(self._say_goodbye, code, reason)

    def _say_goodbye(self, code, reason):
        with contextlib.suppress(Exception):  # somebody else may have closed it just now
            if ASYNC_MODE == "eventlet":
                self.ws._send_closing_frame(True, close_data=(code, reason))
            else:
                self.ws.close = self.cut  # else its writer would say goodbye as well, and fail at that
                self.ws.ws.close(code, reason)
        self.cut()

    def cut(self):
        """End the line now: whoever waits to read from it or to write to it is woken."""
        sock = self.ws.socket if ASYNC_MODE == "eventlet" else self.ws.ws.sock
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)


def guard(party):
    """Make every connection of the SocketIO extension `party` a `Line`, ended by the first malformed packet."""
    server = party.server
    engineio.socket.Socket = Line
    # Pings by a clock that nobody sets: a step of the wall clock would drop healthy lines.
    engineio.socket.time = engineio.base_socket.time = SimpleNamespace(time=time.monotonic)

    def on_message(line_id, data):
        line = server.eio.sockets[line_id]
        try:
            with line.answering():
                server._handle_eio_message(line_id, data)
        except Exception as error:  # whatever a stranger's bytes provoke ends the line, without a traceback
            log.debug("A line was ended for a malformed packet (%s).", type(error).__name__)
            return line.hang_up(POLICY, "malformed packet")
        sid = server.manager.sid_from_eio_sid(line_id, "/")
        if line.had_sid and not sid:
            return line.hang_up(NORMAL, "disconnected")  # else it could connect again and again
        line.had_sid = sid is not None
        finished = sid and line_id not in server._binary_packet
        line.patience_ends = None if finished else line.patience_ends or time.monotonic() + PATIENCE_SECONDS

    server.eio.on("message", on_message)


def lines(party):
    """The connections that stand now."""
    return [line for line in list(party.server.eio.sockets.values()) if line.ws and not line.closed]


def hang_up(party, sid, code=POLICY, reason=""):
    """Close the whole connection of `sid`: Socket.IO's own disconnect would leave it open for another try."""
    line = party.server.eio.sockets.get(party.server.manager.eio_sid_from_sid(sid, "/"))
    if line and line.ws:
        line.hang_up(code, reason)


def serve(party, app, gate, host, port, ready):
    """Serve until SIGTERM or SIGINT; then take nothing new, answer what runs, close every line with `RESTARTING`, and
    return.

    Calls `ready(port)` once it listens. Raises OSError when it cannot: two servers never share a port.
    """
    asked_to_end = _notice_signals()
    _allow_many_descriptors()
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.create_server(address[:2], family=family, backlog=1024)  # never SO_REUSEPORT
    # A message and its acknowledgement are two small frames: without this, the second waits 40 ms for the first.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    party.start_background_task(_serve_eventlet if ASYNC_MODE == "eventlet" else _serve_threading, listener, app)
    party.start_background_task(_look_after, party)
    ready(listener.getsockname()[1])
    asked_to_end()
    gate.closed = True
    for line in lines(party):
        line.finish(RESTARTING, "restarting")
    deadline = time.monotonic() + GOODBYE_SECONDS
    while lines(party) and time.monotonic() < deadline:
        party.sleep(0.02)


def _serve_eventlet(listener, app):
    eventlet.wsgi.server(
        PatientListener(listener),
        app,
        max_size=MAX_CONNECTIONS,
        socket_timeout=HEADERS_SECONDS,
        keepalive=KEEPALIVE_SECONDS,
        debug=False,  # True shows a stranger our tracebacks
        log_output=False,  # its lines hold addresses; what goes wrong inside is logged where it happens
        protocol=Requests,
    )


def _serve_threading(listener, app):
    class QuietHandler(werkzeug.serving.WSGIRequestHandler):
        timeout = HEADERS_SECONDS

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


def _look_after(party):
    while True:
        party.sleep(1)
        for line in lines(party):
            try:
                line.look_after(time.monotonic())
            except Exception:
                log.exception("A line could not be looked after; the others are.")
