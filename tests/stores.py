"""The services' stores as the services would leave them, for tests of the owner's page."""

import contextlib
import json
import sqlite3

from servers import ROOT

from services.follow import Follower

FIGURES = "CREATE TABLE IF NOT EXISTS reports (weeks INTEGER PRIMARY KEY, at, body)"
FEEDBACK = """
CREATE TABLE IF NOT EXISTS feedback (id TEXT PRIMARY KEY, at, who, about, room, choice, text, name, version, error,
  answer, answered_at);
CREATE TABLE IF NOT EXISTS reports (name TEXT PRIMARY KEY, body);
"""


def sample(name):
    """A report of made-up weeks."""
    return json.loads((ROOT / "tests" / "reports" / f"{name}.json").read_text())


@contextlib.contextmanager
def writing(path, schema):
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        database.executescript(f"{Follower.KEPT}; {schema}")
        yield database


def keep_report(folder, report, weeks=3):
    """As services/figures.py does."""
    with writing(folder / "figures.db", FIGURES) as database:
        row = (weeks, report["at"], json.dumps(report))
        database.execute("INSERT OR REPLACE INTO reports (weeks, at, body) VALUES (?, ?, ?)", row)


def keep_feedback(folder, *rows, sentiment=None):
    """As services/feedback.py does."""
    with writing(folder / "feedback.db", FEEDBACK) as database:
        for row in rows:
            marks = ", ".join("?" * len(row))
            database.execute(f"INSERT OR REPLACE INTO feedback ({', '.join(row)}) VALUES ({marks})", list(row.values()))
        if sentiment:
            database.execute("INSERT OR REPLACE INTO reports VALUES ('sentiment', ?)", (json.dumps(sentiment),))
