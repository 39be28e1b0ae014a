"""Says what one missed: whole messages, picked; or, where the owner has one, what an AI says with its sources."""

import json
import logging
import time

from party import views
from party.model import unread_before
from runtime import records, settings
from runtime.clock import now
from services import follow, picking

log = logging.getLogger("party.services")

AI_SECONDS = 60  # for all that an AI says of a room: the slowest small machine needs about that
LANGUAGE = "the language that most of the discussion is in"
AGAIN_SECONDS = 60  # while somebody reads, and words cannot go from the disk
LOOKED_AT = 200  # messages of a room, the newest: the party itself picks from these, within some milliseconds


class Moments:
    """A `follow.Worker`."""

    name = "moments"
    SCHEMA = """
        CREATE TABLE IF NOT EXISTS moments (
            room TEXT PRIMARY KEY, gone_at INTEGER, by TEXT, looked_at INTEGER, body TEXT
        );
        CREATE TABLE IF NOT EXISTS to_ask (room TEXT PRIMARY KEY, gone_at INTEGER, body TEXT)
    """

    def take(self, database, command, outcome, room):
        if outcome["ok"] and command["kind"] in TAKEN:
            TAKEN[command["kind"]](database, room)

    def gap(self, database, since, until):
        """A room whose end was not read is picked from when somebody asks."""

    def rest(self, database, at):
        """A room that made place for others is forgotten without a word in the log."""
        for table in ("moments", "to_ask"):
            database.execute(f"DELETE FROM {table} WHERE gone_at < ?", (at,))

    def work(self, database, ended):
        """Ask the AI, room by room. Until it has answered, and where it does not, what was picked stands."""
        query = "SELECT room, body FROM to_ask WHERE gone_at > ? ORDER BY gone_at LIMIT 1"
        while not ended.is_set() and (row := database.execute(query, (now(),)).fetchone()):
            room, transcript = row[0], json.loads(row[1])
            sentences = said_by_ai(transcript) if settings.AI else []
            with follow.transaction(database):
                database.execute("DELETE FROM to_ask WHERE room = ?", (room,))
                if sentences:
                    said = settings.AI, how_many(transcript["messages"]), json.dumps(sentences), room
                    database.execute("UPDATE moments SET by = ?, looked_at = ?, body = ? WHERE room = ?", said)
        return follow.SELDOM_SECONDS if follow.forget_for_good(database) else AGAIN_SECONDS


# --- What happened ----------------------------------------------------------------------------------------------------


def note_closed(database, room):
    """Keep which messages of the whole room are picked; its words only for as long as an AI is to read them."""
    transcript = views.transcript(room)
    body = json.dumps(picking.summarise(transcript))
    row = room.id, room.gone_at, None, how_many(transcript["messages"]), body
    database.execute("INSERT OR REPLACE INTO moments VALUES (?, ?, ?, ?, ?)", row)
    if settings.AI:
        from services import ai  # who shows pages needs nothing of what calls addresses

        if messages := ai.newest(transcript["messages"]):
            to_ask = room.id, room.gone_at, json.dumps(transcript | {"messages": messages})
            database.execute("INSERT OR REPLACE INTO to_ask VALUES (?, ?, ?)", to_ask)


def note_gone(database, room):
    for table in ("moments", "to_ask"):
        database.execute(f"DELETE FROM {table} WHERE room = ?", (room.id,))


def said_by_ai(transcript):
    """Its sentences; none where it has none, of which the owner is told."""
    from services import ai

    try:
        return ai.summarise(transcript, LANGUAGE, time.monotonic() + AI_SECONDS)
    except ai.Unusable as error:
        log.warning("The AI at PARTY_MOMENTS_AT was of no use for a room, so its messages speak: %s", error)
    except Exception:  # it may be about these words: the next room is another
        records.recurring_mistake(log, "The AI at PARTY_MOMENTS_AT could not be asked.")
    return []


TAKEN = {"close": note_closed, "end": note_closed, "forget": note_gone}


def how_many(messages):
    """Of those that were not taken back."""
    return sum("text" in message for message in messages)


# --- What a person is given -------------------------------------------------------------------------------------------


def offer(app, visitor, view_for):
    """Let `app` say what one missed. `visitor()` is (name, id of the sign-in) of who asks, or None; `view_for(room_id,
    user, view)` what a view gives of a room that they may read."""
    from flask import request  # who reads along needs no pages

    @app.get("/moments/<room_id>")
    def moments(room_id):
        headers = {"Cache-Control": "no-store"}
        if not (who := visitor()):
            return "Please sign in first.", 401, headers
        return given(room_id, who[0], request.args.get("after", 0, type=int), view_for), 200, headers


def given(room_id, user, after, view_for):
    """The moments behind the seq `after` of what this person may read. Refuses who may not read anything there."""
    known = kept_of(room_id)
    kept, messages = view_for(room_id, user, lambda room: as_seen_by(user, room, after, known))
    if not kept:
        kept = {"by": None, "looked_at": how_many(messages), "moments": picking.summarise({"messages": messages})}
    said = {message["seq"]: message for message in messages if "text" in message}
    there = [one | {"message": said[one["seq"]]} for one in kept["moments"] if one["seq"] in said]
    return {"by": kept["by"], "of": kept["looked_at"], "moments": there}


def as_seen_by(user, room, after, kept):
    """(what was kept of a closed room, or None; the messages behind `after` that it is about, else the newest). An AI
    may have made a sentence of all that was said, so who may not read all of it is not given what was kept."""
    unread = unread_before(room, user)
    if room.is_live or unread:
        kept = None
    wanted = [room.messages[one["seq"] - 1] for one in kept["moments"]] if kept else room.messages[-LOOKED_AT:]
    return kept, [views.quoted(room, message) for message in wanted if message["seq"] > max(after, unread)]


def kept_of(room_id):
    """What the service kept of that room, or None."""
    row = follow.first_row(Moments.name, "SELECT by, looked_at, body FROM moments WHERE room = ?", room_id)
    return row and {"by": row["by"], "looked_at": row["looked_at"], "moments": json.loads(row["body"])}
