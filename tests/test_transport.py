"""The wire: who gets in, what malformed input leads to, and how it all ends. On real servers, over raw sockets."""

import contextlib
import json
import os
import re
import resource
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import pytest
from person import Person, SocketLine, assert_ok, assert_refused, form_token
from servers import ROOT, Server, running_server

from runtime import transport
from runtime.transport.packets import Json

pytestmark = pytest.mark.server

PATIENCE = 5  # seconds for what is promised to be quick
TEXT, BINARY, CLOSE, PING = 1, 2, 8, 9  # opcodes of WebSocket frames
HANDSHAKE = "/socket.io/?EIO=4&transport=websocket"
NO_GOODBYE = 1006


def frame(payload, opcode=TEXT, final=True, masked=True, length=None):
    """A WebSocket frame, masked with zeros, that announces `length` bytes and brings `payload`."""
    payload = payload.encode() if isinstance(payload, str) else payload
    length = len(payload) if length is None else length
    if length < 126:
        size = bytes([masked << 7 | length])
    elif length < 65_536:
        size = struct.pack("!BH", masked << 7 | 126, length)
    else:
        size = struct.pack("!BQ", masked << 7 | 127, length)
    return bytes([final << 7 | opcode]) + size + (bytes(4) if masked else b"") + payload


def event(name, *payload, id=""):
    return frame(f"42{id}" + json.dumps([name, *payload], ensure_ascii=False))


class Wire:
    """A raw connection to a server; it remembers what comes and when it ends."""

    def __init__(self, server, reads=True):
        self.socket = socket.socket()
        self.socket.settimeout(PATIENCE)
        if not reads:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        self.socket.connect(("127.0.0.1", server.port))
        self.origin = server.address.rstrip("/")
        self.began = time.monotonic()
        self.came = bytearray()
        self.took = None  # seconds until it ended
        self._reader = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def request(self, method="GET", path="/", **headers):
        """Sends a request without a body; gives its status, headers and body."""
        named = {"Host": self.origin.removeprefix("http://")} | headers
        lines = [f"{name.replace('_', '-')}: {value}" for name, value in named.items() if value is not None]
        self.send("\r\n".join([f"{method} {path} HTTP/1.1", *lines, "", ""]).encode())
        return self.answer(has_body=method != "HEAD")

    def answer(self, has_body=True):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            byte = self.socket.recv(1)
            if not byte:
                raise ConnectionError(f"ended before it answered: {head}")
            head += byte
        first, *lines = head.decode().strip().split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        body = b""
        while has_body and len(body) < int(headers.get("content-length", 0)):
            body += self.socket.recv(65_536)
        return int(first.split()[1]), headers, body.decode()

    def shake_hands(self, cookies, path=HANDSHAKE, method="GET", **headers):
        """Asks for a WebSocket like a browser, but for `headers`; None leaves one out."""
        usual = {
            "Connection": "keep-alive, Upgrade",
            "Upgrade": "websocket",
            "Origin": self.origin,
            "Sec_WebSocket_Version": "13",
            "Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZQ==",
            "Cookie": cookies,
        }
        return self.request(method, path, **usual | headers)

    def watch_until_the_end(self):
        """From now on reads in the background."""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        return self

    def _read(self):
        self.socket.settimeout(60)
        try:
            while data := self.socket.recv(65_536):
                self.came += data
        except OSError:
            pass
        self.took = time.monotonic() - self.began

    def ends_within(self, seconds):
        self.watch_until_the_end()
        self._reader.join(seconds)
        return self.took is not None

    def frames(self):
        """The frames that came until the connection ended: (opcode, payload)."""
        if not self._reader:
            self.watch_until_the_end()
        self._reader.join(PATIENCE)
        assert self.took is not None, f"should have ended by now; came: {self.came[-200:]}"
        return list(parsed(self.came))

    def close_code(self):
        """The code that the server closed the WebSocket with."""
        goodbyes = [payload for opcode, payload in self.frames() if opcode == CLOSE]
        return int.from_bytes(goodbyes[0][:2], "big") if goodbyes and goodbyes[0] else NO_GOODBYE


def parsed(data):
    at = 0
    while len(data) >= at + 2:
        opcode, length, start = data[at] & 15, data[at + 1], at + 2
        if length == 126:
            length, start = struct.unpack_from("!H", data, start)[0], start + 2
        elif length == 127:
            length, start = struct.unpack_from("!Q", data, start)[0], start + 8
        at = start + length
        yield opcode, bytes(data[start:at])


def wire_of(server, cookies, *data, reads=True):
    """A raw WebSocket of somebody signed in, who has sent `data`."""
    wire = Wire(server, reads)
    status, _, body = wire.shake_hands(cookies)
    assert status == 101, body
    wire.send(b"".join(data))
    return wire


def is_served(server):
    with Wire(server) as wire:
        return wire.request(path="/sign-in")[0] == 200


def memory_of(server):
    """Bytes."""
    with open(f"/proc/{server.process.pid}/status") as status:
        return int(re.search(r"VmRSS:\s+(\d+) kB", status.read())[1]) * 1024


def descriptors_of(server):
    return len(os.listdir(f"/proc/{server.process.pid}/fd"))


def wait_until(fulfilled, promise, seconds=PATIENCE):
    deadline = time.monotonic() + seconds
    while not fulfilled():
        assert time.monotonic() < deadline, f"did not come true in {seconds} s: {promise}"
        time.sleep(0.02)


@pytest.fixture
def start():
    """Starts a server that the test itself will end; none outlives it."""
    servers = []

    def start(**settings):
        servers.append(Server(**settings))
        return servers[-1]

    yield start
    for server in servers:
        server.process.kill()
        server.process.wait()


@pytest.fixture(scope="module")
def asha_cookies(eventlet_server):
    return eventlet_server.cookies_of("asha")


# --- What takes its time: begun first, looked at last -----------------------------------------------------------------


class Slow:
    """Connections that somebody has to lose patience with, and one that nobody may."""

    def __init__(self, server):
        cookies = server.cookies_of("asha")
        self.server = server
        self.honest = server.person("bilal")
        self.honest_came = time.monotonic()
        self.frozen = wire_of(server, cookies, frame("40")).watch_until_the_end()
        self.unfinished = {
            "no 40": wire_of(server, cookies),
            "no 40, but pings": wire_of(server, cookies, frame(b"", PING), frame("3")),
            "an attachment missing": wire_of(server, cookies, frame("40"), frame('451-["message",{}]')),
            "one of two attachments missing": wire_of(
                server, cookies, frame("40"), frame('452-["message",{}]'), frame(b"tea", BINARY)
            ),
        }
        self.half_sent = [Wire(server) for _ in range(60)]
        for wire in self.half_sent:
            wire.send(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-")
        self.trickling = [Wire(server), Wire(server)]
        self.trickling[0].send(b"GET /?")
        self.trickling[1].send(b"POST /sign-in HTTP/1.1\r\nContent-Length: 999\r\n\r\n")
        threading.Thread(target=self.trickle, daemon=True).start()
        for wire in (*self.unfinished.values(), *self.half_sent, *self.trickling):
            wire.watch_until_the_end()

    def trickle(self):
        """One more byte each half second, until they are given up."""
        with contextlib.suppress(OSError):
            while not all(wire.took for wire in self.trickling):
                for wire in self.trickling:
                    if not wire.took:
                        wire.send(b"x")
                time.sleep(0.5)


@pytest.fixture(scope="module", autouse=True)
def slow():
    with running_server() as server:
        yield Slow(server)


def test_half_sent_requests_keep_nobody_from_being_served(slow):
    assert is_served(slow.server)
    assert all(wire.took is None for wire in slow.half_sent), "they must still be there"


# --- Starting ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["eventlet", "threading"])
def test_two_servers_never_share_a_port(server, mode):
    env = {**os.environ, "PARTY_ASYNC_MODE": mode, "HOST": "127.0.0.1", "PORT": str(server.port)}
    second = subprocess.run([sys.executable, "app.py"], cwd=ROOT, env=env, capture_output=True, text=True, timeout=20)
    assert second.returncode != 0
    assert re.search(rf"^HOST 127.0.0.1, PORT {server.port}: .*in use.*\.$", second.stderr, re.MULTILINE)
    assert "Traceback" not in second.stderr
    assert second.stdout == ""


def test_a_server_opens_as_many_descriptors_as_the_system_lets_it():
    few, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(256, most), most))
    try:
        with running_server() as server:
            assert resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE) == (most, most)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (few, most))


def test_a_server_without_a_descriptor_left_serves_on_once_there_is_one():
    with running_server() as server:
        cookies = [server.cookies_of(name) for name in ("asha", "bilal", "chen")]
        resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (44, 44))
        crowd = []
        with contextlib.suppress(OSError):
            while descriptors_of(server) < 44:  # lines, which are not given up for others
                crowd.append(wire_of(server, cookies[len(crowd) % 3], frame("40")))
        stranger = Wire(server)
        stranger.send(b"GET /sign-in HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert not stranger.ends_within(0.5)
        for wire in crowd:
            wire.socket.close()
        wait_until(lambda: b"200 OK" in stranger.came, "it is answered by and by")
        assert is_served(server)


def test_half_sent_requests_go_first_where_descriptors_run_short_and_lines_stay():
    with running_server(PARTY_EXTRAS="5") as server:
        friend = server.person("asha")
        resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (100, 100))
        crowd = []
        for n in range(300):
            crowd.append(Wire(server))
            crowd[-1].send(b"GET / HTTP/1.1\r\nX-")
            if n % 100 == 99:
                assert is_served(server)
                assert_ok(server.person(f"extra{n // 100 + 1}").ask("host", {"topic": "Tea"}))
        assert descriptors_of(server) <= 100
        assert_ok(friend.ask("host", {"topic": "Still here"}))
        for wire in crowd:
            wire.socket.close()


# --- Handshakes -------------------------------------------------------------------------------------------------------


def test_an_honest_handshake_is_taken(server, asha_cookies):
    with Wire(server) as wire:
        status, headers, _ = wire.shake_hands(asha_cookies)
        assert status == 101
        assert headers["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="  # as in RFC 6455, section 1.3


@pytest.mark.parametrize(
    "cookies", [None, "party=", "party=nonsense", "party=eyJhIjoxfQ.aaaaaa.bbbbbbbbbbbbbbbbbbbbbbb"]
)
def test_who_is_not_signed_in_does_not_get_in(server, cookies):
    with Wire(server) as wire:
        assert wire.shake_hands(cookies)[0] == 401


@pytest.mark.parametrize(
    "origin",
    [None, "", "null", "https://evil.example", "http://127.0.0.1", "http://127.0.0.1:1", "https://127.0.0.1:{port}",
     "http://127.0.0.1:{port}/", "http://127.0.0.1:{port}.evil.example", "http://localhost:{port}"],
)  # fmt: skip
def test_another_origin_does_not_get_in(server, asha_cookies, origin):
    with Wire(server) as wire:
        origin = origin and origin.format(port=server.port)
        assert wire.shake_hands(asha_cookies, Origin=origin)[0] == 403


@pytest.mark.parametrize("cookies", [True, False], ids=["signed in", "a stranger"])
def test_a_plain_request_is_told_what_a_handshake_would_be(server, asha_cookies, cookies):
    """A browser tells its page nothing of a refused handshake: so the page asks."""
    statuses = {}
    for origin in (server.address.rstrip("/"), "https://evil.example", None):
        with Wire(server) as wire:
            cookie = asha_cookies if cookies else None
            statuses[origin] = wire.request("POST", "/socket.io/", Origin=origin, Cookie=cookie, Content_Length="0")[0]
    assert list(statuses.values()) == [400 if cookies else 401, 403, 403]


def test_PARTY_ORIGINS_replaces_the_servers_own_origin():  # noqa: N802
    with running_server(PARTY_ORIGINS="https://blog.example, http://127.0.0.1:9") as server:
        cookies = server.cookies_of("asha")
        statuses = {}
        for origin in ("https://blog.example", "http://127.0.0.1:9", "http://blog.example", server.address.rstrip("/")):
            with Wire(server) as wire:
                statuses[origin] = wire.shake_hands(cookies, Origin=origin)[0]
        assert list(statuses.values()) == [101, 101, 403, 403], statuses


@pytest.mark.parametrize(
    "wrong",
    [
        {"path": "/socket.io/?EIO=4&transport=polling"},
        {"path": "/socket.io/?EIO=4&transport=polling", "method": "POST"},
        {"path": "/socket.io/?EIO=4&transport=polling&j=0"},
        {"path": HANDSHAKE + "&j=0"},
        {"path": HANDSHAKE + "&sid=abc"},
        {"path": "/socket.io/?EIO=3&transport=websocket"},
        {"path": "/socket.io/?transport=websocket"},
        {"path": "/socket.io/?EIO=4"},
        {"path": "/socket.io/"},
        {"path": "/socket.io/socket.io.js"},
        {"path": "/%73ocket.io/"},
        {"path": "//socket.io/"},
        {"method": "POST"},
        {"method": "HEAD"},
        {"method": "OPTIONS"},
        {"Upgrade": None},
        {"Upgrade": "h2c"},
        {"Connection": None},
        {"Connection": "close"},
        {"Connection": "no-upgrade"},
        {"Sec_WebSocket_Key": None},
        {"Sec_WebSocket_Key": "garbled"},
        {"Sec_WebSocket_Key": "\u00e4\u00f6\u00fc"},
        {"Sec_WebSocket_Key": "dG9vIHNob3J0"},
        {"Sec_WebSocket_Version": "8"},
        {"Sec_WebSocket_Version": None},
        {"Sec_WebSocket_Version": None, "Sec_WebSocket_Key": None, "Sec_WebSocket_Key1": "4 @1  46546xW%0l 1 5"},
    ],
    ids=str,
)
def test_what_is_no_proper_websocket_handshake_is_a_bad_request(server, asha_cookies, wrong):
    with Wire(server) as wire:
        status, headers, body = wire.shake_hands(asha_cookies, **wrong)
        assert status == 400
        assert "Traceback" not in body
        assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "path", ["/", "/sign-in", "/static/nothing", "/nowhere", "/socket.io/", "/socket.io", HANDSHAKE]
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS", "PUT", "TRACE"])
def test_every_answer_has_the_security_headers(server, method, path):
    with Wire(server) as wire:
        _, headers, _ = wire.request(method, path)
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert "strict-transport-security" not in headers


def test_behind_tls_every_answer_says_so_too():
    with running_server(PARTY_PROXIES="1") as server, Wire(server) as wire:
        for path in ("/sign-in", "/nowhere", "/socket.io/"):
            _, headers, _ = wire.request(path=path, X_Forwarded_Proto="https")
            assert headers["strict-transport-security"] == "max-age=31536000"


def test_a_21st_tab_is_one_too_many(server):
    cookies = server.cookies_of("extra20")
    tabs = [SocketLine(server.address, cookies) for _ in range(20)]
    with Wire(server) as wire:
        assert wire.shake_hands(cookies)[0] == 429
        assert wire.shake_hands(cookies, method="POST", Upgrade=None)[0] == 429, "the page asks so"
    for tab in tabs:
        tab.hang_up()


def test_compression_is_not_accepted(server, asha_cookies):
    with Wire(server) as wire:
        offer = "permessage-deflate; client_max_window_bits"
        status, headers, _ = wire.shake_hands(asha_cookies, Sec_WebSocket_Extensions=offer)
        assert status == 101
        assert "sec-websocket-extensions" not in headers
    with wire_of(server, asha_cookies, b"\xc1\x80\0\0\0\0") as wire:  # a frame that says it is compressed
        assert wire.close_code() == 1002


@pytest.mark.parametrize(
    "body",
    [
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\nabc",
        b"Content-Length: 3\r\nContent-Length: 5\r\n\r\nabcde",
        b"Content-Length: +3\r\n\r\nabc",
        b"Content-Length: 1_0\r\n\r\nabcdefghij",
        b"Content-Length: -1\r\n\r\n",
        b"Content-Length: 100000\r\n\r\nabc",
    ],
)
def test_a_body_without_one_clear_length_is_refused_and_hides_no_request(server, body):
    with Wire(server) as wire:
        wire.send(b"POST /sign-in HTTP/1.1\r\nHost: 127.0.0.1\r\n" + body + b"GET /sign-in HTTP/1.1\r\n\r\n")
        wire.watch_until_the_end()
        wire.frames()
        assert b"400" in wire.came.split(b"\r\n")[0] and wire.came.count(b"HTTP/1") == 1


@pytest.mark.parametrize(
    "junk",
    [b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\r\n\r\n\r\n\r\n",
     b"GET /" + b"a" * 9_000 + b" HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nX: " + b"a" * 9_000 + b"\r\n\r\n",
     b"GET / HTTP/1.1\r\n" + b"X: a\r\n" * 1_000 + b"\r\n"],
    ids=["TLS", "HTTP/2", "empty", "long path", "long header", "many headers"],
)  # fmt: skip
def test_what_is_no_proper_http_is_refused(server, junk):
    with Wire(server) as wire:
        wire.send(junk)
        wire.watch_until_the_end()
        wire.frames()
        assert b"200 OK" not in wire.came and b"Traceback" not in wire.came


def test_a_crowd_of_strangers_leaves_the_memory_flat():
    with running_server() as server:

        def crowd(number):
            for n in range(number):
                with Wire(server) as wire:
                    assert wire.shake_hands(None, Origin=None if n % 2 else wire.origin)[0] in (401, 403)

        crowd(300)
        before, descriptors = memory_of(server), descriptors_of(server)
        crowd(2_000)
        assert memory_of(server) - before < 1_000_000
        wait_until(lambda: descriptors_of(server) <= descriptors, "their connections are gone")


# --- Malformed packets ------------------------------------------------------------------------------------------------

DEEP = "[" * (transport.MAX_FRAME_BYTES - 10)
MALFORMED = {
    "no packet": frame("x"),
    "a packet without anything": frame(""),
    "no message": frame("4"),
    "a message of no kind": frame("4x"),
    "a kind too high": frame("47"),
    "an upgrade": frame("5"),
    "a ping like an old client's": frame("2probe"),
    "base64": frame("bNDI="),
    "bad JSON": frame("42{bad json"),
    "an empty event": frame("42[]"),
    "an event that is an object": frame("42{}"),
    "an event without a name": frame("42[1]"),
    "an event without data": frame("42"),
    "an event named connect": frame('42["connect"]'),
    "an event named disconnect": frame('42["disconnect","transport close"]'),
    "an event named connect_error": frame('421["connect_error",{}]'),
    "an event named *": frame('421["*",{}]'),
    "another namespace": frame("40/other,"),
    "an event for another namespace": frame('42/other,["host",{}]'),
    "a connection error": frame("44"),
    "an acknowledgement": frame("431[]"),
    "an acknowledgement of nothing": frame("43[]"),
    "a binary acknowledgement": frame("46-[]"),
    "deep nesting": frame("42" + DEEP),
    "deep nesting as a message": frame("4" + DEEP),
    "deep nesting as an auth": frame("40" + DEEP),
    "a pile of attachments": frame('45999999999-["message"]'),
    "five attachments": frame('455-["message"]'),
    "an attachment that is not there": frame('451-["message",{"_placeholder":true,"num":9}]') + frame(b"a", BINARY),
    "a binary frame out of the blue": frame(b"42", BINARY),
    "an empty binary frame": frame(b"", BINARY),
    "an id too long": frame("42" + "1" * 120 + '["host",{}]'),
    "an id of other digits": frame('42\u00b2["host",{}]'),
    "a number too long": frame('421["watch",' + "1" * 5_000 + "]"),
    "a frame too long": frame(b"", length=transport.MAX_FRAME_BYTES + 1),
    "a frame far too long": frame(b"", length=2**63),
    "a fragment": frame("421[", final=False),
    "a last fragment of nothing": frame("x", opcode=0),
    "an unmasked frame": frame("3", masked=False),
    "an unknown opcode": frame("3", opcode=3),
    "an unknown control opcode": frame("3", opcode=11),
    "a fragmented ping": frame("", opcode=PING, final=False),
    "a long ping": frame("a" * 126, opcode=PING),
    "bad UTF-8": frame(b'421["message","\xff\xfe"]'),
    "a surrogate in UTF-8": frame(b'421["message","\xed\xa0\x80"]'),
    "a bad close code": frame(b"\0\0", opcode=CLOSE),
    "packets after a goodbye": frame("1") + (frame("40") + event("host", {}, id=1) + event("nonsense", id=2)) * 5,
    "a close without a code": frame(b"", opcode=CLOSE),
    "half a close code": frame(b"\x03", opcode=CLOSE),
}


@pytest.mark.parametrize("mode", ["eventlet", "threading"])
def test_a_malformed_packet_ends_the_connection(request, mode):
    server = request.getfixturevalue(f"{mode}_server")
    cookies = [server.cookies_of(f"extra{n}") for n in range(1, 9)]
    refused_elsewhere = {"a frame too long", "a frame far too long", "a fragment"} if mode == "threading" else set()
    for name in MALFORMED.keys() - refused_elsewhere:
        cookies.append(cookies.pop(0))  # a tab is let go with the next tick
        with wire_of(server, cookies[0], frame("40"), MALFORMED[name]) as wire:
            assert wire.ends_within(2), name
    assert is_served(server)


@pytest.mark.parametrize(
    "name", ["no packet", "no message", "deep nesting", "an event without a name", "a fragment", "another namespace"]
)
def test_a_malformed_packet_ends_also_a_connection_that_has_not_begun(server, asha_cookies, name):
    with wire_of(server, asha_cookies, MALFORMED[name]) as wire:
        assert wire.ends_within(2)


@pytest.mark.parametrize(
    ("name", "code"),
    [("a frame too long", 1009), ("a frame far too long", 1009), ("a fragment", transport.UNSUPPORTED),
     ("an unmasked frame", 1002), ("an unknown opcode", 1002), ("an acknowledgement", transport.POLICY)],
)  # fmt: skip
def test_the_close_code_says_why(server, asha_cookies, name, code):
    with wire_of(server, asha_cookies, frame("40"), MALFORMED[name]) as wire:
        assert wire.close_code() == code


@pytest.mark.parametrize("mode", ["eventlet", "threading"])
@pytest.mark.parametrize(
    ("first", "heard"),
    [(frame('40{"user":"bilal"}'), [b"0{", b"40", b"41"]), (event("host", {"topic": "Tea"}, id=1), [b"0{"])],
    ids=["a page that was made for somebody else", "an event before the 40"],
)
def test_a_connection_that_is_refused_ends_at_once(request, mode, first, heard):
    server = request.getfixturevalue(f"{mode}_server")
    with wire_of(server, server.cookies_of("extra4"), first) as wire:
        assert wire.ends_within(2)
        *packets, (opcode, goodbye) = parsed(wire.came)
        assert [payload[:2] for _, payload in packets] == heard, "and is told before"
        assert (opcode, int.from_bytes(goodbye[:2], "big")) == (CLOSE, transport.NORMAL)


def test_a_second_40_is_refused_and_the_person_stays_who_they_are(server, asha_cookies):
    with wire_of(server, asha_cookies, frame("40"), frame('40{"user":"bilal"}'), event("watch", {}, id=1)) as wire:
        wire.watch_until_the_end()
        wait_until(lambda: b"431[" in wire.came, "the line goes on")
        assert [payload[:2] for _, payload in parsed(wire.came)] == [b"0{", b"40", b"42", b"44", b"43"]


def test_malformed_packets_leave_nothing_behind(start):
    server = start(PARTY_EXTRAS="40")
    bystander = server.person("asha")
    cookies = [server.cookies_of(f"extra{n}") for n in range(1, 9)]

    def throw(number):
        for n in range(number):
            malformed = list(MALFORMED.values())[n % len(MALFORMED)]
            with wire_of(server, cookies[n % 8], *([frame("40")] if n % 3 else []), malformed):
                pass

    throw(200)
    before, descriptors = memory_of(server), descriptors_of(server)
    throw(2_000)
    assert_ok(bystander.ask("host", {"topic": "Tea"}))
    wait_until(lambda: descriptors_of(server) <= descriptors, "their connections are gone")
    assert memory_of(server) - before < 4_000_000
    assert server.stop() == (0, ""), "nothing of it is worth a line in the log"


def test_deep_nesting_is_refused_before_the_stack_is_full():
    """At its end even what Python tidies up along the way fails, and says so."""
    for deep in (DEEP, '["",' * 900, '[{"":' * 450, r'["\"[",' * 450):
        with pytest.raises(ValueError, match="nested too deep"):
            Json.loads(deep)
    brackets_in_words = ["message", {"text": '[{\\"' * 250, "key": "k"}]
    assert Json.loads(Json.dumps(brackets_in_words)) == brackets_in_words


def test_connections_that_break_off_leave_nothing_behind(server):
    cookies = [server.cookies_of(f"extra{n}") for n in range(1, 9)]
    before = descriptors_of(server)
    for n in range(100):
        wire = wire_of(server, cookies[n % 8], frame("40")) if n % 2 else Wire(server)
        if n % 4 < 2:
            wire.socket.shutdown(socket.SHUT_WR)
        else:  # reset
            wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        wire.socket.close()
    wait_until(lambda: descriptors_of(server) <= before, "their connections are gone")


# --- Events of the wrong form -----------------------------------------------------------------------------------------


def nested(depth):
    return {"topic": nested(depth - 1)} if depth else "Tea"


@pytest.mark.parametrize("name", ["host", "watch", "message", "approve"])
def test_a_wrong_payload_is_bad_input_and_changes_nothing(server, name):
    person = server.person("chen")
    before = len(person.heard("lobby"))
    for payload in ([], [None], [[]], [7], ["Tea"], [True], [{}], [{}, {}], [{"topic": "Tea"}, 1], [nested(100)],
                    [{"room": "x", "topic": 7, "text": [], "key": {}, "user": None}]):  # fmt: skip
        assert_refused(person.ask(name, *payload), "bad_input")
    for raw in ('{"topic":1e999}', '{"topic":"Tea","minutes":1e999}', '{"topic":"Tea","minutes":NaN}', "1e999",
                '{"topic":"\\ud800","text":"\\udfff","room":"\\ud800","key":"\\ud800"}'):  # fmt: skip
        person.line.send(f'427["{name}",{raw}]')
        person.line.wait_until(lambda: 7 in person.line._acks, f"{name} {raw} is acknowledged")
        assert_refused(person.line._acks.pop(7), "bad_input")
    assert len(person.heard("lobby")) == before
    person.line.hang_up()


@pytest.mark.parametrize("payload", ['{"_placeholder":true,"num":0}', '{"topic":{"_placeholder":true,"num":0}}'])
def test_bytes_are_bad_input(server, payload):
    person = server.person("chen")
    person.line.send(f'451-7["host",{payload}]')
    person.line.socket.send_binary(b"\xff\0tea")
    person.line.wait_until(lambda: 7 in person.line._acks, "bytes are acknowledged")
    assert_refused(person.line._acks.pop(7), "bad_input")
    assert_refused(person.ask("host", {"topic": ""}), "bad_input")  # the line goes on
    person.line.hang_up()


@pytest.mark.parametrize("name", ["hos", "Host", "", "__proto__", "\u2603", "lobby", "ping", "newListener"])
def test_an_unknown_event_is_bad_input(server, name):
    person = server.person("chen")
    for payload in ([], [{}], [1, 2, 3]):
        assert_refused(person.ask(name, *payload), "bad_input")
    person.line.hang_up()


@pytest.mark.parametrize("mode", ["eventlet", "threading"])
def test_events_sent_in_a_burst_are_answered_in_their_order(request, mode):
    server = request.getfixturevalue(f"{mode}_server")
    person = server.person("extra2")
    room = person.host("Order")
    person.line.frames.clear()
    person.line.socket.sock.sendall(
        b"".join(
            event("message", {"room": room, "text": f"{n}", "key": f"burst-{n}"}, id=1000 + n)
            if n % 2
            else event("nonsense" if n % 4 else "history", {"room": room, "before": 1}, id=1000 + n)
            for n in range(200)
        )
    )
    person.line.wait_until(lambda: 1199 in person.line._acks, "all are acknowledged")
    answered = [int(found[1]) for found in map(re.compile(r"43(1\d\d\d)\[").match, person.line.frames) if found]
    assert answered == list(range(1000, 1200))
    assert [message["text"] for message in person.heard("message")] == [str(n) for n in range(1, 200, 2)]
    person.close(room)
    person.line.hang_up()


@pytest.mark.parametrize("number", [1, 64, 65, 128, 200])
def test_after_a_burst_of_any_length_the_line_goes_on(server, number):
    """No more than 64 are taken before they are answered; then the next are."""
    wire = wire_of(server, server.cookies_of("extra3"), frame("40")).watch_until_the_end()
    wire.send(b"".join(event("nonsense", {}, id=n) for n in range(number)))
    wait_until(lambda: wire.came.count(b"bad_input") == number, "all are answered")
    wire.send(event("nonsense", {}, id=999))
    wait_until(lambda: b"43999[" in wire.came, "one more is answered")
    wire.socket.close()


@pytest.mark.parametrize("end", [frame(b"\x03\xe8", CLOSE), frame("1"), frame("x"), None], ids=str)
def test_what_was_sent_before_the_end_still_happens(server, end):
    """Somebody says a last thing and closes the page."""
    asha, cookies = server.person("asha"), server.cookies_of("asha")
    room = asha.host()
    message = event("message", {"room": room, "text": "Good night", "key": room}, id=1)
    with wire_of(server, cookies, frame("40") + message * 30 + (end or b"")):
        pass
    asha.hears("message")
    asha.close(room)
    asha.line.hang_up()


# --- Those who send or read too much or too little --------------------------------------------------------------------


@pytest.mark.alone
@pytest.mark.parametrize(
    "flood",
    [frame("3"), frame(b"", PING), event("nonsense", {}, id=1), b"GET /sign-in HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"],
    ids=["pongs", "pings", "events", "requests"],
)
def test_one_who_sends_without_a_pause_does_not_stop_everybody(server, asha_cookies, flood):
    wire = Wire(server) if flood.startswith(b"GET") else wire_of(server, asha_cookies, frame("40"))
    wire.watch_until_the_end()
    wire.send(flood * (100_000 // len(flood)))
    enough = time.monotonic() + 1

    def send():
        try:
            while time.monotonic() < enough:
                wire.send(flood * (100_000 // len(flood)))
        except OSError:
            pass  # it is cut where it does not read

    flooding = threading.Thread(target=send)
    flooding.start()
    longest = 0
    while time.monotonic() < enough:
        before = time.monotonic()
        assert is_served(server)
        longest = max(longest, time.monotonic() - before)
    assert longest < 0.3
    wire.socket.shutdown(socket.SHUT_RDWR)
    flooding.join()
    wire.socket.close()


def test_many_pages_at_once_do_not_stop_who_is_connected(eventlet_server, asha_cookies):
    """As when a link has just been posted. All has come when the server looks; pages and messages say when they were
    made."""
    server, asha = eventlet_server, eventlet_server.person("asha", asha_cookies)
    room = asha.host("A link was posted")
    wires = [Wire(server) for _ in range(40)]
    assert is_served(server), "it has taken them all"
    server.freeze()
    for wire in wires:
        wire.send(f"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {asha_cookies}\r\n\r\n".encode())
    asha.line.send("42999" + json.dumps(["message", {"room": room, "text": "Meanwhile", "key": "meanwhile"}]))
    server.thaw()
    at = asha.hears("message")["at"]
    pages = [int(re.search(r'id="lobby">{"now": (\d+)', wire.answer()[2])[1]) for wire in wires]
    assert sum(made < at for made in pages) < len(pages) / 2
    assert max(pages) > at, "they were still being made"
    asha.close(room)


def fill(person, room, number=200):
    """Fills the room with messages of the greatest length, so that whoever watches it has 1.6 MB to read."""
    for n in range(number):
        person.line.socket.sock.sendall(event("message", {"room": room, "text": "🙂" * 2_000, "key": f"smile-{n}"}))
    person.line.wait_until(lambda: messages_come(person) == number, "the room is full")


def messages_come(person):
    """How many `message` events have come; unlike `heard`, reads none of their megabytes."""
    return sum(frame.startswith('42["message"') for frame in person.line.frames)


def watcher_who_does_not_read(server, name, room):
    """Has asked for 4.8 MB, more than the system takes off the server's hands."""
    asks = [event("watch", {"room": room}, id=n) for n in range(3)]
    return wire_of(server, server.cookies_of(name), frame("40"), *asks, reads=False)


@pytest.mark.alone
def test_a_reader_that_does_not_read_is_cut_while_others_are_served(start):
    server = start(PARTY_ROOM_MESSAGES="100000")
    asha, bilal = server.person("asha"), server.person("bilal")
    room = asha.host()
    fill(asha, room)
    assert_ok(bilal.watch(room))
    idle = watcher_who_does_not_read(server, "chen", room)
    wait_until(lambda: asha.heard("room")[-1]["watching"] == 2, "both watch")
    before, number = memory_of(server), transport.MAX_QUEUED_PACKETS + 500
    for n in range(number):
        asha.line.socket.send(f"42{json.dumps(['message', {'room': room, 'text': 'Tea', 'key': f'tea-{n}'}])}")
    wait_until(lambda: len(bilal.heard("message")) >= number, "who reads hears everything", 10)
    assert [message["seq"] for message in bilal.heard("message")] == list(range(201, 201 + number))
    wait_until(lambda: asha.heard("room")[-1]["watching"] == 1, "the one who does not read is gone")
    assert memory_of(server) - before < 20_000_000
    assert len(idle.frames()) < 50, "it ended, and most of the messages never came"
    status, said = server.stop()
    assert (status, said.count("does not read")) == (0, 1), said


@pytest.mark.alone
def test_who_asks_for_much_and_reads_nothing_is_cut(start):
    server = start()
    asha = server.person("asha")
    room = asha.host()
    for n in range(1_000):
        message = {"room": room, "text": "x" * 2_000, "key": f"long-{n}"}
        asha.line.socket.send(f"42{json.dumps(['message', message])}")
    wait_until(lambda: messages_come(asha) == 1_000, "there is a feed of 2 MB", 10)
    before = memory_of(server)
    greedy = wire_of(server, server.cookies_of("chen"), frame("40"), reads=False)
    for n in range(60):
        with contextlib.suppress(OSError):
            greedy.send(event("watch", {"room": room, "after": 0}, id=n))
    asha.hears("room", lambda view: view["watching"] == 1)
    wait_until(lambda: asha.heard("room")[-1]["watching"] == 0, "they are gone")
    assert memory_of(server) - before < 40_000_000
    assert "does not read" in server.stop()[1]
    greedy.socket.close()


def test_the_largest_feed_is_taken_by_a_slow_reader():
    with running_server() as server:
        asha = server.person("asha")
        room = asha.host()
        fill(asha, room, number=1_000)  # 8 MB, more than may wait of several packets
        wire = wire_of(server, server.cookies_of("chen"), frame("40"), reads=False)
        wire.send(event("watch", {"room": room, "after": 0}, id=1))
        asha.hears("room", lambda view: view["watching"] == 1)
        wire.watch_until_the_end()
        wait_until(lambda: b'"seq":1000' in wire.came[-10_000:], "all of it has come", 10)
        assert asha.sees(room)["watching"] == 1
        wire.socket.close()


# --- Signing out ------------------------------------------------------------------------------------------------------


def sign_out(server, cookies):
    page = urlopen(Request(server.address, headers={"Cookie": cookies}))
    fresh = page.headers["Set-Cookie"].split(";")[0] if page.headers["Set-Cookie"] else cookies
    form = urlencode({"token": form_token(page.read().decode())}).encode()
    assert urlopen(Request(server.address + "sign-out", form, {"Cookie": fresh})).status == 200


@pytest.mark.alone
def test_signing_out_closes_every_tab_of_that_sign_in_and_no_other(slow):
    server = slow.server
    here, elsewhere = server.cookies_of("dana"), server.cookies_of("dana")
    tabs = [SocketLine(server.address, here) for _ in range(3)]
    other = Person("dana", SocketLine(server.address, elsewhere))
    not_begun = wire_of(server, here)
    sign_out(server, here)
    before = time.monotonic()
    for tab in tabs:
        tab.wait_until(lambda tab=tab: tab.closed, "the tab is closed")
    assert time.monotonic() - before < 1
    assert {tab.closed for tab in tabs} == {transport.POLICY}
    with Wire(server) as wire:
        assert wire.shake_hands(here)[0] == 401
    not_begun.send(frame("40") + event("host", {"topic": "Tea"}, id=1))
    not_begun.watch_until_the_end()
    wait_until(lambda: (1, b"41") in parsed(not_begun.came), "a 40 on an old transport is refused")
    assert b"lobby" not in not_begun.came and b"431" not in not_begun.came
    assert_ok(other.ask("host", {"topic": "Still here"}))
    other.line.hang_up()


def test_signing_out_closes_also_a_tab_that_does_not_read():
    with running_server() as server:
        asha, cookies = server.person("asha"), server.cookies_of("chen")
        room = asha.host()
        fill(asha, room)
        idle = wire_of(server, cookies, frame("40"), event("watch", {"room": room}, id=1), reads=False)
        wait_until(lambda: asha.heard("room")[-1]["watching"] == 1, "they watch")
        sign_out(server, cookies)
        wait_until(lambda: asha.heard("room")[-1]["watching"] == 0, "they are gone")
        idle.socket.close()


def test_who_disconnects_is_gone_and_cannot_connect_again_on_the_same_line(server, asha_cookies):
    wire = wire_of(server, asha_cookies, frame("40"), frame("41"), frame("40")).watch_until_the_end()
    wait_until(lambda: wire.took, "closed")
    assert wire.close_code() == transport.NORMAL
    assert wire.came.count(b"lobby") == 1


def test_handshakes_in_stock_pass_no_limit_of_tabs():
    with running_server() as server:
        cookies = server.cookies_of("asha")
        wires = [wire_of(server, cookies) for _ in range(30)]
        for wire in wires:
            wire.send(frame("40"))
            wire.watch_until_the_end()
        refused = lambda wire: any(payload.startswith(b"41") for _, payload in parsed(wire.came))  # noqa: E731
        wait_until(lambda: all(b"lobby" in wire.came or refused(wire) for wire in wires), "all are answered")
        assert sum(map(refused, wires)) == 10


@pytest.mark.alone
def test_an_answer_does_not_wait_for_the_message_before_it(server):
    """Two small packets in a row, and the network's own patience (Nagle's algorithm) costs 40 ms for each message."""
    asha = server.person("extra40")
    room, began = asha.host(), time.monotonic()
    for _ in range(50):
        asha.message(room)
    assert time.monotonic() - began < 1
    asha.close(room)


def test_what_comes_on_the_old_transport_after_signing_out_is_refused(server):
    cookies = server.cookies_of("extra31")
    wire = wire_of(server, cookies, frame("40")).watch_until_the_end()
    sign_out(server, cookies)
    try:
        for _ in range(50):
            wire.send(event("host", {"topic": "Tea"}, id=1) + frame("41") + frame("40"))
            time.sleep(0.02)
    except OSError:
        pass
    assert b'"ok":true' not in wire.came
    assert wire.came.count(b"lobby") == 1


# --- Ending -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["eventlet", "threading"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_server_that_is_told_to_end_says_goodbye_and_ends(start, mode, number):
    server = start(PARTY_ASYNC_MODE=mode)
    people = [server.person(name) for name in ("asha", "bilal", "chen")]
    before = time.monotonic()
    server.process.send_signal(number)
    for person in people:
        person.line.wait_until(lambda person=person: person.line.closed, "the tab is closed")
        assert person.line.closed == transport.RESTARTING
    while server.process.poll() is None:  # being told again changes nothing, to the interpreter's very end
        server.process.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.process.wait(timeout=0.001)
    assert server.stop() == (0, "")
    assert time.monotonic() - before < 5


@pytest.mark.alone
@pytest.mark.parametrize("mode", ["eventlet", "threading"])
def test_a_reader_that_does_not_read_delays_no_ending_and_nobody_gets_in_meanwhile(start, mode):
    server = start(PARTY_ASYNC_MODE=mode)
    asha = server.person("asha")
    cookies, room = server.cookies_of("bilal"), asha.host()
    fill(asha, room)
    idle = watcher_who_does_not_read(server, "chen", room)
    asha.hears("room", lambda view: view["watching"] == 1)
    before = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    asha.line.wait_until(lambda: asha.line.closed, "the others hear of it")
    assert asha.line.closed == transport.RESTARTING
    for path in ("/sign-in", HANDSHAKE):
        try:
            with Wire(server) as wire:
                assert wire.shake_hands(cookies, path)[0] == 503
        except OSError:
            assert mode == "threading" and server.process.wait(PATIENCE) == 0, "it may have ended already"
    assert server.process.wait(PATIENCE) == 0
    assert time.monotonic() - before < 5
    assert "Traceback" not in server.stop()[1]
    idle.socket.close()


def test_a_server_that_is_told_to_end_as_soon_as_it_listens_ends_well(start):
    for number in (signal.SIGTERM, signal.SIGINT):
        assert start().stop(number) == (0, "")


# --- What has taken its time ------------------------------------------------------------------------------------------


def test_an_unfinished_connection_is_closed_within_ten_seconds(slow):
    for what, wire in slow.unfinished.items():
        wait_until(lambda wire=wire: wire.took, f"closed: {what}", transport.PATIENCE_SECONDS + 3)
        assert wire.took < transport.PATIENCE_SECONDS + 2, what
        assert wire.close_code() == transport.POLICY, what


def test_a_half_sent_request_is_given_up_also_where_it_trickles(slow):
    for wire in (*slow.half_sent, *slow.trickling):
        wait_until(lambda wire=wire: wire.took, "given up", transport.REQUEST_SECONDS + 3)
        assert transport.REQUEST_SECONDS < wire.took < transport.REQUEST_SECONDS + 2


def test_a_quiet_honest_connection_stays(slow):
    quiet_for = transport.PING_SECONDS + transport.PING_TIMEOUT_SECONDS + 2  # longer than any wait of the server
    wait_until(lambda: time.monotonic() - slow.honest_came > quiet_for, "it was quiet for long", quiet_for)
    assert slow.honest.line.closed is None
    assert "2" in slow.honest.line.frames, "it must have been pinged"
    assert_ok(slow.honest.ask("host", {"topic": "Still here"}))


def test_a_frozen_client_is_gone_after_its_ping_and_twice_the_timeout(slow):
    longest = transport.PING_SECONDS + 2 * transport.PING_TIMEOUT_SECONDS
    wait_until(lambda: slow.frozen.took, "it is gone", longest + 1)
    assert transport.PING_SECONDS < slow.frozen.took < longest + 1
