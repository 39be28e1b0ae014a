"""Kill the services' process and the party under load, and compare what came of it with the log:
`make torture SERVICE=hooks` (or another of TORTURED).

People open rooms that are to become pages, let somebody in, say something, take it back, close, and leave their words
out, while the services' process is killed, ended or frozen, or the party with it. In the end what the service has made
must be what a new reader finds in the log; each service says what that is: see `Tortured`.
"""

import contextlib
import itertools
import json
import os
import queue
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from unittest import mock
from urllib.parse import quote, unquote

import websocket
from hurried import HOUR_SECONDS
from person import assert_ok, seat, until
from servers import ROOT, Server, free_port
from test_services import children, runs

from party import publishing, views
from party.state import State
from runtime.journal import open_journal
from services import pages, picking
from services.follow import Reader

FAULTS = ("services killed", "services ended", "services frozen", "party killed")
SETTLED_SECONDS = 60  # until all is made, in the end, on a busy machine
PAIRS = 3  # of people who talk
TAKEN_BACK = "This is taken back"  # unless a kill comes in between


class Tortured:
    """What the torture of one service needs to know."""

    services = ""  # as PARTY_SERVICES names them

    def begin(self, instance, **settings):
        """Before the party starts; gives more settings."""
        return {}

    def problems(self, entries, instance):
        """What is missing or wrong, as sentences, by the entries (`follow.Entry`) of the whole log. Asked again until
        there are none, or for a minute."""
        return []

    def end(self):
        """Leaves nothing running."""


class Torture:
    """A run: `found` are the sentences that stay in the end."""

    def __init__(self, tortured, faults, seed=0, tell=lambda line: None):
        self.tortured, self.faults, self.tell = tortured, list(faults), tell
        self.random = random.Random(seed)
        self.found, self.rooms, self.ended = [], 0, threading.Event()
        self.stopping = threading.Event()  # for who presses Ctrl-C

    def run(self):
        self.instance = Path(tempfile.mkdtemp())
        self.settings = {
            "PORT": str(free_port()),
            "PARTY_INSTANCE": str(self.instance),
            "PARTY_JOURNAL": str(self.instance / "party.db"),
            "PARTY_SERVICES": self.tortured.services,
            "PARTY_ROOM_MINUTES": str(6 / 60),  # so a room whose host is cut off closes as well
            "PARTY_EXTRAS": str(2 * PAIRS),
        }
        try:
            self.settings |= self.tortured.begin(self.instance)
            self.server = self.start()
            talkers = [threading.Thread(target=self.talk, args=(number,)) for number in range(PAIRS)]
            for talker in talkers:
                talker.start()
            try:
                for number, fault in enumerate(self.faults, start=1):
                    if not self.stopping.is_set():
                        self.inflict(fault)
                        self.tell(f"{number} of {len(self.faults)}: {fault}; {self.rooms} rooms so far")
            finally:
                self.ended.set()
                for talker in talkers:
                    talker.join()
            self.compare()
        finally:
            services = children(self.server)
            self.server.stop()
            until(lambda: not any(map(runs, services)))  # what is killed may be writing to the end
            self.look_at(self.server)
            self.tortured.end()
            shutil.rmtree(self.instance)

    def start(self):
        return Server(program=("tests/hurried.py",), **self.settings)

    def look_at(self, server):
        if "Traceback" in (said := server.said()):
            self.found.append("a process said:\n" + said[said.index("Traceback") :][-2_000:])

    # --- Faults -------------------------------------------------------------------------------------------------------

    def inflict(self, fault):
        before, deadline = self.rooms, time.monotonic() + SETTLED_SECONDS
        while self.rooms == before:  # since the last one there was a load
            assert time.monotonic() < deadline, f"nobody could open a room: {self.server.said()}"
            time.sleep(0.01)
        time.sleep(self.random.uniform(0, 1.5 * HOUR_SECONDS))
        if fault == "party killed":
            self.server.kill()
            self.look_at(self.server)
            self.server = self.start()
            return
        with contextlib.suppress(ProcessLookupError):
            for child in children(self.server):
                if fault == "services frozen":
                    os.kill(child, signal.SIGSTOP)
                    time.sleep(self.random.uniform(0, HOUR_SECONDS))
                    os.kill(child, signal.SIGCONT)
                else:
                    os.kill(child, signal.SIGKILL if fault == "services killed" else signal.SIGTERM)

    # --- Load ---------------------------------------------------------------------------------------------------------

    def talk(self, number):
        """Room after room; what a kill interrupts is left as it is."""
        names = f"extra{2 * number + 1}", f"extra{2 * number + 2}"
        while not self.ended.is_set():
            with contextlib.suppress(OSError, websocket.WebSocketException, AssertionError):
                self.discuss(*map(self.server.person, names))

    def discuss(self, host, speaker):
        while not self.ended.is_set():
            room = host.host("Tea", publish=True, listed=self.random.random() < 0.8)
            seat(host, speaker, room)
            for person in (host, speaker):
                person.message(room, f"{person.name} is here")
            said = assert_ok(speaker.message(room, TAKEN_BACK))["message"]
            speaker.take_back(room, said["seq"])
            assert_ok(host.close(room))
            for person in (host, speaker):
                if self.rooms and self.random.random() < 0.3:  # of the first room there is something left
                    person.leave_out(room)
            self.rooms += 1

    # --- What came of it ----------------------------------------------------------------------------------------------

    def compare(self):
        deadline = time.monotonic() + SETTLED_SECONDS
        while problems := self.problems():
            if time.monotonic() > deadline or self.stopping.is_set():
                break
            time.sleep(0.2)
        self.found += problems

    def problems(self):
        """Those of a party in which nothing is going on: what is still to come is one as well."""
        journal = open_journal(self.settings["PARTY_JOURNAL"])
        an_hour = mock.patch.object(publishing, "LEAVE_OUT_WITHIN", HOUR_SECONDS * 1_000)  # as who wrote it has it
        with an_hour, contextlib.closing(journal):
            state = State()
            for _, command in journal.replay():
                state.apply(command)
            reader, entries = Reader(journal), []
            while some := reader.read():
                entries += some
        goes_on = [room for room in state.rooms.values() if room.closed_at is None or publishing.is_yet_to_come(room)]
        problems = [f"{len(goes_on)} rooms are not at their end"] if goes_on else []
        return problems + list(self.tortured.problems(entries, self.instance))


# --- Hooks ------------------------------------------------------------------------------------------------------------

SECRET = "whsec_" + "c2VjcmV0IGZvciB0ZXN0cyBhbG9uZSwgb2YgMzI="


class Receiver:
    """tests/receiver.mjs: what it was told, in order, and whether it said that it took it."""

    def __init__(self, folder, *secrets, failing=0.0):
        modules = ROOT / "benchmarks/node_modules"
        assert (modules / "standardwebhooks").exists(), "`sh benchmarks/install_peer.sh` installs what Node needs"
        (folder / "node_modules").symlink_to(modules)
        shutil.copy(ROOT / "tests/receiver.mjs", folder)
        command = ["node", folder / "receiver.mjs", str(failing), *secrets]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())
        self.told, self.news = [], queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.told.append(json.loads(line))
            self.news.put(self.told[-1])

    def end(self):
        self.process.kill()
        self.process.wait()


class TorturedHooks(Tortured):
    """Each event of a listed room is taken once by a receiver that fails now and then, in the order of its room, and
    was proved by its signature each time."""

    services = "publisher,hooks"
    FAILING = 0.2

    def begin(self, instance):
        folder = instance / "receiver"
        folder.mkdir()
        self.receiver = Receiver(folder, SECRET, failing=self.FAILING)
        where = f"localhost:{self.receiver.port}"
        hook = f'[hook.here]\naddress = "http://{where}/"\nsecrets = ["{SECRET}"]'
        (instance / "hooks.toml").write_text(f'allowed = ["{where}"]\n{hook}\n')
        (instance / "hooks.toml").chmod(0o600)
        return {}

    def problems(self, entries, instance):
        told = list(self.receiver.told)
        self.counts = Counter("taken" if one["taken"] else "failed" for one in told)
        yield from (f"{one['id']} is no proof: {one['error']}" for one in told if one["error"])
        should = [event for entry in entries if (event := expected(entry))]
        taken = list(dict.fromkeys(one["id"] for one in told if one["taken"]))
        if missing := [event for event in should if event[0] not in taken]:
            yield f"{len(missing)} of {len(should)} were never taken, the first of them {missing[0]}"
        known = dict(should)
        yield from (f"{one['id']} is of nothing in the log" for one in told if one["id"] not in known)
        addresses = [json.loads(one["body"])["data"].get("address") for one in told]
        files = [instance / "published" / unquote(one.rpartition("/")[2]) for one in addresses if one]
        yield from (f"it was told of {file.name}, which is not there" for file in files if not file.exists())
        bodies = {}
        for one in told:
            if bodies.setdefault(one["id"], one["body"]) != one["body"]:
                yield f"{one['id']} says two things"
        for room in set(known.values()):
            in_log = [id for id, of in should if of == room]
            if (came := [id for id in taken if known.get(id) == room]) != [id for id in in_log if id in came]:
                yield f"of the room {room} came {came}, and there happened {in_log}"

    def end(self):
        self.receiver.end()


def expected(entry):
    """(id, room) of the event that is to be told of it; None where there is none."""
    is_told = entry.outcome and entry.outcome["ok"] and entry.command["kind"] in ("host", "approve", "close", "end")
    is_told = is_told or (entry.command["kind"] == "publish" and entry.outcome and entry.outcome.get("published"))
    return (f"msg_{entry.command['id']}", entry.room.id) if is_told and entry.room.listed else None


# --- Publisher --------------------------------------------------------------------------------------------------------


class TorturedPublisher(Tortured):
    """Each room that was published is one page, with exactly the words that are left; and whoever looks meanwhile finds
    whole files alone, and behind each address of the index a page."""

    services = "publisher"
    LOOK_SECONDS = 0.05

    def begin(self, instance):
        self.folder, self.found, self.ended = instance / "published", [], threading.Event()
        self.thread = threading.Thread(target=self.look_on, daemon=True)
        self.thread.start()
        return {}

    def look_on(self):
        while not self.ended.wait(self.LOOK_SECONDS):
            with contextlib.suppress(FileNotFoundError):  # there is none yet
                index = (self.folder / pages.INDEX).read_text()
                names = {unquote(name) for name in re.findall(r'<h2 dir="auto"><a href="([^"]+)"', index)}
                self.found += [f"{name} is not there, and the index names it" for name in names - self.names()]
            self.found += [f"{path.name} is not whole" for path in self.folder.glob("*.html") if not is_whole(path)]

    def names(self):
        return {path.name for path in self.folder.iterdir()} if self.folder.exists() else set()

    def problems(self, entries, instance):
        yield from set(self.found)
        rooms = [entry.room for entry in entries if entry.command["kind"] == "publish" and entry.outcome and entry.room]
        rooms = {pages.name_of(views.published(room)): room for room in rooms if room.is_published}
        self.counts = Counter(pages=len(rooms))
        should = {*rooms, pages.INDEX, pages.FEED, pages.SITEMAP} if rooms else set()
        if (names := self.names()) != should:
            yield f"missing are {should - names}, and too many {names - should}"
            return
        for name, room in rooms.items():
            text = (self.folder / name).read_text()
            lines = {TAKEN_BACK, *(f"{user} is here" for user in room.last_said)}
            said, out = {line for line in lines if line in text}, publishing.left_out(room)
            stays = [one for one in room.messages if "taken_back" not in one and one["user"] not in out]
            if said != (left := {message["text"] for message in stays}):
                yield f"{name} has {said}, and what is left is {left}"
            if f'href="{quote(name)}"' not in (self.folder / pages.INDEX).read_text():
                yield f"the index does not name {name}"

    def end(self):
        self.ended.set()
        self.thread.join()


def is_whole(path):
    with contextlib.suppress(FileNotFoundError):
        return path.read_text().rstrip().endswith("</html>")
    return True


# --- Moments ----------------------------------------------------------------------------------------------------------


class TorturedMoments(Tortured):
    """Of each room that closed there is kept what an AI said of it, which was sent nothing that was taken back; or,
    where that failed, what is picked. No words that it was to read are left."""

    services = "publisher,moments"
    FAILS_EVERY = 4  # questions, the second of them first

    def begin(self, instance):
        self.counts, number = Counter(), itertools.count()

        class AI(BaseHTTPRequestHandler):
            """Has a sentence on each message that it is sent, unless it fails."""

            def do_POST(handler):  # noqa: N802, N805
                body = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
                sent = json.loads(body["messages"][1]["content"])["messages"]
                said = json.dumps({"moments": [sentence_on(message) for message in sent]})
                handler.send_response(500 if next(number) % self.FAILS_EVERY == 1 else 200)
                handler.end_headers()
                handler.wfile.write(json.dumps({"choices": [{"message": {"content": said}}]}).encode())

            def log_message(handler, *said):  # noqa: N805
                pass

        self.ai = ThreadingHTTPServer(("127.0.0.1", 0), AI)
        threading.Thread(target=self.ai.serve_forever, daemon=True).start()
        where = f"http://127.0.0.1:{self.ai.server_port}/v1"
        return {"PARTY_MOMENTS_AT": where, "PARTY_MOMENTS_MODEL": "a stand-in"}

    def problems(self, entries, instance):
        closings = [one for one in entries if one.command["kind"] in ("close", "end") and one.outcome["ok"]]
        with contextlib.closing(sqlite3.connect(instance / "moments.db")) as store:
            rows = store.execute("SELECT room, by, body FROM moments").fetchall()
            ((left,),) = store.execute("SELECT count(*) FROM to_ask")
        kept = {room: (by, json.loads(body)) for room, by, body in rows}
        if left:
            yield f"the words of {left} rooms are left"
        for room in [one.room for one in closings]:
            transcript = views.transcript(room)
            by, found = kept.get(room.id, (None, None))
            said = [sentence_on(one) | {"kind": "central"} for one in transcript["messages"] if "text" in one]
            if found != (said if by else picking.summarise(transcript)):
                yield f"of the room {room.id} there is kept {found} by {by}"
        self.counts = Counter(by for by, _ in kept.values())

    def end(self):
        self.ai.shutdown()
        self.ai.server_close()


def sentence_on(message):
    return {"seq": message["seq"], "text": f"On message {message['seq']}."}


TORTURED = {"hooks": TorturedHooks, "publisher": TorturedPublisher, "moments": TorturedMoments}
