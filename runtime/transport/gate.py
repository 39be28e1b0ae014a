"""Who gets as far as a connection: proper handshakes of visitors who may come in; everybody else is turned away before
a socket exists."""

import base64
import binascii
import re
from urllib.parse import parse_qs


class Gate:
    """WSGI in front of the application: lets a WebSocket handshake through only when it is proper, from an allowed
    origin and of a visitor who may come in; and puts `headers` on every response that has not its own.

    `refusal_of_visitor(environ)` gives None to let in, or (status, sentence) to refuse.
    """

    def __init__(self, app, path, origins, headers, refusal_of_visitor):
        self.closed = False
        self.app, self.path, self.origins, self.headers = app, path, origins, headers
        self.refusal_of_visitor = refusal_of_visitor

    def __call__(self, environ, start_response):
        def start(status, headers, exc_info=None):
            set_already = {name for name, _ in headers}
            more = [header for header in self.headers_for(environ) if header[0] not in set_already]
            return start_response(status, headers + more, exc_info)

        if refusal := self.refusal_of(environ):
            status, sentence = refusal
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
        secure = environ["wsgi.url_scheme"] == "https"
        return self.headers + ([("Strict-Transport-Security", "max-age=31536000")] if secure else [])

    def refusal_of(self, environ):
        """(status, sentence) for a request that is not let through, else None."""
        if self.closed:
            return "503 Service Unavailable", "The party is restarting. Please try again in a moment."
        if not environ["PATH_INFO"].startswith(self.path):
            return None
        own = f"{environ['wsgi.url_scheme']}://{environ.get('HTTP_HOST')}"
        if environ.get("HTTP_ORIGIN") not in (self.origins or [own]):
            return "403 Forbidden", "That origin may not connect."
        # Asked of whatever comes: a page that gets no connection is not told why, and asks with a plain request.
        if refusal := self.refusal_of_visitor(environ):
            return refusal
        return None if is_handshake(environ) else ("400 Bad Request", "Only WebSocket connections are taken here.")


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
