"""Tells other programs what happened, at addresses that the owner chose: https://www.standardwebhooks.com/.

What is to be told is noted in the transaction that keeps how far the log was read, and goes out from there. So each
event goes to each address at least once, always with the same id, and in the order of its room. The addresses stand in
the owner's file, which is read again when it changes. docs/services.md says what is told.
"""

import contextlib
import logging
import random
import sqlite3
import threading
import time
from datetime import UTC, datetime
from typing import NamedTuple

import orjson

from party import views
from party.model import MINUTE
from party.story import time_of
from runtime import clock, records, settings
from services import follow, hooks_file, pages

log = logging.getLogger("party.services")

WORDS_AT_MOST = 256_000  # characters of what is said in a page: many receivers take no more
HOUR, DAY = 60 * MINUTE, 24 * 60 * MINUTE
SECONDS = 15  # for one call, all of it
READ_AT_MOST = 65_536  # bytes of an answer, of which only the status counts
# Milliseconds until the next try, as the specification advises: ten in three days. Each up to a tenth more or less, so
# that what failed together does not come together again.
AGAIN_AFTER = (5_000, 5 * MINUTE, *(minutes * MINUTE for minutes in (30, 120, 300, 600, 840, 1_200, 1_440)))
JITTER = 0.1
HOLDS = 1 * HOUR  # for so long what failed keeps what came after it in its room waiting
WAITS_FOR_PAGE = 3 * DAY
KEPT = 7 * DAY  # of what did not go out, for `replay`
LOOK_SECONDS = 5  # between two looks whether the owner changed something
NEWS_SECONDS = 0.5  # the same while somebody is called
LEAVING_SECONDS = 0.5  # for who is just called; else they are called again after the next start
GONE = 410  # "Nobody wants this any more."


class Hooks:
    """A `follow.Worker`."""

    name = "hooks"
    SCHEMA = """
        CREATE TABLE IF NOT EXISTS outbox (
            number INTEGER PRIMARY KEY, hook TEXT, id TEXT, room TEXT, at INTEGER, body TEXT, page TEXT,
            due_at INTEGER, holds_until INTEGER, tries INTEGER DEFAULT 0, error TEXT, given_up_at INTEGER,
            UNIQUE (hook, id)
        );
        CREATE INDEX IF NOT EXISTS by_room ON outbox (hook, room, number);
        CREATE INDEX IF NOT EXISTS by_turn ON outbox (hook, tries, number);
        CREATE TABLE IF NOT EXISTS switched_off (hook TEXT PRIMARY KEY, at INTEGER, why TEXT)
    """

    def __init__(self):
        self._file = hooks_file.HooksFile(settings.HOOKS)
        self._calls, self._answered = {}, threading.Event()  # hook → who is called, until that is noted
        self._troubles = {}  # hook → what the owner was told of it
        self._is_to_forget = True  # what went, for good

    def take(self, database, command, outcome, room):
        is_told = outcome["ok"] and room and command["kind"] in EVENTS
        if is_told and (command["kind"] != "publish" or outcome["published"]):  # nothing was left of it
            self._note(database, EVENTS[command["kind"]](command, room))

    def gap(self, database, since, until):
        self._note(database, Event(f"gap_{since}_{until}", "log.gap", clock.now(), {"since": since, "until": until}))

    def rest(self, database, at):
        query = "DELETE FROM outbox WHERE given_up_at < ? OR at < ?"
        gone = database.execute(query, (at - KEPT, at - KEPT - WAITS_FOR_PAGE)).rowcount
        self._is_to_forget = self._is_to_forget or gone > 0

    def work(self, database, ended):
        """Until nobody is being called; what cannot be noted just now is noted later, and not told again meanwhile."""
        database.row_factory = sqlite3.Row
        database.execute("PRAGMA synchronous = NORMAL")  # what a power cut takes of it goes out again
        deadline = None
        while True:
            for call in [call for call in self._calls.values() if call.is_over]:
                self._note_call(database, call)
                del self._calls[call.hook.name]
            if ended.is_set():
                deadline = deadline or time.monotonic() + LEAVING_SECONDS
                if not self._calls or time.monotonic() >= deadline:
                    return 0
            else:
                with contextlib.suppress(follow.Unreadable):  # of which the reading tells
                    self._call_all(database)
            if not self._calls:
                self._is_to_forget = self._is_to_forget and not follow.forget_for_good(database)
                return seconds_until_due(database)
            self._answered.wait(NEWS_SECONDS if deadline is None else deadline - time.monotonic())
            self._answered.clear()

    # --- Noting ---

    def _note(self, database, event):
        """For each who wants to be told of it. Raises `follow.Unreadable` where nobody knows who does."""
        off = switched_off(database)
        for hook in self._file.now().hooks.values():
            if hook.name not in off and hook.wants(event):
                note(database, hook, event)

    # --- Calling ---

    def _call_all(self, database):
        """What is due next of each hook that is not being called."""
        file, off = self._file.now(), switched_off(database)
        for hook in file.hooks.values():
            if hook.name not in off and hook.name not in self._calls and (found := next_for(database, hook)):
                self._calls[hook.name] = Call(hook, *found, file.allowed, self._answered)

    def _note_call(self, database, call):
        name, row, why = call.hook.name, call.row, call.why
        with follow.transaction(database):
            if why is None:
                database.execute("DELETE FROM outbox WHERE hook = ? AND id = ?", (name, row["id"]))
            else:
                note_failure(database, row, why)
            if call.status == GONE:
                switch_off(database, name, "it answered 410")
        self._is_to_forget = self._is_to_forget or why is None
        if call.status == GONE:
            log.warning("The hook %s answered 410 and is off. `hooks enable %s` switches it on.", name, name)
        elif why is not None and row["tries"] + 1 > len(AGAIN_AFTER):
            log.error("The hook %s was not told %s in ten tries: %s", name, row["id"], why)
        else:
            self._troubles.setdefault(name, follow.Trouble(f"The hook {name}")).note(why)


# --- Events -----------------------------------------------------------------------------------------------------------


class Event(NamedTuple):
    id: str
    type: str  # one of hooks_file.TYPES
    at: int
    data: dict  # with the id of the room, and whether it is listed, where it is about one
    words: dict = {}  # what is said in it, for those who are to have it
    of_unlisted: dict = {}  # what may be about another room, for those who are to know of all
    page: str | None = None  # file that must be there first

    def body(self, hook):
        data = self.data | (self.words if hook.words else {}) | (self.of_unlisted if hook.unlisted else {})
        return text_of({"type": self.type, "timestamp": as_text(self.at), "data": data})


def text_of(body):
    return orjson.dumps(body).decode()


def as_text(at):
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def event(command, type, data, **more):
    return Event(f"msg_{command['id']}", type, command["at"], data, **more)


def about(room, users=(), **more):
    """What is told of a room: who may speak there and is named besides, and what guests among them are called."""
    known = {"room": room.id, "topic": room.topic, "host": room.host, "speakers": list(room.speakers)}
    known |= {"listed": room.listed, "publish": room.publish}
    return known | more | {"guests": views.guests(room, [*room.speakers, *users])}


def opened(command, room):
    data = about(room, continues=None, opened_at=room.opened_at, closes_at=room.closes_at)
    return event(command, "room.opened", data, of_unlisted={"continues": command.get("continues")})


def opened_or_planned(command, room):
    return planned(command, room) if "opens_at" in command else opened(command, room)


def planned(command, room):
    """Also when it is moved to another time."""
    return event(command, "room.planned", about(room, opens_at=command["opens_at"]))


def joined(command, room):
    return event(command, "speaker.joined", about(room, [command["who"]], user=command["who"]))


def closed(command, room):
    """Also what was called off before it opened."""
    last = views.last_words(room)
    times = {"opened_at": room.opened_at or None, "closed_at": room.closed_at, "publishes_at": room.publishes_at}
    counts = {"visitors": len(room.visitors), "messages": sum("taken_back" not in said for said in room.messages)}
    data = about(room, closed=room.closed, **times, **counts)
    words = {"last": last and last | {"guests": views.guests(room, [last["user"]])}}
    return event(command, "room.closed", data, words=words)


def published(command, room):
    """It waits for its page. The words come from there when it goes out: what the owner took away is nowhere else."""
    page = views.published(room)
    name = pages.name_of(page)
    data = about(room, address=pages.address_of(name), messages=sum("text" in said for said in page["messages"]))
    return event(command, "room.published", data, page=name)


def as_long_as_it_may_be(messages):
    """From the beginning as many as there is space for."""
    size, some = 0, []
    for message in messages:
        size += len(orjson.dumps(message))
        if size > WORDS_AT_MOST:
            break
        some.append(message)
    return {"words": some, "whole": len(some) == len(messages)}


EVENTS = {
    "host": opened_or_planned,
    "move": planned,
    "open": opened,
    "approve": joined,
    "close": closed,
    "end": closed,
    "call_off": closed,
    "publish": published,
}


# --- The outbox -------------------------------------------------------------------------------------------------------


def note(database, hook, event):
    now = clock.now()
    row = {
        "hook": hook.name,
        "id": event.id,
        "room": event.data.get("room", ""),
        "at": event.at,
        "body": event.body(hook),
        "page": event.page,
        "due_at": now,
        "holds_until": now + HOLDS if event.page else None,  # None: from its first failure
    }
    names = ", ".join(row)
    database.execute(f"INSERT OR IGNORE INTO outbox ({names}) VALUES (:{names.replace(', ', ', :')})", row)


def next_for(database, hook):
    """What is due for that hook, and has nothing before it in its room that is to go first, as (its row, what is sent);
    None where nothing is."""
    query = """
        SELECT * FROM outbox AS one
        WHERE hook = :hook AND given_up_at IS NULL AND due_at <= :now AND NOT EXISTS (
            SELECT 1 FROM outbox AS first
            WHERE first.hook = one.hook AND first.room = one.room AND first.number < one.number
                AND coalesce(first.holds_until > :now, TRUE)
        ) ORDER BY tries, number LIMIT 1
    """
    now = clock.now()
    while row := database.execute(query, {"hook": hook.name, "now": now}).fetchone():
        if body := body_for(hook, row):
            return row, body
        wait_for_page(database, row, now)
    return None


def body_for(hook, row):
    """What it is sent; None while its page is not there."""
    if row["page"] is None:
        return row["body"]
    if not (settings.PUBLISHED / row["page"]).exists():
        return None
    if not hook.words:
        return row["body"]
    event = orjson.loads(row["body"])
    return (words := words_in(row["page"])) and text_of(event | {"data": event["data"] | words})


def words_in(page):
    """What is said in the page of that name; None where the publisher does not have it, or not any more."""
    row = follow.first_row("publisher", "SELECT body FROM pages WHERE name = ?", page)
    return row and as_long_as_it_may_be(orjson.loads(row["body"])["messages"])


def wait_for_page(database, row, now):
    """An hour of it others wait as well; after days nobody does."""
    is_late = now >= row["at"] + HOLDS
    given_up_at = now if now >= row["at"] + WAITS_FOR_PAGE else None
    values = now + (MINUTE if is_late else LOOK_SECONDS * 1_000), given_up_at, row["number"]
    query = "UPDATE outbox SET due_at = ?, given_up_at = ?, error = 'Its page is not there.' WHERE number = ?"
    database.execute(query, values)


def note_failure(database, row, why):
    now, tries = clock.now(), row["tries"] + 1
    given_up_at = now if tries > len(AGAIN_AFTER) else None
    wait = 0 if given_up_at else AGAIN_AFTER[tries - 1] * random.uniform(1 - JITTER, 1 + JITTER)
    query = """
        UPDATE outbox SET tries = ?, error = ?, given_up_at = ?, due_at = ?, holds_until = coalesce(holds_until, ?)
        WHERE hook = ? AND id = ?
    """
    values = tries, why, given_up_at, now + int(wait), now + HOLDS, row["hook"], row["id"]
    database.execute(query, values)


def seconds_until_due(database):
    """At most a few: the owner may change something meanwhile."""
    query = "SELECT min(due_at) FROM outbox WHERE given_up_at IS NULL AND due_at > ?"
    now = clock.now()
    due_at = database.execute(query, (now,)).fetchone()[0]
    return LOOK_SECONDS if due_at is None else min(LOOK_SECONDS, (due_at - now) / 1000)


def switched_off(database):
    return {hook for (hook,) in database.execute("SELECT hook FROM switched_off").fetchall()}


def switch_off(database, hook, why):
    database.execute("INSERT OR REPLACE INTO switched_off VALUES (?, ?, ?)", (hook, clock.now(), why))


# --- Calls ------------------------------------------------------------------------------------------------------------


class Call(threading.Thread):
    """One that is under way, in a thread of its own: however long it takes, the others do not wait."""

    def __init__(self, hook, row, body, allowed, answered):
        super().__init__(daemon=True)
        self.hook, self.row, self.is_over = hook, row, False
        self.status = self.why = None  # why it failed; None where it did not
        self._body, self._allowed, self._answered = body, allowed, answered
        self.start()

    def run(self):
        try:
            self.status, self.why = call(self.hook, self.row["id"], self._body, self._allowed)
        except Exception:
            records.recurring_mistake(log, f"The hook {self.hook.name} could not be called.")
            self.why = "A mistake of ours; the records have it."
        self.is_over = True
        self._answered.set()


def call(hook, id, body, allowed):
    """(the status that it answers with, or None; why that is a failure, or None)"""
    from standardwebhooks import Webhook  # here and below: only who has hooks needs what calls them

    from services import posting

    at = datetime.fromtimestamp(clock.now() // 1000, UTC)
    headers = {
        "Content-Type": "application/json",
        "webhook-id": id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(Webhook(secret).sign(id, at, body) for secret in hook.secrets),
    }
    try:
        status, _ = posting.post(hook.address, body.encode(), headers, SECONDS, READ_AT_MOST, allowed)
    except posting.Unanswered as error:
        return None, str(error)
    return status, None if 200 <= status < 300 else f"It answered {status}."


# --- What the owner asks for in a terminal ----------------------------------------------------------------------------


def offer(app):
    """Let `flask --app app hooks` do all of these."""
    import click

    from runtime.commands import tell

    @app.cli.group()
    def hooks():
        """What other programs are told, and whether they take it."""

    @hooks.command("list")
    def list_():
        """Each hook of the file, and what has not gone out yet."""
        tell(listed())

    @hooks.command()
    @click.argument("id")
    def replay(id):
        """Try now again what waits under ID, or was given up; ten times."""
        tell(replayed(id))

    @hooks.command()
    @click.argument("hook")
    def disable(hook):
        """Tell HOOK nothing more, nor later of what happens meanwhile."""
        tell(disabled(hook))

    @hooks.command()
    @click.argument("hook")
    def enable(hook):
        """Tell HOOK again what happens, and what was waiting."""
        tell(enabled(hook))

    @hooks.command()
    @click.argument("hook")
    def test(hook):
        """Send HOOK an event of the type `hook.test`, now and once."""
        tell(tested(hook))


def store():
    path = settings.store_of(Hooks.name)
    missing = f"There is no {path} yet: do the services run, and is hooks among PARTY_SERVICES?"
    return follow.store_for_owner(Hooks.name, missing)


def hook_named(name):
    if hook := hooks_file.read(settings.HOOKS).hooks.get(name):
        return hook
    raise ValueError(f"There is no [hook.{name}] in {settings.HOOKS}.")


def listed():
    hooks = hooks_file.read(settings.HOOKS).hooks
    with store() as database:
        off = {row["hook"]: row for row in database.execute("SELECT * FROM switched_off")}
        rows = database.execute("SELECT * FROM outbox ORDER BY number").fetchall()
    for name in dict.fromkeys([*hooks, *(row["hook"] for row in rows)]):
        state = "on" if name in hooks else f"not in {settings.HOOKS}"
        if name in off:
            state = f"off since {time_of(off[name]['at'])}: {off[name]['why']}"
        mine = [row for row in rows if row["hook"] == name]
        yield f"{name}: {state}; {len(mine)} not out yet"
        for row in mine:
            type, tries = orjson.loads(row["body"])["type"], f"{row['tries']} tries"
            next = "given up" if row["given_up_at"] else f"again at {time_of(row['due_at'])}"
            yield "  ".join(["", row["id"], time_of(row["at"]), type, tries, next, row["error"] or ""]).rstrip()
    if not hooks:
        yield f"{settings.HOOKS} names nobody: docs/services.md says how it does."


def replayed(id):
    query = """
        UPDATE outbox SET tries = 0, due_at = :now, given_up_at = NULL,
            holds_until = iif(given_up_at IS NULL, holds_until, :now)
        WHERE id = :id
    """
    with store() as database:
        count = database.execute(query, {"id": id, "now": clock.now()}).rowcount
    if not count:
        raise ValueError(f"Nothing waits under {id}: it went out, or longer ago than {KEPT // DAY} days it did not.")
    yield f"{id} goes out now. `hooks list` shows whether it was taken."


def disabled(name):
    hook = hook_named(name)
    with store() as database:
        switch_off(database, hook.name, "by the owner")
    yield f"{name} is told nothing more."


def enabled(name):
    hook = hook_named(name)
    with store() as database:
        database.execute("DELETE FROM switched_off WHERE hook = ?", (hook.name,))
    yield f"{name} is told what happens."


def tested(name):
    hook, event = hook_named(name), Event(f"test_{clock.now()}", "hook.test", clock.now(), {})
    status, why = call(hook, event.id, event.body(hook), hooks_file.read(settings.HOOKS).allowed)
    if why:
        raise ValueError(f"{name} did not take it: {why}")
    yield f"{name} took it: {status}."
