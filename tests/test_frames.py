"""WebSocket frames: what a browser sends is taken as it was, and no bytes lead to anything but a frame or a no."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websocket import ABNF

from runtime.transport import frames

SENT = st.one_of(
    st.tuples(st.just(frames.TEXT), st.text(max_size=200)),
    st.tuples(st.just(frames.BINARY), st.binary(max_size=200)),
    st.tuples(st.just(frames.PING), st.binary(max_size=125)),
)


def from_a_browser(payload, opcode):
    """Masked by chance, by another's hand."""
    return ABNF.create_frame(payload, opcode).format()


@settings(deadline=None)
@given(st.lists(SENT, max_size=5))
def test_what_a_browser_sends_is_taken_frame_by_frame(sent):
    data, at, taken = b"".join(from_a_browser(payload, opcode) for opcode, payload in sent), 0, []
    while frame := frames.take(data, at):
        opcode, payload, at = frame
        taken.append((opcode, payload))
    assert (taken, at) == (sent, len(data))


@pytest.mark.parametrize("length", [0, 1, 125, 126, 127, 8_000, frames.MAX_FRAME_BYTES])
def test_a_frame_of_any_length_is_taken_when_it_is_whole_and_not_before(length):
    data = from_a_browser(payload := bytes(n % 251 for n in range(length)), frames.BINARY)
    assert [frames.take(data[:end], 0) for end in range(len(data))] == [None] * len(data)
    assert frames.take(data, 0) == (frames.BINARY, payload, len(data))


@given(st.binary(max_size=40))
def test_any_bytes_are_a_frame_or_the_beginning_of_one_or_refused(data):
    try:
        frame = frames.take(data, 0)
    except frames.BadFrame as refused:
        assert refused.code in (
            frames.PROTOCOL_ERROR, frames.UNSUPPORTED, frames.NOT_UTF8, frames.TOO_BIG
        )  # fmt: skip
    else:
        assert frame is None or frame[2] <= len(data)


@pytest.mark.parametrize("length", [0, 125, 126, 65_535, 65_536])
def test_what_is_sent_is_a_frame_of_another_hand_without_its_mask(length):
    theirs = ABNF.create_frame("x" * length, ABNF.OPCODE_TEXT)
    theirs.mask_value = 0
    assert frames.packed("x" * length) == theirs.format()
