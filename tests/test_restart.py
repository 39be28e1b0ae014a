"""A restart on purpose, seen from the tabs."""

import json
import signal

import pytest
from person import assert_ok
from servers import Server, running_redis


@pytest.mark.server
def test_what_runs_is_answered_before_the_goodbye():
    with running_redis() as redis:
        server = Server(PARTY_JOURNAL=redis.address)
        try:
            asha, bilal = server.person("asha"), server.person("bilal")
            room = asha.host()
            redis.freeze()
            message = {"room": room, "text": "In the middle", "key": "k"}
            asha.line.send("4277" + json.dumps(["message", message]))
            bilal.ask("no such event")  # once this is answered, the server has asha's command too
            server.process.send_signal(signal.SIGTERM)
            bilal.line.wait_until(lambda: bilal.line.closed == 1012, "who waits for nothing hears the goodbye at once")
            assert asha.line.closed is None
            redis.thaw()
            asha.line.wait_until(lambda: asha.line.closed == 1012, "the goodbye comes in the end")
            acks = [json.loads(frame[4:])[0] for frame in asha.line.frames if frame.startswith("4377")]
            assert_ok(acks[0])
        finally:
            status, said = server.stop()
        assert (status, said) == (0, "")
