"""What a page measures and tells, and where a stranger came from: ordinary commands, in the log like everything else.

They change nothing in the party, and nobody in it hears of them. Who asks not to be measured, by Do Not Track or Global
Privacy Control, is not: what their browser sends all the same is not taken.
"""

import secrets

from flask import request, session

from party import reading
from party.model import Refused
from runtime import metrics, web
from runtime.clock import now
from runtime.pace import TokenBuckets

STRANGERS_A_SECOND, STRANGERS_AT_ONCE = 1, 60  # of all together: who opens the form again and again fills no log
REMEMBERED = 10_000  # browsers at most

strangers = TokenBuckets(STRANGERS_A_SECOND, STRANGERS_AT_ONCE)
seen = {}  # ids of the browsers that opened the form, the latest last


def offer(app, visitor, submit, keep_pace):
    """Let pages tell `app` what they measured. `keep_pace(user)` refuses who is too fast."""

    @app.post("/measured")
    def measured():
        """Take what a page of somebody signed in tells as it is hidden, or that a stranger's shows the form."""
        web.ensure_our_form()
        if asks_not_to_be_measured():
            return "", 204
        if "opened" in request.form:
            note_opened(submit)
        else:
            note_measures(visitor(), submit, keep_pace)
        return "", 204


def note_measures(who, submit, keep_pace):
    """Put into the log what the page of `who` measured."""
    if not who:
        raise Refused("signed_out", "You are signed out. Please sign in again.")
    user, sign_in = who
    keep_pace(user)
    took = metrics.took_lately()
    more = {"took": took} if took else {}
    submit("measured", user, through=sign_in, measures=reading.measures(web.object_in_form("measured")), **more)


def note_opened(submit):
    """Put into the log that a stranger's browser shows the form: once for each, as often as there is room for it."""
    id = session.get("visitor")
    if id is None or id in seen or strangers.take("all", now()):
        return
    submit("opened", visitor=id, source=session.get("source"))
    seen[id] = True  # only now: what could not be kept is taken when the form is opened again
    if len(seen) > REMEMBERED:
        del seen[next(iter(seen))]


# --- Where a stranger came from ---------------------------------------------------------------------------------------


def note_arrival():
    """Keep in the cookie, until they sign in, which browser this is and from where the link came that it followed."""
    if asks_not_to_be_measured():
        return
    session.setdefault("visitor", secrets.token_urlsafe(9))
    if reading.SOURCE.fullmatch(source := request.args.get("from", "")):
        session["source"] = source


def arrival():
    """What is known of that, for the command that signs them in."""
    if asks_not_to_be_measured():
        return {}
    return {name: session[name] for name in ("visitor", "source") if session.get(name)}


def note_leaving():
    """Who signs out is no stranger to the form that is shown then."""
    session["visitor"] = None


def asks_not_to_be_measured():
    return "1" in (request.headers.get("DNT"), request.headers.get("Sec-GPC"))
