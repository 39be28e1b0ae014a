"""The owner's page, /insights: what the services found out, for the first of the people alone.

Their reports stand finished in their stores, and are only shown here: a computation would keep everybody's messages
waiting. What the owner says, be it a goal or an answer, goes through the log like everything else.
"""

import csv
import io
import json
import logging
import re
import sqlite3
import time
from datetime import UTC, datetime

from flask import Blueprint, Response, redirect, render_template, request, url_for
from werkzeug.exceptions import NotFound

import users
from party import reading
from party.rules import Refused
from runtime import records, settings, web
from runtime.journal import Unavailable
from services import follow

log = logging.getLogger("party.insights")

PERIODS = (3, 12, 52)  # weeks
MAX_QUESTION, MAX_ANSWER = 120, 1_000  # characters
ENOUGH = 10  # people, rooms or answers: of fewer the page says how many, and claims nothing
UNANSWERED, ANSWERED = 50, 20  # how many the inbox shows of each
STILL_AFTER = 2 * 60 * 60 * 1_000  # a report is made anew each hour, also when nothing happens
PATIENCE_SECONDS, LOOK_EVERY_SECONDS = 2, 0.05  # until what the owner said has come through the log into its store
NOT_KEPT = "The party cannot keep anything just now. Please try again in a moment."


def offer(app, visitor, submit):
    """Let `app` show the owner's page: `visitor()` is (name, id of the sign-in) of who asks, or None; `submit` puts a
    command into the log."""
    pages = Blueprint("insights", __name__)

    def owner():
        """Who asks, if that is the owner. For everybody else there is nothing here."""
        who = visitor()
        if not who or who[0] != users.owner():
            raise NotFound
        return who

    @pages.get("/insights")
    def show():
        owner()
        try:
            return page(weeks_in(request.args))
        except Refused as refusal:
            return page(PERIODS[0], refusal), 400

    @pages.get("/insights/<table>.csv")
    def table_as_file(table):
        owner()
        if table not in TABLES:
            raise NotFound
        try:
            return as_file(table, weeks_in(request.args))
        except Refused as refusal:
            return Response(refusal.ack["error"], 400, mimetype="text/plain")

    @pages.post("/insights/<any(goals, spent, answer):kind>")
    def say(kind):
        user, sign_in = owner()
        weeks, (read, is_shown) = PERIODS[0], SAYINGS[kind]
        try:
            if not web.is_our_form():
                raise Refused("bad_input", "That form was too old. Please try again.")
            weeks, body = weeks_in(request.form), read(request.form)
            submit(kind, user, through=sign_in, **body)
        except Refused as refusal:
            return page(weeks, refusal, kind), 400
        except Unavailable as error:
            return page(weeks, Refused("unavailable", NOT_KEPT, id=records.not_kept(log, error)), kind), 503
        wait_until(lambda: is_shown(weeks, body))
        return redirect(url_for("insights.show", weeks=weeks, _anchor=kind), 303)

    pages.add_app_template_filter(moment)
    app.register_blueprint(pages)


def page(weeks, refusal=None, kind=None):
    """The page for so many weeks; with what was refused, and what was entered into the form of that `kind`."""
    report, sentiment = report_of(weeks), sentiment_of()
    return render_template(
        "insights.html",
        weeks=weeks,
        periods=PERIODS,
        enough=ENOUGH,
        limits_of_forms={"question": MAX_QUESTION, "answer": MAX_ANSWER},
        report=report,
        why_no_report=None if report else why_nothing("figures"),
        is_still=report and report["at"] < time.time() * 1_000 - STILL_AFTER,
        sentiment=sentiment,
        why_no_sentiment=None if sentiment else why_nothing("feedback"),
        unanswered=unanswered(),
        answered=answered(),
        refusal=refusal and refusal.ack,
        entered={kind: request.form},
    )


def wait_until(is_so):
    """Let others go on meanwhile: sleeping is cooperative. Goes on after PATIENCE_SECONDS, too."""
    patience = time.monotonic() + PATIENCE_SECONDS
    while not is_so() and time.monotonic() < patience:
        time.sleep(LOOK_EVERY_SECONDS)


def moment(milliseconds):
    """For templates: the time in UTC."""
    return datetime.fromtimestamp(milliseconds / 1_000, UTC)


# --- What stands in the stores ----------------------------------------------------------------------------------------


def rows(store, query, *values):
    """What a service's store has; nothing where there is no store yet, or one that is just being made."""
    with follow.reading(store) as database:
        try:
            return database.execute(query, values).fetchall() if database else []
        except sqlite3.OperationalError:
            return []


def report_of(weeks):
    """The figures' report, None where there is none yet."""
    found = rows("figures", "SELECT body FROM reports WHERE weeks = ?", weeks)
    return json.loads(found[0]["body"]) if found else None


def sentiment_of():
    """How people said it was, None where nothing is known yet."""
    found = rows("feedback", "SELECT body FROM reports WHERE name = 'sentiment'")
    return json.loads(found[0]["body"]) if found else None


def unanswered():
    """What people said in words, who has waited longest first."""
    return rows("feedback", "SELECT * FROM feedback WHERE text > '' AND answer IS NULL ORDER BY at LIMIT ?", UNANSWERED)


def answered():
    """What has its answer, the newest first."""
    query = "SELECT * FROM feedback WHERE text > '' AND answer IS NOT NULL ORDER BY answered_at DESC LIMIT ?"
    return rows("feedback", query, ANSWERED)


def why_nothing(service):
    """Why that service has nothing to show."""
    if settings.JOURNAL == "memory:":
        return "inMemory"
    return "notYet" if service in settings.SERVICES else "off"


# --- What the owner says: read, and whether the page would show it ----------------------------------------------------


def weeks_in(form):
    weeks = form.get("weeks", str(PERIODS[0]))
    if weeks not in map(str, PERIODS):
        raise Refused("bad_input", "Please choose 3, 12 or 52 weeks.")
    return int(weeks)


def goals_in(form):
    question = reading.one_line(reading.text_under(form, "question", MAX_QUESTION))
    return {"question": question} | {name: percent_under(form, name) for name in ("spoke", "returned", "voices")}


def percent_under(form, name):
    if not re.fullmatch(r"[1-9][0-9]?|100", value := form.get(name, "")):
        raise Refused("bad_input", "A goal is a whole number from 1 to 100.")
    return int(value)


def spent_in(form):
    month, amount = form.get("month", ""), form.get("amount", "").strip()
    if not re.fullmatch(r"20[0-9]{2}-(0[1-9]|1[0-2])", month):
        raise Refused("bad_input", "Please give the month as year and month, like 2026-11.")
    if not re.fullmatch(r"[0-9]{1,9}([.,][0-9]{1,2})?", amount):
        raise Refused("bad_input", "Please give what was spent as a number like 12.50, without a currency.")
    return {"month": month, "amount": float(amount.replace(",", "."))}


def answer_in(form):
    to = reading.text_under(form, "to", reading.MAX_ID)
    if not rows("feedback", "SELECT id FROM feedback WHERE id = ?", to):
        raise Refused("not_found", "What you answer is not there any more.")
    return {"to": to, "text": reading.text_under(form, "text", MAX_ANSWER).replace("\r\n", "\n")}


def goals_are_shown(weeks, body):
    report = report_of(weeks)
    return report is None or {"question": report["question"], **report["goals"]} == body


def spent_is_shown(weeks, body):
    report = report_of(weeks)
    entered = {"month": body["month"], "spent": body["amount"]}
    return report is None or any(entered.items() <= cost.items() for cost in report["costs"])


def answer_is_shown(_, body):
    return bool(rows("feedback", "SELECT id FROM feedback WHERE id = ? AND answer = ?", body["to"], body["text"]))


SAYINGS = {
    "goals": (goals_in, goals_are_shown),
    "spent": (spent_in, spent_is_shown),
    "answer": (answer_in, answer_is_shown),
}

# --- The page's tables as files ---------------------------------------------------------------------------------------


def rows_of(part):
    return lambda weeks: (report_of(weeks) or {}).get(part, [])


def returns(weeks):
    report = report_of(weeks) or {}
    return [{"what": what, "share": report.get(what)} for what in ("spoke", "returned", "spoke_again", "listened_again")]


def cohorts(weeks):
    for cohort in rows_of("cohorts")(weeks):
        for week, share in enumerate(cohort["came_back"], start=1):
            yield cohort | {"weeks_later": week, "came_back": share}


def errors(weeks):
    found = (report_of(weeks) or {}).get("errors")
    if not found:
        return []
    unavailable = {"what": "unavailable", "times": (found["unavailable"] or {"count": 0})["count"]}
    counted = [{"what": what, "times": found[what]} for what in ("mistakes", "reconnections")]
    return [unavailable, *counted, *({"what": error["words"], "times": error["times"]} for error in found["script_errors"])]


def sentiment(_):
    return (sentiment_of() or {}).get("weeks", [])


def feedback(_):
    return map(dict, rows("feedback", "SELECT * FROM feedback ORDER BY at"))


def share(name):
    """The columns of a share; `low` and `high` are the ends of its interval, from 0 to 1."""
    return [f"{name}_{part}" for part in ("count", "of", "low", "high")]


# name → (columns, what gives the rows for so many weeks)
TABLES = {
    "funnel": (["step", "people", "guests", *share("share")], rows_of("funnel")),
    "returns": (["what", *share("share")], returns),
    "weeks": (
        ["first_day", "people", "rooms", "visits", *share("spoke"), *share("returned"), *share("voices"), "seconds"]
        + [*share("bounce"), *share("activated")],
        rows_of("by_week"),
    ),
    "cohorts": (["first_day", "people", "weeks_later", *share("came_back")], cohorts),
    "features": (["kind", "times", *share("people")], rows_of("features")),
    "sources": (["source", "opened", "came_in", "spoke"], rows_of("sources")),
    "costs": (["month", "spent", "new_people", "each"], rows_of("costs")),
    "speed": (["first_day", "visits", "paint", "live", "wait", "slowest", "took"], rows_of("speed")),
    "errors": (["what", "times"], errors),
    "gaps": (["since", "until"], rows_of("gaps")),
    "sentiment": (["first_day", *share("yes")], sentiment),
    "feedback": (
        ["id", "at", "about", "choice", "text", "name", "version", "error", "answer", "answered_at"],
        feedback,
    ),
}


def as_file(name, weeks):
    """The table for a spreadsheet."""
    columns, rows_for = TABLES[name]
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, extrasaction="ignore")
    writer.writeheader()
    writer.writerows(map(flat, rows_for(weeks)))
    response = Response(text.getvalue(), mimetype="text/csv")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    response.cache_control.no_store = True
    return response


def flat(row):
    """{column: cell}; what a share says has a column each."""
    cells = {}
    for name, value in row.items():
        inside = {f"{name}_{part}": number for part, number in value.items()} if isinstance(value, dict) else {name: value}
        cells |= inside
    return {name: harmless(cell) for name, cell in cells.items()}


def harmless(cell):
    """As no spreadsheet takes it for a formula: https://owasp.org/www-community/attacks/CSV_Injection."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) else cell
