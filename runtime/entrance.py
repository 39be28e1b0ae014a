"""The ways in: a name and its password, and out again; the token of a door.

Who the people are stands a floor above: it is handed in, as is all that the party alone can say.
"""

import base64
import hashlib
import hmac
import logging
import secrets

from flask import redirect, render_template, request, session

from party.reading import MAX_NAME
from party.rules import MINUTE
from runtime import measuring, records, settings, web
from runtime.clock import now
from runtime.journal import Unavailable
from runtime.pace import WrongTries

log = logging.getLogger("party")

WRONG_TRIES, WRONG_TRIES_WITHIN = 10, 3 * MINUTE
TOKEN_BYTES = 16  # of a door: nobody guesses 128 bits

wrong_tries = WrongTries(settings.JOURNAL, WRONG_TRIES, WRONG_TRIES_WITHIN)  # by address, and by name


def offer(app, people, visitor, log_sign_in, submit):
    """Let people sign in to `app` and out of it. `people` knows their names, numbers and passwords, `visitor()` is who
    asks, and `log_sign_in(mine)` enters what their cookie will say."""

    @app.get("/sign-in")
    def sign_in_page():
        if visitor():
            return redirect("./")
        measuring.note_arrival()
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
        wait = wrong_tries.wait(now(), address) if right else wrong_tries.note(now(), address, known_name)
        if wait:
            sentence = "That was wrong too often. Please wait a few minutes and try again."
            return sign_in_form(sentence, 429, {"Retry-After": str(wait)})
        if not right:
            return sign_in_form("That name and password do not go together.", 401)
        mine = {"user": name, "id": secrets.token_urlsafe(9), "since": now(), "number": number}
        log_sign_in(mine, **measuring.arrival())
        remember(mine)
        return redirect("./", 303)

    @app.post("/sign-out")
    def sign_out():
        """Sign out: this browser, all its tabs."""
        if not web.is_our_form():
            return sign_in_form(web.TOO_OLD, 400)
        if who := visitor():
            submit("sign_out", who[0], sign_in=who[1])
        session.clear()
        measuring.note_leaving()
        return redirect("sign-in", 303)

    @app.errorhandler(Unavailable)
    def sorry(error):
        """A page whose command could not be kept: signing in or out."""
        return sign_in_form(web.NOT_KEPT, 503, {"Retry-After": "5"}, records.not_kept(log, error))


def sign_in_form(error=None, status=200, headers=None, id=None):
    """The form, which works without JavaScript as well."""
    name = request.form.get("name", "")[:MAX_NAME]
    return render_template("sign_in.html", name=name, error=error, id=id), status, headers or {}


def remember(mine):
    """Let the cookie say this sign-in, and nothing of what it said before."""
    session.clear()
    session.permanent = True
    session["sign_in"] = mine


# --- The token of a door ----------------------------------------------------------------------------------------------


def token_of(secret, door_id):
    """The token in the link of the door that the command of this id opened. Whoever has the secret key derives it, so
    that it is kept nowhere: the log has its hash alone."""
    digest = hmac.digest(secret.encode(), f"door:{door_id}".encode(), "sha256")
    return base64.urlsafe_b64encode(digest[:TOKEN_BYTES]).rstrip(b"=").decode()


def hash_of(token):
    """What the log keeps of a door's token."""
    return hashlib.sha256(token.encode()).hexdigest()
