"""Who hears what: the lines of each audience."""

import socketio.base_manager
import socketio.packet

from runtime.transport import frames


class Audiences(socketio.base_manager.BaseManager):
    """The library's register of connections and rooms, which are our audiences, for lines that are written by a loop.

    A line has one id, for Engine.IO and Socket.IO alike. What is told is made into a frame once, and telling, coming
    and going cost nothing for other audiences. (The library's own looks through all of them at each leaving.)
    """

    def __init__(self):
        super().__init__()
        self._lines = {}  # by id, of those that are connected
        self._leaving = set()  # ids, while it is told that they are going
        self._audiences = {}  # name → {id: line}

    def get_namespaces(self):
        return ["/"]

    def pre_connect(self, eio_sid, namespace):
        if eio_sid in self._lines:
            return None
        self._lines[eio_sid] = self.server.eio.sockets[eio_sid]
        return eio_sid

    def connect(self, sid, namespace):
        return sid

    def is_connected(self, sid, namespace):
        return sid in self._lines and sid not in self._leaving

    def sid_from_eio_sid(self, eio_sid, namespace):
        return eio_sid if eio_sid in self._lines else None

    def eio_sid_from_sid(self, sid, namespace):
        return sid if sid in self._lines else None

    def pre_disconnect(self, sid, namespace):
        self._leaving.add(sid)

    def disconnect(self, sid, namespace, **_):
        self._leaving.discard(sid)
        if line := self._lines.pop(sid, None):
            for audience in list(line.audiences):
                self._leave(line, audience)

    def enter_room(self, sid, namespace, room, eio_sid=None):
        line = self._lines[sid]
        if room not in line.audiences:
            line.audiences.append(room)
            self._audiences.setdefault(room, {})[sid] = line

    def leave_room(self, sid, namespace, room):
        if sid in self._audiences.get(room, ()):
            self._leave(self._lines[sid], room)

    def _leave(self, line, audience):
        line.audiences.remove(audience)
        del self._audiences[audience][line.sid]
        if not self._audiences[audience]:
            del self._audiences[audience]

    def emit(self, event, data, namespace, room=None, **_):
        """Tell one line, by its id, or an audience, by its name; nobody, where there is none of that name."""
        lines = [self._lines[room]] if room in self._lines else self._audiences.get(room, {}).values()
        if lines:
            packet = self.server.packet_class(socketio.packet.EVENT, data=[event, data], namespace=namespace)
            frame = frames.packed(f"4{packet.encode()}")  # of Engine.IO a message
            for line in lines:
                line.lay_in(frame)
