"""The wire: everything that knows eventlet or the insides of Engine.IO, and nothing of rooms.

Around a Flask-SocketIO application it puts a server loop with limits, a gate that turns strangers away before a
socket exists, and lines (connections) that distrust what comes in and do not wait for those who do not read.

Import it before anything else: with eventlet it makes the standard library cooperative, and a `sleep` imported
earlier would stop everybody. `PARTY_ASYNC_MODE=threading` runs the same party on plain threads, as the library has it:
the day eventlet ends, one word changes.
"""

from runtime.transport import cooperative  # first: see there

# isort: split
import logging
import time

import engineio.socket

from runtime import metrics, records
from runtime.settings import ASYNC_MODE
from runtime.transport.frames import MAX_FRAME_BYTES, NORMAL, POLICY, RESTARTING, UNSUPPORTED
from runtime.transport.gate import Gate
from runtime.transport.line import (
    MAX_QUEUED_BYTES,
    MAX_QUEUED_PACKETS,
    PATIENCE_SECONDS,
    PING_SECONDS,
    PING_TIMEOUT_SECONDS,
    ThreadedLine,
    lines,
)
from runtime.transport.packets import Json, Packet
from runtime.transport.server import REQUEST_SECONDS, serve

if ASYNC_MODE == "eventlet":
    from runtime.transport.audiences import Audiences
    from runtime.transport.loop import LoopLine

log = logging.getLogger("party.transport")

# What the party gives to SocketIO(app, **OPTIONS).
OPTIONS = {
    "async_mode": ASYNC_MODE,
    "transports": ["websocket"],  # long-polling loses packets, and whoever holds its sid is the user
    "allow_upgrades": False,  # there is nothing to upgrade from
    "async_handlers": False,  # True answers one person's events in another order than they were sent
    "always_connect": True,  # so that what a connect handler emits comes after the connection is confirmed
    "max_http_buffer_size": MAX_FRAME_BYTES,
    "ping_interval": PING_SECONDS,
    "ping_timeout": PING_TIMEOUT_SECONDS,
    "cors_allowed_origins": [],  # switched off here: the gate asks for the exact origin, also where none is sent
    "monitor_clients": False,  # `Line.look_after` does, for thousands at once
    "serializer": Packet,
    "json": Json,
}
if ASYNC_MODE == "eventlet":
    OPTIONS["client_manager"] = Audiences()


def guard(party):
    """Make every connection of the SocketIO extension `party` a `Line`, ended by the first malformed packet."""
    server = party.server
    engineio.socket.Socket = LoopLine if ASYNC_MODE == "eventlet" else ThreadedLine

    def on_connect(line_id, environ):
        # Only what was noted of the visitor: the rest of the request would be kept for as long as the line stands.
        noted = {name: value for name, value in environ.items() if name.startswith("party.")}
        server._handle_eio_connect(line_id, noted)

    def on_message(line_id, data):
        line = server.eio.sockets[line_id]
        try:
            with line.answering():
                server._handle_eio_message(line_id, data)
        except Exception as error:  # whatever a stranger's bytes provoke ends the line, without a traceback
            log.debug("A line was ended for a malformed packet (%s).", type(error).__name__)
            return line.hang_up(POLICY, "malformed packet")
        if not server.manager.sid_from_eio_sid(line_id, "/"):
            # It was refused, or has gone: else it could connect again and again.
            return line.hang_up(NORMAL, "disconnected")
        finished = line_id not in server._binary_packet
        line.patience_ends = None if finished else line.patience_ends or time.monotonic() + PATIENCE_SECONDS

    server.eio.on("connect", on_connect)
    server.eio.on("message", on_message)
    metrics.ask_for(lambda: figures(party))


def again_and_again(party, seconds, *tasks):
    """Do them for ever beside all else, with so many seconds between two times. Where one fails, the next one is done
    all the same."""

    def go_on():
        while True:
            for task in tasks:
                with records.mistakes_recorded(log, f"What is done every {seconds:g} s failed; it is done again."):
                    task()
            party.sleep(seconds)

    party.start_background_task(go_on)


def serves_connections():
    """Whether lines are read and written. On threads each does that for itself."""
    return ASYNC_MODE != "eventlet" or LoopLine.LOOP.is_alive()


def figures(party):
    unsent = [line.unsent for line in lines(party)]
    return {
        "party_connections": len(unsent),
        "party_unsent_packets": sum(unsent),
        "party_unsent_packets_longest": max(unsent, default=0),
    }


def hang_up(party, sid, code=POLICY, reason=""):
    """Close the whole connection of `sid`: Socket.IO's own disconnect would leave it open for another try."""
    line = party.server.eio.sockets.get(party.server.manager.eio_sid_from_sid(sid, "/"))
    if line and line.is_open:
        line.hang_up(code, reason)
