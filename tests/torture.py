"""Kill servers under load, for as long as you like, and compare what everybody saw. Run it with `make torture`.

    python tests/torture.py --kills 200 --journal file|redis [--seed N] [--clients N]
    python tests/torture.py --kills 200 --service hooks      see tests/torture_services.py

Clients post without a pause worth the name, each message with a key that is sent again until it is acknowledged,
while the server dies at random moments and at each step of a message's way, and is started again. With Redis, two
processes share the log; one of them, or Redis, is killed or frozen. After every round, in a room of its own:

    lost          what was acknowledged or heard is not in the feed
    duplicated    a key is in the feed twice
    out of order  two clients, or two processes, have different messages under one `seq`
    gap           a `seq` is missing in the feed, or somebody's page lacks one
    stale         a page that comes back is not given what was acknowledged before it asked
    refused       a command was refused that may not be, or `unavailable` took too long
    stuck         nothing was acknowledged, or an answer did not come
    traceback     a server met what nobody foresaw

Ends with a table of figures, and with the status 1 when any of this happened. Ctrl-C ends it after the fault that is
under way, with the comparison and the table. Talks to 127.0.0.1 alone and leaves nothing running.
"""

import argparse
import contextlib
import functools
import json
import math
import random
import select
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict, deque
from pathlib import Path

import websocket

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from person import Person, SocketLine, come_in_over_http, seat, sign_in_over_http  # noqa: E402
from servers import Redis, Server, free_port, password_of  # noqa: E402

from runtime.journal import open_journal  # noqa: E402

# Kills of a process: at a random moment, and at the steps of tests/crashing.py.
KILLS = ("at random", "before append", "after append", "after apply", "before ack")
KINDS = {
    "file": KILLS,
    "redis": KILLS + 2 * ("process frozen", "process cut off", "redis killed", "redis frozen"),
}
CHECKS = ("lost", "duplicated", "out of order", "gap", "stale", "refused", "stuck", "traceback")

ROUND = 50  # kills in one room: it lives two hours at most, and its feed is read to the end
FREEZES = (0.3, 3)  # seconds
PAUSE_SECONDS = 0.02  # between two messages of a speaker, at most: busy, but a log of 1,000 kills stays readable
ANSWER_SECONDS = 6  # until a client gives its line up: longer than any freeze
REFUSAL_SECONDS = 3  # until `unavailable`: the promised two, and one for a busy machine
NOTICED_SECONDS = 2  # until every process has noticed that Redis is back
RECOVERY_SECONDS = 30
CHANGE_OVER = 1 / 300  # how often a client goes to another process by itself, as people do who reload
CHANGE_OVER_REFUSED = 1 / 50  # the same for each `unavailable`
AGAIN_SECONDS = 0.02  # until a message is sent again after `unavailable`
WATCHERS = 2
PAGE = 1_000  # messages that `watch` gives at once
PROGRESS_SECONDS = 10
TOLD_IN_FULL = 20  # sentences; the rest is counted


class Gone(Exception):
    """The line has ended."""


class Line:
    """A WebSocket of somebody signed in. `hear(event, payload)` is called for what comes meanwhile."""

    def __init__(self, address, cookies, hear):
        self.hear, self.ids = hear, 0
        url = address.replace("http", "ws") + "socket.io/?EIO=4&transport=websocket"
        try:
            self.socket = websocket.create_connection(
                url, cookie=cookies, origin=address.rstrip("/"), timeout=ANSWER_SECONDS
            )
            self.socket.send("40")
        except (OSError, websocket.WebSocketException) as error:
            raise Gone from error

    def ask(self, event, payload):
        """Gives the acknowledgement. Raises Gone, and TimeoutError."""
        self.ids += 1
        start = f"43{self.ids}["
        try:
            self.socket.send(f"42{self.ids}" + json.dumps([event, payload]))
        except (OSError, websocket.WebSocketException) as error:
            raise Gone from error
        while not (frame := self._frame()).startswith(start):
            self._take(frame)
        return json.loads(frame[len(start) - 1 :])[0]

    def listen(self, seconds):
        """Hears what comes within that time."""
        deadline = time.monotonic() + seconds
        while select.select([self.socket.sock], [], [], max(0, deadline - time.monotonic()))[0]:
            self._take(self._frame())

    def _frame(self):
        try:
            frame = self.socket.recv()
        except websocket.WebSocketTimeoutException:
            raise TimeoutError from None
        except (OSError, websocket.WebSocketException) as error:
            raise Gone from error
        if not frame:
            raise Gone
        return frame

    def _take(self, frame):
        if frame == "2":
            with contextlib.suppress(OSError, websocket.WebSocketException):
                self.socket.send("3")
        elif frame.startswith("42["):
            self.hear(*json.loads(frame[2:]))

    def end(self):
        with contextlib.suppress(OSError, websocket.WebSocketException):
            self.socket.shutdown()


class Client:
    """Somebody with a page: it keeps what it heard by `seq`, catches up after every break, and posts if it may."""

    def __init__(self, torture, number, name, cookies, room, speaks):
        self.torture, self.name, self.cookies, self.room, self.speaks = torture, name, cookies, room, speaks
        self.random = random.Random(f"{torture.seed} {name} {room}")
        self.address = number
        self.view = {}  # seq → message
        self.acknowledged = {}  # key → message, as the acknowledgement had it
        self.key = 0
        self.sent = self.sent_again = 0
        self.caught_up = self.silent = False
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.live, daemon=True)
        self.thread.start()

    def live(self):
        try:
            while not self.ended.is_set():
                try:
                    self.sit_down()
                except Gone:
                    self.ended.wait(0.02)
                except TimeoutError:
                    self.torture.says("stuck", f"{self.name} got no answer within {ANSWER_SECONDS} s.")
                self.address += 1
        except Exception as error:
            self.torture.says("stuck", f"{self.name} cannot go on: {error!r}.")
            raise

    def sit_down(self):
        """One line, from its handshake to its end."""
        self.caught_up = False
        addresses = self.torture.addresses
        line = Line(addresses[self.address % len(addresses)], self.cookies, self.hear)
        try:
            self.catch_up(line)
            self.caught_up = True
            if self.acknowledged and self.speaks:
                self.ask_once_more(line)
            while not self.ended.is_set():
                if self.speaks and not (self.silent and self.key in self.acknowledged):
                    self.post(line)
                    line.listen(self.random.uniform(0, PAUSE_SECONDS))
                else:
                    self.silent = self.torture.is_quiet.is_set()
                    line.listen(0.1)
                    self.read(line)
                if self.random.random() < CHANGE_OVER and len(addresses) > 1:
                    return
        finally:
            line.end()

    def catch_up(self, line):
        """What a page does when it comes back."""
        asked, known = time.monotonic(), self.torture.highest
        while True:
            ack = line.ask("watch", {"room": self.room, "after": max(self.view, default=0)})
            if ack.get("code") == "unavailable":
                raise Gone  # only who was never inside before is told this: another try
            if not ack["ok"]:
                self.torture.says("refused", f"{self.name} may not come back: {ack}")
                raise Gone
            for message in ack["messages"]:
                self.take(message)
            if len(ack["messages"]) < PAGE:
                break
        if max(self.view, default=0) < known and self.torture.redis_answers_since() < asked:
            self.torture.says("stale", f"{self.name} came back and got {max(self.view, default=0)} of {known}.")

    def hear(self, event, payload):
        if event == "message" and payload["room"] == self.room:
            last = max(self.view, default=0)
            if self.caught_up and payload["seq"] > last + 1:
                self.torture.says("gap", f"{self.name} heard message {payload['seq']} after {last}.")
            self.take(payload)

    def take(self, message):
        """The page's rule: a `seq` that it has is dropped. Here it must also be the same message."""
        known = self.view.setdefault(message["seq"], message)
        if known != message:
            self.torture.says("out of order", f"{self.name} has {brief(known)}, and then got {brief(message)}.")

    def post(self, line):
        """One message: the last one again if it was not acknowledged, else a new one."""
        if self.key in self.acknowledged or not self.key:
            self.silent = self.torture.is_quiet.is_set()
            if self.silent:
                return
            self.key += 1
        else:
            self.sent_again += 1
        at, ack = self.say(line, self.key)
        if ack["ok"]:
            self.acknowledged[self.key] = ack["message"]
            self.torture.heard_of(at, ack["message"]["seq"])
        elif ack["code"] == "unavailable":
            self.torture.was_refused(self, at)
            line.listen(AGAIN_SECONDS)
            if self.random.random() < CHANGE_OVER_REFUSED:
                raise Gone  # perhaps another process can
        else:
            self.torture.says("refused", f"{self.name} was refused what must be possible: {ack}")
            raise Gone

    def say(self, line, key):
        at = time.monotonic()
        text = f"{key}. from {self.name}, with ä and 🎉"
        return at, line.ask("message", {"room": self.room, "text": text, "key": str(key)})

    def ask_once_more(self, line):
        """A key that was acknowledged long since gives the first outcome."""
        key = self.random.choice(list(self.acknowledged)[-50:])
        _, ack = self.say(line, key)
        if ack["ok"] and ack["message"] != self.acknowledged[key]:
            first, second = self.acknowledged[key], ack["message"]
            self.torture.says("duplicated", f"{self.name} got {brief(first)}, then {brief(second)} for one key.")

    def read(self, line):
        """Read some of the feed: that goes on whatever Redis does."""
        if self.view:
            at = time.monotonic()
            ack = line.ask("history", {"room": self.room, "before": self.random.choice(list(self.view)) + 1})
            self.torture.was_read(at)
            if not ack["ok"]:
                self.torture.says("refused", f"{self.name} may not read: {ack}")
            for message in ack.get("messages", []):
                self.take(message)

    def end(self):
        self.ended.set()
        self.thread.join(ANSWER_SECONDS + 1)


def brief(message):
    return f"{message['seq']} {message['user']}/{message['key']}"


def compare(feed, views, acknowledged):
    """What is wrong, as (kind, sentence), with the final `feed` (a list of messages), what everybody has
    ({who: {seq: message}}) and what was acknowledged ([message])."""
    at = {message["seq"]: message for message in feed}
    for expected, message in enumerate(feed, start=1):
        if message["seq"] != expected:
            yield "gap", f"the feed has {brief(message)} where {expected} should be."
            break
    places = defaultdict(list)
    for message in feed:
        places[message["user"], message["key"]].append(message["seq"])
    for (user, key), seqs in places.items():
        if len(seqs) > 1:
            yield "duplicated", f"{user}/{key} is in the feed at {seqs}."
    for message in acknowledged:
        if (message["user"], message["key"]) not in places:
            yield "lost", f"{brief(message)} was acknowledged, and is not in the feed."
        elif at.get(message["seq"]) != message:
            yield "out of order", f"{brief(message)} was acknowledged, and stands elsewhere in the feed."
    for who, view in views.items():
        for seq, message in view.items():
            if seq not in at:
                yield "lost", f"{who} has {brief(message)}, which is not in the feed."
            elif at[seq] != message:
                yield "out of order", f"{who} has {brief(message)}, the feed {brief(at[seq])}."
        if missing := at.keys() - view.keys():
            yield "gap", f"{who} lacks {len(missing)} of {len(at)} messages, the first of them {min(missing)}."
    last = {}
    for user, key in places:  # in the order of the feed
        if int(key) < last.get(user, 0):
            yield "out of order", f"{user}/{key} stands behind a later message of its author."
        last[user] = int(key)


class Torture:
    """A run: `faults` one after the other, and what came of it in `found` ({kind: how often})."""

    def __init__(self, journal, faults, seed=0, speakers=4, bug=None, freezes=FREEZES, tell=lambda line: None):
        self.kind, self.faults, self.seed, self.speakers, self.tell = journal, list(faults), seed, speakers, tell
        self.random, self.freezes = random.Random(seed), freezes
        self.options = ("--bug", bug) if bug else ()
        self.found, self.sentences = Counter(), deque(maxlen=TOLD_IN_FULL)
        self.recoveries = defaultdict(list)  # kind of fault → seconds
        self.highest = 0  # seq that was acknowledged, in this round
        self.acknowledged = self.sent_again = self.twice_in_log = 0
        self.starts = []  # seconds from starting a process until it listens, the whole log replayed
        self.refusals, self.readings = [], []  # seconds, while Redis was away
        self.is_quiet, self.news = threading.Event(), threading.Condition()
        self.heard = deque(maxlen=10_000)  # (when a message was sent, when it was acknowledged), the last ones
        self.redis_away, self.redis_back, self.steady_since = False, 0, 0
        self.servers, self.redis, self.clients = [], None, []
        self.stopping = threading.Event()
        self.progress_told = time.monotonic()

    # --- What happened ------------------------------------------------------------------------------------------------

    def says(self, kind, sentence):
        with self.news:
            self.found[kind] += 1
            if self.found[kind] <= TOLD_IN_FULL:
                self.sentences.append(f"{kind}: {sentence}")
                self.tell(f"  {kind}: {sentence}")

    def heard_of(self, sent_at, seq):
        """A message was acknowledged that was sent then."""
        with self.news:
            self.acknowledged += 1
            self.highest = max(self.highest, seq)
            self.heard.append((sent_at, time.monotonic()))
            self.news.notify_all()

    def was_refused(self, client, sent_at):
        seconds = time.monotonic() - sent_at
        if self.kind == "file":
            self.says("refused", f"{client.name} heard `unavailable` from a process that has its file.")
        elif sent_at > self.steady_since:  # a frozen process answers later
            self.refusals.append(seconds)
            if seconds > REFUSAL_SECONDS:
                self.says("refused", f"{client.name} waited {seconds:.1f} s for `unavailable`.")

    def redis_answers_since(self):
        """Since when a process can ask the log what is new; while it cannot, it says what it knows."""
        return math.inf if self.redis_away else self.redis_back + NOTICED_SECONDS

    def was_read(self, asked_at):
        if self.redis_away and asked_at > self.steady_since:
            self.readings.append(time.monotonic() - asked_at)

    def wait_for_acknowledgement(self, since):
        """Waits until a message sent after `since` is acknowledged; gives the seconds from `since` until then."""
        with self.news:
            if not self.news.wait_for(lambda: self.heard and self.heard[-1][0] > since, RECOVERY_SECONDS):
                said = "".join(server.said()[-500:] for server in self.servers)
                raise TimeoutError(f"nothing was acknowledged for {RECOVERY_SECONDS} s; the servers said: {said}")
            return min(heard_at for sent_at, heard_at in self.heard if sent_at > since) - since

    # --- The servers --------------------------------------------------------------------------------------------------

    @property
    def addresses(self):
        return [f"http://127.0.0.1:{port}/" for port in self.ports]

    def start(self, number, port):
        return Server(
            program=("tests/crashing.py", str(self.fuse(number)), *self.options),
            PYTHONPATH=str(ROOT),
            PORT=str(port),
            PARTY_JOURNAL=self.address,
            PARTY_EXTRAS="100",
            PARTY_ROOM_MINUTES="120",
            PARTY_ROOM_MESSAGES="1000000",
            PARTY_SEATS="100",
        )

    def fuse(self, number):
        return Path(self.folder) / f"fuse-{number}"

    def start_again(self, number):
        self.look_at(self.servers[number])
        since = time.monotonic()
        self.servers[number] = self.start(number, self.ports[number])
        self.starts.append(time.monotonic() - since)

    def look_at(self, server):
        if "Traceback" in (said := server.said()):
            self.says("traceback", "a server said:\n" + said[said.index("Traceback") :][-1500:])
        server.process.stdout.close()
        server.errors.close()

    # --- The faults ---------------------------------------------------------------------------------------------------

    def inflict(self, fault):
        """One fault, from a random moment until messages are acknowledged again.

        Recovery counts from the kill of a process, or from when what was frozen or down is let go.
        """
        time.sleep(self.random.uniform(0, 0.3))
        number = self.random.randrange(len(self.servers))
        act = functools.partial(self.kill, step=fault) if fault in KILLS else getattr(self, fault.replace(" ", "_"))
        since = act(number)
        self.recoveries[fault].append(self.wait_for_acknowledgement(since))
        if time.monotonic() > self.progress_told + PROGRESS_SECONDS:
            self.progress_told = time.monotonic()
            count = sum(map(len, self.recoveries.values()))
            self.tell(f"{count} of {len(self.faults)} faults, {self.acknowledged:,} messages acknowledged")

    def kill(self, number, step):
        server, since = self.servers[number], time.monotonic()
        if step == "at random":
            server.kill()
        else:
            self.fuse(number).write_text(step)
            try:
                server.process.wait(RECOVERY_SECONDS)
            except subprocess.TimeoutExpired:
                raise TimeoutError(f"no message came as far as {step} within {RECOVERY_SECONDS} s") from None
            finally:
                self.fuse(number).unlink()
            since = time.monotonic()
        self.start_again(number)
        return since

    def process_frozen(self, number):
        with self.frozen(self.servers[number]):
            time.sleep(self.random.uniform(*self.freezes))
        return self.steady_since

    def process_cut_off(self, number):
        """Frozen, and its connections to Redis end meanwhile, while the others go on."""
        import redis

        with self.frozen(self.servers[number]):
            with contextlib.closing(redis.Redis.from_url(self.address)) as line:
                line.execute_command("CLIENT KILL TYPE normal SKIPME yes")
            since = time.monotonic()
            with self.news:  # in vain when nobody is with the other
                self.news.wait_for(lambda: self.heard[-1][0] > since + 0.5, self.freezes[1])
        return self.steady_since

    @contextlib.contextmanager
    def frozen(self, server):
        self.steady_since = math.inf
        server.freeze()
        try:
            yield
        finally:
            server.thaw()
            self.steady_since = time.monotonic()

    def redis_killed(self, number):
        with self.without_redis():
            self.redis.kill()
            time.sleep(self.random.choice((0, self.random.uniform(*self.freezes))))
            since = time.monotonic()
            self.redis.start()
        return since

    def redis_frozen(self, number):
        with self.without_redis():
            self.redis.freeze()
            time.sleep(self.random.uniform(*self.freezes))
            self.redis.thaw()
        return self.redis_back

    @contextlib.contextmanager
    def without_redis(self):
        self.redis_away = True
        yield
        self.redis_away, self.redis_back = False, time.monotonic()

    # --- A run --------------------------------------------------------------------------------------------------------

    def run(self):
        """Everything. Gives whether all was well."""
        with tempfile.TemporaryDirectory() as self.folder:
            self.ports = [free_port() for _ in range(1 if self.kind == "file" else 2)]
            try:
                self.redis = None if self.kind == "file" else Redis()
                self.address = self.redis.address if self.redis else str(Path(self.folder) / "party.db")
                self.servers = [self.start(number, port) for number, port in enumerate(self.ports)]
                for start in range(0, len(self.faults), ROUND):
                    if not self.stopping.is_set():
                        self.round(self.faults[start : start + ROUND])
            except (AssertionError, TimeoutError) as error:  # a server that does not start, people who cannot come
                self.says("stuck", str(error))
            finally:
                self.end()
        return not self.found

    def round(self, faults):
        """Some faults in one room, and the comparison."""
        self.is_quiet.clear()
        self.highest = 0
        cookies, room = self.open_room()
        names = list(cookies)
        self.clients = [
            Client(self, number, name, cookies[name], room, speaks=number <= self.speakers)
            for number, name in enumerate(names)
        ]
        try:
            self.wait_for_acknowledgement(time.monotonic())
            for fault in faults:
                if not self.stopping.is_set():
                    self.inflict(fault)
            self.wait_for_silence()
            self.check(cookies[names[0]], room)
        finally:
            for client in self.clients:
                client.ended.set()
            for client in self.clients:
                client.end()
        self.close_room(names[0], cookies[names[0]], room)

    def open_room(self):
        """A host and speakers with their seats, the last of them a guest, and watchers; gives {name: cookies} and the
        room."""
        address = self.addresses[0]
        names = [f"extra{number}" for number in range(1, 1 + self.speakers + WATCHERS)]
        cookies = {name: sign_in_over_http(address, name, password_of(name)) for name in names}
        people = [Person(name, SocketLine(address, cookies[name])) for name in names]
        room = people[0].host("Torture")
        come_in, of_guest = come_in_over_http(address, people[0].link(room))
        people.insert(self.speakers, Person(come_in["user"], SocketLine(address, of_guest)))
        for speaker in people[1 : self.speakers + 1]:
            seat(people[0], speaker, room)
        for person in people:
            person.watch(room)
            person.line.hang_up()
        return {person.name: cookies.get(person.name, of_guest) for person in people}, room

    def close_room(self, name, cookies, room):
        host = Person(name, SocketLine(self.addresses[0], cookies))
        if not (ack := host.close(room))["ok"]:
            self.says("refused", f"the host cannot close the room: {ack}")
        host.line.hang_up()

    def wait_for_silence(self):
        """Until every message is acknowledged, and everybody has heard them all or had time to."""
        self.is_quiet.set()
        deadline = time.monotonic() + RECOVERY_SECONDS
        while not all(client.silent for client in self.clients) and time.monotonic() < deadline:
            time.sleep(0.02)
        if not all(client.silent for client in self.clients):
            self.says("stuck", "not every message was acknowledged in the end.")
        deadline = time.monotonic() + 5
        while not self.found and time.monotonic() < deadline:
            if len({max(client.view, default=0) for client in self.clients}) == 1:
                break
            time.sleep(0.02)

    def check(self, cookies, room):
        """Compare what the clients have, what each process says, and what a new one says that replays the log."""
        views = {client.name: dict(client.view) for client in self.clients}
        for address in self.addresses:
            views[address] = feed_of(address, cookies, room)
        feed = self.feed_of_a_new_process(cookies, room)
        acknowledged = [message for client in self.clients for message in client.acknowledged.values()]
        self.sent_again += sum(client.sent_again for client in self.clients)
        for kind, sentence in compare([feed[seq] for seq in sorted(feed)], views, acknowledged):
            self.says(kind, sentence)
        self.count_twice_in_log(room)

    def feed_of_a_new_process(self, cookies, room):
        if self.kind == "file":  # one at a time can have the file
            status, said = self.servers[0].stop()
            if status:
                self.says("stuck", f"a server ended with {status}: {said}")
            self.start_again(0)
            return feed_of(self.addresses[0], cookies, room)
        third = self.start("new", 0)
        try:
            return feed_of(third.address, cookies, room)
        finally:
            third.stop()
            self.look_at(third)

    def count_twice_in_log(self, room):
        """A key may be in a shared log twice, where nobody could know of the first; it must have had its effect once.
        A file has it once."""
        keys = Counter(
            (command["user"], command["key"])
            for _, command in open_journal(self.address).replay()
            if command["kind"] == "message" and command["room"] == room
        )
        twice = [f"{user}/{key}" for (user, key), count in keys.items() if count > 1]
        self.twice_in_log += len(twice)
        if twice and self.kind == "file":
            self.says("duplicated", f"{len(twice)} keys are in the log more than once: {twice[:3]}")

    def end(self):
        for client in self.clients:
            client.ended.set()
        for server in self.servers:
            if not server.errors.closed:
                server.thaw() if server.process.poll() is None else None
                server.stop()
                self.look_at(server)
        if self.redis:
            self.redis.stop()

    def figures(self):
        """The table at the end."""
        yield f"{'until a message is kept again':34}{'times':>6}        median    worst"
        for fault in dict.fromkeys(KINDS[self.kind]):
            name = f"process killed {fault}" if fault in KILLS else fault.replace("redis", "Redis")
            yield row(name, self.recoveries.get(fault))
        yield row("the start of a process in that", self.starts)
        counts = {"messages acknowledged": self.acknowledged, "sent again": self.sent_again}
        for name, count in (counts | {check: self.found[check] for check in CHECKS}).items():
            yield f"{name:34}{count:6,}"
        if self.kind == "redis":
            yield f"{'in the log twice, in effect once':34}{self.twice_in_log:6,}"
            yield row("`unavailable`", self.refusals)
            yield row("reading while Redis is away", self.readings)


def row(name, seconds):
    typical, worst = (statistics.median(seconds), max(seconds)) if seconds else (0, 0)
    return f"{name:34}{len(seconds or ()):6,} {typical:11.2f} s {worst:6.2f} s"


def feed_of(address, cookies, room):
    """{seq: message} of all of a room, as a page reads it that has nothing yet."""
    feed = {}
    line = Line(address, cookies, hear=lambda event, payload: None)
    try:
        while True:
            ack = line.ask("watch", {"room": room, "after": max(feed, default=0)})
            assert ack["ok"], f"The feed cannot be read in the end: {ack}"
            feed.update((message["seq"], message) for message in ack["messages"])
            if len(ack["messages"]) < PAGE:
                return feed
    except Gone:
        raise AssertionError("The feed cannot be read in the end: the line broke.") from None
    finally:
        line.end()


def evenly(kinds, count, seed):
    """So many faults of these kinds, as many of each as of the others, in a random order."""
    faults = [kinds[number % len(kinds)] for number in range(count)]
    random.Random(seed).shuffle(faults)
    return faults


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=200, help="faults, all kinds together")
    parser.add_argument("--journal", choices=KINDS, default="file")
    parser.add_argument("--service", help="kill this one of the services, and the party with it")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--clients", type=int, default=4, help="speakers beside the host, the last a guest, up to 90")
    parser.add_argument("--bug", help="one of tests/crashing.py, to see that it is found")
    given = parser.parse_args()
    faults = evenly(KINDS[given.journal], given.kills, given.seed)
    tell = functools.partial(print, flush=True)
    if given.service:
        raise SystemExit(torture_service(given, tell))
    torture = Torture(given.journal, faults, given.seed, given.clients, given.bug, tell=tell)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: torture.stopping.set())
    tell(f"{given.kills} faults, journal {given.journal}, seed {given.seed}")
    torture.run()
    tell(*torture.figures(), sep="\n")
    raise SystemExit(1 if torture.found else 0)


def torture_service(given, tell):
    import torture_services as services

    if given.service not in services.TORTURED:
        return f"--service must be one of {', '.join(services.TORTURED)}, not {given.service!r}."
    faults = evenly(services.FAULTS, given.kills, given.seed)
    torture = services.Torture(services.TORTURED[given.service](), faults, given.seed, tell=tell)
    signal.signal(signal.SIGINT, lambda *_: torture.stopping.set())
    tell(f"{given.kills} faults, the service {given.service}, seed {given.seed}")
    torture.run()
    tell(f"{torture.rooms} rooms; {len(torture.found)} things are wrong", *torture.found, sep="\n  ")
    return 1 if torture.found else 0


if __name__ == "__main__":
    main()
