"""The figures: who comes, takes part and comes again, and what breaks; kept as rows, reckoned into reports.

A row says that somebody did a kind of thing on a day, mostly in one room: how often, and when first and last. It has no
words and no names: a person is a pseudonym, a room its random id. Rows are kept for 90 days, what was reckoned of a day
for a year; then they are gone. services/reckoning.py says what the figures mean.
"""

import orjson

import users
from party.model import is_guest
from party.rules import KINDS
from runtime.journal import nothing_collected
from services.follow import pseudonym
from services.reckoning import (
    COMING_IN,
    FEATURES,
    LET_IN,
    OPENED_LATER,
    OVER,
    PERIODS,
    WEEK,
    Past,
    Row,
    day_named,
    day_of,
    day_text,
    report,
    week,
)

ROW_DAYS, SUM_DAYS = 90, 365
RIPE_AFTER = WEEK + 1  # days behind a week, until all is known of who came again
OR_NOT = {"like": "liked", "coming": "coming", "leave_out": "out"}  # where this field is false, it is no use of it
# Rows of a day, of each person or of all strangers: far more than people make, and a script fills neither the store nor
# the time for reckoning. What is beyond that is counted in one row more, whose subject is empty.
MOST_A_DAY = {"opened": 300, "sign_in": 50, "measured": 200}
GUESTS_A_DAY = 300  # that are followed: each is somebody new

COUNT = """
    INSERT INTO rows VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
        body = json_set(body, '$.n', json_extract(body, '$.n') + 1, '$.last', json_extract(excluded.body, '$.last'))
"""


class Figures:
    """A `follow.Service`."""

    name = "figures"
    SCHEMA = """
        CREATE TABLE IF NOT EXISTS rows (day TEXT, kind TEXT, who TEXT, subject TEXT, body TEXT,
            PRIMARY KEY (day, kind, who, subject)) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS people (who TEXT PRIMARY KEY, body TEXT) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, body TEXT) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS sums (day TEXT, kind TEXT, body TEXT, PRIMARY KEY (day, kind)) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS reports (weeks INTEGER PRIMARY KEY, at INTEGER, body TEXT);
    """

    def __init__(self):
        self._closed_day = None  # up to which everything was summed

    def take(self, database, command, outcome, room):
        if outcome["ok"]:
            if setting := setting_in(command):
                database.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", setting)
            for kind, who, subject, more in done_by(command, outcome):
                if is_followed(database, kind, who, command["at"]):
                    note_person(database, kind, who, command["at"])
                    note(database, kind, who and pseudonym(who), subject, {"first": command["at"]} | more)
        elif outcome["code"] == "unavailable" and command["kind"] in KINDS:
            count(database, "mistake", "", command["kind"], {"first": command["at"]})

    def gap(self, database, since, until):
        # Of the day on which it ends: so it is kept and shown as long as that day is.
        count(database, "gap", "", str(since), {"first": since, "last": until}, day_of(until))

    def rest(self, database, at):
        with nothing_collected():
            past = past_in(database)
            if self._closed_day != day_of(at):
                close_days(database, past, at)
                forget(database, day_of(at))
                self._closed_day = day_of(at)
            for weeks in PERIODS:
                row = weeks, at, as_json(report(past, weeks, at))
                database.execute("INSERT OR REPLACE INTO reports VALUES (?, ?, ?)", row)


# --- What of a command is kept ----------------------------------------------------------------------------------------


def done_by(command, outcome):
    """The rows that it makes or adds to: (kind, name of who did it or "", about what, what else is kept)."""
    kind, user, room = command["kind"], command["user"], outcome.get("room", command.get("room"))
    if kind == "opened":
        yield kind, "", command["visitor"], source_of(command)
    elif kind in COMING_IN:
        yield kind, user, command.get("visitor", ""), source_of(command)
    elif kind == "measured":
        yield kind, user, command["id"], stretch_of(command)
    elif kind == "feedback":
        yield kind, user, command["about"], {}
    elif kind == "host" and "opens_at" in command:
        yield "plan", user, room, {}
    elif kind == "open":
        yield OPENED_LATER, outcome["host"], room, {}
    elif kind in FEATURES and user and command.get(OR_NOT.get(kind), True):
        yield kind, user, room, {}
    if kind == "host" and command.get("publish"):
        yield "publish", user, room, {}
    for who in let_in_by(command):
        yield LET_IN, who, room, {}
    if kind in ("close", "end"):
        yield OVER, "", room, {}


def let_in_by(command):
    """Who is given a seat: by the host, or since they had one in the room that this one continues."""
    if command["kind"] == "approve":
        return [command["who"]]
    return [who for who in command.get("speakers", ()) if who != command["user"]][: command.get("most")]


def source_of(command):
    return {"source": command["source"]} if command.get("source") else {}


def stretch_of(command):
    """What a page measured while it was visible; it sends that at the end."""
    began = command["at"] - round(command["measures"]["seconds"] * 1000)
    took = {"took": command["took"]} if "took" in command else {}
    return command["measures"] | took | {"first": began, "last": command["at"]}


def note(database, kind, who, subject, body):
    """Keep what was done; of what is too much for a day, only that it was done."""
    if is_too_much(database, day_text(day_of(body["first"])), kind, who, subject):
        subject, body = "", {"first": body["first"], "last": body.get("last", body["first"])}
    count(database, kind, who, subject, body)


def is_followed(database, kind, who, at):
    """Whether anything is kept of them: of guests, where not too many came in that day before them."""
    if not is_guest(who) or database.execute("SELECT 1 FROM people WHERE who = ?", (pseudonym(who),)).fetchone():
        return True
    query = "SELECT count(*) FROM rows WHERE day = ? AND kind = 'guest_in'"
    return kind == "guest_in" and database.execute(query, (day_text(day_of(at)),)).fetchone()[0] < GUESTS_A_DAY


def is_too_much(database, day, kind, who, subject):
    others = "SELECT count(*) FROM rows WHERE day = ? AND kind = ? AND who = ? AND subject NOT IN (?, '')"
    row = day, kind, who, subject
    return kind in MOST_A_DAY and database.execute(others, row).fetchone()[0] >= MOST_A_DAY[kind]


def count(database, kind, who, subject, body, day=None):
    """Keep what was done, or add it to what was done on that day already: that of its beginning, unless given."""
    day = day_text(day_of(body["first"]) if day is None else day)
    database.execute(COUNT, (day, kind, who, subject, as_json({"n": 1, "last": body["first"]} | body)))


def note_person(database, kind, who, at):
    """Keep when somebody was there first."""
    if who and kind not in (LET_IN, OPENED_LATER):
        row = pseudonym(who), as_json({"first": at, "guest": is_guest(who)})
        database.execute("INSERT OR IGNORE INTO people VALUES (?, ?)", row)


def setting_in(command):
    """What the owner set or entered last, and under which name; None for other commands."""
    if command["kind"] == "goals":
        return "goals", as_json({name: command[name] for name in ("question", "spoke", "returned", "voices")})
    if command["kind"] == "spent":
        return f"spent {command['month']}", as_json({"amount": command["amount"]})
    return None


# --- From day to day --------------------------------------------------------------------------------------------------


def past_in(database):
    """All that is kept."""
    days = {}  # their text → their number: there are few
    rows = [
        Row(days.get(day) or days.setdefault(day, day_named(day)), kind, who, subject, orjson.loads(body))
        for day, kind, who, subject, body in database.execute("SELECT * FROM rows")
    ]
    people = {who: orjson.loads(body) for who, body in database.execute("SELECT * FROM people")}
    settings = {name: orjson.loads(body) for name, body in database.execute("SELECT * FROM settings")}
    sums = {}
    for day, kind, body in database.execute("SELECT * FROM sums"):
        sums.setdefault(day_named(day), {})[kind] = orjson.loads(body)
    owner = users.owner()
    return Past(rows, people, sums, settings, owner and pseudonym(owner))


def close_days(database, past, at):
    """Sum up the days that are over, and those again of which more is known by now. Each has the week that ends with
    it, so that any seven days of a year can be shown."""
    today = day_of(at)
    for day in range(min(past.rows_of, default=today), today):
        if day not in past.sums or past.sums[day]["summed"]["day"] < min(today, day + RIPE_AFTER):
            past.sums[day] = {
                "week": week(past, day - WEEK + 1, at),
                "new_people": {"n": past.new_people[day]},
                "summed": {"day": today},
            }
            for kind, body in past.sums[day].items():
                row = day_text(day), kind, as_json(body)
                database.execute("INSERT OR REPLACE INTO sums VALUES (?, ?, ?)", row)


def forget(database, today):
    """Let go what is too old, and who was not there for as long as rows are kept."""
    database.execute("DELETE FROM rows WHERE day < ?", (day_text(today - ROW_DAYS),))
    database.execute("DELETE FROM people WHERE who NOT IN (SELECT who FROM rows)")
    database.execute("DELETE FROM sums WHERE day < ?", (day_text(today - SUM_DAYS),))
    # Whoever was new on its first day is not known any more: its cost would be too high.
    month = f"spent {day_text(today - SUM_DAYS)}"
    database.execute("DELETE FROM settings WHERE name LIKE 'spent %' AND name || '-01' < ?", (month,))


def as_json(thing):
    return orjson.dumps(thing).decode()
