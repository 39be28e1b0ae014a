"""The ways in: a name and its password, and out again; for guests, the link of a room.

Who the people are stands a floor above: it is handed in, as is all that the party alone can say.
"""

import base64
import functools
import hashlib
import hmac
import ipaddress
import logging
import math
import re
import secrets
from functools import wraps

from flask import redirect, render_template, request, session

from party import reading
from party.model import GUEST, MINUTE, Refused, is_guest
from runtime import measuring, names, records, settings, web, words
from runtime.clock import now
from runtime.journal import Unavailable
from runtime.pace import TriesInMemory, WrongTries

log = logging.getLogger("party")

WRONG_TRIES, WRONG_TRIES_WITHIN = 10, 3 * MINUTE
ENTRIES, ENTRIES_WITHIN = 10, MINUTE  # of guests from one address: in a household a few share it
WITH_PORT = re.compile(r"^\[(.*)\](?::\d+)?$|^([\d.]+):\d+$")  # as some proxies write it, another for each connection
NETWORK = 64  # bits of an IPv6 address: what stands behind them is one household's to change
TOKEN_BYTES = 16  # of a door: nobody guesses 128 bits
GUEST_BYTES = 9  # of an id: no two are the same

entries = TriesInMemory(ENTRIES, ENTRIES_WITHIN)  # by address: of guests, nowhere else is one kept


@functools.cache
def wrong_tries():
    """By address, and by name. Made when they are needed: that the log's address is one was looked at by then."""
    return WrongTries(settings.JOURNAL, WRONG_TRIES, WRONG_TRIES_WITHIN)


def offer(app, people, visitor, log_sign_in, submit, look_in, friends_in):
    """Let people sign in to `app` and out of it, and guests come in. `people` knows their names, numbers and passwords,
    `visitor()` is who asks, `log_sign_in(mine)` enters what their cookie will say, `look_in(room, hash)` is what
    somebody sees who has the link of that hash, and `friends_in(room)` are the names there that no guest may have."""

    @app.get("/sign-in")
    def sign_in_page():
        """The form; for who has the link of a room, that is made of it in the page."""
        if (who := visitor()) and not is_guest(who[0]):
            return redirect("./")
        measuring.note_arrival()
        if was_guest() and not who:
            return sign_in_form("You are no guest there any more. With the link of a room you can come in again.")
        return sign_in_form()

    @app.post("/sign-in")
    def sign_in():
        """Sign in with a name and its password."""
        if not web.is_our_form():
            return sign_in_form(web.TOO_OLD, 400)
        name = people.name_of(request.form.get("name", ""))
        number = people.number_of(name)
        address, known_name = ("address", request.remote_addr), ("name", None if number is None else name)
        right = people.is_password(app.secret_key, name, number, request.form.get("password", ""))
        # Too many wrong tries of others do not lock a name out: the right password still opens it.
        wait = wrong_tries().wait(now(), address) if right else wrong_tries().note(now(), address, known_name)
        if wait:
            sentence = "That was wrong too often. Please wait a few minutes and try again."
            return sign_in_form(sentence, 429, {"Retry-After": str(wait)})
        if not right:
            return sign_in_form("That name and password do not go together.", 401)
        mine = {"user": name, "id": secrets.token_urlsafe(9), "since": now(), "number": number}
        log_sign_in(mine, **measuring.arrival())
        remember(mine)
        return redirect("./", 303)

    @app.post("/entrance")
    @answers_with_an_object
    def entrance():
        """What stands behind a link."""
        return look_in(*link())

    @app.post("/guest")
    @answers_with_an_object
    def guest():
        """Come in by a link: whoever is known here already as who they are, anybody else as a new guest. A browser that
        did not hear the answer, and asks again with the same form, is known by that."""
        room, hash = link()
        who = visitor()
        if who and not (is_guest(who[0]) and session["sign_in"]["room"] != room):
            return {"room": room, "user": who[0]}
        look_in(room, hash)  # who has no link learns nothing of names
        unnamed = request.form.get("unnamed") == "yes"
        name, skeletons = (None, []) if unnamed else names.guest_name(request.form)
        keep_entries_few()
        if not (people.skeletons() | names.skeletons_of_all(friends_in(room))).isdisjoint(skeletons):
            raise Refused("conflict", "Somebody here has that name already. Please take another.")
        coming_in = {"room": room, "hash": hash, "sign_in": secrets.token_urlsafe(9), "since": now()}
        coming_in |= {"name": name, "skeletons": skeletons} | measuring.arrival()
        try:
            user = GUEST + derived(app.secret_key, f"guest:{session['form_token']} {room} {hash}", GUEST_BYTES)
            holds = submit("guest_in", user, **coming_in)
        except Refused as refusal:
            if refusal.ack["code"] != "signed_out":
                raise
            user = GUEST + secrets.token_urlsafe(GUEST_BYTES)  # that one was shown out: they are somebody else
            holds = submit("guest_in", user, **coming_in)
        if who:  # of another room, whose cookie goes: nobody can be that guest again
            end_sign_in()
        remember({"user": user, "id": holds["sign_in"], "since": holds["since"], "number": None, "room": room})
        return {"room": room, "user": user}

    def end_sign_in():
        """That of the cookie; a guest's names the room that is told of it."""
        mine = session["sign_in"]
        room = {"room": mine["room"]} if is_guest(mine["user"]) else {}
        submit("sign_out", mine["user"], sign_in=mine["id"], **room)

    @app.post("/sign-out")
    def sign_out():
        """Sign out: this browser, all its tabs."""
        if not web.is_our_form():
            return sign_in_form(web.TOO_OLD, 400)
        if visitor():
            end_sign_in()
        session.clear()
        measuring.note_leaving()
        return redirect("sign-in", 303)

    @app.errorhandler(Unavailable)
    def sorry(error):
        """A page whose command could not be kept: signing in or out."""
        return sign_in_form(web.NOT_KEPT, 503, {"Retry-After": "5"}, records.not_kept(log, error))


def sign_in_form(error=None, status=200, headers=None, id=None):
    """The form, which works without JavaScript as well."""
    name = request.form.get("name", "")[: reading.MAX_NAME]
    shown = render_template("sign_in.html", name=name, error=error, id=id, longest_name=names.MAX_NAME)
    return shown, status, headers or {}


def remember(mine):
    """Let the cookie say this sign-in, and nothing of what it said before."""
    session.clear()
    session.permanent = True
    session["sign_in"] = mine


# --- Guests -----------------------------------------------------------------------------------------------------------


def was_guest():
    """Whether the cookie is a guest's."""
    return is_guest(session.get("sign_in", {}).get("user"))


def answers_with_an_object(page):
    """Make it answer to our own pages as an event is acknowledged, with sentences in the visitor's language."""

    @wraps(page)
    def answering():
        try:
            web.ensure_our_form()
            return {"ok": True, **page()}
        except Refused as refusal:
            ack = refusal.ack
        except Unavailable as error:
            ack = Refused("unavailable", web.NOT_KEPT, id=records.not_kept(log, error)).ack
        headers = {"Retry-After": str(ack["retry_after"])} if "retry_after" in ack else {}
        return ack | {"error": words.refusal(ack)}, web.STATUS_OF_CODE.get(ack["code"], 409), headers

    return answering


def link():
    """(id of the room, hash of the token) of the link in the form. Where there are no doors it is that of none."""
    token = request.form.get("door", "")
    return reading.room(request.form), hash_of(token) if settings.DOORS else ""


def keep_entries_few():
    """Refuse an address from which too many have come in lately."""
    wait = entries.ask(now(), [household(request.remote_addr)], notes=True)
    if wait > 0:
        sentence = "Too many are coming in from where you are. Please wait a minute."
        raise Refused("slow_down", sentence, retry_after=math.ceil(wait / 1000))


def household(address):
    """What an address counts as: of IPv6 the network, since each of a household's machines has as many as it likes."""
    address = WITH_PORT.sub(r"\1\2", address or "")
    try:
        given = ipaddress.ip_address(address)
    except ValueError:  # of a proxy that was told to be believed, and says none
        return address
    given = getattr(given, "ipv4_mapped", None) or given
    return str(given if given.version == 4 else ipaddress.ip_network((given, NETWORK), strict=False))


# --- The token of a door ----------------------------------------------------------------------------------------------


def token_of(secret, door_id):
    """The token in the link of the door that the command of this id opened. Whoever has the secret key derives it, so
    that it is kept nowhere: the log has its hash alone."""
    return derived(secret, f"door:{door_id}", TOKEN_BYTES)


def derived(secret, what, size):
    """The same for the same, wherever the secret key is; nobody else can tell one from the other."""
    digest = hmac.digest(secret.encode(), what.encode(), "sha256")
    return base64.urlsafe_b64encode(digest[:size]).rstrip(b"=").decode()


def token_behind(secret, door):
    """The token in the link of this door; None while it is closed, or where another secret key made it."""
    token = door.id and token_of(secret, door.id)
    return token if token and hash_of(token) == door.hash else None


def hash_of(token):
    """What the log keeps of a door's token."""
    return hashlib.sha256(token.encode()).hexdigest()
