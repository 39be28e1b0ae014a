"""WebSocket frames (RFC 6455, section 5): those that browsers send, taken apart and distrusted, and those for them.

Bytes in, bytes out: no socket, no clock. A frame is taken whole or refused; its form is judged by its first bytes, so
that nothing waits for the rest of what is refused.
"""

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
KNOWN = {CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG}
FINAL, RESERVED, OPCODE = 0x80, 0x70, 0x0F  # bits of the first byte
MASKED, LENGTH = 0x80, 0x7F  # bits of the second
MAX_FRAME_BYTES = 16_000  # 2,000 characters take 8,000 at most
MAX_CONTROL_BYTES = 125

# Close codes: RFC 6455 section 7.4.1, and IANA's registry for 1012.
NORMAL, PROTOCOL_ERROR, UNSUPPORTED, NOT_UTF8, POLICY, TOO_BIG, RESTARTING = 1000, 1002, 1003, 1007, 1008, 1009, 1012


class BadFrame(Exception):
    """What no browser sends; `code` is the close code that says why."""

    def __init__(self, code, reason):
        super().__init__(reason)
        self.code, self.reason = code, reason


def take(data, at):
    """The frame that begins at `data[at]`: (opcode, payload, where the next one begins); None while it is not whole.

    The payload of a TEXT frame is a str, of any other bytes. Raises BadFrame.
    """
    if len(data) < at + 2:
        return None
    first, second = data[at], data[at + 1]
    opcode, length, start = first & OPCODE, second & LENGTH, at + 2
    if first & RESERVED or opcode not in KNOWN or not second & MASKED:
        raise BadFrame(PROTOCOL_ERROR, "Not a frame of a browser.")
    if opcode >= CLOSE and (not first & FINAL or length > MAX_CONTROL_BYTES):
        raise BadFrame(PROTOCOL_ERROR, "Not a control frame.")
    if opcode == CONTINUATION or not first & FINAL:
        # Browsers do not fragment frames of this size, and the sum of fragments would have to be bounded too.
        raise BadFrame(UNSUPPORTED, "Fragments are not taken here.")
    if length > MAX_CONTROL_BYTES:
        start += 2 if length == 126 else 8
        if len(data) < start:
            return None
        length = int.from_bytes(data[at + 2 : start], "big")
        if length > MAX_FRAME_BYTES:
            raise BadFrame(TOO_BIG, "That is too long.")
    end = start + 4 + length
    if len(data) < end:
        return None
    payload = unmasked(data[start + 4 : end], data[start : start + 4])
    return opcode, as_text(payload) if opcode == TEXT else payload, end


def unmasked(payload, mask):
    """As one large number: byte by byte, 16 kB take Python 4 ms."""
    whole_mask = (mask * (len(payload) // 4 + 1))[: len(payload)]
    number = int.from_bytes(payload, "big") ^ int.from_bytes(whole_mask, "big")
    return number.to_bytes(len(payload), "big")


def as_text(payload):
    try:
        return payload.decode()
    except UnicodeDecodeError:
        raise BadFrame(NOT_UTF8, "Not UTF-8.") from None


def packed(payload, opcode=TEXT):
    """A frame for a browser: not masked, in one piece. `payload` is bytes, or a str."""
    if isinstance(payload, str):
        payload = payload.encode()
    length = len(payload)
    if length <= MAX_CONTROL_BYTES:
        size = bytes((length,))
    elif length < 1 << 16:
        size = b"\x7e" + length.to_bytes(2, "big")
    else:
        size = b"\x7f" + length.to_bytes(8, "big")
    return bytes((FINAL | opcode,)) + size + payload


def goodbye(code, reason):
    return packed(code.to_bytes(2, "big") + reason.encode(), CLOSE)
