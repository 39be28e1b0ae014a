"""How services call an address of the owner's: what is not public is not called, and no peer holds them up."""

import ipaddress
import socket
import ssl
import subprocess
import threading
import time

import pytest
from servers import free_port

from services import posting
from services.posting import Answer, Unanswered, post

SOON = 0.3  # seconds that a call may take, where it is to end by that
LATE = 20  # seconds that none may take, however busy this machine
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
PUBLIC = "93.184.215.14"  # which nobody calls: `connect` would lead elsewhere


class Peer:
    """Listens on this machine. For each who calls it notes what it is sent, and does with the connection what the test
    says."""

    def __init__(self, host, does, context=None):
        self._does, self._context = does, context
        self._listening = socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
        self.port, self.asked, self.went_away = self._listening.getsockname()[1], [], threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        try:
            while True:
                connection, _ = self._listening.accept()
                threading.Thread(target=self._answer, args=(connection,), daemon=True).start()
        except OSError:  # closed
            pass

    def _answer(self, connection):
        try:
            if self._context:
                connection = self._context.wrap_socket(connection, server_side=True)
            with connection:
                self.asked.append(asked_in(connection))
                self._does(connection)
        except OSError:
            self.went_away.set()

    def close(self):
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()


def asked_in(connection):
    read = b""
    while b"\r\n\r\n" not in read or len(read.partition(b"\r\n\r\n")[2]) < length_in(read):
        if not (more := connection.recv(65_536)):
            raise OSError
        read += more
    return read


def length_in(read):
    return int(read.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])


def answers(data):
    return lambda connection: connection.sendall(data)


def trickles(begin, drop):
    """Sends `begin`, and then a little all the time, so that no single wait is long."""

    def does(connection):
        connection.sendall(begin)
        while True:
            connection.sendall(drop)
            time.sleep(SOON / 10)

    return does


def is_silent(connection):
    connection.recv(1)
    raise OSError  # they went away


@pytest.fixture
def peer():
    """`peer(does)`: somebody who listens here."""
    peers = []

    def peer(does=answers(ANSWER), host="127.0.0.1", context=None):  # noqa: B008
        peers.append(Peer(host, does, context))
        return peers[-1]

    yield peer
    for one in peers:
        one.close()


@pytest.fixture
def resolves(monkeypatch):
    """`resolves(first, …)`: what a name leads to, one look after the other."""
    real = socket.getaddrinfo

    def resolves(*looks):
        looks = iter(looks)
        monkeypatch.setattr(socket, "getaddrinfo", lambda host, *rest, **how: real(next(looks), *rest, **how))

    return resolves


def post_to(port, host="localhost", seconds=LATE, most=65_536, scheme="http", **more):
    more = {"allowed": (f"{host}:{port}",), "headers": {}} | more
    return post(f"{scheme}://{host}:{port}/hook?a=1", b"{}", seconds=seconds, most=most, **more)


def assert_unanswered(sentence, *given, **more):
    began = time.monotonic()
    with pytest.raises(Unanswered, match=sentence):
        post_to(*given, **more)
    assert time.monotonic() - began < LATE


# --- What is asked, and what comes back -------------------------------------------------------------------------------


def test_it_asks_as_it_is_told_and_gives_what_is_answered(peer):
    there = peer()
    assert post_to(there.port, headers={"webhook-id": "msg_1"}) == Answer(200, b"hi")
    head, _, body = there.asked[0].partition(b"\r\n\r\n")
    first, *headers = head.decode().split("\r\n")
    assert (first, body) == ("POST /hook?a=1 HTTP/1.1", b"{}")
    assert {f"Host: localhost:{there.port}", "webhook-id: msg_1", "Content-Length: 2"} <= set(headers)


def test_a_redirect_is_given_as_it_is_and_not_followed(peer):
    """Be it to this machine, or to where a cloud keeps its secrets."""
    inside = peer()
    there = peer(answers(f"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:{inside.port}/\r\n\r\n".encode()))
    assert post_to(there.port).status == 302
    assert inside.asked == []


def test_no_proxy_is_taken_from_the_environment(peer, monkeypatch):
    proxy, there = peer(), peer()
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
    assert post_to(there.port).status == 200
    assert proxy.asked == []


# --- Who does not answer ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "does",
    [
        pytest.param(is_silent, id="nothing at all"),
        pytest.param(trickles(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"), id="headers"),
        pytest.param(trickles(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), id="wait a little"),
        pytest.param(trickles(b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n", b"."), id="a body"),
        pytest.param(trickles(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n.\r\n"), id="pieces"),
    ],
)
def test_who_trickles_does_not_stretch_the_time(peer, does):
    there = peer(does)
    assert_unanswered("did not answer within 0.3 seconds", there.port, seconds=SOON)
    assert there.went_away.wait(LATE), "the connection is closed"


def test_who_does_not_even_take_the_connection_costs_no_more_than_the_time():
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, socket.create_connection(full.getsockname()):
        assert_unanswered("did not answer within", full.getsockname()[1], seconds=SOON, host="127.0.0.1")


def test_a_name_server_that_hangs_costs_no_more_than_the_time(monkeypatch):
    answered = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *given, **how: answered.wait(LATE))
    assert_unanswered("did not answer within", 8_080, seconds=SOON)
    answered.set()


def test_of_a_gigabyte_only_so_much_is_read(peer):
    def gigabyte(connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        for _ in range(1_000):
            connection.sendall(bytes(1_000_000))

    there = peer(gigabyte)
    assert post_to(there.port, most=100_000) == Answer(200, bytes(100_000))
    assert there.went_away.wait(LATE)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"220 mail.example ESMTP\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100_000,
    ],
)
def test_what_is_not_http_or_breaks_off_is_no_answer(peer, answer):
    assert_unanswered("is not HTTP, or it broke off|Connection reset", peer(answers(answer)).port)


def test_where_nobody_listens_a_sentence_says_so():
    assert_unanswered("cannot be reached: Connection refused", free_port())


def test_of_several_addresses_the_first_that_answers_is_taken(peer, monkeypatch):
    there = peer()
    found = [(socket.AF_INET, 0, 0, "", ("127.0.0.1", port)) for port in (1, there.port)]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *given, **how: found)
    assert post_to(there.port).status == 200


def test_an_address_that_is_silent_leaves_some_of_the_time_to_the_next(peer, monkeypatch):
    there = peer()
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, socket.create_connection(full.getsockname()):
        found = [(socket.AF_INET, 0, 0, "", ("127.0.0.1", port)) for port in (full.getsockname()[1], there.port)]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *given, **how: found)
        assert post_to(there.port, seconds=2).status == 200


# --- What is not called -----------------------------------------------------------------------------------------------

NOT_PUBLIC = [
    *("127.0.0.1", "127.1", "0x7f.1", "2130706433", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1"),
    *("169.254.169.254", "192.0.0.192", "192.0.2.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255"),
    *("::1", "::", "::ffff:127.0.0.1", "::ffff:a00:1", "::7f00:1", "64:ff9b::7f00:1", "64:ff9b:1::1", "2002:7f00:1::"),
    *("2001:0:1::1", "2001:db8::1", "3fff::1", "5f00::1", "100::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fec0::1"),
    "ff02::1",
]


@pytest.fixture
def is_called(monkeypatch):
    """The addresses that would be called; none is."""
    called = []

    def connect(self, address):
        called.append(address[0])
        raise OSError("in a test")

    monkeypatch.setattr(socket.socket, "connect", connect)
    return called


@pytest.mark.parametrize("ip", NOT_PUBLIC)
def test_what_is_not_public_is_not_called(is_called, ip):
    host = f"[{ip}]" if ":" in ip else ip
    assert_unanswered("which is not public", 443, host=host, scheme="https", allowed=())
    assert is_called == []
    assert_unanswered("in a test", 443, host=host, scheme="https")
    assert len(is_called) == 1, "where it is allowed by name"


@pytest.mark.parametrize("ip", [PUBLIC, "2606:2800:21f::1", f"::ffff:{PUBLIC}", "64:ff9b::5db8:d70e"])
def test_what_is_public_is_called(is_called, ip):
    host = f"[{ip}]" if ":" in ip else ip
    assert_unanswered("in a test", 443, host=host, scheme="https", allowed=())
    assert [ipaddress.ip_address(one) for one in is_called] == [ipaddress.ip_address(ip)]


def test_one_address_that_is_not_public_is_enough(is_called, monkeypatch):
    found = [(socket.AF_INET, 0, 0, "", (ip, 443)) for ip in (PUBLIC, "127.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *given, **how: found)
    assert_unanswered("is at 127.0.0.1, which is not public", 443, host="example.org", scheme="https", allowed=())
    assert is_called == []


def test_a_name_that_leads_elsewhere_at_the_second_look_is_called_where_the_first_led(is_called, resolves):
    resolves(PUBLIC, "127.0.0.1")
    assert_unanswered("in a test", 443, host="example.org", scheme="https", allowed=())
    assert is_called == [PUBLIC]


@pytest.mark.parametrize(
    "address, sentence",
    [
        ("http://example.org/", "without https, and is not allowed by name"),
        ("http://localhost:8081/", "without https, and is not allowed by name"),
        ("https://localhost:8081/", "is not public, and is not allowed by name"),
        ("https://asha:secret@example.org/", "with a user or a password"),
        ("https://@example.org/", "with a user or a password"),
        *((wrong, "no address like") for wrong in ("", "x", "ftp://x/", "https://", "https://x:99999/", "//x/")),
        *((wrong, "no address like") for wrong in ("https://x/a b", "https://x/\r\nA: b", f"https://{'a' * 70}.b/")),
    ],
)
def test_what_is_not_to_be_called_is_a_sentence(is_called, address, sentence):
    with pytest.raises(Unanswered, match=sentence):
        post(address, b"", {}, LATE, 100, ("localhost:8080",))
    assert is_called == []


# --- Who answers is who was meant -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """Of blog.example, by an authority that this machine does not know, unless it is told."""
    path = tmp_path_factory.mktemp("certificate") / "both.pem"
    subject = ["-subj", "/CN=blog.example", "-addext", "subjectAltName=DNS:blog.example"]
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject]
    subprocess.run([*make, "-keyout", path, "-out", f"{path}.crt"], check=True, capture_output=True)
    with open(path, "a") as file, open(f"{path}.crt") as made:
        file.write(made.read())
    return path


@pytest.fixture
def secure(peer, certificate, resolves, monkeypatch):
    """Somebody here who is called blog.example, and proves it: `secure(is_known)`, to us or not."""

    def secure(is_known=True, does=answers(ANSWER)):  # noqa: B008
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        there = peer(does, context=context)
        there.names = []
        context.sni_callback = lambda connection, name, context: there.names.append(name)
        trusting = ssl.create_default_context(cafile=certificate if is_known else None)
        monkeypatch.setattr(posting, "tls", lambda: trusting)
        resolves("127.0.0.1")
        return there

    return secure


@pytest.mark.server
def test_who_is_called_is_asked_for_by_the_name_and_not_by_the_address(secure):
    there = secure()
    assert post_to(there.port, host="blog.example", scheme="https") == Answer(200, b"hi")
    assert there.names == ["blog.example"]
    assert f"Host: blog.example:{there.port}\r\n".encode() in there.asked[0]


@pytest.mark.server
@pytest.mark.parametrize("is_known, host", [(True, "other.example"), (False, "blog.example")])
def test_a_certificate_for_another_name_or_by_nobody_known_is_no_proof(secure, is_known, host):
    there = secure(is_known)
    assert_unanswered(f"{host}:{there.port} does not prove who it is", there.port, host=host, scheme="https")
    assert there.asked == []


@pytest.mark.server
def test_behind_a_certificate_nobody_stretches_the_time_either(secure, peer, resolves):
    there = secure(does=trickles(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"))
    assert_unanswered("did not answer within", there.port, seconds=2 * SOON, host="blog.example", scheme="https")
    silent = peer(is_silent)
    resolves("127.0.0.1")
    assert_unanswered("did not answer within", silent.port, seconds=SOON, host="blog.example", scheme="https")
