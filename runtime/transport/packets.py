"""What may stand in a packet of Socket.IO."""

import json
import re

import orjson
import socketio.packet

MAX_ATTACHMENTS = 4  # no event takes binary: enough to refuse one politely, no more to hold in memory
MAX_BRACKETS = 200  # no event has a dozen; far below Python's stack, at whose end tidying up fails too, aloud


def brackets_of(text):
    """How many lists and objects open in `text`, JSON. Those in strings count only where there are very many."""
    brackets = text.count("[") + text.count("{")
    if brackets > MAX_BRACKETS:
        brackets = len(re.findall(r"[\[{]", re.sub(r'"(?:[^"\\]|\\.)*"?', "", text)))
    return brackets


class Packet(socketio.packet.Packet):
    """A Socket.IO packet. One from outside must be of a known kind, in the default namespace, an event with a name."""

    INCOMING = {
        socketio.packet.CONNECT,
        socketio.packet.DISCONNECT,
        socketio.packet.EVENT,
        socketio.packet.BINARY_EVENT,
    }
    uses_binary_events = False  # what the party sends is text; the library would look for bytes in each field of it
    RESERVED = {"connect", "connect_error", "disconnect", "*"}  # the library would run our handlers for these

    def decode(self, encoded_packet):
        """Raises ValueError for anything that no honest page sends."""
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
    """What goes out is written without escapes: most of the world's words take half as many bytes. What comes in is
    read by the standard library, which takes NaN and 1e999 too: these get a sentence, not the end of the line."""

    @staticmethod
    def dumps(data, **_):
        return orjson.dumps(data).decode()

    @staticmethod
    def loads(text, **options):
        if brackets_of(text) > MAX_BRACKETS:
            raise ValueError("nested too deep")
        return json.loads(text, **options)
