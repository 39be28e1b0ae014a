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

from flask import Blueprint, Response, g, redirect, request, session, stream_template, url_for
from werkzeug.exceptions import NotFound

import users
from party import reading
from party.model import Refused
from runtime import clock, records, settings, web
from runtime.journal import Unavailable
from services import feedback, follow
from services.reckoning import ENOUGH, PERIODS, is_hopeless, verdict

log = logging.getLogger("party.insights")

UNANSWERED, ANSWERED = 50, 20  # how many the inbox shows of each
STANDS_STILL_AFTER = 2 * 60 * 60 * 1_000  # a report is made anew each hour, also when nothing happens
PATIENCE_SECONDS, LOOK_EVERY_SECONDS = 2, 0.05  # until what the owner said has come through the log into its store
NOT_KEPT = "The party cannot keep anything just now. Please try again in a moment."


def offer(app, visitor, submit):
    """Let `app` show the owner's page. `visitor()` is (name, id of the sign-in) of who asks, or None; `submit` puts a
    command into the log."""
    pages = Blueprint("insights", __name__)

    @pages.before_app_request
    def hide_from_others():
        """For everybody but the owner there is nothing here, by whatever method and at whatever address below."""
        if is_ours(request.path):
            g.owner = visitor()
            if not is_owner(g.owner):
                session.accessed = False  # or a header, `Vary: Cookie`, would set this 404 apart from others
                raise NotFound

    @pages.errorhandler(Refused)
    def say_no(refusal):
        return page(PERIODS[0], refusal), 400

    @pages.get("/insights")
    def show():
        return page(weeks_in(request.args))

    @pages.get("/insights/<name>.csv")
    def table(name):
        if name not in TABLES:
            raise NotFound
        return as_file(name, weeks_in(request.args))

    @pages.post("/insights/<kind>")
    def say(kind):
        if kind not in SAYINGS:
            raise NotFound
        weeks, (read, is_kept, place), (user, sign_in) = PERIODS[0], SAYINGS[kind], g.owner
        try:
            web.ensure_our_form()
            weeks, body = weeks_in(request.form), read(request.form)
            submit(kind, user, through=sign_in, **body)
        except Refused as refusal:
            return page(weeks, refusal, kind), 400
        except Unavailable as error:
            return page(weeks, Refused("unavailable", NOT_KEPT, id=records.not_kept(log, error)), kind), 503
        came = "kept" if wait_until(lambda: is_kept(body)) else "waits"
        return redirect(url_for("insights.show", weeks=weeks, **{came: kind}, _anchor=place), 303)

    for template_filter in (moment, is_few, has_few):
        pages.add_app_template_filter(template_filter)
    app.register_blueprint(pages)


def is_ours(path):
    """Whether that is the owner's page or below it. Slashes too many lead to it as well."""
    return path.strip("/").partition("/")[0] == "insights"


def is_owner(who):
    return who is not None and who[0] == users.owner()


def wait_until(is_so):
    """Whether it is so before PATIENCE_SECONDS are over. Others go on meanwhile: sleeping is cooperative."""
    over = time.monotonic() + PATIENCE_SECONDS
    while not (came_true := is_so()) and time.monotonic() < over:
        time.sleep(LOOK_EVERY_SECONDS)
    return came_true


def page(weeks, refusal=None, kind=None):
    """The page of so many weeks; with what was refused, and what was entered into the form of that `kind`."""
    report, sentiment = report_of(weeks), sentiment_report()
    parts = stream_template(
        "insights.html",
        weeks=weeks,
        periods=PERIODS,
        enough=ENOUGH,
        report=report,
        because=report and because(report),
        has_begun=report and has_begun(report),
        why_off={service: why_off(service) for service in ("figures", "feedback")},
        stands_still=report and report["at"] < clock.now() - STANDS_STILL_AFTER,
        sentiment=sentiment,
        taps=taps_in(sentiment or {"weeks": []}),
        unanswered=unanswered(),
        more_unanswered=max(0, how_many_unanswered() - UNANSWERED),
        answered=answered(),
        most_characters={"question": reading.MAX_QUESTION, "answer": reading.MAX_SAID},
        refusal=refusal and refusal.ack,
        entered={kind: request.form},
    )
    return "".join(web.with_pauses(parts))


def why_off(service):
    """Why that service does not run, None where it shall."""
    if settings.JOURNAL == "memory:":
        return "inMemory"
    return None if service in settings.SERVICES else "off"


# --- For templates ----------------------------------------------------------------------------------------------------


def moment(milliseconds):
    """That time, UTC."""
    return datetime.fromtimestamp(milliseconds / 1_000, UTC)


def is_few(share):
    """Whether that is of too few to claim anything."""
    return share is not None and share["of"] < ENOUGH


def has_few(shares):
    return any(map(is_few, shares))


def because(report):
    """The name of the sentence that says which figure decided; None where the figures say it themselves."""
    if report["verdict"] == "too_early":
        return "tooFew"
    if report["verdict"] != "no":
        return None
    if not report["others_in_last_week"]:
        return "nobodyLately"
    return "tooFewSpoke" if is_hopeless(report["spoke"], report["goals"]["spoke"]) else "tooFewReturned"


def has_begun(report):
    """Whether there is more to tell than that its owner was there."""
    return max((week["people"] for week in report["by_week"]), default=0) > 1


def taps_in(sentiment):
    """choice → how often it was tapped, in all of these weeks."""
    weeks = sentiment["weeks"]
    return {choice: sum(week[choice]["count"] for week in weeks if week.get(choice)) for choice in feedback.CHOICES}


# --- What stands in the stores ----------------------------------------------------------------------------------------


def each_row(store, query, *values):
    """What a service's store has, one after the other; nothing where there is none yet, or none that can be read."""
    try:
        with follow.reading(store) as database:
            if database:
                yield from database.execute(query, values)
    except sqlite3.Error as error:
        log.warning("What the service %s keeps cannot be read: %s.", store, error)


def rows(store, query, *values):
    return list(each_row(store, query, *values))


def report_of(weeks):
    """The figures' report, None where there is none yet; with what the owner has entered since it was made."""
    found = rows("figures", "SELECT body FROM reports WHERE weeks = ?", weeks)
    return up_to_date(json.loads(found[0]["body"]), owner_settings()) if found else None


def owner_settings():
    """What the owner set and entered last, by name. The figures keep it at once, and reckon with it when they can."""
    return {row["name"]: json.loads(row["body"]) for row in rows("figures", "SELECT name, body FROM settings")}


def up_to_date(report, settings_now):
    """The report with the owner's question, goals and costs as they are now. Nothing is claimed that is not reckoned
    yet: what a new person cost comes with the next report."""
    goals = {"question": report["question"], **report["goals"], **settings_now.get("goals", {})}
    question = goals.pop("question")
    if goals != report["goals"]:
        reached = verdict(report["spoke"], report["returned"], goals, report["others_in_last_week"])
        report |= {"goals": goals, "verdict": reached}
    costs = {cost["month"]: cost for cost in report["costs"]}
    for month, amount in spent_in(settings_now).items():
        if month not in costs or costs[month]["spent"] != amount:
            costs[month] = {"month": month, "spent": amount, "new_people": None, "each": None}
    return report | {"question": question, "costs": [costs[month] for month in sorted(costs)]}


def spent_in(settings_now):
    """month → what was spent then."""
    spent = {name: body for name, body in settings_now.items() if name.startswith("spent ")}
    return {name.removeprefix("spent "): body["amount"] for name, body in spent.items()}


def sentiment_report():
    """How people said it was, None where there is no report yet."""
    found = rows("feedback", "SELECT body FROM reports WHERE name = 'sentiment'")
    return json.loads(found[0]["body"]) if found else None


# Of who said something in words, or wants to be talked to: a tap alone asks for no answer.
FOR_INBOX = "FROM feedback WHERE (text > '' OR name IS NOT NULL) AND answer IS"


def unanswered():
    """Who has waited longest comes first."""
    return rows("feedback", f"SELECT * {FOR_INBOX} NULL ORDER BY at LIMIT ?", UNANSWERED)


def how_many_unanswered():
    return sum(row["count"] for row in each_row("feedback", f"SELECT count(*) AS count {FOR_INBOX} NULL"))


def answered():
    """What has its answer, the latest first."""
    return rows("feedback", f"SELECT * {FOR_INBOX} NOT NULL ORDER BY answered_at DESC LIMIT ?", ANSWERED)


# --- What the owner says ----------------------------------------------------------------------------------------------


def weeks_in(form):
    """Of which period the page tells. Refuses what is none."""
    weeks = form.get("weeks", str(PERIODS[0]))
    if weeks not in map(str, PERIODS):
        raise Refused("bad_input", "Please choose 3, 12 or 52 weeks.")
    return int(weeks)


def answer_in(form):
    """Refuses an answer to nothing."""
    body = reading.answer(form)
    if not rows("feedback", "SELECT 1 FROM feedback WHERE id = ?", body["to"]):
        raise Refused("not_found", "What you answer is not there any more.")
    return body | {"text": body["text"].replace("\r\n", "\n")}


def has_answer(body):
    return bool(rows("feedback", "SELECT 1 FROM feedback WHERE id = ? AND answer = ?", body["to"], body["text"]))


def has_goals(body):
    return owner_settings().get("goals") == body


def has_spent(body):
    return spent_in(owner_settings()).get(body["month"]) == body["amount"]


# kind of command: (what reads its form, whether it has come through the log into its store, where the page shows it)
SAYINGS = {
    "goals": (reading.goals, has_goals, "goals"),
    "spent": (reading.spent, has_spent, "spent"),
    "answer": (answer_in, has_answer, "inbox"),
}

# --- The page's tables as files ---------------------------------------------------------------------------------------


def part_of_report(weeks, name, none=()):
    return (report_of(weeks) or {}).get(name, none)


def part_of_sentiment(name, none=()):
    return (sentiment_report() or {}).get(name, none)


def rows_of_period(weeks):
    """What holds for all of it, in one row."""
    if report := report_of(weeks):
        yield report | {f"{name}_goal": goal for name, goal in report["goals"].items()}


def rows_of_returns(weeks):
    """Who came again, who did not, and how many did after longer."""
    if report := report_of(weeks):
        shares = {name: report[name] for name in ("spoke", "returned", "spoke_again", "listened_again")}
        shares |= {"lost": report["churn"]["lost"], "won_back": {"count": report["churn"]["won_back"]}}
        yield from ({"what": name, "share": share} for name, share in shares.items())


def rows_of_cohorts(weeks):
    for cohort in part_of_report(weeks, "cohorts"):
        for later, came_back in enumerate(cohort["came_back"], start=1):
            yield cohort | {"weeks_later": later, "came_back": came_back}


def rows_of_errors(weeks):
    """How often; of the answers that failed also of how many, with the interval. Of script errors those that were told
    in words stand behind all there were."""
    if found := part_of_report(weeks, "errors", none=None):
        unavailable = found["unavailable"] or {"count": 0}
        yield unavailable | {"what": "unavailable", "times": unavailable["count"]}
        yield from ({"what": what, "times": found[what]} for what in ("mistakes", "reconnections", "failed"))
        yield from ({"what": error["words"], "times": error["times"]} for error in found["script_errors"])


def rows_of_losing(_):
    """The question of Sean Ellis: who would be very disappointed, and from how many percent on that is good."""
    if found := sentiment_report():
        yield found | {"very": found["losing"]}


def rows_of_gaps(weeks):
    for service, gaps in (("figures", part_of_report(weeks, "gaps")), ("feedback", part_of_sentiment("gaps"))):
        yield from ({"service": service} | gap for gap in gaps)


def columns_of_share(name):
    """The columns of a share: how many of how many, and the ends of its interval, from 0 to 1."""
    return f"{name}_count {name}_of {name}_low {name}_high"


# name → (columns, what gives the rows for so many weeks)
TABLES = {
    "period": (
        "since until single_since weeks at rooms people others_in_last_week question verdict"
        " spoke_goal returned_goal voices_goal",
        rows_of_period,
    ),
    "funnel": (f"step people guests {columns_of_share('share')}", lambda weeks: part_of_report(weeks, "funnel")),
    "returns": (f"what {columns_of_share('share')}", rows_of_returns),
    "weeks": (
        " ".join(
            ["first_day people rooms visits seconds"]
            + [columns_of_share(name) for name in ("spoke", "returned", "voices", "bounce", "activated")]
        ),
        lambda weeks: part_of_report(weeks, "by_week"),
    ),
    "cohorts": (f"first_day people weeks_later {columns_of_share('came_back')}", rows_of_cohorts),
    "features": (f"kind times {columns_of_share('people')}", lambda weeks: part_of_report(weeks, "features")),
    "sources": ("source opened came_in spoke", lambda weeks: part_of_report(weeks, "sources")),
    "costs": ("month spent new_people each", lambda weeks: part_of_report(weeks, "costs")),
    "speed": ("first_day visits paint live wait slowest took", lambda weeks: part_of_report(weeks, "speed")),
    "errors": ("what times of low high", rows_of_errors),
    "gaps": ("service since until", rows_of_gaps),
    "sentiment": (
        " ".join(["first_day", *map(columns_of_share, ("yes", "partly", "no"))]),
        lambda _: part_of_sentiment("weeks"),
    ),
    "losing": (f"{columns_of_share('very')} mark at", rows_of_losing),
    "feedback": (
        "id at about choice text name version error answer answered_at",
        # In the order of the store: to sort all that was said would keep everybody waiting.
        lambda _: map(dict, each_row("feedback", "SELECT * FROM feedback ORDER BY rowid")),
    ),
}


def as_file(name, weeks):
    """The table for a spreadsheet. Times are milliseconds UTC."""
    columns, rows_for = TABLES[name]
    text = io.StringIO()
    writer = csv.DictWriter(text, columns.split(), extrasaction="ignore")
    writer.writeheader()
    for row in web.with_pauses(rows_for(weeks)):
        writer.writerow(flat(row))
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
