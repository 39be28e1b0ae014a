"""Who gets as far as a connection: proper handshakes of visitors who may come in; everybody else is turned away before
a socket exists."""

import base64
import binascii
import logging
import re
from urllib.parse import parse_qs

from runtime import metrics, settings
from runtime.records import Sparingly

log = logging.getLogger("party.transport")

BELIEVED_OF_PROXIES = ("HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO", "HTTP_X_FORWARDED_HOST")
LONGEST_TOLD = 300  # characters of what a stranger sent: no origin is longer
# What a status of a refused handshake says.
REASONS = {"400": "malformed", "401": "signed_out", "403": "origin", "429": "too_many_tabs", "503": "restarting"}


class Gate:
    """WSGI in front of the application: lets a WebSocket handshake through only when it is proper, from an allowed
    origin and of a visitor who may come in; and puts `headers` on every response that has not its own.

    `refusal_of_visitor(environ)` gives None to let in, or (status, sentence) to refuse.
    """

    def __init__(self, app, path, origins, headers, refusal_of_visitor):
        self.closed = False
        self.app, self.path, self.origins, self.headers = app, path, origins, headers
        self.refusal_of_visitor = refusal_of_visitor
        self.refused_origins = Sparingly()
        self.may_tell_of_proxy = not settings.PROXIES
        for reason in REASONS.values():
            metrics.count("party_refused_handshakes", reason, more=0)

    def __call__(self, environ, start_response):
        def start(status, headers, exc_info=None):
            set_already = {name for name, _ in headers}
            more = [header for header in self.headers_for(environ) if header[0] not in set_already]
            return start_response(status, headers + more, exc_info)

        if self.may_tell_of_proxy and (forwarded := [name for name in BELIEVED_OF_PROXIES if name in environ]):
            self.may_tell_of_proxy = False
            tell_of_proxy(forwarded[0])
        if refusal := self.refusal_of(environ):
            status, sentence = refusal
            if environ["PATH_INFO"].startswith(self.path):
                metrics.count("party_refused_handshakes", REASONS[status[:3]])
            start(status, [("Content-Type", "text/plain; charset=utf-8")])
            return [sentence.encode()]
        if environ["PATH_INFO"].startswith(self.path):  # a handshake: nothing else gets here
            # Compression costs every connection 100 KiB, and each recipient's copy would be compressed anew.
            environ.pop("HTTP_SEC_WEBSOCKET_EXTENSIONS", None)
            if "werkzeug.socket" in environ:
                # With a timeout, simple-websocket sends the beginning of a long frame alone. Not later: its reader,
                # when it has begun, would take the change for the end.
                environ["werkzeug.socket"].settimeout(None)
        return self.app(environ, start)

    def headers_for(self, environ):
        # HSTS counts for a whole host: below a path that is the site's to decide, which stands there beside us.
        own_host = environ["wsgi.url_scheme"] == "https" and not environ.get("SCRIPT_NAME")
        return self.headers + ([("Strict-Transport-Security", "max-age=31536000")] if own_host else [])

    def refusal_of(self, environ):
        """(status, sentence) for a request that is not let through, else None."""
        if self.closed:
            return "503 Service Unavailable", "The party is restarting. Please try again in a moment."
        if not environ["PATH_INFO"].startswith(self.path):
            return None
        # Both are asked of whatever comes: a page that gets no connection is not told why, and asks in another way.
        sent = environ.get("HTTP_ORIGIN")
        expected = self.origins or own_origins(environ)
        if sent not in expected:
            if sent and self.refused_origins.may_tell(sent):
                tell_of_origin(sent, expected, environ)
            return "403 Forbidden", "That origin may not connect."
        if refusal := self.refusal_of_visitor(environ):
            return refusal
        return None if is_handshake(environ) else ("400 Bad Request", "Only WebSocket connections are taken here.")


def own_origins(environ):
    """The one that this was sent to; none where that is no address."""
    own = settings.origin(f"{environ['wsgi.url_scheme']}://{environ.get('HTTP_HOST')}")
    return [own] if own and len(own) <= LONGEST_TOLD else []


def tell_of_origin(sent, expected, environ):
    """Tell the owner what was refused, and what to set if it was a page of theirs."""
    scheme = environ.get("HTTP_X_FORWARDED_PROTO", environ["wsgi.url_scheme"])
    host = environ.get("HTTP_X_FORWARDED_HOST", environ.get("HTTP_HOST"))
    if len(sent) > LONGEST_TOLD or settings.origin(sent) != sent:  # no page that could be let in has this one
        advice = ""
    elif not settings.PROXIES and not settings.ORIGINS and sent == settings.origin(f"{scheme}://{host}"):
        advice = " If that is yours, a proxy of yours is in front: set PARTY_PROXIES=1."
    else:
        advice = f" If that is yours too, set PARTY_ORIGINS={','.join([*expected, sent])}."
    told = repr(sent[:LONGEST_TOLD])
    log.warning("A page from %s may not connect; expected is %s.%s", told, " or ".join(expected) or "another", advice)


def tell_of_proxy(name):
    log.warning(
        "Requests come with %s, which is not believed, since PARTY_PROXIES is 0. So everybody behind that proxy counts"
        " as one address, whose wrong passwords shut out all, and their cookies are not kept to https. If it is yours,"
        " set PARTY_PROXIES=1.",
        name.removeprefix("HTTP_").replace("_", "-").title(),
    )


def is_handshake(environ):
    """Whether this is a well-formed WebSocket handshake (RFC 6455 section 4.1) for a new Engine.IO 4 connection."""
    query = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    try:
        key = base64.b64decode(environ.get("HTTP_SEC_WEBSOCKET_KEY", ""), validate=True)
    except (binascii.Error, ValueError):
        return False
    return (
        environ["REQUEST_METHOD"] == "GET"
        and environ.get("HTTP_UPGRADE", "").lower() == "websocket"
        and "upgrade" in re.split(r"[\s,]+", environ.get("HTTP_CONNECTION", "").lower())
        and environ.get("HTTP_SEC_WEBSOCKET_VERSION") == "13"
        and len(key) == 16
        and (query.get("EIO"), query.get("transport")) == (["4"], ["websocket"])
        and not query.keys() & {"sid", "j"}
    )
