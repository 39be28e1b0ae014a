"""Writes the log of this version for those to come: `PYTHONPATH=. .venv/bin/python tests/write_log.py VERSION`.

A real server, on which everything happens that a log can hold. In tests/logs/ stand the log, as SQL, the story that it
tells, and the dicts that it gives: tests/test_logs.py asks every later version for the same.
"""

import contextlib
import dataclasses
import json
import sqlite3
import sys
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, build_opener

from person import assert_ok, assert_refused, form_token, seat, send_form
from servers import ROOT, password_of, running_server

from party import story
from party.rules import PARTY_RULES, ROOM_RULES
from party.state import State
from runtime.journal import open_journal

LOGS = ROOT / "tests" / "logs"
# What takes minutes happens within seconds. The log does not tell: what time decides is a command like any other.
FIRST = """
from party import model, plans, publishing, rules
rules.HOST_GRACE, rules.EMPTY_GRACE, model.CLOSED_LIFE, plans.SAID_EVERY = 400, 800, 2_500, 400
publishing.LEAVE_OUT_WITHIN, publishing.LATE = 1_000, 2 * 3_600_000
import app
submit = app.submit

# Of some the log does tell: a plan was made a minute before it opens, and is said again hours after; a room is
# published an hour after it has closed.
def submit_in_time(kind, *who, **body):
    hours = {"host": -1 / 60, "plan": 4}.get(kind) if "opens_at" in body else 1 if kind == "publish" else None
    return submit(kind, *who, **body | ({"at": app.now() + int(hours * 3_600_000)} if hours else {}))

app.submit = submit_in_time
app.main()
"""
SECOND = """
import users
users.PEOPLE["bilal"] = users.NUMBERS["bilal"] = 2
import app
app.main()
"""


ENTERED = {
    "goals": {"question": "Will they come?", "spoke": 50, "returned": 40, "voices": 80},
    "spent": {"month": "2026-11", "amount": "12.50"},
}


def as_json(thing):
    """Rooms and users as JSON has them. Without the sentences of refusals, which may be worded anew."""
    if dataclasses.is_dataclass(thing):
        return {type(thing).__name__: {name: as_json(value) for name, value in vars(thing).items()}}
    if isinstance(thing, dict):
        return {str(name): as_json(value) for name, value in thing.items() if name != "error"}
    if isinstance(thing, (list, tuple)):
        return [as_json(each) for each in thing]
    if isinstance(thing, set):
        return sorted(map(as_json, thing))
    return thing.hex() if isinstance(thing, bytes) else thing


def live_through(path):
    """Let everything happen on a party whose log is in that file."""
    settings = {"PARTY_JOURNAL": path, "PARTY_ROOM_MINUTES": "0.03", "PARTY_SERVICES": "feedback,publisher"}
    with running_server(program=("-c", FIRST), **settings) as server:
        asha, bilal, chen, dana, emeka = (server.person(name) for name in ("asha", "bilal", "chen", "dana", "emeka"))
        tea = asha.host("Tea ☕, y lo que va con él", minutes=20)
        seat(asha, bilal, tea)
        chen.watch(tea)
        chen.request(tea, pitch="Cake\nمن فضلك")
        chen.withdraw(tea)
        chen.request(tea)
        asha.deny(tea, "chen")
        chen.request(tea, pitch="Biscuits, then")
        asha.approve(tea, "chen")
        assert_refused(asha.approve(tea, "chen"), "not_found")
        bilal.message(tea, "First <b>words</b>, with \"quotes\", 'others', a \\ and 🎈")
        chen.message(tea, "And an answer", reply=1)
        bilal.message(tea, "A slip")
        dana.watch(tea)
        dana.like(tea, 1)
        chen.like(tea, 1)
        chen.like(tea, 1, liked=False)
        asha.like(tea, 3)
        bilal.take_back(tea, 3)
        assert_refused(dana.like(tea, 3), "conflict")
        dana.pulse(tea, "say_more")
        dana.more_time(tea)
        assert_refused(dana.more_time(tea), "conflict")
        asha.extend(tea)
        asha.remove(tea, "chen")
        asha.hand_over(tea, "bilal")
        dana.request(tea, pitch="Still waiting at the end")
        bilal.close(tea)
        assert_ok(dana.feedback("room", room=tea, choice="yes", text="More of these", talk=True))
        more = assert_ok(bilal.ask("host", {"topic": "More tea", "continues": tea, "minutes": 10}))["room"]
        bilal.message(more, "Where were we?")

        let_rooms_be_published(asha, bilal)
        let_guests_in(server, emeka)
        make_plans(asha, bilal, chen)
        emeka.ask("leave", {"room": emeka.host("Nobody comes", minutes=5)})
        dana.host("Over at once")
        going = chen.host("The host goes", minutes=30)
        seat(chen, dana, going)
        chen.line.hang_up()
        dana.hears("room", lambda room: room["id"] == going and room["host"] == "dana")
        in_time = {
            ("end", "time"),
            ("end", "abandoned"),
            *((kind, None) for kind in ("forget", "plan", "open", "publish")),
        }
        while not in_time <= happened(path):
            time.sleep(0.1)
        send_form(server.address, "sign-out", {}, server.cookies_of("emeka"))
        assert_ok(bilal.feedback("problem", text="It broke ☕", version="0123456789ab", error="TypeError: x"))
        assert_ok(bilal.feedback("losing", choice="somewhat"))
        tell(server.address, path)
    with running_server(program=("-c", SECOND), PARTY_JOURNAL=path) as server:
        asha, dana, emeka = (server.person(name) for name in ("asha", "dana", "emeka"))
        dana.message(going, "Here I am, the host")
        seat(dana, asha, going)
        asha.message(going, "And I am one who speaks", reply=1)
        asha.message(going, "A slip")
        asha.take_back(going, 3)
        emeka.watch(going)
        emeka.like(going, 1)
        emeka.pulse(going, "agree")
        emeka.more_time(going)
        emeka.request(going, pitch="A question")
        guest = server.guest(emeka.link(kept := emeka.host("With its guests", minutes=30), whole=True), "Gita")
        seat(emeka, guest, kept)
        guest.message(kept, "Still here")
        server.guest(emeka.link(kept, "watch"), None).watch(kept)
        later = dana.plan("On another evening", at=in_some(days=2))
        dana.door(later, "watch")
        asha.coming(later)
        last = asha.host("Closed, and kept", minutes=30)
        dana.watch(last)
        asha.message(last, "Good night")
        asha.close(last)


def let_rooms_be_published(host, speaker):
    """One that is, without what one of them said; one of which nothing is left; one that its host withholds."""
    for topic, without in (("For all", [speaker]), ("Of nobody", [speaker, host]), ("For us after all", [])):
        room = host.host(topic, minutes=20, publish=True)
        seat(host, speaker, room)
        host.message(room, "Words for everybody")
        speaker.message(room, "Words for friends")
        host.close(room)
        for person in without:
            assert_ok(person.leave_out(room))
        if not without:
            assert_ok(speaker.leave_out(room))
            assert_ok(speaker.leave_out(room, out=False))
            assert_ok(host.withhold(room))


def let_guests_in(server, host):
    """One speaks and is shown out, one is denied and goes by themselves, one listens without a name."""
    room = host.host("Anybody with the link", minutes=20)
    host.message(room, "Welcome")
    gita, hugo = (server.guest(host.link(room), name) for name in ("Gita ☕", "Hugo"))
    seat(host, gita, room)
    gita.message(room, "Hello from outside", reply=1)
    assert_refused(gita.message(room, "Too early", reply=9), "not_found")
    hugo.watch(room)
    hugo.like(room, 2)
    hugo.request(room, pitch="May I?")
    host.deny(room, hugo.name)
    host.put_out(room, gita.name)
    server.guest(host.link(room, "watch", whole=True, renew=True), None).watch(room)
    host.door(room, "closed", out=True)


def make_plans(one, two, three):
    """One that opens, and one that is moved and called off."""
    soon = one.plan("In a second", at=in_some(seconds=1))
    three.coming(soon)
    far = two.plan("Next week", at=in_some(days=6), listed=False)
    two.move(far, at=in_some(days=7))
    three.coming(far)
    three.coming(far, coming=False)
    two.call_off(far)


def in_some(**time_from_now):
    return int((datetime.now() + timedelta(**time_from_now)).timestamp() * 1000)


def tell(address, path):
    """What pages tell, what the owner enters, and the answer to what somebody said, once the service has read that."""
    browser = build_opener(HTTPCookieProcessor())
    token = form_token(browser.open(address + "?from=a-letter").read().decode())
    browser.open(address + "measured", urlencode({"token": token, "opened": 1}).encode())
    form = {"token": token, "name": "asha", "password": password_of("asha")}
    token = form_token(browser.open(address + "sign-in", urlencode(form).encode()).read().decode())
    measures = {"seconds": 61.5, "inside": 40, "paint": 300, "live": 500, "wait": {"median": 9, "slowest": 80}}
    measures |= {"asked": 7, "unavailable": 1, "failed": 1, "errors": ["TypeError: x is undefined"], "reconnections": 2}
    browser.open(address + "measured", urlencode({"token": token, "measured": json.dumps(measures)}).encode())
    for kind, entered in ENTERED.items():
        browser.open(f"{address}insights/{kind}", urlencode({"token": token, **entered}).encode())
    said = next(command["id"] for _, command in open_journal(path).replay() if command.get("about") == "problem")
    answer = urlencode({"token": token, "to": said, "text": "Thank you, and sorry"}).encode()
    while "answer" not in {kind for kind, _ in happened(path)}:
        with contextlib.suppress(HTTPError):  # it is not there yet
            browser.open(f"{address}insights/answer", answer)
        time.sleep(0.1)


def happened(path):
    return {(command["kind"], command.get("reason")) for _, command in open_journal(path).replay()}


def write(version):
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "party.db")
        live_through(path)
        entries = list(open_journal(path).replay())
        with contextlib.closing(sqlite3.connect(path)) as database:
            dump = "\n".join(database.iterdump())
    never = {*ROOM_RULES, *PARTY_RULES} - {command["kind"] for _, command in entries}
    assert not never, f"must happen too: {never}"
    state = State()
    for _, command in entries:
        state.apply(command)
    LOGS.mkdir(exist_ok=True)
    (LOGS / f"{version}.sql").write_text(dump + "\n")
    told = story.lines(entries, None, None, with_words=True)
    (LOGS / f"{version}.txt").write_text("".join(f"{line}\n" for line in told))
    dicts = {"rooms": as_json(state.rooms), "users": as_json(state.users)}
    (LOGS / f"{version}.json").write_text(json.dumps(dicts, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    write(sys.argv[1])
