"""The services' stores as the services would leave them, for tests of the owner's page."""

import contextlib
import json
import sqlite3

from servers import ROOT

from runtime import clock
from services.feedback import Feedback
from services.figures import Figures
from services.follow import Follower


def sample(name, **more):
    """A report of made-up weeks, as if made just now, with what is `more`: "thriving", "dying" or "too_early"."""
    return json.loads((ROOT / "tests" / "reports" / f"{name}.json").read_text()) | {"at": clock.now()} | more


@contextlib.contextmanager
def writing(folder, service):
    with contextlib.closing(sqlite3.connect(folder / f"{service.name}.db")) as database, database:
        database.executescript(f"{Follower.KEPT}; {service.SCHEMA}")
        yield database


def keep_report(folder, report, weeks=3):
    """As the figures do."""
    with writing(folder, Figures) as database:
        row = (weeks, report["at"], json.dumps(report))
        database.execute("INSERT OR REPLACE INTO reports (weeks, at, body) VALUES (?, ?, ?)", row)


def keep_setting(folder, name, body):
    """As the figures do with what the owner enters, before they reckon with it."""
    with writing(folder, Figures) as database:
        database.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (name, json.dumps(body)))


def keep_feedback(folder, *rows, sentiment=None):
    """As the feedback's service does."""
    with writing(folder, Feedback) as database:
        for row in rows:
            marks = ", ".join("?" * len(row))
            database.execute(f"INSERT OR REPLACE INTO feedback ({', '.join(row)}) VALUES ({marks})", list(row.values()))
        if sentiment:
            database.execute("INSERT OR REPLACE INTO reports VALUES ('sentiment', ?)", (json.dumps(sentiment),))
