"""The services' stores as the services would leave them, for tests of the owner's page and of what is published."""

import contextlib
import json
import sqlite3
import threading
from unittest import mock

from servers import ROOT

from runtime import clock, settings
from services import pages, publisher
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


# (who, what, how many approve of it, which it answers); None: they left their words out.
TALK = [
    ("asha", "Two minutes each, then anybody. Should we only read what is free?", 0, None),
    ("lena", "Free for whom? A paperback is two coffees.", 3, None),
    ("kofi", "Two coffees is a lot of coffees.", 4, None),
    (
        "bilal",
        "If we took turns and each turn had to be a book from a language that none of us speaks, we would have twelve"
        " new places a year.",
        6,
        None,
    ),
    ("dana", "Sold. Georgian first.", 0, 4),
    ("emeka", "Is anything good out of copyright there?", 0, None),
    ("emeka", "Not asking for a friend.", 1, None),
    (
        "~maya",
        "The library on Mill Road lends e-books in Georgian: https://library.example/georgian",
        4,
        None,
    ),
    ("gita", None, 0, None),
    (
        "chen",
        "For Georgian. Not for anything printed this year: half our members cannot afford new hardbacks, and the"
        " waiting lists are six months long.",
        2,
        None,
    ),
    ("farida", "Then the price question is answered for old books, and open for new ones.", 0, 10),
]
OPENED = 1_795_287_600_000  # 21 November 2026, 19:00 UTC


def a_talk():
    """A room, as `views.published` gives it."""
    messages = []
    for seq, (user, text, likes, reply) in enumerate(TALK, start=1):
        about = {"user": user, "name": user.strip("~").title() if user[0] == "~" else user, "is_guest": user[0] == "~"}
        said = about | {"text": text, "likes": likes, "reply": reply} if text else {}
        messages.append({"seq": seq, "at": OPENED + seq * 150_000} | said)
    topic = "Should our book club read novels that are still in copyright?"
    times = {"opened_at": OPENED, "closed_at": OPENED + 1_800_000}
    return {"room": "3fa2b1c4deadbeef", "topic": topic, "host": "asha", **times, "messages": messages}


def keep_page(folder, published):
    """As the publisher does, files included; gives the name of the page."""
    name = pages.name_of(published)
    here = {"INSTANCE": folder, "PUBLISHED": folder / "published"}
    with mock.patch.multiple(settings, **here), writing(folder, publisher.Publisher) as database:
        row = published["room"], name, json.dumps(published), published["closed_at"]
        database.execute("INSERT INTO pages VALUES (?, ?, ?, ?, NULL)", row)
        database.commit()
        database.isolation_level = None
        publisher.Publisher().work(database, threading.Event())
    return name
