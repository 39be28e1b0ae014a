"""Makes pages of rooms that have closed: for everybody, beside the blog.

A host says before anybody speaks that a room will be published; an hour after its end the log says what is. From there
the words stand in a store, and of that these files are made. How they look stands in services/pages.py.
"""

import hashlib
import json
import logging
import math
import os
import re
import sqlite3
import threading
from functools import partial
from pathlib import Path
from urllib.parse import quote, unquote

from party import publishing, story, views
from party.model import MINUTE, unread_before
from party.state import State
from runtime import lease, records, settings
from runtime.clock import now
from runtime.drafts import draft_of
from runtime.journal import open_journal
from services import follow, pages

log = logging.getLogger("party.publisher")

LOOK_EVERY_SECONDS = 2  # after files that changed, templates, and pages that were taken away
FOR_EVERYBODY = 0o644  # a web server that is not ours is to read it
DRAFT = re.compile(r".+\.(?:html|xml)\.\w+\.draft", re.DOTALL)  # as runtime/drafts.py names one
CACHED_SECONDS = 60  # then it is asked for again: what was taken away is gone
TYPES = {".html": "text/html", ".xml": "application/xml"}
# No script, nothing from elsewhere; what lies beside it may dress it.
POLICY = (
    "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; base-uri 'none';"
    " form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {"Content-Security-Policy": POLICY, "X-Robots-Tag": "all"}
NOT_KEPT = {"Cache-Control": "no-store", "X-Robots-Tag": "noindex, nofollow"}

# --- The service ------------------------------------------------------------------------------------------------------


class Publisher:
    """A `follow.Worker`. What is published stands in its store; the files in settings.PUBLISHED are made of that, and
    made again whenever one is missing, or would look different now."""

    name = "publisher"
    # Of a page that was taken away nothing stays but that it was. One that was stopped before was never published.
    SCHEMA = """
        CREATE TABLE IF NOT EXISTS pages (
            room TEXT PRIMARY KEY, name TEXT, body TEXT, published_at INTEGER, taken_at INTEGER
        );
        CREATE TABLE IF NOT EXISTS files (name TEXT PRIMARY KEY, made_of TEXT, summary TEXT)
    """

    def __init__(self):
        self._looks = None  # the fingerprint of the templates; of these alone it is known what failed:
        self._failed = {}  # (name of a file, or None for each, what it was to be made of) → why it cannot be

    def take(self, database, command, outcome, room):
        """What is published is certain from here on: the words that were left out never come here."""
        if command["kind"] == "publish" and outcome.get("published"):
            page = views.published(room)
            row = page["room"], pages.name_of(page), json.dumps(page), command["at"]
            database.execute("INSERT OR IGNORE INTO pages VALUES (?, ?, ?, ?, NULL)", row)

    def gap(self, database, since, until):
        """Until it is published, a room keeps its log from being cut; hours later nothing does."""
        times = pages.moment(since).isoformat(), pages.moment(until).isoformat()
        log.error(
            "Rooms that were published between %s and %s have no page: the log was cut before it was read.", *times
        )

    def rest(self, database, at):
        """What is published stays."""

    def work(self, database, ended):
        """Pages first, then what names those that are there."""
        entries = entries_in(database)
        if not entries:
            return LOOK_EVERY_SECONDS
        self._there = files_beside(entries)
        for draft in filter(DRAFT.fullmatch, self._there):
            (settings.PUBLISHED / draft).unlink(missing_ok=True)
        self._made = dict(database.execute("SELECT name, made_of FROM files"))
        looks, told, self._troubles = pages.templates().fingerprint, [], set()
        if looks != self._looks:
            self._looks, self._failed = looks, {}
        for entry in entries:
            if ended.is_set():
                return 0
            page = partial(page_in, database, entry)
            if entry["taken_at"] or self._make(database, entry["name"], looks, page, entry["room"]):
                told.append(entry)
        made_of = json.dumps([looks, told, [self._made.get(entry["name"]) for entry in told]])
        made_of = hashlib.sha256(made_of.encode()).hexdigest()
        for name, naming in NAMING.items():
            self._make(database, name, made_of, partial(naming_in, database, told, naming))
        if self._troubles:
            raise follow.Unreadable(" ".join(sorted(self._troubles)))
        return LOOK_EVERY_SECONDS

    def _make(self, database, name, made_of, document, room=None):
        """Let this file be there, made of that; gives whether it is there, be it as it was before a mistake."""
        is_there = name in self._there and name in self._made
        if is_there and self._made[name] == made_of:
            return True
        if not (why := self._failed.get((name, made_of)) or self._failed.get((None, made_of))):
            try:
                return self._write(database, name, made_of, document(), room)
            except (OSError, sqlite3.Error):
                raise
            except pages.WithoutEnd as mistake:  # each page would take as long
                why = self._failed[None, made_of] = str(mistake)
            except pages.Mistake as mistake:
                why = self._failed[name, made_of] = str(mistake)
            except Exception as error:
                records.recurring_mistake(log, f"{name} cannot be made.")
                why = self._failed[name, made_of] = f"{name} cannot be made: {type(error).__name__}."
        self._troubles.add(why)
        return is_there

    def _write(self, database, name, made_of, text, room):
        """Nobody takes it away meanwhile: who does waits for the end of this. False where somebody did before."""
        with follow.transaction(database):
            page = room and published_in(database, room)
            if room and not page:
                return False
            with draft_of(settings.PUBLISHED / name) as draft:
                draft.write(text.encode())
                os.fchmod(draft.fileno(), FOR_EVERYBODY)
            summary = json.dumps(page and pages.summary_of(page, name))
            database.execute("INSERT OR REPLACE INTO files VALUES (?, ?, ?)", (name, made_of, summary))
        self._made[name] = made_of
        return True


def entries_in(database):
    """All that was published, the newest first."""
    names = "room", "name", "published_at", "taken_at"
    which = "published_at IS NOT NULL ORDER BY published_at DESC, room"
    rows = database.execute(f"SELECT {', '.join(names)} FROM pages WHERE {which}")
    return [dict(zip(names, row, strict=True)) for row in rows]


def published_in(database, room):
    """What is published of that room; None where it was taken away."""
    (body,) = database.execute("SELECT body FROM pages WHERE room = ?", (room,)).fetchone()
    return body and json.loads(body)


def page_in(database, entry):
    page = published_in(database, entry["room"])
    return page and pages.document("page", page, entry["name"])


def naming_in(database, entries, naming):
    """What `naming` makes of these, each with the `summary` of its page; None where that was taken away."""
    summaries = dict(database.execute("SELECT name, summary FROM files"))
    return naming([entry | {"summary": json.loads(summaries.get(entry["name"], "null"))} for entry in entries])


def index_of(entries):
    return pages.document("index", [entry["summary"] for entry in entries if entry["summary"]])


def feed_of(entries):
    if settings.PROXIES and not (settings.PUBLISHED_AT or settings.ORIGINS):
        at = settings.published_at()
        log.warning("Pages say they are at %s: set PARTY_PUBLISHED_AT to where they are.", at)
    return pages.feed_of(entries)


NAMING = {pages.INDEX: index_of, pages.FEED: feed_of, pages.SITEMAP: pages.sitemap_of}


def files_beside(entries):
    """The names of the files that are there, in a folder that a web server can read, wherever a link leads. The pages
    of what was taken away go, whatever they were called."""
    if not settings.PUBLISHED.exists():
        settings.PUBLISHED.mkdir(mode=0o755)
        settings.PUBLISHED.chmod(0o755)  # whatever the umask says
    stay = {entry["name"] for entry in entries}
    taken = {entry["room"][:8] for entry in entries if entry["taken_at"] is not None}
    names = set(os.listdir(settings.PUBLISHED))
    gone = {name for name in names - stay if (short := pages.NAMED.fullmatch(name)) and short[1] in taken}
    for name in gone:
        (settings.PUBLISHED / name).unlink(missing_ok=True)
    return names - gone


# --- Taking a page away -----------------------------------------------------------------------------------------------


def take_away(given):
    """Let the page of that room, name or address be gone, its words with it, or never come; gives sentences, as they
    become true. Whatever is in the way, it can be done again. Raises ValueError with a sentence."""
    room = re.search(r"#room=(\w+)", given)
    asked = room[1] if room else unquote(given.partition("#")[0].rstrip("/").rpartition("/")[2])
    short = pages.NAMED.fullmatch(asked)
    with follow.store_for_owner(Publisher.name, "Nothing was published here.") as database:
        # By its name it is found once that is gone, too.
        which = "? IN (room, name) OR (name IS NULL AND substr(room, 1, 8) = ?) ORDER BY name IS NULL"
        query = f"SELECT room, name FROM pages WHERE {which}"
        found = database.execute(query, (asked, short and short[1])).fetchone()
        if found:
            yield from take_away_from(database, *found)
        elif short and (stray := settings.PUBLISHED / asked).exists():  # an older store was put back
            stray.unlink()
            yield f"{asked} is taken away. The store did not know it."
        elif is_to_be_published(asked):
            yield from stop(database, asked)
        else:
            raise ValueError(f"Nothing that was published is called {asked}.")


def is_to_be_published(room):
    """Whether the log has a room of this id that is to become a page. Raises Unreadable."""
    state = State()
    with follow.asking_the_log():
        for _, command in open_journal(settings.JOURNAL).replay():
            story.outcome_of(state, command)
    return room in state.rooms and state.rooms[room].publish


def stop(database, room):
    """Let there be no page of that room, which has none yet: `take` leaves what stands there as it is."""
    if database.execute("INSERT OR IGNORE INTO pages VALUES (?, NULL, NULL, NULL, ?)", (room, now())).rowcount:
        yield f"{room} will not become a page. Those who were there are not told."
    else:
        yield from take_away_from(database, room, None)  # just now it became one


def take_away_from(database, room, name):
    with follow.transaction(database):
        gone = "name = NULL, body = NULL, taken_at = coalesce(taken_at, max(?, published_at))"
        database.execute(f"UPDATE pages SET {gone} WHERE room = ?", (now(), room))
        database.execute("DELETE FROM files WHERE name = ?", (name,))
    files_beside(entries_in(database))
    yield f"{name or f'The page of {room}'} is taken away."
    if follow.forget_for_good(database):
        yield "Its words are gone from the store."
    else:
        yield "Somebody reads the store, so its words are still on the disk: say this again in a moment."
    with lease.on(settings.store_of(Publisher.name)) as nobody_else_does:
        if nobody_else_does:
            Publisher().work(database, threading.Event())
            yield "The index and the feed say so."
        else:
            yield "The index and the feed say so within seconds."


# --- Serving ----------------------------------------------------------------------------------------------------------


def offer(app, visitor, view_for):
    """Let `app` show what is published, and to who may read a room a preview of that. `visitor()` is who asks, and
    `view_for(room_id, user, view)` what a view gives of a room that they may read; it refuses the others."""
    import click
    from flask import Blueprint, Response, redirect, render_template, send_from_directory
    from werkzeug.exceptions import Gone, InternalServerError, NotFound

    from runtime.commands import tell

    published = Blueprint("publisher", __name__, url_prefix="/published")

    @published.get("/")
    def index():
        return file(pages.INDEX)

    @published.get("/<name>")
    def file(name):
        """A page, the index, the feed or the map: for everybody."""
        type = "application/atom+xml" if name == pages.FEED else TYPES.get(Path(name).suffix)
        if not type:
            raise NotFound
        try:
            answer = send_from_directory(settings.PUBLISHED, name, mimetype=type, max_age=CACHED_SECONDS)
        except NotFound:
            raise (Gone if was_taken_away(name) else NotFound) from None
        answer.headers.update(HEADERS)
        return answer

    @published.get("/of/<room>")
    def page_of_room(room):
        """To the page of that room, once it is there."""
        page = known_page(room)
        if page and page["taken_at"]:
            raise Gone
        if page and (settings.PUBLISHED / page["name"]).exists():
            return redirect(f"../{quote(page['name'])}")
        return render_template("not_yet.html"), 404

    @published.get("/preview/<room>")
    def preview(room):
        """How it will look, and what happens when. Who may read a part of it sees that part."""
        who = visitor()
        if not who:
            return redirect(f"../../sign-in#room={quote(room)}")  # there is the way to this page
        found = view_for(room, who[0], lambda room: to_be_published(room, who[0]))
        if found is None or ((stopped := known_page(room)) and stopped["taken_at"]):
            return redirect(f"../of/{quote(room)}")
        page, publishes_at, is_left = found
        left = max(1, math.ceil((publishes_at - now()) / MINUTE)) if is_left else None
        sentence = render_template("preview.html", left=left)
        try:
            shown = pages.made_apart(pages.PREVIEW_SECONDS, "page", page, pages.name_of(page), sentence)
        except pages.Mistake as mistake:
            log.error("A preview cannot be shown: %s", mistake)
            raise InternalServerError from None  # of 503 nginx would ask another process
        # Not compressed: of a long one that would keep everybody waiting.
        return Response(shown, mimetype="text/html", headers=HEADERS | NOT_KEPT, direct_passthrough=True)

    @click.command()
    @click.argument("room")
    def unpublish(room):
        """Take the page of ROOM away, or let none come: its id or address, or the name or address of the page."""
        tell(take_away(room))

    app.register_blueprint(published)
    app.cli.add_command(unpublish)


def to_be_published(room, user):
    """(what of it this person may read and will be published, when, whether any words are left); None where it is
    published, or never will be."""
    if not publishing.is_yet_to_come(room):
        return None
    page = views.transcript(room, unread_before(room, user), publishing.left_out(room))
    return page, room.publishes_at, publishing.has_words_left(room)


def known_page(room):
    """Its `name` and `taken_at`; None where the store has none of that room."""
    return follow.first_row(Publisher.name, "SELECT name, taken_at FROM pages WHERE room = ?", room)


def was_taken_away(name):
    short = pages.NAMED.fullmatch(name)
    query = "SELECT 1 FROM pages WHERE taken_at IS NOT NULL AND substr(room, 1, 8) = ?"
    return bool(short and follow.first_row(Publisher.name, query, short[1]))
