"""The owner's page, /insights: what the services found out, for the first of the people alone.

Their reports stand finished in their stores and are only shown here: to compute one would keep everybody's messages
waiting. What the owner says, be it a goal or an answer, goes through the log like everything else.
"""

import csv
import io
import json
import logging
import sqlite3
import time
from datetime import UTC, datetime

from flask import Blueprint, Response, redirect, request, stream_template, url_for
from werkzeug.exceptions import NotFound

import users
from party import reading
from party.rules import Refused
from runtime import clock, records, settings, web
from runtime.journal import Unavailable
from services import follow

log = logging.getLogger("party.insights")

PERIODS = (3, 12, 52)  # weeks
ENOUGH = 10  # people, rooms or answers: of fewer the page says how many, and claims nothing
UNANSWERED, ANSWERED = 50, 20  # how many the inbox shows of each
STANDS_STILL_AFTER = 2 * 60 * 60 * 1_000  # a report is made anew each hour, also when nothing happens
PATIENCE_SECONDS, LOOK_EVERY_SECONDS = 2, 0.05  # until what the owner said has come through the log into its store
PAUSE_AFTER_SECONDS = 0.005  # of work on a page
NOT_KEPT = "The party cannot keep anything just now. Please try again in a moment."


def offer(app, visitor, submit):
    """Let `app` show the owner's page. `visitor()` is (name, id of the sign-in) of who asks, or None; `submit` puts a
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

    @pages.get("/insights/<name>.csv")
    def table(name):
        owner()
        if name not in TABLES:
            raise NotFound
        try:
            return as_file(name, weeks_in(request.args))
        except Refused as refusal:
            return page(PERIODS[0], refusal), 400

    @pages.post("/insights/<kind>")
    def say(kind):
        user, sign_in = owner()
        if kind not in SAYINGS:
            raise NotFound
        weeks, (read, page_has) = PERIODS[0], SAYINGS[kind]
        try:
            form = our_form()
            weeks, body = weeks_in(form), read(form)
            submit(kind, user, through=sign_in, **body)
        except Refused as refusal:
            return page(weeks, refusal, kind), 400
        except Unavailable as error:
            return page(weeks, Refused("unavailable", NOT_KEPT, id=records.not_kept(log, error)), kind), 503
        wait_until(lambda: page_has(weeks, body))
        return redirect(url_for("insights.show", weeks=weeks, _anchor=kind), 303)

    pages.add_app_template_filter(moment)
    app.register_blueprint(pages)


def our_form():
    """What was entered. Refuses what does not come from our page."""
    if not web.is_our_form():
        raise Refused("bad_input", "That form was too old. Please try again.")
    return request.form


def wait_until(is_so):
    """Until it is so, or PATIENCE_SECONDS are over. Others go on meanwhile: sleeping is cooperative."""
    over = time.monotonic() + PATIENCE_SECONDS
    while not is_so() and time.monotonic() < over:
        time.sleep(LOOK_EVERY_SECONDS)


def page(weeks, refusal=None, kind=None):
    """The page of so many weeks; with what was refused, and what was entered into the form of that `kind`."""
    report, sentiment = report_of(weeks), sentiment_report()
    parts = stream_template(
        "insights.html",
        weeks=weeks,
        periods=PERIODS,
        enough=ENOUGH,
        report=report,
        why_no_report=None if report else why_nothing("figures"),
        stands_still=report and report["at"] < clock.now() - STANDS_STILL_AFTER,
        sentiment=sentiment,
        why_no_sentiment=None if sentiment else why_nothing("feedback"),
        unanswered=unanswered(),
        answered=answered(),
        most_characters={"question": reading.MAX_QUESTION, "answer": reading.MAX_SAID},
        refusal=refusal and refusal.ack,
        entered={kind: request.form},
    )
    return "".join(with_pauses(parts))


def with_pauses(parts):
    """The same, with time for others in between: to write the page of a year takes a tenth of a second."""
    paused = time.monotonic()
    for part in parts:
        yield part
        if time.monotonic() >= paused + PAUSE_AFTER_SECONDS:
            time.sleep(0)
            paused = time.monotonic()


def why_nothing(service):
    """Why that service has nothing to show."""
    if settings.JOURNAL == "memory:":
        return "inMemory"
    return "notYet" if service in settings.SERVICES else "off"


def moment(milliseconds):
    """For templates: that time, UTC."""
    return datetime.fromtimestamp(milliseconds / 1_000, UTC)


# --- What stands in the stores ----------------------------------------------------------------------------------------


def rows(store, query, *values):
    """What a service's store has; nothing where there is none yet, or none that can be read."""
    try:
        with follow.reading(store) as database:
            return database.execute(query, values).fetchall() if database else []
    except sqlite3.Error as error:
        log.warning("What the service %s keeps cannot be read: %s.", store, error)
        return []


def report_of(weeks):
    """The figures' report, None where there is none yet."""
    found = rows("figures", "SELECT body FROM reports WHERE weeks = ?", weeks)
    return json.loads(found[0]["body"]) if found else None


def sentiment_report():
    """How people said it was, None where there is no report yet."""
    found = rows("feedback", "SELECT body FROM reports WHERE name = 'sentiment'")
    return json.loads(found[0]["body"]) if found else None


def unanswered():
    """What people said in words; who has waited longest comes first."""
    return rows("feedback", "SELECT * FROM feedback WHERE text > '' AND answer IS NULL ORDER BY at LIMIT ?", UNANSWERED)


def answered():
    """What has its answer, the latest first."""
    query = "SELECT * FROM feedback WHERE text > '' AND answer IS NOT NULL ORDER BY answered_at DESC LIMIT ?"
    return rows("feedback", query, ANSWERED)


# --- What the owner says ----------------------------------------------------------------------------------------------


def weeks_in(form):
    """Of which period the page tells. Refuses what is none."""
    weeks = form.get("weeks", str(PERIODS[0]))
    if weeks not in map(str, PERIODS):
        raise Refused("bad_input", "Please choose 3, 12 or 52 weeks.")
    return int(weeks)


def answer(form):
    """Refuses an answer to nothing."""
    body = reading.answer(form)
    if not rows("feedback", "SELECT 1 FROM feedback WHERE id = ?", body["to"]):
        raise Refused("not_found", "What you answer is not there any more.")
    return body | {"text": body["text"].replace("\r\n", "\n")}


def has_answer(_, body):
    return bool(rows("feedback", "SELECT 1 FROM feedback WHERE id = ? AND answer = ?", body["to"], body["text"]))


def has_goals(weeks, body):
    report = report_of(weeks)
    return report is not None and {"question": report["question"], **report["goals"]} == body


def has_spent(weeks, body):
    return any((cost["month"], cost["spent"]) == (body["month"], body["amount"]) for cost in part(weeks, "costs"))


# kind of command: (what reads its form, whether the page of so many weeks shows it already)
SAYINGS = {
    "goals": (reading.goals, has_goals),
    "spent": (reading.spent, has_spent),
    "answer": (answer, has_answer),
}

# --- The page's tables as files ---------------------------------------------------------------------------------------


def part(weeks, name, none=()):
    return (report_of(weeks) or {}).get(name, none)


def returns(weeks):
    shares = ("spoke", "returned", "spoke_again", "listened_again")
    return [{"what": what, "share": part(weeks, what, none=None)} for what in shares]


def cohorts(weeks):
    for cohort in part(weeks, "cohorts"):
        for later, came_back in enumerate(cohort["came_back"], start=1):
            yield cohort | {"weeks_later": later, "came_back": came_back}


def errors(weeks):
    if found := part(weeks, "errors", none=None):
        yield {"what": "unavailable", "times": (found["unavailable"] or {"count": 0})["count"]}
        yield from ({"what": what, "times": found[what]} for what in ("mistakes", "reconnections"))
        yield from ({"what": error["words"], "times": error["times"]} for error in found["script_errors"])


def share(name):
    """The columns of a share: how many of how many, and the ends of its interval, from 0 to 1."""
    return f"{name}_count {name}_of {name}_low {name}_high"


# name → (columns, what gives the rows for so many weeks)
TABLES = {
    "funnel": (f"step people guests {share('share')}", lambda weeks: part(weeks, "funnel")),
    "returns": (f"what {share('share')}", returns),
    "weeks": (
        f"first_day people rooms visits {share('spoke')} {share('returned')} {share('voices')} seconds"
        f" {share('bounce')} {share('activated')}",
        lambda weeks: part(weeks, "by_week"),
    ),
    "cohorts": (f"first_day people weeks_later {share('came_back')}", cohorts),
    "features": (f"kind times {share('people')}", lambda weeks: part(weeks, "features")),
    "sources": ("source opened came_in spoke", lambda weeks: part(weeks, "sources")),
    "costs": ("month spent new_people each", lambda weeks: part(weeks, "costs")),
    "speed": ("first_day visits paint live wait slowest took", lambda weeks: part(weeks, "speed")),
    "errors": ("what times", errors),
    "gaps": ("since until", lambda weeks: part(weeks, "gaps")),
    "sentiment": (
        f"first_day {share('yes')} {share('partly')} {share('no')}",
        lambda _: (sentiment_report() or {"weeks": ()})["weeks"],
    ),
    "feedback": (
        "id at about choice text name version error answer answered_at",
        lambda _: map(dict, rows("feedback", "SELECT * FROM feedback ORDER BY at")),
    ),
}


def as_file(name, weeks):
    """The table for a spreadsheet. Times are milliseconds UTC."""
    columns, rows_for = TABLES[name]
    text = io.StringIO()
    writer = csv.DictWriter(text, columns.split(), extrasaction="ignore")
    writer.writeheader()
    writer.writerows(map(flat, rows_for(weeks)))
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"', "Cache-Control": "no-store"}
    return Response(text.getvalue(), mimetype="text/csv", headers=headers)


def flat(row):
    """{column: cell}, with a column for each part of a share."""
    cells = {}
    for name, value in row.items():
        if isinstance(value, dict):
            cells |= {f"{name}_{part}": number for part, number in value.items()}
        else:
            cells[name] = harmless(value)
    return cells


def harmless(cell):
    """As no spreadsheet takes it for a formula: https://owasp.org/www-community/attacks/CSV_Injection."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) else cell
