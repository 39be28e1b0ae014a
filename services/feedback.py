"""What people say to the owner, and what the owner answers: the service that keeps it, and the page that gives it back.

A name is kept only with the words of who wants to be talked to; else a pseudonym, by which their answer finds them.
"""

import json
import sqlite3

from party.model import is_guest
from runtime import clock
from services import follow
from services.reckoning import DAY, WEEK, day_of, day_text, share

KEPT = 365 * DAY
KEPT_EACH = 500  # of one person, the newest: a tap for each room of a year, and no script fills the disk
VISITS_KEPT = 1 * DAY  # of who went into a room; it is over long before
ROOMS_BEFORE_ASKING = 3  # how somebody likes the party, they know after a few discussions
ASKED_EVERY = 90 * DAY
ANSWERS = 20  # that a person is given
WEEKS = 12  # that the report tells apart
MARK = 40  # percent "very disappointed": Sean Ellis found that below it few parties of any kind go on
CHOICES = ("yes", "partly", "no")


class Feedback:
    """A `follow.Service`."""

    name = "feedback"
    SCHEMA = """
        CREATE TABLE IF NOT EXISTS feedback (
            id TEXT PRIMARY KEY, at INTEGER, who TEXT, about TEXT, room TEXT, choice TEXT, text TEXT,
            name TEXT, version TEXT, error TEXT, answer TEXT, answered_at INTEGER,
            UNIQUE (who, room)
        );
        CREATE TABLE IF NOT EXISTS inside (room TEXT, who TEXT, at INTEGER, PRIMARY KEY (room, who));
        CREATE TABLE IF NOT EXISTS attended (who TEXT PRIMARY KEY, rooms INTEGER, at INTEGER);
        CREATE TABLE IF NOT EXISTS gaps (since INTEGER PRIMARY KEY, until INTEGER);
        CREATE TABLE IF NOT EXISTS reports (name TEXT PRIMARY KEY, body TEXT)
    """

    def __init__(self):
        self._reckoned_on, self._has_news = None, True

    def take(self, database, command, outcome, room):
        if outcome["ok"] and command["kind"] in NOTES and not is_guest(command["user"]):
            NOTES[command["kind"]](database, command, outcome)
            self._has_news = self._has_news or command["kind"] == "feedback"

    def gap(self, database, since, until):
        """What was said meanwhile is lost, and the owner is told so; the rest stays true."""
        database.execute("INSERT OR REPLACE INTO gaps VALUES (?, ?)", (since, until))
        self._has_news = True

    def rest(self, database, at):
        if self._has_news or self._reckoned_on != day_of(at):
            forget(database, at)
            reckon(database, at)
            self._reckoned_on, self._has_news = day_of(at), False


# --- What happened ----------------------------------------------------------------------------------------------------


def note_visit(database, command, outcome):
    """That somebody is inside a room, until it closes; who plans one comes later."""
    if "opens_at" in command:
        return
    visit = outcome.get("room", command.get("room")), follow.pseudonym(command["user"]), command["at"]
    database.execute("INSERT OR IGNORE INTO inside VALUES (?, ?, ?)", visit)


def note_closed(database, command, outcome):
    """One room more for those who were inside. Which one is not kept, nor how many there were beyond what is asked."""
    query = """
        INSERT INTO attended SELECT who, 1, ? FROM inside WHERE room = ?
        ON CONFLICT (who) DO UPDATE SET rooms = min(rooms + 1, ?), at = excluded.at
    """
    database.execute(query, (command["at"], command["room"], ROOMS_BEFORE_ASKING))
    database.execute("DELETE FROM inside WHERE room = ?", (command["room"],))


def note_feedback(database, command, outcome):
    """Of what somebody says about the same room the latest counts. The owner's answer goes with the words that it
    answers: with other words there is something new to read."""
    said = {name: command.get(name) for name in ("id", "at", "about", "room", "choice", "text", "version", "error")}
    said |= {"who": follow.pseudonym(command["user"]), "name": command["user"] if command["talk"] else None}
    query = """
        INSERT INTO feedback (id, at, who, about, room, choice, text, name, version, error)
        VALUES (:id, :at, :who, :about, :room, :choice, :text, :name, :version, :error)
        ON CONFLICT (who, room) DO UPDATE SET at = :at, choice = :choice, text = :text, name = :name,
            answer = iif(text IS :text, answer, NULL), answered_at = iif(text IS :text, answered_at, NULL)
    """
    database.execute(query, said)
    newest = "SELECT id FROM feedback WHERE who = :who ORDER BY at DESC LIMIT :most"
    too_many = f"DELETE FROM feedback WHERE who = :who AND id NOT IN ({newest})"
    database.execute(too_many, {"who": said["who"], "most": KEPT_EACH})


def note_answer(database, command, outcome):
    answer = command["text"], command["at"], command["to"]
    database.execute("UPDATE feedback SET answer = ?, answered_at = ? WHERE id = ?", answer)


NOTES = {
    "host": note_visit,
    "watch": note_visit,
    "close": note_closed,
    "end": note_closed,
    "feedback": note_feedback,
    "answer": note_answer,
}


# --- At rest ----------------------------------------------------------------------------------------------------------


def forget(database, at):
    """What is too old, and who went into rooms whose end nobody told of."""
    for table, life in (("feedback", KEPT), ("attended", KEPT), ("inside", VISITS_KEPT)):
        database.execute(f"DELETE FROM {table} WHERE at < ?", (at - life,))
    database.execute("DELETE FROM gaps WHERE until < ?", (at - KEPT,))


def reckon(database, at):
    """Leave the report, for the owner's page."""
    today = day_of(at)
    weeks = [week(database, today - WEEK * n + 1) for n in range(WEEKS, 0, -1)]
    begun = next((n for n, each in enumerate(weeks) if each["yes"]), WEEKS)
    body = {"at": at, "weeks": weeks[begun:], "losing": losing(database), "mark": MARK, "gaps": gaps(database, today)}
    database.execute("INSERT OR REPLACE INTO reports VALUES ('sentiment', ?)", (json.dumps(body),))


def week(database, first):
    """How the rooms were, in the week that begins with the day `first`: of all taps the share of each."""
    query = "SELECT choice, count(*) FROM feedback WHERE about = 'room' AND at >= ? AND at < ? GROUP BY choice"
    count = dict(database.execute(query, (first * DAY, (first + WEEK) * DAY)))
    of = sum(count.values())
    return {"first_day": day_text(first), **{choice: share(count.get(choice, 0), of) for choice in CHOICES}}


def losing(database):
    """How many would be very disappointed without the party, of all who said: each counts once, with what they said
    last."""
    query = "SELECT choice, max(at) FROM feedback WHERE about = 'losing' GROUP BY who"
    choices = [choice for choice, _ in database.execute(query)]
    return share(choices.count("very"), len(choices))


def gaps(database, today):
    """Between when nothing could be read, as far as that reaches into these weeks."""
    query = "SELECT since, until FROM gaps WHERE until >= ? ORDER BY since"
    rows = database.execute(query, ((today - WEEK * WEEKS + 1) * DAY,))
    return [{"since": since, "until": until} for since, until in rows]


# --- What a person is given -------------------------------------------------------------------------------------------


def offer(app, visitor):
    """Let `app` give back what is answered. `visitor()` is (name, id of the sign-in) of who asks, or None."""

    @app.get("/feedback")
    def feedback():
        headers = {"Cache-Control": "no-store"}
        if not (who := visitor()) or is_guest(who[0]):  # guests are asked for nothing
            return "Please sign in first.", 401, headers
        try:
            with follow.reading(Feedback.name) as database:
                return (given(database, follow.pseudonym(who[0]), clock.now()) if database else NOTHING), 200, headers
        except sqlite3.Error:  # of a store that cannot be used the service tells the owner
            return NOTHING, 200, headers


NOTHING = {"answers": [], "asks": False}


def given(database, who, at):
    """The owner's answers to them, and whether to ask them how they would feel without the party."""
    query = """
        SELECT id, about, text, answer, at, answered_at FROM feedback
        WHERE who = ? AND answer IS NOT NULL ORDER BY answered_at DESC LIMIT ?
    """
    return {"answers": list(map(dict, database.execute(query, (who, ANSWERS)))), "asks": asks(database, who, at)}


def asks(database, who, at):
    query = """
        SELECT 1 FROM attended WHERE who = :who AND rooms >= :enough AND NOT EXISTS
        (SELECT 1 FROM feedback WHERE who = :who AND about = 'losing' AND at > :lately)
    """
    values = {"who": who, "enough": ROOMS_BEFORE_ASKING, "lately": at - ASKED_EVERY}
    return database.execute(query, values).fetchone() is not None
