"""Discuss Party: live discussion rooms in text, one topic each, thirty minutes.

Anybody signed in may watch a room in silence; who wants to speak asks, and the host lets them in; when the time is up
the room closes. Run it with `make run`, or `python app.py` once the requirements are installed.

The whole product stands here, from top to bottom: settings, state, refusals, who may do what, rules, the one door to
the state, who is here, views, announcements, time, input, pages, events, trace, run. An event becomes a command:
`submit` puts it into the log, `receive` applies what the log says and announces it, and then it is acknowledged.

    event      payload                  who may             what it does
    host       topic, minutes?          anyone signed in    opens a room; this tab goes in
    watch      room, after?             anyone signed in    goes in, silently; gives the feed
    history    room, before             inside              gives earlier messages
    leave      room                     inside              goes out; a speaker's seat is kept
    request    room, pitch?             watcher             joins the queue to speak
    withdraw   room                     waiting             leaves the queue
    approve    room, user               host                the waiting person becomes a speaker
    deny       room, user               host                out of the queue
    remove     room, user               host                a speaker becomes a watcher again
    hand_over  room, user               host                a speaker becomes the host, the host a speaker
    message    room, text, key, reply?  host, speakers      adds to the feed
    take_back  room, seq                its author          the words go, a trace of them stays
    pulse      room, mood               inside, not host    says without a name how it goes, for a minute
    more_time  room                     inside, not host    asks for more time
    extend     room                     host                ten more minutes
    close      room                     host                ends the discussion
"""

import transport  # first: it makes the standard library cooperative

import contextlib
import hashlib
import hmac
import itertools
import logging
import math
import os
import re
import secrets
import threading
import time
import unicodedata
from collections import Counter, defaultdict, deque
from dataclasses import dataclass, field
from datetime import UTC, datetime

import click
from flask import Flask, redirect, render_template, request, session
from flask.sessions import SecureCookieSessionInterface
from flask_socketio import SocketIO
from werkzeug.middleware.proxy_fix import ProxyFix

import assets
import users as the_people
import words
from journal import Unavailable, open_journal
from limits import TokenBuckets, WrongTries

log = logging.getLogger("party")

# --- Settings and constants -------------------------------------------------------------------------------------------

MAX_TOPIC, MAX_PITCH, MAX_TEXT = 120, 140, 2_000  # characters
MAX_NAME, MAX_ID, MAX_KEY = 40, 40, 64
FEED_PAGE = 200  # messages given at once: a few screens
CATCH_UP = 1_000  # messages given at once to who comes back: minutes of the liveliest room

MINUTE = 60_000  # milliseconds, as all times are
EXTENSION = 10 * MINUTE
# Long enough to see one's own slip, short enough that what others have answered to stays.
TAKE_BACK_WITHIN = 2 * MINUTE
MOODS = ("agree", "say_more", "off_topic")
PULSE_LIFE = 1 * MINUTE  # about now: what was said a minute ago is not
PULSE_EVERY = 10_000
LONGEST_ROOM = 120 * MINUTE
MOST_MINUTES = 30  # that a host may choose; the owner may set more
# Long enough for a lift or a tunnel, short enough that a room is not left without a host.
HOST_GRACE = 1 * MINUTE
# Long enough to come back from a train's dead stretch, short enough that the lobby shows rooms with people in them.
EMPTY_GRACE = 5 * MINUTE
# An evening: whoever signs in before it starts is still signed in when it ends.
SIGN_IN_LIFE = 12 * 60 * MINUTE
TOKEN_BYTES = 18

# A room at its limits holds 20 MB of Latin text, 80 MB of emoji. So these two bound the memory to 1 to 4 GB, if friends
# do their very worst for half an hour; an ordinary evening (a hundred messages a room) takes a few MB.
LIVE_ROOMS = 32
CLOSED_ROOMS = 16  # kept for reading; the one closed first goes first
CLOSED_LIFE = LONGEST_ROOM  # as long again as the longest discussion
# The log is cut behind this: a command that matters is no older than a room can be, and its sign-in this much older.
LOG_LIFE = LONGEST_ROOM + CLOSED_LIFE + SIGN_IN_LIFE
LIVE_ROOMS_EACH = 3  # enough for one that drags on, one that runs and one that was a mistake
TABS_EACH = 20
SIGN_INS_EACH = 50
KEYS_EACH = 256  # a page sends again within minutes; at the full pace these are the last fifty seconds

BURST = 4  # times PARTY_PACE
REFUSALS_BEFORE_CLOSING = 200  # of `slow_down` in a row: no page does this, a script does
WRONG_TRIES, WRONG_TRIES_WITHIN = 10, 3 * MINUTE
TICK_SECONDS = 0.25  # gathered announcements go out at most four times a second
TRIM_SECONDS = 60
ACTIVITY_STEP = 10_000  # a lively room moves its card at most every ten seconds, not with every message

app = Flask(__name__, static_folder=None)  # assets.py gives these
app.config.from_prefixed_env("PARTY")


def setting(name, default, low, high, fractions=False):
    """The number PARTY_<name>. One that makes no sense stops the start with a sentence that names it."""
    value = app.config.get(name, default)
    if not is_number(value, low, high, fractions):
        raise SystemExit(
            f"PARTY_{name} must be a {'' if fractions else 'whole '}number from {low} to {high}, not {value!r}."
        )
    return value


def is_number(value, low, high, fractions=False):
    return (type(value) is int or fractions and type(value) is float) and low <= value <= high


ROOM_MINUTES = setting("ROOM_MINUTES", 30, 0.001, 120, fractions=True)
ROOM_MESSAGES = setting("ROOM_MESSAGES", 10_000, 1, 1_000_000)
SEATS = setting("SEATS", 8, 1, 100)  # of speakers beside the host: more voices than a reader can follow
PACE = setting("PACE", 5, 0, 1_000_000, fractions=True)
GUESTS = setting("GUESTS", 0, 0, 100_000)
PROXIES = setting("PROXIES", 0, 0, 10)
ASSETS = app.config.get("ASSETS", "cdn")
if ASSETS not in ("cdn", "local"):
    raise SystemExit(f"PARTY_ASSETS must be cdn or local, not {ASSETS!r}.")
ORIGINS = [origin.strip() for origin in str(app.config.get("ORIGINS", "")).lower().split(",") if origin.strip()]
if not all(re.fullmatch(r"https?://[^/?#\s]+", origin) for origin in ORIGINS):
    raise SystemExit("PARTY_ORIGINS must be origins like https://blog.example, separated by commas.")
if ASSETS == "local" and assets.missing():
    raise SystemExit(f"PARTY_ASSETS=local needs the own copies, but {assets.missing()}")
PEOPLE = the_people.people(GUESTS)
try:
    journal = open_journal(str(app.config.get("JOURNAL", the_people.INSTANCE / "party.db")))
except ValueError as error:
    raise SystemExit(f"PARTY_JOURNAL {error}.") from None
app.config.update(
    SECRET_KEY=the_people.secret_key(),
    SESSION_COOKIE_NAME="party",
    SESSION_COOKIE_HTTPONLY=True,
    SESSION_COOKIE_SAMESITE="Lax",
    PERMANENT_SESSION_LIFETIME=SIGN_IN_LIFE // 1000,
    # Else the answer to a page's late request would put its old cookie back over another person's sign-in.
    SESSION_REFRESH_EACH_REQUEST=False,
    MAX_CONTENT_LENGTH=16_000,
)
socketio = SocketIO(app, **transport.OPTIONS)

# What the page must know of these, so that it offers nothing that would be refused.
LIMITS = {
    "maxTopic": MAX_TOPIC,
    "maxPitch": MAX_PITCH,
    "maxText": MAX_TEXT,
    "roomMinutes": ROOM_MINUTES,
    "mostMinutes": MOST_MINUTES,
    "longestRoom": LONGEST_ROOM,
    "takeBackWithin": TAKE_BACK_WITHIN,
    "moods": MOODS,
    "pulseEvery": PULSE_EVERY,
}
LIBRARIES = assets.for_page(use_cdn=ASSETS == "cdn")
# What the page will need is asked for together with its style, not one after the other. Of the CDN nothing is: where it
# cannot be reached, Firefox would never run a module that was preloaded from there.
PRELOADED = [library["own"] for library in LIBRARIES if ASSETS == "local"]
app.jinja_env.globals.update(static=assets.ADDRESS, version=assets.VERSION, limits=LIMITS)
app.jinja_env.globals.update(icon=assets.ICON, icon_unseen=assets.ICON_UNSEEN, page_style=assets.STYLE)
app.jinja_env.globals.update(libraries=LIBRARIES, preloaded=PRELOADED)
app.jinja_env.globals.update(fill=words.fill, time_left=words.time_left, hue_of=words.hue_of)
app.context_processor(words.in_the_visitors_language)
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'self'",
        # Vue compiles our templates with `new Function`: the README's trust model says why that is no way in.
        "script-src 'self' 'unsafe-eval' " + " ".join(library["cdn"] for library in LIBRARIES if library["cdn"]),
        "img-src 'self' data:",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
HEADERS = [
    ("Content-Security-Policy", CONTENT_SECURITY_POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
]

# --- State ------------------------------------------------------------------------------------------------------------


@dataclass
class Room:
    """One discussion. Only the rules below change it."""

    id: str
    topic: str
    host: str
    opened_at: int
    closes_at: int
    active_at: int
    speakers: list = field(default_factory=list)  # names, the longest-standing first
    waiting: dict = field(default_factory=dict)  # name → what the host sees of the request, in the queue's order
    visitors: set = field(default_factory=set)  # names of all who have been inside: they may read it after closing
    messages: list = field(default_factory=list)  # message n has seq n, and is kept as it is sent
    last_said: dict = field(default_factory=dict)  # name → seq of their last message
    taken_back: list = field(default_factory=list)  # seqs of the messages without words
    pulse: dict = field(default_factory=dict)  # name → (mood, when), the oldest first; some may be over
    more_time: set = field(default_factory=set)  # names of who asked for it since it was given last
    closed: str | None = None  # why: "host", "time" or "abandoned"
    closed_at: int | None = None


@dataclass
class SignIn:
    """One sign-in of a person: all tabs of one browser."""

    since: int
    number: int  # the person's at that time; raising it ends the sign-in
    ended: bool = False


@dataclass
class User:
    """What the log says of a person."""

    number: int | None = None  # once the log says it, sign-ins with another one have ended
    sign_ins: dict = field(default_factory=dict)  # id → SignIn
    outcomes: dict = field(default_factory=dict)  # key → (the command's body, its first outcome), the oldest first


rooms = {}  # id → Room: the live ones, and closed ones kept for reading
users = {}  # name → User
# Held by whoever changes what stands here, or reads more than one thing of it; never while waiting for the log, since
# who appends to that waits for the one that applies it.
door = threading.RLock()

# --- Refusals ---------------------------------------------------------------------------------------------------------


NOT_KEPT = "The party cannot keep anything just now. Please try again in a moment."


class Refused(Exception):
    """The one way to say no: a code of the contract, and a sentence for a person."""

    def __init__(self, code, error, **more):
        super().__init__(error)
        self.ack = {"ok": False, "code": code, "error": error, **more}


# --- Who may do what: guards, which refuse or return ------------------------------------------------------------------


def anyone(room, command):
    pass


def while_there_is_room(_, command):
    if len(live_rooms()) >= LIVE_ROOMS:
        raise Refused("limit", "There are as many rooms as the party can hold. Join one of them.")
    if hosted_by(command["user"]) >= LIVE_ROOMS_EACH:
        raise Refused("limit", f"You host {LIVE_ROOMS_EACH} rooms already. Close one first.")


def readers(room, command):
    if room.closed and command["user"] not in room.visitors:
        raise Refused("closed", "That room has closed. Only those who were inside can still read it.")


def until_closed(room, command):
    if room.closed:
        raise Refused("closed", "That room has closed.")


def while_live(room, command):
    until_closed(room, command)
    if command["at"] >= room.closes_at:
        raise Refused("closed", "The time of that room is up.")


def when_due(room, command):
    until_closed(room, command)
    if command["reason"] == "time" and command["at"] < room.closes_at:
        raise Refused("conflict", "That room has got more time.")


def while_gone(room, command):
    until_closed(room, command)
    if command["gone"] != room.host:
        raise Refused("conflict", "That room has another host by now.")


def watchers(room, command):
    while_live(room, command)
    if may_speak(room, command["user"]):
        raise Refused("forbidden", "You can already speak here.")


def all_but_the_host(room, command):
    while_live(room, command)
    if room.host == command["user"]:
        raise Refused("forbidden", "That is for everybody but the host.")


def now_and_then(room, command):
    all_but_the_host(room, command)
    _, at = room.pulse.get(command["user"], (None, -PULSE_EVERY))
    if (wait := at + PULSE_EVERY - command["at"]) > 0:
        sentence = f"One signal in {PULSE_EVERY // 1000} seconds is enough. Please wait a moment."
        raise Refused("slow_down", sentence, retry_after=math.ceil(wait / 1000))


def those_waiting(room, command):
    while_live(room, command)
    if command["user"] not in room.waiting:
        raise Refused("forbidden", "You are not in the queue.")


def the_host(room, command):
    while_live(room, command)
    if room.host != command["user"]:
        raise Refused("forbidden", "Only the host can do that.")


def the_host_or_the_party(room, command):
    """The host hands over to whom they like who can take one more room; for one who is gone, the party does it."""
    if "gone" in command:
        return while_gone(room, command)
    the_host(room, command)
    if hosted_by(command["who"]) >= LIVE_ROOMS_EACH:
        raise Refused("limit", f"They host {LIVE_ROOMS_EACH} rooms already.")


def host_and_speakers(room, command):
    while_live(room, command)
    if not may_speak(room, command["user"]):
        raise Refused("forbidden", "Only the host and the speakers can write. Ask to speak first.")


def its_author(room, command):
    while_live(room, command)
    if message_in(room, command["seq"])["user"] != command["user"]:
        raise Refused("forbidden", "That message is not yours.")


def hosted_by(user):
    """How many live rooms they host."""
    return sum(room.host == user for room in live_rooms())


def may_speak(room, user):
    return user == room.host or user in room.speakers


def message_in(room, seq):
    """The message `seq` of the room. Refuses one that there is not."""
    if not 1 <= seq <= len(room.messages):
        raise Refused("not_found", "There is no such message in that room.")
    return room.messages[seq - 1]


# --- Rules: what happens. They know no web, no clock and no chance; what they return goes into the acknowledgement ----


def live_rooms():
    return [room for room in rooms.values() if not room.closed]


def open_room(_, command):
    at = command["at"]
    room = Room(command["id"], command["topic"], command["user"], at, at + command["lasts"], active_at=at)
    room.visitors.add(room.host)
    rooms[room.id] = room
    return {"room": room.id}


def enter(room, command):
    room.visitors.add(command["user"])


def ask_to_speak(room, command):
    user = command["user"]
    if user in room.waiting:
        raise Refused("conflict", "You are in the queue already.")
    room.waiting[user] = {"user": user, "pitch": command["pitch"], "at": command["at"]}
    return {"place": len(room.waiting)}


def withdraw(room, command):
    del room.waiting[command["user"]]


def admit(room, command):
    waiting = request_of(room, command["who"])
    # A log from before there were seats has no `most`.
    if "most" in command and len(room.speakers) >= command["most"]:
        raise Refused("limit", f"All seats are taken ({command['most']}). Remove a speaker first.")
    del room.waiting[command["who"]]
    room.speakers.append(command["who"])
    return {"pitch": waiting["pitch"]}


def turn_away(room, command):
    request_of(room, command["who"])
    del room.waiting[command["who"]]


def request_of(room, who):
    """What the queue holds of `who`. Refuses somebody who does not wait."""
    if who not in room.waiting:
        raise Refused("not_found", "They are not waiting.")
    return room.waiting[who]


def unseat(room, command):
    if command["who"] not in room.speakers:
        raise Refused("not_found", "They are not a speaker here.")
    room.speakers.remove(command["who"])


def say(room, command):
    if len(room.messages) >= command["most"]:
        raise Refused("limit", "This room is full of words: it takes no more messages.")
    reply = {"reply": command["reply"]} if "reply" in command else {}
    if reply:
        message_in(room, command["reply"])
    message = {
        "room": room.id,
        "seq": len(room.messages) + 1,
        "user": command["user"],
        "text": command["text"],
        "at": command["at"],
        "key": command["key"],
        **reply,
    }
    room.messages.append(message)
    room.last_said[command["user"]] = message["seq"]
    room.active_at = command["at"]
    return {"message": message}


def take_back(room, command):
    """The words of a message go, wherever they are remembered; that somebody said something there stays."""
    message = message_in(room, command["seq"])
    if "taken_back" in message:
        raise Refused("conflict", "You have taken that message back already.")
    if room.last_said[command["user"]] != command["seq"]:
        raise Refused("conflict", "Only your last message can be taken back.")
    if command["at"] >= message["at"] + TAKE_BACK_WITHIN:
        raise Refused("conflict", "It is too late to take that message back.")
    outcomes = users[command["user"]].outcomes if command["user"] in users else {}
    body, outcome = outcomes.get(message["key"], (None, {}))
    if outcome.get("message") is message:  # the key may be forgotten by now, and even used again
        outcomes[message["key"]] = (without_words(body), outcome)
    message.update(text="", taken_back=True)  # in place: the key's first outcome holds the same message
    room.taken_back.append(command["seq"])


def give_a_signal(room, command):
    """One each, and it is the latest that counts."""
    room.pulse.pop(command["user"], None)
    for name in list(itertools.takewhile(lambda name: is_over(room.pulse[name], command["at"]), room.pulse)):
        del room.pulse[name]
    room.pulse[command["user"]] = (command["mood"], command["at"])


def is_over(signal, at):
    return at >= signal[1] + PULSE_LIFE


def ask_for_more_time(room, command):
    if command["user"] in room.more_time:
        raise Refused("conflict", "You have asked for more time already.")
    room.more_time.add(command["user"])


def extend(room, command):
    latest = room.opened_at + LONGEST_ROOM
    if room.closes_at >= latest:
        raise Refused("limit", "Two hours is the longest that a room can be open.")
    room.closes_at = min(room.closes_at + EXTENSION, latest)
    room.more_time.clear()
    return {"room": room.id}


def hand_over(room, command):
    """The host becomes the speaker who joined last, and `who` the host."""
    unseat(room, command)
    room.speakers.append(room.host)
    room.host = command["who"]


def close(room, command):
    # One whose time ran out while nobody was there to see it has been closed since then.
    room.closed, room.closed_at = command["reason"], min(command["at"], room.closes_at)
    for of_the_moment in (room.waiting, room.pulse, room.more_time):
        of_the_moment.clear()
    closed = [room for room in rooms.values() if room.closed]
    if len(closed) > CLOSED_ROOMS:
        forget(min(closed, key=lambda room: room.closed_at), command)


def forget(room, command):
    """The room is gone, and its words with it, also those that keys remember."""
    del rooms[room.id]
    for user in users.values():
        for key, (body, outcome) in list(user.outcomes.items()):
            if room.id in (body.get("room"), outcome.get("room")):
                del user.outcomes[key]


def sign_in(_, command):
    user = users.setdefault(command["user"], User())
    sign_ins = user.sign_ins
    for id in [id for id, known in sign_ins.items() if known.since + SIGN_IN_LIFE <= command["at"]]:
        del sign_ins[id]
    if len(sign_ins) >= SIGN_INS_EACH:
        # One that has ended must be remembered as ended.
        del sign_ins[next((id for id, known in sign_ins.items() if not known.ended), next(iter(sign_ins)))]
    # One process may still know an old number, and let in whom the others have revoked.
    revoked = user.number not in (None, command["number"])
    sign_ins[command["sign_in"]] = SignIn(command["since"], command["number"], ended=revoked)


def sign_out(_, command):
    if known := users.get(command["user"], User()).sign_ins.get(command["sign_in"]):
        known.ended = True


def renumber(_, command):
    """End the sign-ins with any other number, for good."""
    user = users.setdefault(command["user"], User())
    user.number = command["number"]
    for known in user.sign_ins.values():
        known.ended = known.ended or known.number != user.number


# kind of command: (who may, what happens)
RULES = {
    "host": (while_there_is_room, open_room),
    "watch": (readers, enter),
    "request": (watchers, ask_to_speak),
    "withdraw": (those_waiting, withdraw),
    "approve": (the_host, admit),
    "deny": (the_host, turn_away),
    "remove": (the_host, unseat),
    "hand_over": (the_host_or_the_party, hand_over),
    "message": (host_and_speakers, say),
    "take_back": (its_author, take_back),
    "pulse": (now_and_then, give_a_signal),
    "more_time": (all_but_the_host, ask_for_more_time),
    "extend": (the_host, extend),
    "close": (the_host, close),
    # What the party itself does, and the pages.
    "end": (when_due, close),
    "forget": (anyone, forget),
    "sign_in": (anyone, sign_in),
    "sign_out": (anyone, sign_out),
    "renumber": (anyone, renumber),
}

# --- The one door to the state ----------------------------------------------------------------------------------------


awaited = {}  # id of a command that somebody here waits for → its outcome, once it is applied


def submit(kind, user=None, **body):
    """Put a command into the log; gives its outcome once it is applied. The one way in for everything.

    Raises Refused, and Unavailable when the log does not answer. What is refused by a guard never reaches the log;
    what a rule refuses is in it, and refused again whenever the log is read. With a `key` that the user gave before,
    gives the first outcome and changes nothing.
    """
    command = {"id": secrets.token_hex(8), "at": now(), "kind": kind, "user": user, "key": None} | body
    try:
        outcome = foresee(command)
    except Refused:
        journal.catch_up()  # another process may have changed that
        outcome = foresee(command)
    if outcome is None:
        awaited[command["id"]] = None
        try:
            journal.append(command)
        finally:
            with door:
                outcome = awaited.pop(command["id"])
        if outcome is None:  # the log lost it again
            raise Unavailable("not in the log")
    if not outcome["ok"]:
        raise Refused(**{name: value for name, value in outcome.items() if name != "ok"})
    return outcome


def foresee(command):
    """The outcome that is remembered under the command's key, None for a new one. Refuses what a guard refuses now."""
    with door:
        outcome = first_outcome(command)
        if outcome is None:
            guarded_room(command)
    return outcome


def receive(position, command):
    """What the log says next, which is announced here if it was not said before."""
    with door:
        is_new = remembered(command) is None
        outcome = settle(command)
        if is_new:
            announce(command, outcome)


def rebuild(entries):
    """Make the dicts anew from the whole log; the tabs come back for what they missed."""
    with door:
        rooms.clear()
        users.clear()
        command = None
        for _, command in entries:
            settle(command)
        if command:
            log.info("The log was taken up; its last command is from %s.", time_of(command))
        stale_cards.update(told_cards, rooms)
        for tab in tabs.values():
            transport.hang_up(socketio, tab.sid, transport.RESTARTING, "catching up")


def settle(command):
    """Apply the command, and leave its outcome for who waits for it."""
    try:
        outcome = apply(command)
    except Exception:  # one that another version wrote, or our own mistake: the others are applied all the same
        log.exception("Command %s could not be applied.", command["id"])
        outcome = Refused("unavailable", "Something went wrong here. Please try again.").ack
    if command["id"] in awaited:
        awaited[command["id"]] = outcome
    return outcome


def apply(command):
    """Change `rooms` and `users` as `command` says; gives its outcome, which is what the acknowledgement will say.

    Pure but for these two: the same commands in the same order give the same dicts, here and on any machine.
    """
    try:
        outcome = first_outcome(command)
        if outcome is None:
            room = guarded_room(command)
            outcome = {"ok": True} | ruling(room, command)
            remember(command, outcome)
    except Refused as refusal:
        # The same key may be used again: it may soon be allowed, as after signing in again.
        outcome = refusal.ack
    return outcome


def ruling(room, command):
    """What the rule says, which may be a no: that is remembered like a yes."""
    try:
        return RULES[command["kind"]][1](room, command) or {}
    except Refused as refusal:
        return refusal.ack


def guarded_room(command):
    """The room that the command is about, or None. Refuses where the sign-in does not hold or the guard says no."""
    if "through" in command and not is_signed_in(command["user"], command["through"], command["at"]):
        raise Refused("signed_out", "You are signed out. Please sign in again.")
    room = room_of(command)
    RULES[command["kind"]][0](room, command)
    return room


def is_signed_in(user, id, at):
    """Whether the log knows the sign-in `id` of `user` as one that holds at that time."""
    known = users[user].sign_ins.get(id) if user in users else None
    return bool(known and not known.ended and at < known.since + SIGN_IN_LIFE)


def room_of(command):
    """The room that the command is about, None for one that is about no room. Refuses an unknown one."""
    if "room" not in command:
        return None
    if command["room"] not in rooms:
        raise Refused("not_found", "There is no such room. It may be gone by now.")
    return rooms[command["room"]]


def body_of(command):
    """What the person asked for, without what the server added."""
    return {name: value for name, value in command.items() if name not in ("id", "at", "key", "most", "through")}


def without_words(body):
    """What is left of the body of a message that was taken back: enough to know the same one again."""
    return body | {"text": hashlib.sha256(body["text"].encode()).digest()}


def remembered(command):
    """(body, outcome) of the first command with this user's key, or None."""
    return users[command["user"]].outcomes.get(command["key"]) if command["user"] in users else None


def first_outcome(command):
    """What this user's key led to the first time, or None. Refuses the same key with another body."""
    known, body = remembered(command), body_of(command)
    if known and known[0] != body and not ("text" in body and known[0] == without_words(body)):
        raise Refused("conflict", "That key was used for something else.")
    return known and known[1]


def remember(command, outcome):
    """Keep the first outcome of a key, for as long as a page may send it again."""
    if command["key"]:
        outcomes = users.setdefault(command["user"], User()).outcomes
        outcomes.setdefault(command["key"], (body_of(command), outcome))
        if len(outcomes) > KEYS_EACH:
            del outcomes[next(iter(outcomes))]


# --- Who is here: what the wire knows; the browsers rebuild it after a restart ----------------------------------------


@dataclass
class Tab:
    """One connection of a signed-in person."""

    sid: str
    user: str
    sign_in: str
    inside: set = field(default_factory=set)  # ids of rooms


@dataclass
class Presence:
    """Who is inside a room, and since when somebody is missed there."""

    tabs: Counter = field(default_factory=Counter)  # name → how many tabs, over all processes
    empty_since: int | None = None
    host_gone_since: int | None = None


tabs = {}  # sid → Tab
tabs_of = defaultdict(set)  # name → sids
presence = defaultdict(Presence)  # room id → Presence
departed = deque()  # sids whose connection has ended: noted there, seen off soon
elsewhere = {}  # another process → {room id: {name: how many tabs}}
paces = TokenBuckets(PACE, PACE * BURST)  # by name: a person has one over all tabs


def greet(sid, user):
    """Tell a new tab what is live, what of it waits for its person, and what they can still read."""
    cards = [card(room) for room in live_rooms()]
    tell(sid, "lobby", {"now": now(), "rooms": cards, "gone": [], "closed": readable(user)})
    for room in live_rooms():
        tell_place(sid, room, user)
        if user == room.host:
            tell(sid, "waiting", {"room": room.id, "waiting": queue(room)})


def tell_place(sid, room, user):
    """Tell a tab its person's place in the queue, when they wait."""
    if user in room.waiting:
        tell(sid, "place", {"room": room.id, "place": list(room.waiting).index(user) + 1})


def go_in(tab, room):
    """Let the tab hear the room."""
    if room.id not in tab.inside:
        tab.inside.add(room.id)
        count(room.id, {tab.user: 1})
        socketio.server.enter_room(tab.sid, inside(room.id))
    tell(tab.sid, "room", room_view(room))
    tell_place(tab.sid, room, tab.user)


def go_out(tab, room_id):
    """The tab hears the room no more."""
    if room_id in tab.inside:
        tab.inside.remove(room_id)
        count(room_id, {tab.user: -1})
        socketio.server.leave_room(tab.sid, inside(room_id))


def count(room_id, change):
    """Add to how many tabs people have inside, {name: how many}."""
    people = presence[room_id].tabs
    people.update(change)
    for name in change:
        if people[name] <= 0:
            del people[name]
    stale_rooms.add(room_id)


def meet():
    """Tell the other processes who is inside where, and count who is inside there. Raises Unavailable."""
    met = journal.exchange(who_is_inside)
    with door:
        for process in elsewhere.keys() | met.keys():
            before, after = elsewhere.pop(process, {}), met.get(process, {})
            if before is not after:
                for room_id, people in before.items():
                    count(room_id, {name: -tabs for name, tabs in people.items()})
                for room_id, people in after.items():
                    count(room_id, people)
        elsewhere.update(met)


def who_is_inside():
    """{room id: {name: how many tabs}}, of this process alone."""
    people = defaultdict(Counter)
    with door:
        for tab in tabs.values():
            for room_id in tab.inside:
                people[room_id][tab.user] += 1
    return people


def see_off():
    """Forget the tabs whose connection has ended."""
    while departed:
        if tab := tabs.pop(departed.popleft(), None):
            for room_id in list(tab.inside):
                go_out(tab, room_id)
            tabs_of[tab.user].discard(tab.sid)


def sign_in_holds(user, id):
    """Whether the sign-in `id` of `user` is known, not ended, not too old, and of somebody who is one of the people."""
    return is_signed_in(user, id, now()) and users[user].sign_ins[id].number == PEOPLE.get(user)


def keep_pace(tab):
    """Refuse who is too fast; hang up on who goes on all the same."""
    if wait := paces.take(tab.user, now()):
        if paces.refusals(tab.user) > REFUSALS_BEFORE_CLOSING:
            transport.hang_up(socketio, tab.sid)
        raise Refused("slow_down", "That is a little too fast. Please wait a moment.", retry_after=wait)


# --- Views: they choose what leaves -----------------------------------------------------------------------------------


def room_view(room):
    """The room as everyone inside may see it."""
    return outline(room) | {
        "seats": SEATS,
        "away": away(room),
        "waiting": len(room.waiting),
        "more_time": len(room.more_time),
        "pulse": moods(room),
        "seq": len(room.messages),
        "closed": room.closed,
        "closed_at": room.closed_at,
        "gone_at": gone_at(room),
    }


def card(room):
    """The room as everyone in the lobby may see it."""
    return outline(room) | {"active_at": room.active_at // ACTIVITY_STEP * ACTIVITY_STEP}


def outline(room):
    """What everyone may see of a live room."""
    people = presence[room.id].tabs
    return {
        "id": room.id,
        "topic": room.topic,
        "host": room.host,
        "speakers": list(room.speakers),
        "watching": len(people) - sum(name in people for name in (room.host, *room.speakers)),
        "opened_at": room.opened_at,
        "closes_at": room.closes_at,
    }


def away(room):
    """Who could speak, but has no tab inside: the host first, then the longest-standing speaker."""
    return [name for name in (room.host, *room.speakers) if name not in presence[room.id].tabs]


def moods(room):
    """How many gave each signal within the last minute, and nobody's name."""
    at = now()
    counts = Counter(mood for mood, said_at in room.pulse.values() if not is_over((mood, said_at), at))
    return {mood: counts[mood] for mood in MOODS}


def gone_at(room):
    """When a closed room is forgotten, at the latest; None while it is live."""
    return room.closed_at + CLOSED_LIFE if room.closed else None


def readable(user):
    """The closed rooms that the person may still read, the one closed last first."""
    mine = [room for room in rooms.values() if room.closed and user in room.visitors]
    return [
        {
            "id": room.id,
            "topic": room.topic,
            "host": room.host,
            "closed_at": room.closed_at,
            "gone_at": gone_at(room),
        }
        for room in sorted(mine, key=lambda room: room.closed_at, reverse=True)
    ]


def queue(room):
    """The queue as the host alone may see it."""
    return list(room.waiting.values())


def feed_after(room, seq):
    """The messages behind `seq`, and whether there are earlier ones."""
    start = min(seq, len(room.messages))
    return feed(room, start, start + CATCH_UP)


def feed_before(room, seq):
    """The last messages before `seq`, and whether there are earlier ones."""
    end = min(seq - 1, len(room.messages))
    return feed(room, max(end - FEED_PAGE, 0), end)


def feed(room, start, end):
    return {"messages": room.messages[start:end], "earlier": start > 0}


# --- Announcements ----------------------------------------------------------------------------------------------------

EVERYONE = "everyone"
TO_THE_PERSON = {"deny": "denied", "remove": "removed"}

stale_rooms = set()  # ids of rooms whose people may have something new to hear at the next tick
stale_cards = set()  # the same for the lobby
told = {}  # room id → {what: the payload that was told last}
told_cards = {}  # room id → the card that the lobby was told last


def inside(room_id):
    return f"inside:{room_id}"


def person(user):
    return f"person:{user}"


def tell(audience, event, payload):
    """Send to an audience: a tab's sid, `inside(room)`, `person(user)` or EVERYONE. Socket.IO would take an empty
    one for everyone, so here that is an error."""
    if not audience:
        raise ValueError("nobody to tell")
    socketio.emit(event, payload, to=audience)


def announce(command, outcome):
    """Tell at once what cannot wait, and note the room for the next tick."""
    kind = command["kind"]
    room_id = outcome.get("room") if kind == "host" else command.get("room")
    if not outcome["ok"] or room_id not in rooms:
        return
    stale_cards.add(room_id)
    if kind == "message":
        return tell(inside(room_id), "message", outcome["message"])
    stale_rooms.add(room_id)
    if kind == "approve":
        tell(person(command["who"]), "approved", {"room": room_id, "pitch": outcome["pitch"]})
    elif kind in TO_THE_PERSON:
        tell(person(command["who"]), TO_THE_PERSON[kind], {"room": room_id})
    elif kind == "take_back":
        tell(inside(room_id), "taken_back", {"room": room_id, "seq": command["seq"]})
    elif kind in ("close", "end"):
        ending = {"reason": command["reason"], "by": command["user"], "gone_at": gone_at(rooms[room_id])}
        tell(inside(room_id), "closed", {"room": room_id, **ending})


def refresh_room(room):
    """Tell those inside, the host and those who wait what is new since they were told last."""
    last = told.get(room.id, {})
    if last.get("room") != (view := room_view(room)):
        tell(inside(room.id), "room", view)
    if last.get("waiting") != (waiting := (room.host, queue(room))):
        tell(person(room.host), "waiting", {"room": room.id, "waiting": waiting[1]})
    places = {user: place for place, user in enumerate(room.waiting, start=1)}
    for user, place in places.items():
        if last.get("places", {}).get(user) != place:
            tell(person(user), "place", {"room": room.id, "place": place})
    told[room.id] = {"room": view, "waiting": waiting, "places": places}


def refresh_lobby():
    """Tell everyone which cards changed and which are gone."""
    live = {id: card(rooms[id]) for id in stale_cards if id in rooms and not rooms[id].closed}
    changed = {id: new for id, new in live.items() if told_cards.get(id) != new}
    gone = [id for id in stale_cards if id in told_cards and id not in live]
    stale_cards.clear()
    told_cards.update(changed)
    for id in gone:
        del told_cards[id]
    if changed or gone:
        tell(EVERYONE, "lobby", {"now": now(), "rooms": list(changed.values()), "gone": gone})


# --- Time -------------------------------------------------------------------------------------------------------------

# A clock that nobody sets: it starts from the wall clock and then only runs on, through sleep as well where the
# system has such a clock (Linux).
STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
STARTED = time.time_ns() - time.clock_gettime_ns(STEADY)


def now():
    """Milliseconds UTC."""
    return (STARTED + time.clock_gettime_ns(STEADY)) // 1_000_000


def tick():
    """What happens by itself, four times a second: people go, sign-ins end, time runs out, news is told."""
    with door:
        see_off()
        for tab in list(tabs.values()):
            if not sign_in_holds(tab.user, tab.sign_in):
                transport.hang_up(socketio, tab.sid)
    try:
        meet()
        decide()
    except Unavailable:  # then at the next tick
        forget_absences()
    with door:
        for room_id in presence.keys() - rooms.keys():
            clear_out(room_id)
        stale_cards.update(stale_rooms)
        stale_rooms.update(rooms_with_a_pulse())
        for room_id in list(stale_rooms):
            stale_rooms.discard(room_id)
            if room_id in rooms:
                refresh_room(rooms[room_id])
        refresh_lobby()


def rooms_with_a_pulse():
    """The ids of the rooms whose people were told of a signal: its minute ends by itself."""
    return [id for id, last in told.items() if any(last["room"]["pulse"].values())]


def decide():
    """Submit what time has decided. Raises Unavailable."""
    with door:
        for room in rooms.values():
            note_absence(room)
        due = [command for room in rooms.values() for command in due_in(room)]
    for kind, body in due:
        with contextlib.suppress(Refused):  # another process was faster
            submit(kind, **body)


def note_absence(room):
    """Note since when nobody is inside, and since when the host is not."""
    at, here = now(), presence[room.id]
    here.empty_since = None if here.tabs else here.empty_since or at
    here.host_gone_since = None if room.host in here.tabs else here.host_gone_since or at


def forget_absences():
    """While the others cannot be asked, who is missed here may have come in there: each grace starts anew."""
    with door:
        for here in presence.values():
            here.empty_since = here.host_gone_since = None


def due_in(room):
    """The commands, as (kind, body), that time has decided for this room."""
    at, here = now(), presence[room.id]
    if not room.closed:
        for name in here.tabs.keys() - room.visitors:  # who went in while the log was away
            yield "watch", {"room": room.id, "user": name}
    heir = next((speaker for speaker in room.speakers if speaker in here.tabs), None)
    if room.closed:
        if at >= gone_at(room):
            yield "forget", {"room": room.id}
    elif at >= room.closes_at:
        yield "end", {"room": room.id, "reason": "time"}
    elif here.empty_since and at >= here.empty_since + EMPTY_GRACE:
        yield "end", {"room": room.id, "reason": "abandoned"}
    elif heir and here.host_gone_since and at >= here.host_gone_since + HOST_GRACE:
        yield "hand_over", {"room": room.id, "who": heir, "gone": room.host}


def clear_out(room_id):
    """Nobody is inside a room that is forgotten. (One that others are inside may be one we have not heard of yet.)"""
    for tab in [tab for tab in tabs.values() if room_id in tab.inside]:
        go_out(tab, room_id)
    if not presence[room_id].tabs:
        del presence[room_id]
    told.pop(room_id, None)


def tick_forever():
    while True:
        socketio.sleep(TICK_SECONDS)
        try:
            tick()
        except Exception:
            log.exception("A tick failed; the next one goes on.")


def trim_forever():
    while True:
        try:
            journal.trim(now() - LOG_LIFE)
        except Exception:
            log.exception("The log could not be trimmed; it is tried again.")
        socketio.sleep(TRIM_SECONDS)


# --- Reading input: distrusted here, once -----------------------------------------------------------------------------


INVISIBLE = {"Cc", "Cf", "Zs", "Zl", "Zp"}  # Unicode's categories of control, format and white space


def wanted(data, key, limit):
    """The text under `key`, stripped. Refuses what is missing, not text, without anything to see, or longer than
    `limit` characters."""
    value = data.get(key)
    if not isinstance(value, str) or all(unicodedata.category(char) in INVISIBLE for char in value):
        raise Refused("bad_input", f"Please give a {key}.")
    if len(value) > limit:
        raise Refused("bad_input", f"That {key} is longer than {limit:,} characters.")
    if any(unicodedata.category(char) in ("Cc", "Cs") and char not in "\t\n\r" for char in value):
        raise Refused("bad_input", f"That {key} holds characters that nobody can see.")
    return value.strip()


def one_line(data, key, limit):
    """The text under `key` like `wanted`, with each run of white space made one space."""
    return " ".join(wanted(data, key, limit).split())


def optional_line(data, key, limit):
    """The text under `key` like `one_line`, "" where there is none."""
    return one_line(data, key, limit) if data.get(key) else ""


def whole(data, key, low, high):
    """The whole number under `key`, or None where there is none. Refuses anything else."""
    value = data.get(key)
    if value is not None and not is_number(value, low, high):
        raise Refused("bad_input", f"Please give a whole number from {low:,} to {high:,} as {key}.")
    return value


def a_number(data, key, low, high):
    """The whole number under `key`, which must be there."""
    value = whole(data, key, low, high)
    if value is None:
        raise Refused("bad_input", f"Please give a whole number as {key}.")
    return value


def one_of(data, key, choices):
    """The one of `choices` that stands under `key`. Refuses anything else."""
    value = data.get(key)
    if value not in choices:
        raise Refused("bad_input", f"Please give one of these as {key}: {', '.join(choices)}.")
    return value


def ask(kind, data, **body):
    """Submit what the tab's person asks for. Refuses with `bad_input` a key that is not one."""
    key, tab = data.get("key"), this_tab()
    if key is not None:
        wanted(data, "key", MAX_KEY)
    return submit(kind, tab.user, key=key, through=tab.sign_in, **body)


def this_tab():
    """The tab that this event came from. Refuses one that has gone, or whose sign-in has ended."""
    tab = tabs.get(request.sid)
    if not tab or not sign_in_holds(tab.user, tab.sign_in):
        raise Refused("signed_out", "You are signed out. Please sign in again.")
    return tab


def the_room(data):
    return wanted(data, "room", MAX_ID)


def room_inside(data):
    """The room that `data` names, if this tab is inside. Refuses otherwise."""
    with door:
        room = room_of({"room": the_room(data)})
        if room.id not in this_tab().inside:
            raise Refused("forbidden", "You are not in that room.")
        return room


# --- Pages ------------------------------------------------------------------------------------------------------------


class SessionCookie(SecureCookieSessionInterface):
    """Flask's signed cookie, for https alone where the visitor came by https, and not for the blog beside us."""

    def get_cookie_path(self, app):
        return request.script_root + "/"

    def get_cookie_secure(self, app):
        return request.is_secure


app.session_interface = SessionCookie()
app.register_blueprint(assets.served)
wrong_tries = WrongTries(WRONG_TRIES, WRONG_TRIES_WITHIN)  # by address, and by name


def form_token():
    """The token that a form must bring back: another site cannot read it.

    Masked anew in each page: pages are compressed and hold what others wrote, so the length of many such pages would
    tell a listener of a token that stays the same (the attack is known as BREACH).
    """
    token = bytes.fromhex(session.setdefault("form_token", secrets.token_hex(TOKEN_BYTES)))
    mask = secrets.token_bytes(TOKEN_BYTES)
    return (mask + masked(token, mask)).hex()


def is_our_form():
    token = request.form.get("token", "")
    if not re.fullmatch(f"[0-9a-f]{{{4 * TOKEN_BYTES}}}", token):
        return False
    mask, hidden = bytes.fromhex(token)[:TOKEN_BYTES], bytes.fromhex(token)[TOKEN_BYTES:]
    return hmac.compare_digest(masked(hidden, mask).hex(), session.get("form_token", ""))


def masked(token, mask):
    return bytes(byte ^ other for byte, other in zip(token, mask, strict=True))


def signed_in():
    """(name, sign-in) of whoever sent this request, or None.

    A sign-in from before this log began, as after a restart with `memory:`, is entered into it: its signed cookie
    says as much as the log would, but for a sign-out.
    """
    mine = session.get("sign_in")
    if not mine:
        return None
    catch_up()
    user, id = mine["user"], mine["id"]
    known = user in users and id in users[user].sign_ins
    if not known and mine["since"] < journal.began:
        submit("sign_in", user, sign_in=id, since=mine["since"], number=mine["number"])
    return (user, id) if sign_in_holds(user, id) else None


def catch_up():
    """Hear what was done through other processes. While the log is away, what is known here must do."""
    with contextlib.suppress(Unavailable):
        journal.catch_up()


def admit_line(environ):
    """For the gate: None to let a handshake through, else the status and a sentence."""
    with app.request_context(environ):
        who = signed_in()
    if not who:
        return "401 Unauthorized", "Please sign in first."
    with door:
        see_off()
    if len(tabs_of[who[0]]) >= TABS_EACH:
        return "429 Too Many Requests", f"You have {TABS_EACH} tabs open already."
    return None


@app.errorhandler(Unavailable)
def sorry(error):
    """A page whose command could not be kept: signing in or out."""
    return sign_in_page(NOT_KEPT, 503, {"Retry-After": "5"})


@app.after_request
def keep_pages_small_and_out_of_caches(response):
    """A page carries a name and a token: after signing out, the back button must not show it."""
    if response.mimetype == "text/html":
        response.cache_control.no_store = True
        if encoding := assets.best_encoding(response):
            response.set_data(assets.compressed(response.get_data(), encoding))
    return response


@app.get("/offline")
def offline():
    """What the page's service worker keeps, and shows without a network. The same for everybody."""
    return render_template("offline.html")


@app.get("/")
def index():
    """The page: the lobby and its rooms. The cards stand in it, to be read before any script has run."""
    who = signed_in()
    if not who:
        return redirect("sign-in")
    with door:
        cards = sorted(map(card, live_rooms()), key=lambda card: (-card["active_at"], -card["opened_at"]))
    lobby = {"now": now(), "rooms": cards}
    return render_template("index.html", user=who[0], token=form_token(), lobby=lobby)


@app.get("/sign-in")
def sign_in_page(error=None, status=200, headers=None):
    """The form, which works without JavaScript as well."""
    name = request.form.get("name", "")[:MAX_NAME]
    return render_template("sign_in.html", token=form_token(), name=name, error=error), status, headers or {}


@app.post("/sign-in")
def on_sign_in():
    """Sign in with a name and its password."""
    if not is_our_form():
        return sign_in_page("That form was too old. Please try again.", 400)
    name = request.form.get("name", "").strip().lower()
    address, known_name = ("address", request.remote_addr), ("name", name if name in PEOPLE else None)
    right = the_people.is_password(app.secret_key, name, PEOPLE, request.form.get("password", ""))
    # Too many wrong tries of others do not lock a name out: the right password still opens it.
    if wait := wrong_tries.wait(now(), address, *(() if right else (known_name,))):
        sentence = "That was wrong too often. Please wait a few minutes and try again."
        return sign_in_page(sentence, 429, {"Retry-After": str(wait)})
    if not right:
        wrong_tries.note(now(), address, known_name)
        return sign_in_page("That name and password do not go together.", 401)
    mine = {"id": secrets.token_urlsafe(9), "since": now(), "number": PEOPLE[name]}
    submit("sign_in", name, sign_in=mine["id"], since=mine["since"], number=mine["number"])
    session.clear()
    session.permanent = True
    session["sign_in"] = {"user": name, **mine}
    return redirect("./", 303)


@app.post("/sign-out")
def on_sign_out():
    """Sign out: this browser, all its tabs."""
    if not is_our_form():
        return sign_in_page("That form was too old. Please try again.", 400)
    if who := signed_in():
        submit("sign_out", who[0], sign_in=who[1])
    session.clear()
    return redirect("sign-in", 303)


# --- Events -----------------------------------------------------------------------------------------------------------

transport.guard(socketio)
app.wsgi_app = gate = transport.Gate(app.wsgi_app, "/socket.io/", ORIGINS, HEADERS, admit_line)
if PROXIES:
    app.wsgi_app = ProxyFix(app.wsgi_app, PROXIES, PROXIES, PROXIES, PROXIES, PROXIES)


@socketio.on("connect")
def on_connect(auth=None):
    """A tab of somebody signed in: tell it what is live. Catches everything, or it would be called twice.

    A page says for whom it was made (`{"user": name}`): another tab may have signed in somebody else since, and
    what the one wrote must not go out under the other's name.
    """
    try:
        user, sign_in = signed_in() or (None, None)
        with door:
            expected = auth.get("user", user) if isinstance(auth, dict) else user
            if user is None or user != expected or len(tabs_of[user]) >= TABS_EACH:
                return False
            tabs[request.sid] = Tab(request.sid, user, sign_in)
            tabs_of[user].add(request.sid)
            for audience in (EVERYONE, person(user)):
                socketio.server.enter_room(request.sid, audience)
            greet(request.sid, user)
    except Exception:
        log.exception("A connection could not be taken.")
        return False


@socketio.on("disconnect")
def on_disconnect(reason=None):
    """Only takes note: this may run in the middle of an announcement."""
    departed.append(request.sid)


def event(handler):
    """Make `on_<event>` answer that event."""
    socketio.on(handler.__name__.removeprefix("on_"))(lambda *payload: acknowledge(handler, payload))
    return handler


def acknowledge(handler, payload):
    """The acknowledgement of an event, whatever was sent: the sign-in, the pace and the payload's form are checked
    first, then it is up to the handler."""
    try:
        with door:
            keep_pace(this_tab())
        if len(payload) != 1 or not isinstance(payload[0], dict):
            raise Refused("bad_input", "Please send one object.")
        return {"ok": True, **handler(payload[0])}
    except Refused as refusal:
        return refusal.ack
    except Unavailable:
        return Refused("unavailable", NOT_KEPT).ack


@event
def on_host(data):
    minutes = whole(data, "minutes", 1, MOST_MINUTES) or ROOM_MINUTES
    outcome = ask("host", data, topic=one_line(data, "topic", MAX_TOPIC), lasts=int(minutes * MINUTE))
    with door:
        go_in(this_tab(), room_of(outcome))
    return outcome


@event
def on_watch(data):
    id, after = the_room(data), whole(data, "after", 0, ROOM_MESSAGES)
    catch_up()
    if id not in rooms or this_tab().user not in rooms[id].visitors:
        visit(data, id)
    with door:
        room, tab = room_of({"room": id}), this_tab()
        go_in(tab, room)
        messages = feed_before(room, len(room.messages) + 1) if after is None else feed_after(room, after)
        # What it holds up to there may have been taken back since.
        held = {} if after is None else {"taken_back": [seq for seq in room.taken_back if seq <= after]}
        waiting = {"waiting": queue(room)} if tab.user == room.host else {}
        return {"room": id, **messages, **held, **waiting}


def visit(data, id):
    """Put a first visit into the log. While that is away, reading goes on, and `due_in` notes the visit later."""
    try:
        ask("watch", data, room=id)
    except Unavailable:
        readers(room_of({"room": id}), {"user": this_tab().user})


@event
def on_history(data):
    return feed_before(room_inside(data), a_number(data, "before", 1, ROOM_MESSAGES + 1))


@event
def on_leave(data):
    with door:
        go_out(this_tab(), room_inside(data).id)
    return {}


@event
def on_request(data):
    return ask("request", data, room=the_room(data), pitch=optional_line(data, "pitch", MAX_PITCH))


@event
def on_withdraw(data):
    return ask("withdraw", data, room=the_room(data))


@event
def on_approve(data):
    return ask("approve", data, room=the_room(data), who=wanted(data, "user", MAX_NAME), most=SEATS)


@event
def on_deny(data):
    return ask("deny", data, room=the_room(data), who=wanted(data, "user", MAX_NAME))


@event
def on_remove(data):
    return ask("remove", data, room=the_room(data), who=wanted(data, "user", MAX_NAME))


@event
def on_hand_over(data):
    return ask("hand_over", data, room=the_room(data), who=wanted(data, "user", MAX_NAME))


@event
def on_message(data):
    wanted(data, "key", MAX_KEY)  # here it is a must: a message that may be sent again must not appear twice
    room, text, reply = the_room(data), wanted(data, "text", MAX_TEXT), whole(data, "reply", 1, ROOM_MESSAGES)
    return ask("message", data, room=room, text=text, most=ROOM_MESSAGES, **({"reply": reply} if reply else {}))


@event
def on_take_back(data):
    return ask("take_back", data, room=the_room(data), seq=a_number(data, "seq", 1, ROOM_MESSAGES))


@event
def on_pulse(data):
    return ask("pulse", data, room=room_inside(data).id, mood=one_of(data, "mood", MOODS))


@event
def on_more_time(data):
    return ask("more_time", data, room=room_inside(data).id)


@event
def on_extend(data):
    return ask("extend", data, room=the_room(data))


@event
def on_close(data):
    return ask("close", data, room=the_room(data), reason="host")


@socketio.on("*")
def on_anything_else(_, *payload):
    """Every event answers, also one that there is not."""
    return acknowledge(no_such_event, payload)


def no_such_event(data):
    raise Refused("bad_input", "There is no such event.")


@socketio.on_error_default
def on_error(error):
    """Our own mistake: in the log for us, a sentence for them."""
    log.error("An event failed.", exc_info=error)
    return Refused("unavailable", "Something went wrong here. Please try again.").ack


# --- Trace ------------------------------------------------------------------------------------------------------------

WORDS = ("text", "pitch", "mood")  # what somebody said to a few, or without a name: in a trace only when asked for


@app.cli.command()
@click.argument("room", required=False)
@click.option("--user", help="Only what this person did, and what was done to them.")
@click.option("--text", is_flag=True, help="Show messages, pitches and signals too.")
def trace(room, user, text):
    """Print the story of ROOM, or of a person, from the log.

    A line for each command: when (UTC), position in the log, who, what, with which outcome, through which sign-in.
    """
    if not room and not user:
        raise click.UsageError("Name a room (the ID in its link), or --user NAME.")
    hidden, found = () if text else WORDS, False
    try:
        for position, command in journal.replay():
            outcome = apply(command)
            if is_about(room, user, command, outcome):
                found = True
                click.echo(trace_line(position, command, outcome, hidden))
    except (ValueError, Unavailable) as error:
        raise click.ClickException(f"PARTY_JOURNAL {str(error).rstrip('.')}.") from None
    if not found:
        raise click.ClickException("Nothing in the log is about that. Does PARTY_JOURNAL name the party's log?")


def is_about(room, user, command, outcome):
    return (not room or room in (command.get("room"), outcome.get("room"))) and (
        not user or user in (command["user"], command.get("who"), command.get("gone"))
    )


def trace_line(position, command, outcome, hidden):
    not_details = ("id", "at", "kind", "user", "room", "key", "most", "through", *hidden)
    details = [f"{name}={value!r}" for name, value in command.items() if name not in not_details]
    result = outcome.get("code") or "ok" + (f" seq={outcome['message']['seq']}" if "message" in outcome else "")
    if is_cut_off(command):
        result = "? (what it follows from is no longer in the log)"
    start = (time_of(command), str(position), command["user"] or "(the party)", command["kind"])
    return "  ".join((*start, *details, f"→ {result}", f"through {command.get('through') or '(none)'}"))


def time_of(command):
    """In UTC, to the millisecond."""
    return datetime.fromtimestamp(command["at"] / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


def is_cut_off(command):
    """Whether the log was cut between the command and the sign-in that it came through: its outcome is not known."""
    return "through" in command and command["through"] not in users.get(command["user"], User()).sign_ins


# --- Run --------------------------------------------------------------------------------------------------------------


def was_renumbered(name):
    """Whether the log has another number for somebody than the people have now."""
    user, number = users[name], PEOPLE.get(name)
    held = {known.number for known in user.sign_ins.values() if not known.ended}
    return user.number not in (None, number) or not held <= {number}


def begin():
    """Take up the log where it ends, and do what came due since. Stops the start with a sentence if it cannot."""
    try:
        journal.follow(rebuild, receive)
        for name in filter(was_renumbered, list(users)):
            submit("renumber", name, number=PEOPLE.get(name))
    except ValueError as error:
        raise SystemExit(f"PARTY_JOURNAL {str(error).rstrip('.')}.") from None
    except Unavailable as error:
        raise SystemExit(f"PARTY_JOURNAL cannot be written: {str(error).rstrip('.')}.") from None
    tick()  # overdue rooms are closed before the door opens


def main():
    """Listen on HOST and PORT until told to stop."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", level=logging.INFO)
    host, port = os.environ.get("HOST") or "127.0.0.1", os.environ.get("PORT") or "5000"
    if not port.isdecimal() or int(port) > 65_535:
        raise SystemExit(f"PORT must be a number from 0 to 65535, not {port!r}.")
    if len(app.secret_key) < 16:
        log.warning("PARTY_SECRET_KEY is so short that it can be guessed, and with it every password.")
    if missing := assets.missing():
        log.warning("Without a CDN the page will not work: %s", missing)
    assets.prepare()
    begin()
    socketio.start_background_task(tick_forever)
    socketio.start_background_task(trim_forever)
    try:
        transport.serve(
            socketio, app, gate, host, int(port), lambda port: print(the_people.address_of(host, port), flush=True)
        )
    except OSError as error:
        raise SystemExit(f"HOST {host}, PORT {port}: {error.strerror}.") from None
    finally:
        journal.close()


if __name__ == "__main__":
    main()
