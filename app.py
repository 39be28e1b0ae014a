"""Discuss Party: live discussion rooms in text, one topic each, thirty minutes.

Anybody signed in may watch a room in silence; who wants to speak asks, and the host lets them in; when the time is up
the room closes. Run it with `make run`, or `python app.py` once the requirements are installed.

An event becomes a command. `submit` puts it into the log, `receive` applies what the log says and announces it, and
then it is acknowledged. What may happen and what happens then stands in party/rules.py; what it all runs on, in
runtime/. From top to bottom: state, set-up, the way in, announcements, time, pages, events, run.

    event      payload                      who may             what it does
    host       topic, minutes?, at? …       anyone signed in    opens a room; this tab goes in; with at later
    move       room, at                     host, before        opens at another time
    call_off   room                         host, before        will not open
    withhold   room                         host                it will not be published after all
    leave_out  room, out                    who spoke, after    leaves their words out of what is published
    coming     room, coming                 not host, before    says whether they come
    watch      room, after?, unnamed?       anyone signed in    goes in, silently; gives the feed
    history    room, before                 inside              gives earlier messages
    leave      room                         inside              goes out; a speaker's seat is kept
    request    room, pitch?                 watcher             joins the queue to speak
    withdraw   room                         waiting             leaves the queue
    approve    room, user                   host                the waiting person becomes a speaker
    deny       room, user                   host                out of the queue
    remove     room, user                   host                a speaker becomes a watcher again
    hand_over  room, user                   host                a speaker becomes the host, the host a speaker
    door       room, open, whole? …         host                who may come in as a guest, by the link of the room
    put_out    room, user                   host                shows a guest out
    writing    room                         speakers inside     noted for six seconds; the host too
    message    room, text, key, reply?      host, speakers      adds to the feed
    take_back  room, seq                    its author          the words go, a trace of them stays
    like       room, seq, liked             inside, not author  one quiet mark each, or none
    pulse      room, mood                   inside, not host    says without a name how it goes, for a minute
    more_time  room                         inside, not host    asks for more time
    extend     room                         host                ten more minutes
    close      room                         host                ends the discussion
    feedback   about, choice?, text? …      anyone signed in    tells the owner how it was, or an idea
"""

from runtime import transport  # first: it makes the standard library cooperative

# isort: split
import contextlib
import logging
import secrets
import threading

from flask import Flask, redirect, render_template, session
from flask_socketio import SocketIO

import services
import users
from party import doors, model, reading, rules, story, views
from party.model import MINUTE, Refused
from party.news import EVERYONE, News, audiences_of, inside, person
from party.presence import Presence, Tab, tabs_each
from party.state import State
from runtime import (
    assets,
    calendar_file,
    commands,
    entrance,
    measuring,
    metrics,
    names,
    obstacles,
    records,
    settings,
    web,
)
from runtime.beside import Beside
from runtime.clock import now
from runtime.health import Health
from runtime.journal import Unavailable, open_journal
from runtime.pace import Paces

log = logging.getLogger("party")

REFUSALS_BEFORE_CLOSING = 200  # of `slow_down` in a row: no page does this, a script does
TICK_SECONDS = 0.25  # gathered announcements go out at most four times a second
TRIM_SECONDS = 60
# The log is cut behind this: a command that matters is no older than a room can be, and its sign-in this much older.
LOG_LIFE = model.LONGEST_ROOM + model.CLOSED_LIFE + model.SIGN_IN_LIFE

# --- State ------------------------------------------------------------------------------------------------------------


state = State(rooms={}, users={})  # what the log says: `state.apply` alone changes these two dicts
presence = Presence()  # who is here
news = News()
awaited = {}  # id of a command that somebody here waits for → its outcome, once it is applied
unknown_kinds = records.Sparingly()  # of commands that another version wrote
# Held by whoever changes one of these, or reads more than one thing of it. Never held while appending: `append` waits
# for `receive`, which takes it.
lock = threading.RLock()

# --- Set-up -----------------------------------------------------------------------------------------------------------

try:
    journal = open_journal(settings.JOURNAL)
except ValueError as error:
    raise SystemExit(f"PARTY_JOURNAL {error}") from None
if settings.ASSETS == "local" and assets.missing():
    raise SystemExit(f"PARTY_ASSETS=local needs the own copies, but {assets.missing()}")

LIMITS = reading.limits(settings.ROOM_MINUTES)
LIMITS |= {"doors": settings.DOORS, "publishes": settings.PUBLISHES, "ai": settings.AI}
app = Flask(__name__, static_folder=None)  # runtime/assets.py gives these
web.set_up(app, model.SIGN_IN_LIFE // 1000, LIMITS)
commands.offer(app)
health = Health(TICK_SECONDS, lambda: journal.probe(), transport.serves_connections)  # a test has another journal
health.offer(app)
socketio = SocketIO(app, **transport.OPTIONS)


@metrics.ask_for
def figures():
    """Those of the dicts."""
    with lock:
        live, planned = len(model.live_rooms(state)), len(model.planned_rooms(state))
        rooms = {"live": live, "planned": planned, "closed": len(state.rooms) - live - planned}
        return {"party_people": len({tab.user for tab in presence.tabs.values()}), "party_rooms": rooms}


# --- The way in -------------------------------------------------------------------------------------------------------

OUR_MISTAKE = Refused("unavailable", "Something went wrong here. Please try again.")


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
        outcome = append_and_wait(command)
    if not outcome["ok"]:
        raise Refused(**{name: value for name, value in outcome.items() if name != "ok"})
    return outcome


def foresee(command):
    with lock:
        return state.foresee(command)


def append_and_wait(command):
    """Put the command into the log; gives its outcome once it is applied.

    Raises Unavailable, also when the log lost it again.
    """
    awaited[command["id"]] = None
    try:
        metrics.timed(journal.append, command)
    finally:
        with lock:
            outcome = awaited.pop(command["id"])
    if outcome is None:
        raise Unavailable("not in the log")
    return outcome


def receive(position, command):
    """What the log says next, which is announced here if it was not said before."""
    with lock:
        is_new = state.remembered(command) is None
        outcome = apply_and_answer(command)
        if command["kind"] in rules.ENDING_SIGN_INS:
            presence.doubted.add(command["user"])
        if is_new:
            announce(command, outcome)


def rebuild(entries):
    """Make the dicts anew from the whole log; the tabs come back for what they missed."""
    with lock:
        state.rooms.clear()
        state.users.clear()
        command = None
        for _, command in entries:
            apply_and_answer(command)
        if command:
            log.info("The log was taken up; its last command is from %s.", story.time_of(command["at"]))
        news.stale_cards.update(news.told_cards, state.rooms)
        for tab in presence.tabs.values():
            transport.hang_up(socketio, tab.sid, transport.RESTARTING, "catching up")


def apply_and_answer(command):
    """Apply the command, and leave its outcome for who waits for it."""
    try:
        outcome = state.apply(command)
    except Exception:  # the others are applied all the same
        outcome = outcome_of_what_cannot_be_applied(command)
    if command["id"] in awaited:
        awaited[command["id"]] = outcome
    return outcome


def outcome_of_what_cannot_be_applied(command):
    """Of our own mistake, with its id; or of a kind that another version wrote."""
    if (kind := command.get("kind")) in rules.KINDS:
        return OUR_MISTAKE.ack | {"id": records.mistake(log, f"Command {command['id']} could not be applied.")}
    if unknown_kinds.may_tell(kind):
        log.warning("Commands %r are passed over: another version wrote them.", kind)
    return OUR_MISTAKE.ack


def catch_up():
    """Hear what was done through other processes. While the log is away, what is known here must do."""
    with contextlib.suppress(Unavailable):
        journal.catch_up()


def sign_in_holds(user, sign_in_id):
    """Whether that sign-in is known, has not ended, is not too old, and is of somebody who is one of the people now."""
    return state.is_signed_in(user, sign_in_id, now()) and (
        state.sign_in_of(user, sign_in_id).number == users.number_of(user)
    )


# --- Announcements ----------------------------------------------------------------------------------------------------

# kind of command: (who hears of it at once, which event, what of it). That is those inside the "room", or the person
# under this name in the command, in every tab. The rest is news for the next tick.
ANNOUNCED = {
    "message": ("room", "message", views.message),
    "take_back": ("room", "taken_back", views.taken_back),
    "like": ("user", "liked", views.liked),
    "coming": ("user", "coming", views.comes),
    "leave_out": ("user", "left_out", views.leaves_out),
    "approve": ("who", "approved", views.approved),
    "deny": ("who", "denied", views.decided),
    "remove": ("who", "removed", views.decided),
    "close": ("room", "closed", views.closed),
    "end": ("room", "closed", views.closed),
}


def tell(audience, event, payload):
    """Send to an audience: a tab's sid, `inside(room_id)`, `person(user)` or EVERYONE. Socket.IO would take an empty
    one for everyone, so here that is an error."""
    if not audience:
        raise ValueError("nobody to tell")
    socketio.emit(event, payload, to=audience)


def announce(command, outcome):
    """Tell at once what cannot wait, and note the room for the next tick."""
    kind, room = command["kind"], state.rooms.get(outcome.get("room", command.get("room")))
    if not outcome["ok"] or not room:
        return
    news.note(room, command)
    if kind in ANNOUNCED:
        whose, event, view = ANNOUNCED[kind]
        audience = inside(room.id) if whose == "room" else person(command[whose])
        tell(audience, event, view(room, command, outcome))
    if kind in rules.SHOWING_OUT:
        send_out_guests(room)


def send_out_guests(room):
    """Who was shown out hears no more of the room, at once. Their tabs end at the next tick."""
    for user, guest in room.guests.items():
        for tab in presence.tabs_of(user) if guest.is_out else ():
            tell(tab.sid, "put_out", {"room": room.id})
            go_out(tab, room.id)
            presence.doubted.add(user)


def announce_news():
    """Tell what is new since it was told last."""
    for audience, event, payload in news.all(state, presence, now(), room_view, door_view, card):
        tell(audience, event, payload)


def welcome(sid, user):
    """Tell a new tab what is live, what of it waits for its person, and what they can still read; and the version that
    the page should have."""
    rooms = [] if model.is_guest(user) else state.rooms.values()
    more = {"closed": views.readable(rooms, user), "coming": views.coming(rooms, user), "version": assets.VERSION}
    tell(sid, "lobby", lobby_of(user) | {"gone": []} | more)
    for room in model.planned_rooms(state):
        if user == room.host:
            tell(sid, "expected", views.expected(room))
            tell(sid, "door", door_view(room))
    for room in model.live_rooms(state):
        tell_place(sid, room, user)
        if user == room.host:
            tell(sid, "waiting", views.waiting(room))
            tell(sid, "door", door_view(room))


def lobby_of(user):
    """What is live, and what is planned, as far as this person may know."""
    rooms = [] if model.is_guest(user) else model.listed_rooms(state)
    return {"now": now(), **views.lobby(map(card, rooms))}


def tell_place(sid, room, user):
    """Tell a tab its person's place in the queue, when they wait."""
    if user in room.waiting:
        tell(sid, "place", {"room": room.id, "place": views.places(room)[user]})


def room_view(room):
    return views.room(room, presence.names_in(room.id), presence.named_in(room.id), settings.SEATS, now())


def door_view(room):
    return views.door(room, entrance.token_behind(app.secret_key, room.door))


def card(room):
    return views.card(room, presence.names_in(room.id))


# --- Time -------------------------------------------------------------------------------------------------------------


def tick():
    """What happens by itself, four times a second: people go, sign-ins end, time runs out, news is told."""
    with lock:
        presence.forget_departed()
        presence.forget_writing(now())
        for tab in presence.doubtful_tabs(now()):
            if not sign_in_holds(tab.user, tab.sign_in_id):
                transport.hang_up(socketio, tab.sid)
    try:
        exchange_notes()
        look_at_people()
        submit_what_is_due()
    except Unavailable:  # then at the next tick
        with lock:
            presence.forget_absences()
    with lock:
        for room_id in presence.people.keys() - state.rooms.keys():
            clear_out(room_id)
        announce_news()
    health.note_tick()


def exchange_notes():
    """Tell the other processes who is inside where, and count who is inside there. Raises Unavailable."""

    def note():  # a log of one process asks for none
        with lock:
            return presence.note()

    others = journal.exchange(note)
    with lock:
        presence.hear(others)


def look_at_people():
    """Take up the owner's list where it has changed, also when it was changed elsewhere. Raises Unavailable."""
    news.other_people |= users.look_again()
    if news.other_people:
        with lock:
            presence.doubted.update(state.users)  # while the log is away, their tabs end all the same
        submit_other_numbers()
        news.other_people = False


def submit_other_numbers():
    """Let the log say who has another number now, or none: it ends their sign-ins for good. Raises Unavailable."""
    with lock:
        other = [name for name in state.names() if state.has_other_number(name, users.number_of(name))]
    for name in other:
        submit("renumber", name, number=users.number_of(name))


def close_doors():
    """Where the owner wants no doors any more, those that are open are closed, and who came in by them is shown out.
    Raises Unavailable."""
    with lock:
        rooms = [] if settings.DOORS else doors.rooms_with_doors(state)
    for room in rooms:
        with contextlib.suppress(Refused):  # it is gone by now
            submit("door", room=room.id, open="closed", whole=False, renew=False, out=True, doors=False)


def submit_what_is_due():
    """Submit what time has decided. Raises Unavailable."""
    with lock:
        commands = []
        for room in state.rooms.values():
            is_begun = not (room.is_planned or room.awaits_host)  # before, nobody is missed there
            here = presence.note_absence(room.id, room.host, doors.guests_waiting(room), now(), is_begun)
            gone_since = here.empty_since, here.host_gone_since, here.guests_gone_since
            commands += rules.due(room, now(), here.tabs.keys(), *gone_since)
    for kind, body in commands:
        with contextlib.suppress(Refused):  # another process was faster
            submit(kind, **body)


def trim():
    """Cut the log behind what still matters."""
    with lock:
        before = model.not_to_be_cut(state, now() - LOG_LIFE)
    journal.trim(before)


def clear_out(room_id):
    """Nobody is inside a room that is forgotten. (One that others are inside may be one we have not heard of yet.)"""
    for tab in presence.tabs_inside(room_id):
        go_out(tab, room_id)
        presence.doubted.add(tab.user)  # a guest's sign-in has gone with the room
    if not presence.names_in(room_id):
        del presence.people[room_id]
    news.told.pop(room_id, None)


# --- Pages ------------------------------------------------------------------------------------------------------------

paces = Paces(settings.PACE)


def visitor():
    """(name, id of the sign-in) of whoever sent this request, or None."""
    mine = session.get("sign_in")
    if not mine:
        return None
    catch_up()
    if mine["since"] < journal.began and not model.is_guest(mine["user"]):  # a guest's room is gone
        carry_over(mine)
    return (mine["user"], mine["id"]) if sign_in_holds(mine["user"], mine["id"]) else None


def visitor_of(environ):
    """The visitor who sent this handshake: found once, and noted in it for the connection that it begins."""
    if "party.visitor" not in environ:
        with app.request_context(environ):
            environ["party.visitor"] = visitor()
    return environ["party.visitor"]


def carry_over(mine):
    """Enter a sign-in from before this log began into it, as after a restart with `memory:`: its signed cookie says as
    much as the log would, but for a sign-out."""
    if not state.sign_in_of(mine["user"], mine["id"]):
        log_sign_in(mine)


def log_sign_in(mine, **arrival):
    submit("sign_in", mine["user"], sign_in=mine["id"], since=mine["since"], number=mine["number"], **arrival)


def keep_pace(user):
    """Refuse who is too fast."""
    if wait := paces.take(user, now()):
        raise Refused("slow_down", "That is a little too fast. Please wait a moment.", retry_after=wait)


def look_in(room_id, hash):
    """What somebody sees who has the link of that room; `hash` is that of its token. Refuses any other link."""
    catch_up()
    with lock:
        return views.entrance(doors.room_behind(state, room_id, hash, now()), presence.names_in(room_id), now())


def friends_in(room_id):
    """Who hosts, speaks or has said something there, but for guests; some may be none of the people any more."""
    with lock:
        room = model.find_room(state, room_id)
        return {name for name in (*model.seated(room), *room.last_said) if not model.is_guest(name)}


def plan_for_calendar(room_id):
    with lock:
        return views.for_calendar(state.rooms.get(room_id))


def view_for(room_id, user, view):
    """What `view` gives of that room. Refuses who may not read it, and who asks too often: to make it costs."""
    keep_pace(user)
    catch_up()
    with lock:
        room = model.find_room(state, room_id, user)
        rules.ensure_may_read(room, user)
        return view(room)


services.offer(app, visitor, submit, view_for)
measuring.offer(app, visitor, submit, keep_pace)
calendar_file.offer(app, visitor, plan_for_calendar)
entrance.offer(app, users, visitor, log_sign_in, submit, look_in, friends_in)


@app.get("/")
def index():
    """The page, with the lobby as it is now."""
    who = visitor()
    with lock:
        lobby, room = who and lobby_of(who[0]), who and state.rooms.get(session["sign_in"].get("room"))
    if not who or (model.is_guest(who[0]) and not room):  # a guest's room may have gone since
        measuring.note_arrival()
        return redirect("sign-in")
    more = {"guest": room.guests[who[0]], "room": room.id} if room else {}
    return render_template("index.html", user=who[0], owner=who[0] == users.owner(), lobby=lobby, **more)


def refusal_of_visitor(environ):
    """For the gate: None to let a handshake through, else the status and a sentence."""
    if not (who := visitor_of(environ)):
        return "401 Unauthorized", "Please sign in first."
    with lock:
        presence.forget_departed()
        if len(presence.tabs_of(who[0])) >= (most := tabs_each(who[0])):
            return "429 Too Many Requests", f"You have {most} tabs open already."
    return None


# --- Events -----------------------------------------------------------------------------------------------------------

transport.guard(socketio)
app.wsgi_app = gate = transport.Gate(app.wsgi_app, "/socket.io/", settings.ORIGINS, web.HEADERS, refusal_of_visitor)
web.believe_proxies(app)


# `socketio.on` would build a request for each event, and read its cookie again: several times what most of them cost.
@socketio.server.on("connect")
def on_connect(sid, environ, auth=None):
    """A tab of somebody signed in: tell it what is live. Catches everything, or it would be called twice.

    A page says for whom it was made (`{"user": name}`): another tab may have signed in somebody else since, and
    what the one wrote must not go out under the other's name.
    """
    try:
        user, sign_in_id = visitor_of(environ) or (None, None)
        catch_up()  # this process may have been frozen since the handshake
        with lock:
            expected = auth.get("user", user) if isinstance(auth, dict) else user
            # Asked again: what ended it meanwhile found no tab here.
            if user != expected or not sign_in_holds(user, sign_in_id):
                return False
            if len(presence.tabs_of(user)) >= tabs_each(user):
                return False
            presence.arrive(Tab(sid, user, sign_in_id))
            for audience in (person(user), *([] if model.is_guest(user) else [EVERYONE])):
                socketio.server.enter_room(sid, audience)
            welcome(sid, user)
    except Exception:
        records.mistake(log, "A connection could not be taken.")
        return False


@socketio.server.on("disconnect")
def on_disconnect(sid, reason):
    """Only takes note: this may run in the middle of an announcement."""
    presence.note_departure(sid)


def event(handler):
    """Make `on_<event>` answer that event."""
    name = handler.__name__.removeprefix("on_")
    metrics.will_measure(name)
    socketio.server.on(name, lambda sid, *payload: metrics.measured(name, acknowledge, handler, sid, payload))
    return handler


def acknowledge(handler, sid, payload):
    """The acknowledgement of an event, whatever was sent: the sign-in, the pace and the payload's form are checked
    first, then it is up to the handler, which is given the tab that the event came from."""
    try:
        with lock:
            tab = tab_of(sid)
            keep_pace_of(tab)
        if len(payload) != 1 or not isinstance(payload[0], dict):
            raise Refused("bad_input", "Please send one object.")
        return {"ok": True, **handler(tab, payload[0])}
    except Refused as refusal:
        return refusal.ack
    except Unavailable as error:
        return Refused("unavailable", web.NOT_KEPT, id=records.not_kept(log, error)).ack
    except Exception:  # our own mistake: in the records for us, a sentence for them, and an id to find the one by
        return OUR_MISTAKE.ack | {"id": records.mistake(log, "An event failed.")}


def keep_pace_of(tab):
    """Refuse whose tab is too fast, and hang up on one that goes on all the same."""
    try:
        keep_pace(tab.user)
    except Refused:
        if paces.refusals(tab.user) > REFUSALS_BEFORE_CLOSING:
            transport.hang_up(socketio, tab.sid)
        raise


def tab_of(sid):
    """The tab of this connection. Refuses one that has gone, or whose sign-in has ended."""
    tab = presence.tabs.get(sid)
    if not tab or not sign_in_holds(tab.user, tab.sign_in_id):
        raise Refused("signed_out", "You are signed out. Please sign in again.")
    return tab


def room_inside(tab, data):
    """The room that `data` names, if this tab is inside. Refuses otherwise."""
    with lock:
        room = model.find_room(state, reading.room(data), tab.user)
        model.ensure_has_opened(room)
        if room.id not in tab.room_ids:
            raise Refused("forbidden", "You are not in that room.")
        return room


def ask(tab, kind, data, **body):
    """Submit what the tab's person asks for."""
    return submit(kind, tab.user, key=reading.optional_key(data), through=tab.sign_in_id, **body)


def go_in(tab, room, unnamed=False):
    """Let the tab hear the room. Refuses one that has gone while the log was asked."""
    if presence.enter(tab_of(tab.sid), room.id, unnamed or model.is_nameless(room, tab.user)):
        for audience in audiences_of(tab.user, room.id):
            socketio.server.enter_room(tab.sid, audience)
    view = room_view(room)
    tell(tab.sid, "room", views.room_for_guests(view, room) if model.is_guest(tab.user) else view)
    if writing := news.told.get(room.id, {}).get("writing"):
        tell(tab.sid, "writing", {"room": room.id, "users": writing})
    tell_place(tab.sid, room, tab.user)


def go_out(tab, room_id):
    """The tab hears the room no more."""
    if presence.leave(tab, room_id):
        for audience in audiences_of(tab.user, room_id):
            socketio.server.leave_room(tab.sid, audience)


def plain_event(kind, **fields):
    """Make that event answer with what becomes of the command of these fields: {name: what reads it}."""

    def plain(tab, data):
        return ask(tab, kind, data, **{name: read(data) for name, read in fields.items()})

    plain.__name__ = f"on_{kind}"
    event(plain)


@event
def on_host(tab, data):
    minutes, old = reading.minutes(data) or settings.ROOM_MINUTES, reading.continues(data)
    with lock:
        more = rules.carrying_on(state, old, presence.names_in(old), settings.SEATS) if old else {}
    more |= reading.planning(data) | reading.publishing(data, settings.PUBLISHES)
    outcome = ask(tab, "host", data, topic=reading.topic(data), lasts=int(minutes * MINUTE), **more)
    with lock:
        if not (room := model.find_room(state, outcome["room"])).is_planned:
            go_in(tab, room)
    return outcome


plain_event("move", room=reading.room, opens_at=reading.at)
plain_event("call_off", room=reading.room)
plain_event("withhold", room=reading.room)
plain_event("leave_out", room=reading.room, out=reading.out)
plain_event("coming", room=reading.room, coming=reading.coming)


@event
def on_watch(tab, data):
    id, after, unnamed = reading.room(data), reading.after(data, settings.ROOM_MESSAGES), reading.unnamed(data)
    visit(tab, data, id)
    with lock:
        go_in(tab, room := model.find_room(state, id, tab.user), unnamed)
        return views.on_entering(room, tab.user, after)


def visit(tab, data, id):
    """Put a first visit into the log. While that is away, reading goes on, and the visit is `due` later."""
    catch_up()
    room = state.rooms.get(id)
    if room and tab.user in room.visitors:
        return
    try:
        ask(tab, "watch", data, room=id)
    except Unavailable:
        rules.ensure_may_read(model.find_room(state, id, tab.user), tab.user)


@event
def on_history(tab, data):
    room, before = room_inside(tab, data), reading.before(data, settings.ROOM_MESSAGES)
    return views.feed_before(room, before, model.unread_before(room, tab.user))


@event
def on_leave(tab, data):
    with lock:
        go_out(tab, room_inside(tab, data).id)
    return {}


plain_event("request", room=reading.room, pitch=reading.pitch)
plain_event("withdraw", room=reading.room)


@event
def on_approve(tab, data):
    return ask(tab, "approve", data, room=reading.room(data), who=reading.user(data), most=settings.SEATS)


plain_event("deny", room=reading.room, who=reading.user)
plain_event("remove", room=reading.room, who=reading.user)
plain_event("hand_over", room=reading.room, who=reading.user)


@event
def on_door(tab, data):
    id, room = secrets.token_hex(8), reading.room(data)
    made = {"id": id, "hash": entrance.hash_of(entrance.token_of(app.secret_key, id)), "doors": settings.DOORS}
    outcome = ask(tab, "door", data, room=room, **reading.door(data), **made)
    with lock:
        known = model.find_room(state, room)  # what is sent again may be answered when the host is another by now
        return outcome | {"token": door_view(known)["token"] if known.host == tab.user else None}


plain_event("put_out", room=reading.room, who=reading.user)


@event
def on_writing(tab, data):
    with lock:
        room = room_inside(tab, data)
        rules.host_and_speakers(room, {"user": tab.user, "at": now()})
        presence.note_writing(room.id, tab.user, now(), model.said_at(room, tab.user))
    return {}


@event
def on_message(tab, data):
    reading.key(data)  # here it is a must: a message that may be sent again must not appear twice
    room, text, reply = reading.room(data), reading.text(data), reading.reply(data, settings.ROOM_MESSAGES)
    answers = {"reply": reply} if reply else {}
    return ask(tab, "message", data, room=room, text=text, most=settings.ROOM_MESSAGES, **answers)


@event
def on_take_back(tab, data):
    return ask(tab, "take_back", data, room=reading.room(data), seq=reading.seq(data, settings.ROOM_MESSAGES))


@event
def on_like(tab, data):
    seq, liked = reading.seq(data, settings.ROOM_MESSAGES), reading.liked(data)
    return ask(tab, "like", data, room=room_inside(tab, data).id, seq=seq, liked=liked)


@event
def on_pulse(tab, data):
    return ask(tab, "pulse", data, room=room_inside(tab, data).id, mood=reading.mood(data))


@event
def on_more_time(tab, data):
    return ask(tab, "more_time", data, room=room_inside(tab, data).id)


plain_event("extend", room=reading.room)


@event
def on_close(tab, data):
    return ask(tab, "close", data, room=reading.room(data), reason="host")


@event
def on_feedback(tab, data):
    return ask(tab, "feedback", data, **reading.feedback(data))


@socketio.server.on("*")
def on_anything_else(_, sid, *payload):
    """Every event answers, also one that there is not."""
    return metrics.measured("unknown", acknowledge, no_such_event, sid, payload)


def no_such_event(tab, data):
    raise Refused("bad_input", "There is no such event.")


# --- Run --------------------------------------------------------------------------------------------------------------


def begin():
    """Take up the log where it ends, and do what came due since. Stops the start with a sentence if it cannot."""
    app.secret_key = users.secret_key()
    try:
        journal.follow(rebuild, receive)
        submit_other_numbers()
        close_doors()
    except ValueError as error:
        raise SystemExit(f"PARTY_JOURNAL {error}") from None
    except Unavailable as error:
        raise SystemExit(f"PARTY_JOURNAL cannot be written: {error}.") from None
    tick()  # overdue rooms are closed before the first visitor comes


def on_listening(port):
    """Say where; then load what else the first guest would wait for, and everybody inside with them."""
    print(*settings.addresses(port), sep="\n", flush=True)
    if settings.DOORS:
        names.get_ready()


def main():
    """Listen on HOST and PORT until told to stop."""
    records.set_up()
    if missing := assets.missing():
        log.warning("Without a CDN the page will not work: %s", missing)
    begin()
    beside = Beside()
    obstacles.warn_of_settings(app.secret_key)
    transport.again_and_again(socketio, TICK_SECONDS, tick, health.is_alive)
    transport.again_and_again(socketio, TRIM_SECONDS, trim)
    transport.again_and_again(socketio, 1, beside.look_after)
    try:
        at = settings.HOST, settings.PORT
        transport.serve(socketio, app, gate, *at, on_listening)
    except (OSError, UnicodeError) as error:  # the latter for what can be nobody's name
        raise SystemExit(f"HOST {settings.HOST}, PORT {settings.PORT}: {obstacles.why_not_listening(error)}") from None
    finally:
        beside.end()
        journal.close()


if __name__ == "__main__":
    main()
