"""What systemd is told, where it started this: that the party is ready, is alive, or ends. Elsewhere nobody is told.

A datagram to the socket that NOTIFY_SOCKET names: systemd's own manual, sd_notify(3), has it in as many lines for those
who want no library for it.
"""

import contextlib
import socket

from runtime import settings


def tell(what):
    """Tell systemd `what`: "READY=1", "WATCHDOG=1" or "STOPPING=1". Never waits, and never fails."""
    if path := settings.NOTIFY_SOCKET:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
            line.setblocking(False)
            # One that begins with @ stands in no folder: there the system wants a zero byte in its place.
            line.sendto(what.encode(), f"\0{path[1:]}" if path.startswith("@") else path)
