"""What Flask needs around the pages: the cookie, the form's token, headers, and what every template is given."""

import gzip
import hmac
import logging
import re
import secrets
import time
from functools import partial

import brotli
import orjson
from flask import Response, render_template, request, session
from flask.sessions import SecureCookieSessionInterface
from werkzeug.exceptions import HTTPException, InternalServerError, default_exceptions
from werkzeug.middleware.proxy_fix import ProxyFix

from party.model import Refused
from runtime import assets, records, settings, words

log = logging.getLogger("party.web")

TOKEN_BYTES = 18
STATUS_OF_CODE = {"bad_input": 400, "signed_out": 401, "not_found": 404, "slow_down": 429, "unavailable": 503}
MAX_FORM_BYTES = 16_000
PAUSE_AFTER_SECONDS = 0.005  # of work on a page or a file
TOO_OLD = "That form was too old. Please try again."
NOT_KEPT = "The party cannot keep anything just now. Please try again in a moment."
# Vue and the Socket.IO client, as the page's loader has to know them.
LIBRARIES = assets.for_page(use_cdn=settings.ASSETS == "cdn")
# What the page will need is asked for together with its style, not one after the other. Of the CDN nothing is: where it
# cannot be reached, Firefox would never run a module that was preloaded from there.
PRELOADED = [library["own"] for library in LIBRARIES if settings.ASSETS == "local"]
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'self'",
        # Vue compiles our templates with `new Function`: SECURITY.md says why that is no way in.
        "script-src 'self' 'unsafe-eval' " + " ".join(library["cdn"] for library in LIBRARIES if library["cdn"]),
        "img-src 'self' data:",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
HEADERS = [
    ("Content-Security-Policy", CONTENT_SECURITY_POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
]
# Of pages: the best first, and well enough without keeping anybody waiting. Browsers take `br` by https, and from this
# machine.
COMPRESSIONS = {"br": partial(brotli.compress, quality=5), "gzip": partial(gzip.compress, compresslevel=6)}


class SessionCookie(SecureCookieSessionInterface):
    """Flask's signed cookie, for https alone where the visitor came by https, and not for the blog beside us."""

    _serializer = None

    def get_signing_serializer(self, app):
        """The same one for all: Flask would make it anew twice for each request."""
        self._serializer = self._serializer or super().get_signing_serializer(app)
        return self._serializer

    def get_cookie_path(self, app):
        return request.script_root + "/"

    def get_cookie_secure(self, app):
        return request.is_secure


def set_up(app, sign_in_seconds, limits):
    """Give `app` its cookie, the page's files, and what its templates show; `limits` is what the page must know of
    ours, so that it offers nothing that would be refused."""
    app.config.update(
        SESSION_COOKIE_NAME="party",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        PERMANENT_SESSION_LIFETIME=sign_in_seconds,
        # Else the answer to a page's late request would put its old cookie back over another person's sign-in.
        SESSION_REFRESH_EACH_REQUEST=False,
        MAX_CONTENT_LENGTH=MAX_FORM_BYTES,
        TEMPLATES_AUTO_RELOAD=settings.DEV,
    )
    app.session_interface = SessionCookie()
    assets.serve(app)
    app.after_request(keep_out_of_search_engines)
    app.after_request(keep_pages_small_and_out_of_caches)
    app.add_url_rule("/privacy", view_func=privacy)
    app.add_url_rule("/offline", view_func=offline)
    app.add_url_rule("/robots.txt", view_func=robots)
    app.register_error_handler(Refused, refusal)
    app.register_error_handler(HTTPException, trouble)
    app.register_error_handler(Exception, our_mistake)
    app.context_processor(words.in_the_visitors_language)
    app.jinja_env.globals.update(
        static=assets.ADDRESS,
        version=assets.VERSION,
        release=settings.VERSION,
        icon=assets.ICON,
        icon_unseen=assets.ICON_UNSEEN,
        libraries=LIBRARIES,
        preloaded=PRELOADED,
        limits=limits,
        form_token=form_token,
    )


def believe_proxies(app):
    """Take a visitor's address, and ours, from as many proxies as stand in front."""
    if settings.PROXIES:
        trusted = dict.fromkeys(("x_for", "x_proto", "x_host", "x_port", "x_prefix"), settings.PROXIES)
        app.wsgi_app = ProxyFix(app.wsgi_app, **trusted)


def keep_out_of_search_engines(response):
    """What friends talk about is in none. The page's files say it only where no version stands in their address: a page
    takes thirty of the others, and says it itself. What is published says otherwise."""
    for name, value in assets.NOT_INDEXED.items():
        response.headers.setdefault(name, value)
    return response


def keep_pages_small_and_out_of_caches(response):
    """A page carries a name and a token: after signing out, the back button must not show it."""
    if response.mimetype == "text/html" and not response.direct_passthrough:  # as a file that is there for everybody
        response.cache_control.no_store = True
        response.vary.add("Accept-Encoding")
        if encoding := next((known for known in COMPRESSIONS if request.accept_encodings[known]), None):
            response.content_encoding = encoding
            response.set_data(COMPRESSIONS[encoding](response.get_data()))
    return response


def with_pauses(parts):
    """The same, with time for others in between: to write the page of a year takes a tenth of a second, a file of all
    that people said longer."""
    paused = time.monotonic()
    for part in parts:
        yield part
        if time.monotonic() >= paused + PAUSE_AFTER_SECONDS:
            time.sleep(0)
            paused = time.monotonic()


# --- Pages that are the same for everybody ----------------------------------------------------------------------------


def privacy():
    """What is kept of whom, where, for how long, and who sees it."""
    return render_template("privacy.html")


def offline():
    """What the page's service worker keeps, and shows without a network."""
    return render_template("offline.html")


def robots():
    """What friends talk about is for no search engine; what is published is."""
    found = ["Disallow: /published/preview/", "Disallow: /published/of/", "Allow: /published/"]
    found += ["Allow: /static/icons/share.png"]  # each page names that picture
    lines = ["User-agent: *", *(found if settings.PUBLISHES else []), "Disallow: /"]
    lines += [f"\nSitemap: {settings.published_at()}sitemap.xml"] if settings.PUBLISHES else []
    return Response("\n".join(lines) + "\n", mimetype="text/plain", headers={"Cache-Control": "no-cache"})


# --- In place of a page that cannot be had ----------------------------------------------------------------------------


def our_mistake(error):
    """What broke, in the records; its id there, and no more of it, for the visitor."""
    return trouble(InternalServerError(), records.mistake(log, f"{request.method} {request.endpoint} failed."))


def trouble(error, id=None, sentence=None):
    """What is so, in the party's looks for a person, and as a line of text for a program. The same for everybody."""
    response = error.get_response()
    if request.accept_mimetypes.best_match(["text/plain", "text/html"]) == "text/html":
        page = render_template("trouble.html", status=error.code, id=id)
        response.content_type = "text/html; charset=utf-8"
    else:
        page = " ".join(filter(None, [sentence or f"{error.code} {error.name}", id]))
        response.content_type = "text/plain; charset=utf-8"
    response.set_data(page)
    response.cache_control.no_store = True
    return response


def refusal(error):
    """What a rule refuses, or who reads a form: to a program its sentence."""
    ack = error.ack
    status = STATUS_OF_CODE.get(ack["code"], 409)
    response = trouble(default_exceptions[status](), ack.get("id"), ack["error"])
    if "retry_after" in ack:
        response.headers["Retry-After"] = ack["retry_after"]
    return response


# --- The token that a form must bring back: another site cannot read it -----------------------------------------------


def form_token():
    """The visitor's token, masked anew in each page.

    Pages are compressed and hold what others wrote, so the length of many such pages would tell a listener of a token
    that stays the same (the attack is known as BREACH).
    """
    token = bytes.fromhex(session.setdefault("form_token", secrets.token_hex(TOKEN_BYTES)))
    mask = secrets.token_bytes(TOKEN_BYTES)
    return (mask + masked(token, mask)).hex()


def is_our_form():
    """Whether this request brings the visitor's own token."""
    token = request.form.get("token", "")
    if not re.fullmatch(f"[0-9a-f]{{{4 * TOKEN_BYTES}}}", token):
        return False
    mask, hidden = bytes.fromhex(token)[:TOKEN_BYTES], bytes.fromhex(token)[TOKEN_BYTES:]
    return hmac.compare_digest(masked(hidden, mask).hex(), session.get("form_token", ""))


def ensure_our_form():
    """Refuse a form that brings no such token, as another site's does."""
    if not is_our_form():
        raise Refused("bad_input", TOO_OLD)


def object_in_form(name):
    """The object of JSON in this field of the form. Refuses anything else."""
    try:
        given = orjson.loads(request.form.get(name, ""))
    except ValueError:
        given = None
    if not isinstance(given, dict):
        raise Refused("bad_input", f"Please give one object as {name}.")
    return given


def masked(token, mask):
    return bytes(byte ^ other for byte, other in zip(token, mask, strict=True))
