"""What the wire relies on inside the libraries: a new version that changes it is found here, by a sentence."""

import inspect
import os
import re
from types import SimpleNamespace

import engineio.async_drivers._websocket_wsgi
import engineio.base_server
import engineio.server
import engineio.socket
import eventlet
import eventlet.greenio
import eventlet.hubs
import eventlet.hubs.hub
import eventlet.wsgi
import flask_socketio
import pytest
import simple_websocket
import socketio.base_server
import socketio.packet
import socketio.server

from runtime.transport.audiences import Audiences
from runtime.transport.line import ThreadedLine


def parameters(function):
    return list(inspect.signature(function).parameters)


def named(pattern, *sources):
    return set(re.findall(pattern, "".join(map(inspect.getsource, sources))))


THEIRS = ThreadedLine.__mro__[2]  # Engine.IO's own connection, in whose place ours stands
HANDSHAKE = engineio.server.Server._handle_connect
# What of the manager is asked for by no event of ours, or is right as it is inherited.
NOT_OURS = {"initialize", "set_server", "trigger_callback", "close_room", "get_rooms", "can_disconnect"}
MANAGER = r"self\.manager\.(\w+)"

INSIDES = {
    "Engine.IO makes a connection of what stands at engineio.socket.Socket, with (server, sid)": lambda: (
        engineio.server.socket is engineio.socket and "socket.Socket(self, sid)" in inspect.getsource(HANDSHAKE)
    ),
    "At a handshake Engine.IO asks a connection for these, and for nothing else": lambda: (
        named(r"\bs\.(\w+)", HANDSHAKE)
        <= {"send", "schedule_ping", "handle_get_request", "closed", "connected", "poll"}  # two of them for polling
    ),
    "Without upgrades Engine.IO does not ask whether a connection was upgraded": lambda: (
        "if not self.allow_upgrades or" in inspect.getsource(engineio.base_server.BaseServer._upgrades)
    ),
    "Engine.IO keeps its connections by id in `sockets`, forgets one that is `closed`, and sends by `send`": lambda: (
        named(r"\bself\.sockets\b|\bs\.closed\b", engineio.base_server.BaseServer._get_socket)
        == {"self.sockets", "s.closed"}
        and "socket.send(pkt)" in inspect.getsource(engineio.server.Server.send_packet)
    ),
    "Engine.IO tells of what happened by _trigger_event(event, …), and lets no mistake of a handler through": lambda: (
        parameters(engineio.server.Server._trigger_event) == ["self", "event", "args", "kwargs"]
        and "except:" in inspect.getsource(engineio.server.Server._trigger_event)
    ),
    "Engine.IO has a reason for an end that nobody asked for": lambda: (
        engineio.base_server.BaseServer.reason.TRANSPORT_CLOSE
    ),
    "Socket.IO hears of Engine.IO by these, which we wrap": lambda: (
        parameters(socketio.server.Server._handle_eio_connect) == ["self", "eio_sid", "environ"]
        and parameters(socketio.server.Server._handle_eio_message) == ["self", "eio_sid", "data"]
    ),
    "Socket.IO keeps a message whose attachments are missing in _binary_packet": lambda: (
        "self._binary_packet[eio_sid] = pkt" in inspect.getsource(socketio.server.Server._handle_eio_message)
    ),
    "Socket.IO asks its manager for what ours has, and for nothing else": lambda: (
        named(MANAGER, socketio.server.Server, socketio.base_server.BaseServer) - NOT_OURS <= set(vars(Audiences))
    ),
    "Socket.IO's packets look for bytes only where uses_binary_events says so": lambda: (
        "if self.uses_binary_events and" in inspect.getsource(socketio.packet.Packet.__init__)
    ),
    "Flask-SocketIO hands on what it does not know itself, as client_manager and monitor_clients": lambda: (
        "socketio.Server(**self.server_options)" in inspect.getsource(flask_socketio.SocketIO.init_app)
    ),
    "eventlet's web server gives its socket, with the system's own in `fd`": lambda: (
        "return self._sock" in inspect.getsource(eventlet.wsgi.Input.get_socket)
        and "self.fd = fd" in inspect.getsource(eventlet.greenio.GreenSocket.__init__)
    ),
    "eventlet's web server writes nothing more, and closes, where WSGI_LOCAL.already_handled is set": lambda: (
        "if WSGI_LOCAL.already_handled:" in inspect.getsource(eventlet.wsgi.HttpProtocol.handle_one_response)
    ),
    "eventlet's web server ends a connection whose socket was taken from it, without a word": lambda: (
        eventlet.greenio.shutdown_safe(SimpleNamespace(shutdown=bad_descriptor)) is None
    ),
    "eventlet's web server reads a request by handle_one_request, which asks parse_request, and knows whose it is": (
        lambda: (
            "self.parse_request()" in inspect.getsource(eventlet.wsgi.HttpProtocol.handle_one_request)
            and "self.client_address =" in inspect.getsource(eventlet.wsgi.HttpProtocol.__init__)
            and "self.connection" in inspect.getsource(eventlet.wsgi.HttpProtocol.setup)
        )
    ),
    "eventlet's hub watches a descriptor for good, where `add` was called": lambda: goes_on_watching(),
    "On threads a WebSocket ends by an exception, behind which Engine.IO does not forget it": lambda: (
        "raise ConnectionError" in inspect.getsource(engineio.async_drivers._websocket_wsgi)
    ),
    "On threads _websocket_handler(ws) reads, and what is sent waits in a queue until poll()": lambda: (
        parameters(THEIRS._websocket_handler) == ["self", "ws"]
        and "packets = self.poll()" in inspect.getsource(THEIRS._websocket_handler)
        and "self.queue.put(pkt)" in inspect.getsource(THEIRS.send)
    ),
    "On threads nobody is timed out by the library who has no `last_ping`": lambda: (
        "if last_ping and" in inspect.getsource(THEIRS.check_ping_timeout)
    ),
    "On threads the WebSocket has a `sock`, and says goodbye by close(reason, message)": lambda: (
        parameters(simple_websocket.Server.close)[:3] == ["self", "reason", "message"]
        and "self.sock" in inspect.getsource(simple_websocket.ws.Base)
    ),
}


def goes_on_watching():
    reader, writer = os.pipe()
    hub, seen = eventlet.hubs.get_hub(), []
    listener = hub.add(hub.READ, reader, lambda descriptor: seen.append(os.read(descriptor, 1)), None, None)
    for byte in (b"1", b"2"):
        os.write(writer, byte)
        eventlet.sleep(0.01)
    hub.remove(listener)
    os.close(reader)
    os.close(writer)
    return seen == [b"1", b"2"]


def bad_descriptor(how):
    raise OSError(9, "Bad file descriptor")


@pytest.mark.parametrize("sentence", INSIDES)
def test_the_wire_relies_on_this(sentence):
    assert INSIDES[sentence](), f"No longer so in this version: {sentence}."
