"""Makes pages of rooms that have closed: for everybody, beside the blog.

A host says before anybody speaks that a room will be published; an hour after its end the log says what is. From there
the words stand in a store, and of that these files are made. How they look stands in services/pages.py.
"""

import contextlib
import hashlib
import json
import logging
import math
import os
import re
import sqlite3
import stat
import threading
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, unquote

from party import publishing, views
from party.model import MINUTE, Refused, unread_before
from runtime import lease, settings
from runtime.clock import now
from runtime.drafts import draft_of
from runtime.obstacles import ensure_own, obstacle
from services import follow, pages

log = logging.getLogger("party.publisher")

LOOK_EVERY_SECONDS = 2  # after files that changed, templates, and pages that were taken away
SLOW_SECONDS = 60  # a room of ten thousand messages takes two
FOR_EVERYBODY = 0o644  # a web server that is not ours is to read it
DRAFT = re.compile(r".+\.(?:html|xml)\.\w+\.draft", re.DOTALL)  # as runtime/drafts.py names one
CACHED_SECONDS = 60  # then it is asked for again: what was taken away is gone
TYPES = {".html": "text/html", ".xml": "application/xml", pages.FEED: "application/atom+xml"}
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
    made again whenever one is missing, is another, or would look different now."""

    name = "publisher"
    # Of a page that was taken away nothing stays but that it was.
    SCHEMA = """
        CREATE TABLE IF NOT EXISTS pages (
            room TEXT PRIMARY KEY, name TEXT, body TEXT, published_at INTEGER, taken_at INTEGER
        );
        CREATE TABLE IF NOT EXISTS files (name TEXT PRIMARY KEY, made_of TEXT, digest TEXT)
    """

    def __init__(self):
        self._seen = {}  # name of a file → (what the system says of it, its digest): not each is read each time
        self._failed = {}  # name of a file → (what it should have been made of, why that cannot be)
        self._told = set()  # troubles that the owner has been told

    def take(self, database, command, outcome, room):
        """What is published is certain from here on: the words that were taken out never come here."""
        if command["kind"] == "publish" and outcome.get("published"):
            page = views.published(room)
            row = page["room"], pages.name_of(page), json.dumps(page), command["at"]
            database.execute("INSERT OR IGNORE INTO pages VALUES (?, ?, ?, ?, NULL)", row)

    def gap(self, database, since, until):
        """A room that is to be published keeps its log from being cut: nothing of that is missing."""

    def rest(self, database, at):
        """What is published stays."""

    def work(self, database, ended):
        troubles = set()
        try:
            self._make_files(database, ended)
        except OSError as error:
            troubles = {f"Pages wait: {obstacle(Path(error.filename or settings.PUBLISHED), error)}"}
        except sqlite3.Error as error:
            troubles = {f"Pages wait: {follow.sentence_of(error, settings.store_of(self.name))}"}
        troubles |= {f"Pages wait until a template is mended: {why}" for _, why in self._failed.values()}
        if settings.PROXIES and not (settings.PUBLISHED_AT or settings.ORIGINS) and settings.PUBLISHED.exists():
            troubles |= {f"Pages say they are at {settings.published_at()}: set PARTY_PUBLISHED_AT to where they are."}
        for trouble in sorted(troubles - self._told):
            log.error("%s", trouble)
        if self._told and not troubles:
            log.warning("The pages of the blog are written again.")
        self._told = troubles
        return LOOK_EVERY_SECONDS

    def _make_files(self, database, ended):
        """Pages first, then what names those that are there."""
        rows = database.execute("SELECT room, name, published_at, taken_at FROM pages ORDER BY published_at DESC, room")
        entries = [dict(zip(("room", "name", "published_at", "taken_at"), row, strict=True)) for row in rows]
        if not entries:
            return
        make_folder(settings.PUBLISHED)
        sweep(entries)
        made = {name: more for name, *more in database.execute("SELECT name, made_of, digest FROM files")}
        templates, there = pages.templates(), []
        for entry in entries:
            if ended.is_set():
                return
            file = File(entry["name"], templates.fingerprint, *made.get(entry["name"], NEVER))
            if entry["taken_at"] is not None or self._make(database, file, templates, entry["room"]):
                there.append(entry)
        of = hashlib.sha256(json.dumps([templates.fingerprint, there]).encode()).hexdigest()
        for name in NAMING:
            self._make(database, File(name, of, *made.get(name, NEVER)), templates, None, there)
        names = {*NAMING, *(entry["name"] for entry in entries)}
        self._failed = {name: why for name, why in self._failed.items() if name in names}

    def _make(self, database, file, templates, room, entries=()):
        """Let this file be there as it should be; gives whether it is there, be it as it was before a mistake."""
        is_whole = file.digest is not None and self._digest_of(file.name) == file.digest
        if is_whole and file.made_of == file.to_be_made_of:
            self._failed.pop(file.name, None)
            return True
        if self._failed.get(file.name, (None,))[0] == file.to_be_made_of:
            return is_whole
        self._failed.pop(file.name, None)
        try:
            with telling_of_what_does_not_end(file.name):
                data = document(database, templates, file.name, room, entries).encode()
        except pages.Mistake as mistake:
            self._failed[file.name] = file.to_be_made_of, str(mistake)
            return is_whole
        # Nobody takes it away meanwhile: who does waits for the end of this.
        with follow.transaction(database):
            if room and not is_published(database, room):
                return False
            with draft_of(settings.PUBLISHED / file.name) as draft:
                draft.write(data)
                os.fchmod(draft.fileno(), FOR_EVERYBODY)
            row = file.name, file.to_be_made_of, hashlib.sha256(data).hexdigest()
            database.execute("INSERT OR REPLACE INTO files VALUES (?, ?, ?)", row)
        return True

    def _digest_of(self, name):
        """None where there is no such file."""
        path = settings.PUBLISHED / name
        try:
            if stat.S_IMODE(path.stat().st_mode) != FOR_EVERYBODY:
                path.chmod(FOR_EVERYBODY)
            about = path.stat()
            about = about.st_mtime_ns, about.st_ctime_ns, about.st_size, about.st_ino
            if self._seen.get(name, (None,))[0] != about:
                self._seen[name] = about, hashlib.sha256(path.read_bytes()).hexdigest()
        except FileNotFoundError:
            return None
        return self._seen[name][1]


class File(NamedTuple):
    """One that is to be there, and what the store knows of it."""

    name: str
    to_be_made_of: str  # another one when it would look different
    made_of: str | None
    digest: str | None  # sha256 of what was written last


NEVER = (None, None)
NAMING = (pages.INDEX, pages.FEED, pages.SITEMAP)


@contextlib.contextmanager
def telling_of_what_does_not_end(name):
    """Nobody can end a template; the owner is told which page it keeps from coming."""
    sentence = f"Pages wait: {name} takes longer than {SLOW_SECONDS} seconds. Is there a template without an end?"
    timer = threading.Timer(SLOW_SECONDS, log.error, [sentence])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def document(database, templates, name, room, entries):
    """What is to stand in that file. Raises pages.Mistake."""
    if room:
        page = page_in(database, room)
        return "".join(templates.parts("page.html", page=pages.page_of(*page), preview=None)) if page else ""
    told = [entry if entry["taken_at"] is not None else summary_in(database, entry) for entry in entries]
    if name == pages.FEED:
        return pages.feed_of(told)
    if name == pages.SITEMAP:
        return pages.sitemap_of(told)
    there = [entry for entry in told if entry["taken_at"] is None]
    return "".join(templates.parts("index.html", pages=there, address=settings.published_at(), preview=None))


def page_in(database, room):
    """(what is published of that room, the name of its page, its address); None where it was taken away."""
    found = database.execute("SELECT body, name FROM pages WHERE room = ? AND body IS NOT NULL", (room,)).fetchone()
    return found and (json.loads(found[0]), found[1], pages.address_of(found[1]))


def summary_in(database, entry):
    page = page_in(database, entry["room"])
    return entry | (pages.summary_of(*page) if page else {"taken_at": entry["published_at"]})


def is_published(database, room):
    return database.execute("SELECT 1 FROM pages WHERE room = ? AND body IS NOT NULL", (room,)).fetchone() is not None


def make_folder(folder):
    """One that a web server can read, wherever a link leads."""
    if not folder.exists():
        folder.mkdir(mode=0o755)
        folder.chmod(0o755)  # whatever the umask says


def sweep(entries):
    """What a kill left of a draft goes, and the pages of what was taken away, whatever they were called."""
    there = {entry["name"] for entry in entries}
    taken = {entry["room"][:8] for entry in entries if entry["taken_at"] is not None}
    for path in settings.PUBLISHED.iterdir():
        short = pages.NAMED.fullmatch(path.name)
        if DRAFT.fullmatch(path.name) or (short and short[1] in taken and path.name not in there):
            path.unlink(missing_ok=True)


# --- Taking a page away -----------------------------------------------------------------------------------------------


def take_away(given):
    """Let the page of that room, name or address be gone, its words with it; gives sentences, as they become true.
    Raises ValueError with one."""
    ensure_own(settings.INSTANCE)
    store = settings.store_of(Publisher.name)
    if not store.exists():
        raise ValueError("Nothing was published here.")
    asked = unquote(given.partition("#")[0].rstrip("/").rpartition("/")[2])
    try:
        with contextlib.closing(follow.connection_to(store, "rw", follow.BUSY_SECONDS)) as database:
            database.execute("PRAGMA secure_delete = ON")
            found = database.execute("SELECT room, name FROM pages WHERE ? IN (room, name)", (asked,)).fetchone()
            if not found:
                raise ValueError(f"Nothing that was published is called {asked}.")
            yield from take_away_from(database, *found)
    except (OSError, sqlite3.Error) as error:
        raise ValueError(follow.sentence_of(error, store)) from None


def take_away_from(database, room, name):
    if name is None:
        raise ValueError("That was taken away before.")
    with follow.transaction(database):
        gone = "UPDATE pages SET name = NULL, body = NULL, taken_at = max(?, published_at) WHERE room = ?"
        database.execute(gone, (now(), room))
        database.execute("DELETE FROM files WHERE name = ?", (name,))
    (settings.PUBLISHED / name).unlink(missing_ok=True)
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # the words stand there, too
    yield f"{name} was taken away, and its words are gone from the store."
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
    from markupsafe import Markup
    from werkzeug.exceptions import Gone, NotFound

    from runtime import web

    published = Blueprint("publisher", __name__, url_prefix="/published")

    @published.get("/")
    def index():
        return file(pages.INDEX)

    @published.get("/<name>")
    def file(name):
        """A page, the index, the feed or the map: for everybody."""
        type = TYPES.get(Path(name).suffix if name != pages.FEED else name)
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
        name, is_gone = file_of(room)
        if is_gone:
            raise Gone
        if name:
            return redirect(f"../{quote(name)}")
        return render_template("not_yet.html"), 404

    @published.get("/preview/<room>")
    def preview(room):
        """How it will look, and what happens when. Who may read a part of it sees that part."""
        who = visitor()
        if not who:
            raise Refused("signed_out", "You are signed out. Please sign in again.")
        found = view_for(room, who[0], lambda room: to_be_published(room, who[0]))
        if found is None:
            return redirect(f"../of/{quote(room)}")
        page, publishes_at, is_left = found
        left = max(1, math.ceil((publishes_at - now()) / MINUTE)) if is_left else None
        sentence = Markup(render_template("preview.html", left=left))
        try:
            shown = how_it_will_look(page, sentence)
        except (pages.Mistake, OSError) as error:
            log.error("A preview cannot be shown: %s", error)
            raise Refused("unavailable", "Something went wrong here. Please try again.") from None
        # Not compressed: of a long one that would keep everybody waiting.
        return Response([shown], mimetype="text/html", headers=HEADERS | NOT_KEPT, direct_passthrough=True)

    def how_it_will_look(page, sentence):
        """The owner's templates may have a mistake that never ends; ours do not, and let others go on meanwhile."""
        given = page, pages.name_of(page), pages.address_of(pages.name_of(page))
        if settings.PUBLISHED_TEMPLATES:
            names = ("published", "name", "address", "preview")
            return pages.made_apart(**dict(zip(names, (*given, sentence), strict=True)))
        shown = {"page": pages.page_of(*given, web.with_pauses), "preview": sentence}
        return "".join(web.with_pauses(pages.templates().parts("page.html", **shown))).encode()

    @click.command()
    @click.argument("room")
    def unpublish(room):
        """Take the page of ROOM away: its id, or the name or the address of the page."""
        try:
            for sentence in take_away(room):
                click.echo(sentence)
        except ValueError as error:
            raise click.ClickException(str(error)) from None

    app.register_blueprint(published)
    app.cli.add_command(unpublish)


def to_be_published(room, user):
    """(what of it this person may read and will be published, when, whether any words are left); None where it is
    published, or never will be."""
    if not publishing.is_yet_to_come(room):
        return None
    page = views.transcript(room, unread_before(room, user), publishing.left_out(room))
    return page, room.publishes_at, publishing.has_words_left(room)


def file_of(room):
    """(the name of that room's page, where it is there; whether it was taken away)"""
    found = found_in_store("SELECT name, taken_at FROM pages WHERE room = ?", room)
    name = found and found["name"]
    return name if name and (settings.PUBLISHED / name).exists() else None, bool(found and found["taken_at"])


def was_taken_away(name):
    short = pages.NAMED.fullmatch(name)
    query = "SELECT 1 FROM pages WHERE taken_at IS NOT NULL AND substr(room, 1, 8) = ?"
    return bool(short and found_in_store(query, short[1]))


def found_in_store(query, *values):
    try:
        with follow.reading(Publisher.name) as database:
            return database and database.execute(query, values).fetchone()
    except sqlite3.Error:  # of a store that cannot be used the service tells the owner
        return None
