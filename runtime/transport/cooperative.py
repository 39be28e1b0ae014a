"""With eventlet, makes the standard library cooperative. Before anything else is imported: a `sleep` that somebody had
imported earlier would stop everybody. Then loads the libraries of the wire, without what nobody needs of them here."""

import select
import sys
import warnings

from runtime.settings import ASYNC_MODE

epoll = getattr(select, "epoll", None)  # Linux alone has it; the patch takes it away

if ASYNC_MODE == "eventlet":
    warnings.filterwarnings("ignore", message="[\\s]*Eventlet is deprecated")  # known, and the reason for ASYNC_MODE
    import eventlet

    eventlet.monkey_patch()

# For clients and a relay, which the party has no use for, Socket.IO loads these where they are installed: a tenth of a
# second of each start, and 11 MB of each process. Who needs one imports it, later.
unneeded = {"redis", "requests", "websocket"} - sys.modules.keys()
sys.modules.update(dict.fromkeys(unneeded))
try:
    import socketio  # noqa: F401
finally:
    for name in unneeded:
        del sys.modules[name]
