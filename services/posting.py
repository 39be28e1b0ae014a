"""The one way in which services call an address that the owner named.

The address may be anybody's, and so may what it answers. So the name is looked up once, and the very address found is
called; what is not public is not called at all, unless the owner allowed that host and port by name; the whole call has
one deadline, which no peer stretches by trickling; and only so much is read. Redirects are given as they are, and no
proxy is taken from the environment.
"""

import concurrent.futures
import contextlib
import functools
import ipaddress
import re
import socket
import ssl
import string
import threading
import time
from collections.abc import Collection, Mapping
from typing import NamedTuple
from urllib.parse import quote, urlsplit

import h11

from runtime import settings

READ_AT_ONCE = 16_384  # bytes
GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")  # RFC 4291: whatever else IPv6 has is for something special
# What the standard library calls global in some of its versions, and IANA does not.
NOT_GLOBAL = [ipaddress.ip_network(one) for one in ("192.0.0.0/24", "192.88.99.0/24", "3fff::/20")]
WITH_IPV4_INSIDE = [ipaddress.ip_network(one) for one in ("::ffff:0:0/96", "64:ff9b::/96")]  # mapped; RFC 6052


class Unanswered(Exception):
    """There is no answer, or none is asked for. Says why in a sentence for the owner, without the address's path: that
    may be a secret."""


class Answer(NamedTuple):
    status: int
    body: bytes  # no more than was asked for, be it all or not


class Address(NamedTuple):
    is_secure: bool
    host: str  # as a name server knows it
    port: int
    target: str  # path and query
    is_allowed: bool  # by name: may be anywhere, and needs no https

    @property
    def name(self):
        return named(self.host, self.port)


def post(
    address: str, body: bytes, headers: Mapping[str, str], seconds: float, most: int, allowed: Collection[str] | None
) -> Answer:
    """What stands at `address` answers when it is given `body`, of which at most `most` bytes are read. All of it takes
    at most so many seconds. `allowed` are like `localhost:8080`; None allows whatever `address` names, which may be
    this machine. Raises Unanswered."""
    left = Deadline(seconds).left
    where = address_of(address, allowed)
    try:
        with connected(where, left) as connection:
            return asked(connection, where, body, headers, most, left)
    except TimeoutError:
        raise Unanswered(f"{where.name} did not answer within {seconds:g} seconds.") from None
    except ssl.SSLCertVerificationError as error:
        raise Unanswered(f"{where.name} does not prove who it is: {error.verify_message}") from None
    except h11.RemoteProtocolError:
        raise Unanswered(f"What {where.name} answered is not HTTP, or it broke off.") from None
    except OSError as error:
        raise Unanswered(f"{where.name} cannot be reached: {error.strerror or error}.") from None


class Deadline:
    def __init__(self, seconds):
        self._at = time.monotonic() + seconds

    def left(self):
        """Seconds. Raises TimeoutError where there are none."""
        if (seconds := self._at - time.monotonic()) <= 0:
            raise TimeoutError
        return seconds


# --- Where ------------------------------------------------------------------------------------------------------------


def address_of(text: str, allowed: Collection[str] | None) -> Address:
    """What `text` names. Raises Unanswered where nothing is to be called by it, whoever answers there."""
    try:
        parts = urlsplit(text)
        host = (parts.hostname or "").encode("idna").decode()
        port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    except ValueError:
        host = port = None
    if not host or not port or not re.fullmatch(r"[^\s\x00-\x20\x7f]+", text):
        raise Unanswered("That is no address like https://example.org/hook.") from None
    if parts.username is not None or parts.password is not None:
        raise Unanswered(f"{host} is named with a user or a password in front; leave that out.")
    target = quote((parts.path or "/") + (f"?{parts.query}" if parts.query else ""), safe=string.punctuation)
    is_allowed = allowed is None or named(host, port) in allowed
    where = Address(parts.scheme == "https", host, port, target, is_allowed)
    if not where.is_secure and not where.is_allowed:
        raise Unanswered(f"{where.name} is to be called without https, and is not allowed by name.")
    return where


def named(host, port):
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def is_public(ip: str) -> bool:
    """Whether this is somebody's out there: nothing of this machine, of its network, or for a special purpose."""
    address = ipaddress.ip_address(ip)
    if address.version == 6:
        if any(address in network for network in WITH_IPV4_INSIDE):
            return is_public(str(ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)))
        if address not in GLOBAL_UNICAST or address.sixtofour or address.teredo:
            return False
    is_special = address.is_multicast or address.is_reserved or any(address in network for network in NOT_GLOBAL)
    return address.is_global and not is_special


def resolved(where, left):
    """The addresses of that host, as `connect` takes them. Raises Unanswered where one of them is not to be called."""
    found = concurrent.futures.Future()

    def look():
        try:
            found.set_result(socket.getaddrinfo(where.host, where.port, type=socket.SOCK_STREAM))
        except Exception as error:
            found.set_exception(error)

    # The system's own way knows no deadline.
    threading.Thread(target=look, daemon=True).start()
    try:
        addresses = [(family, address) for family, _, _, _, address in found.result(left())]
    except socket.gaierror:
        raise Unanswered(f"No machine is known as {where.host}.") from None
    except UnicodeError:
        raise Unanswered(f"{where.host} is no name of a machine.") from None
    for _, (ip, *_) in addresses:
        if not where.is_allowed and not is_public(ip):
            raise Unanswered(f"{where.name} is at {ip}, which is not public, and is not allowed by name.")
    return addresses


# --- Calling ----------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def connected(where, left):
    """A connection to where that host is; with TLS, to who proves to be it."""
    with first_that_answers(resolved(where, left), left) as connection:
        if where.is_secure:
            connection.settimeout(left())
            connection = tls().wrap_socket(connection, server_hostname=where.host)
        with connection:
            yield connection


def first_that_answers(addresses, left):
    for waiting, (family, address) in zip(range(len(addresses), 0, -1), addresses, strict=True):
        connection = socket.socket(family, socket.SOCK_STREAM)
        try:
            connection.settimeout(left() / waiting)  # one that is silent leaves some to the others
            connection.connect(address)
            return connection
        except OSError as error:
            connection.close()
            last = error
    raise last


@functools.cache
def tls():
    return ssl.create_default_context()  # with the authorities that this machine trusts; SSL_CERT_FILE names others


def asked(connection, where, body, headers, most, left):
    http = h11.Connection(h11.CLIENT)
    default = 443 if where.is_secure else 80
    own = {
        "Host": where.name.removesuffix(f":{default}"),
        "User-Agent": f"discuss-party/{settings.VERSION}",
        "Accept-Encoding": "identity",  # what is packed could be larger than it looks
        "Content-Length": str(len(body)),
        "Connection": "close",
    }
    request = h11.Request(method="POST", target=where.target, headers=[*(own | dict(headers)).items()])
    send(connection, http.send(request) + http.send(h11.Data(body)) + http.send(h11.EndOfMessage()), left)
    status, read, size = None, [], 0
    while status is None or size < most:
        event = http.next_event()
        if event is h11.NEED_DATA:
            connection.settimeout(left())
            http.receive_data(connection.recv(READ_AT_ONCE))
        elif isinstance(event, h11.Response):
            status = event.status_code
        elif isinstance(event, h11.Data):
            read.append(bytes(event.data))
            size += len(event.data)
        elif isinstance(event, h11.EndOfMessage):
            break
    return Answer(status, b"".join(read)[:most])


def send(connection, data, left):
    """All of it. By itself, `sendall` would give each piece the whole time anew."""
    rest = memoryview(data)
    while rest:
        connection.settimeout(left())
        rest = rest[connection.send(rest) :]
