"""With eventlet, makes the standard library cooperative. Before anything else is imported: a `sleep` that somebody had
imported earlier would stop everybody."""

import select
import warnings

from runtime.settings import ASYNC_MODE

epoll = getattr(select, "epoll", None)  # Linux alone has it; the patch takes it away

if ASYNC_MODE == "eventlet":
    warnings.filterwarnings("ignore", message="[\\s]*Eventlet is deprecated")  # known, and the reason for ASYNC_MODE
    import eventlet

    eventlet.monkey_patch()
