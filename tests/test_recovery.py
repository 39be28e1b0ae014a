"""The party after a fault: what was acknowledged is there, what was not happened at most once, and nothing else."""

import contextlib
import os
import random
import resource
import subprocess
import sys
import time
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import pytest
from conftest import EVENTS
from hypothesis import given, settings, strategies
from person import assert_ok, assert_refused, come_in_over_http, form_token, seat
from servers import ROOT, SECRET, Server, running_redis
from test_rules import ALWAYS_THE_SAME, FIELDS, PARTIES, run

from party import model, publishing, rules, views
from runtime.journal import Unavailable, open_journal

# The party as its next release has it: asha has got another password.
WITH_A_RAISED_NUMBER = ("-c", "import app, users; users.NUMBERS['asha'] = 2; app.main()")
IN_AN_HOUR = ("-c", "from runtime import clock; clock.STARTED += 3_600 * 10**9; import app; app.main()")


@pytest.fixture
def start():
    """Starts a server on a log, and ends it with the test: `start(log)`."""
    servers = []

    def start(log, **more):
        servers.append(Server(PARTY_JOURNAL=str(log), **more))
        return servers[-1]

    yield start
    for server in servers:
        _, said = server.stop()
        assert "Traceback" not in said, said


@pytest.fixture(params=["file", "redis"])
def log(request, tmp_path):
    """The address of a log that outlives a server, of each kind."""
    if request.param == "file":
        yield str(tmp_path / "party.db")
        return
    with running_redis() as redis:
        yield redis.address


@pytest.fixture
def file(tmp_path):
    return tmp_path / "party.db"


def end(server, how):
    server.kill() if how == "SIGKILL" else server.stop()


def is_let_in(server, cookies):
    """Whether the pages take these cookies for somebody's."""
    return b'action="sign-in"' not in urlopen(Request(server.address, headers={"Cookie": cookies})).read()


def sign_out(server, cookies):
    page = urlopen(Request(server.address, headers={"Cookie": cookies}))
    fresh = page.headers["Set-Cookie"].split(";")[0] if page.headers["Set-Cookie"] else cookies
    form = urlencode({"token": form_token(page.read().decode())}).encode()
    urlopen(Request(server.address + "sign-out", form, {"Cookie": fresh}))


def texts(ack):
    return [message["text"] for message in assert_ok(ack)["messages"]]


def start_refused(**settings):
    """What a server says that does not start."""
    env = {**os.environ, "PARTY_SECRET_KEY": SECRET, "HOST": "127.0.0.1", "PORT": "0", **settings}
    ended = subprocess.run(
        [sys.executable, "app.py"], cwd=ROOT, env=env, capture_output=True, text=True, timeout=20
    )  # fmt: skip
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "Traceback" not in ended.stderr
    return ended.stderr.splitlines()[-1]


# --- A restart --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["SIGKILL", "SIGTERM"])
def test_a_restart_signs_nobody_out_and_nobody_in_again(start, log, how):
    server = start(log)
    asha, bilal = server.cookies_of("asha"), server.cookies_of("bilal")
    sign_out(server, bilal)
    assert (is_let_in(server, asha), is_let_in(server, bilal)) == (True, False)
    end(server, how)
    server = start(log)
    assert (is_let_in(server, asha), is_let_in(server, bilal)) == (True, False)
    assert server.person("asha", asha).host()


@pytest.mark.parametrize("how", ["SIGKILL", "SIGTERM"])
def test_a_room_goes_on_after_a_restart_as_if_nothing_had_been(start, log, how):
    server = start(log)
    cookies = {name: server.cookies_of(name) for name in ("asha", "bilal", "chen")}
    asha, bilal, chen = (server.person(name, cookies[name]) for name in cookies)
    room = asha.host("Tea")
    seat(asha, bilal, room)
    chen.watch(room)
    chen.request(room, pitch="Me too")
    asha.message(room, "One")
    first = bilal.message(room, "Two", key="two")
    asha.message(room, "A slip", key="slip", reply=2)
    asha.take_back(room, 3)
    chen.more_time(room)
    chen.pulse(room, "agree")
    view = asha.sees(room)
    end(server, how)

    server = start(log)
    asha, bilal, chen = (server.person(name, cookies[name]) for name in cookies)
    card = next(card for card in asha.heard("lobby")[0]["rooms"] if card["id"] == room)
    assert (card["closes_at"], card["speakers"]) == (view["closes_at"], ["bilal"])
    assert asha.hears("waiting")["waiting"][0]["pitch"] == "Me too"
    assert texts(bilal.watch(room)) == ["One", "Two", ""]
    assert bilal.watch(room, after=3)["taken_back"] == [3]
    assert asha.message(room, "A slip", key="slip", reply=2)["message"]["taken_back"], "it is not said again"
    assert bilal.message(room, "Two", key="two") == first, "a key's first outcome"
    assert_refused(bilal.message(room, "Other", key="two"), "conflict")
    assert bilal.message(room, "Three")["message"]["seq"] == 4
    assert texts(chen.watch(room, after=1)) == ["Two", "", "Three"]
    assert_refused(chen.more_time(room), "conflict")
    assert_refused(chen.pulse(room, "agree"), "slow_down")


@pytest.mark.parametrize("how", ["SIGKILL", "SIGTERM"])
def test_a_guest_is_the_same_after_a_restart_and_who_was_shown_out_stays_out(start, log, how):
    server = start(log)
    cookies = server.cookies_of("asha")
    asha = server.person("asha", cookies)
    room = asha.host("Tea")
    asha.message(room, "Before anybody came")
    link = asha.link(room)
    (gita, of_gita), (rude, of_rude) = (come_in_over_http(server.address, link, name) for name in ("Gita", "Rude"))
    guest, other = server.person(gita["user"], of_gita), server.person(rude["user"], of_rude)
    seat(asha, guest, room)
    other.watch(room)
    said = assert_ok(guest.message(room, "Hello", key="hello"))
    asha.put_out(room, other.name)
    end(server, how)

    server = start(log)
    asha, guest = server.person("asha", cookies), server.person(gita["user"], of_gita)
    assert guest.message(room, "Hello", key="hello") == said, "a key's first outcome"
    assert texts(guest.watch(room)) == ["Hello"], "what was said before they came is still not theirs"
    assert asha.hears("door")["token"] == link.rpartition("=")[2]
    asha.watch(room)
    assert asha.sees(room)["guests"] == {guest.name: "Gita"}
    assert not is_let_in(server, of_rude)
    assert_ok(come_in_over_http(server.address, link, "Another")[0])
    asha.link(room, renew=True)
    assert_refused(come_in_over_http(server.address, link, "Too late")[0], "not_found")


def test_a_room_that_is_overdue_is_closed_before_the_door_opens(start, log, clean_party):
    server = start(log)
    cookies = server.cookies_of("asha")
    asha = server.person("asha", cookies)
    room = asha.host()
    closes_at = asha.sees(room)["closes_at"]
    assert time.time() < closes_at / 1000 < time.time() + 3_600, "it must be killed while the room is open"
    server.kill()
    server = start(log, program=IN_AN_HOUR)
    asha = server.person("asha", cookies)
    assert asha.heard("lobby")[0]["rooms"] == []
    assert_ok(asha.watch(room))
    assert_refused(asha.message(room), "closed")
    clean_party.rebuild(open_journal(log).replay())
    kept = clean_party.state.rooms[room]
    assert (kept.closed, kept.closed_at) == ("time", closes_at)
    ends = [command for _, command in open_journal(log).replay() if command["kind"] == "end"]
    assert [command["room"] for command in ends].count(room) == 1


def test_a_raised_number_ends_that_persons_sign_ins(start, log):
    server = start(log)
    asha, bilal = server.cookies_of("asha"), server.cookies_of("bilal")
    server.kill()
    server = start(log, program=WITH_A_RAISED_NUMBER)
    assert (is_let_in(server, asha), is_let_in(server, bilal)) == (False, True)
    server.kill()
    assert not is_let_in(start(log), asha), "and they stay ended, whatever the number is later"


def test_a_raised_number_ends_them_in_the_other_processes_within_two_seconds(start):
    with running_redis() as redis:
        server = start(redis.address)
        asha, bilal = server.person("asha"), server.person("bilal")
        other = start(redis.address, program=WITH_A_RAISED_NUMBER)
        started = time.monotonic()
        asha.line.wait_until(lambda: asha.line.closed, "asha's tab is closed")
        assert time.monotonic() - started < 2
        assert bilal.host()
        for each in (server, other):
            each.kill()


def test_a_second_party_on_the_same_file_does_not_start(start, file):
    server = start(file)
    said = start_refused(PARTY_JOURNAL=str(file))
    assert said == f"PARTY_JOURNAL {file} is in use: another party runs on it."
    assert server.person("asha").host(), "the first goes on"
    server.kill()
    assert start(file).person("asha").heard("lobby")[0]["rooms"]


@pytest.mark.server
@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ("redis://:a-secret@127.0.0.1:1/0", "PARTY_JOURNAL names a Redis, but nothing answers at 127.0.0.1:1."),
        ("redis://:a-secret@host:port/0", "PARTY_JOURNAL is not an address of a Redis: "),
        ("mysql://me:a-secret@host/party", "PARTY_JOURNAL must be memory:, the path of a file or redis://…, not mysql"),
        ("no/such/folder/party.db", "PARTY_JOURNAL no/such/folder cannot be used: "),
    ],
)
def test_a_log_that_cannot_be_stops_the_start_with_a_sentence(setting, sentence):
    said = start_refused(PARTY_JOURNAL=setting)
    assert said.startswith(sentence)
    assert "a-secret" not in said


def test_a_damaged_log_stops_the_start_with_a_sentence(start, file):
    server = start(file)
    asha = server.person("asha")
    room = asha.host()
    for n in range(10):
        asha.message(room, f"Word {n}")
    server.kill()
    wal = file.with_name("party.db-wal")
    content = wal.read_bytes()
    place = content.index(b"Word 2")
    wal.write_bytes(content[:place] + b"J" + content[place + 1 :])
    before = (file.read_bytes(), wal.read_bytes())
    said = start_refused(PARTY_JOURNAL=str(file))
    assert said.startswith("PARTY_JOURNAL ") and "damaged, and was left as it is" in said
    assert (file.read_bytes(), wal.read_bytes()) == before


# --- A full disk ------------------------------------------------------------------------------------------------------


def give_room(server, size):
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def fill_the_disk(server, file):
    """What is written now does not fit, and a part of it does."""
    give_room(server, file.with_name("party.db-wal").stat().st_size + 5_000)


@pytest.mark.parametrize("killed", [False, True])
def test_on_a_full_disk_reading_goes_on_and_writing_when_there_is_room(start, file, killed):
    server = start(file)
    cookies = {name: server.cookies_of(name) for name in ("asha", "bilal", "chen")}
    asha, bilal = server.person("asha", cookies["asha"]), server.person("bilal", cookies["bilal"])
    room = asha.host()
    bilal.watch(room)
    for n in range(10):
        asha.message(room, f"Word {n}")
    fill_the_disk(server, file)
    for _ in range(3):
        assert_refused(asha.message(room, "No room", key="no-room"), "unavailable")
    for refused in (bilal.request(room), asha.close(room), bilal.ask("host", {"topic": "Other"})):
        assert_refused(refused, "unavailable")
    assert len(texts(bilal.watch(room))) == 10
    assert len(texts(bilal.history(room, before=6))) == 5
    chen = server.person("chen", cookies["chen"])
    assert [card["id"] for card in chen.heard("lobby")[0]["rooms"]] == [room]
    assert len(texts(chen.watch(room))) == 10, "also who comes in for the first time"
    with pytest.raises(HTTPError, match="503"):
        server.person("dana")
    assert bilal.heard("message")[-1]["text"] == "Word 9"
    assert bilal.heard("closed") == []
    if killed:
        server.kill()
        server = start(file)
        asha, bilal, chen = (server.person(name, cookies[name]) for name in cookies)
    else:
        give_room(server, resource.RLIM_INFINITY)
    assert assert_ok(asha.message(room, "No room", key="no-room"))["message"]["seq"] == 11
    expected = [f"Word {n}" for n in range(10)] + ["No room"]
    assert texts(bilal.watch(room)) == expected
    assert_ok(bilal.request(room))
    server.kill()
    assert texts(start(file).person("bilal", cookies["bilal"]).watch(room)) == expected


def test_a_disk_that_is_full_and_empty_by_turns_keeps_what_was_acknowledged_alone(start, file):
    server, dice = start(file), random.Random(1)
    cookies = server.cookies_of("asha")
    asha = server.person("asha", cookies)
    room, kept, refused = asha.host(), [], 0
    for kill in range(3):
        for n in range(60):
            if dice.random() < 0.2:
                size = file.with_name("party.db-wal").stat().st_size
                give_room(server, dice.choice([resource.RLIM_INFINITY, size + dice.randrange(20_000)]))
            ack = asha.message(room, f"{kill}-{n}")
            refused += not ack["ok"]
            kept += [f"{kill}-{n}"] if ack["ok"] else []
        server.kill()
        server = start(file)
        asha = server.person("asha", cookies)
        assert texts(asha.watch(room)) == kept
    assert refused > 10 and len(kept) > 10, "some must be refused, some not"


# --- Building the present from the log --------------------------------------------------------------------------------


class ThroughARebuild:
    """A log that breaks just then: the command comes with the whole log, or it is lost."""

    began = 0

    def __init__(self, party, is_lost=False):
        self.party, self.is_lost = party, is_lost

    def append(self, command):
        self.party.rebuild([] if self.is_lost else [(1, command)])

    def catch_up(self):
        pass


def test_a_command_that_comes_with_a_rebuild_has_its_outcome(clean_party, monkeypatch):
    monkeypatch.setattr(clean_party, "journal", ThroughARebuild(clean_party))
    outcome = clean_party.submit("host", "asha", topic="Tea", lasts=60_000)
    assert outcome == {"ok": True, "room": next(iter(clean_party.state.rooms))}
    assert clean_party.awaited == {}


def test_a_command_that_the_log_lost_is_not_acknowledged(clean_party, monkeypatch):
    monkeypatch.setattr(clean_party, "journal", ThroughARebuild(clean_party, is_lost=True))
    with pytest.raises(Unavailable):
        clean_party.submit("host", "asha", topic="Tea", lasts=60_000)
    assert clean_party.awaited == clean_party.state.rooms == {}


def test_a_start_that_must_write_and_cannot_says_so(clean_party, monkeypatch):
    class Full(ThroughARebuild):
        def follow(self, rebuild, receive):
            rebuild([(1, {"at": 0, "id": "s", "kind": "sign_in", "user": "gone", "key": None, "sign_in": "s",
                          "since": 0, "number": 1})])  # fmt: skip

        def append(self, command):
            raise Unavailable("disk is full")

    monkeypatch.setattr(clean_party, "journal", Full(clean_party))
    with pytest.raises(SystemExit, match="PARTY_JOURNAL cannot be written: disk is full"):
        clean_party.begin()


@pytest.mark.parametrize("kind", ["memory", "file", pytest.param("redis", marks=pytest.mark.server)])
def test_what_any_log_replays_from_any_position_goes_on_to_the_same_dicts(tmp_path, request, kind):
    files = {"memory": "memory:", "file": str(tmp_path / "party.db")}
    journal = open_journal(files.get(kind) or request.getfixturevalue("redis").address)
    journal.follow(list, lambda position, command: None)
    if kind == "file":
        journal._database.execute("PRAGMA synchronous = OFF")  # no power is cut

    @settings(ALWAYS_THE_SAME, max_examples=15)
    @given(PARTIES, strategies.integers(0, 60))
    def check(commands, prefix):
        start = positions[-1] if positions else None
        party, outcomes = run(commands)
        mine = [journal.append(command) for command in commands]
        positions.extend(mine)
        assert run([command for _, command in journal.replay(start)]) == (party, outcomes)
        first_part, _ = run(commands[:prefix])
        rest = [command for _, command in journal.replay(after=(mine[:prefix] or [start])[-1])]
        assert run(rest, first_part) == (party, outcomes[prefix:])

    positions = []
    with contextlib.closing(journal):
        check()
    assert len(positions) > 300


class Evening:
    """People who come and go for days, as the rules and the clock of the party allow."""

    PEOPLE = ("asha", "bilal", "chen", "dana")
    DEEDS = [event for event in EVENTS if event not in ("host", "history", "writing")]
    DEEDS += ["watch", "approve", "message", "message", "guest_in", "guest_in"] + 4 * ["call_off"]

    def __init__(self, party, clock, seed):
        self.party, self.clock, self.dice = party, clock, random.Random(seed)
        self.cookies, self.count, self.carried_on, self.done = {}, 0, 0, set()
        self.planned_at = {}

    def passes(self, hours):
        until = self.clock.at + hours * 60 * model.MINUTE
        while self.clock.at < until:
            self.clock.passes(minutes=self.dice.expovariate(0.5))
            for room in self.party.presence.people.keys() - self.party.state.rooms.keys():
                del self.party.presence.people[room]  # who is inside has no tab here, which would be sent out
            self.party.tick()
            for _ in range(3):
                try:
                    self.somebody_does_something(self.dice.choice(self.PEOPLE))
                except model.Refused as refusal:
                    assert refusal.ack["code"] != "unavailable", "our own mistake, not theirs"

    def somebody_does_something(self, user):
        self.count += 1
        if not self.party.sign_in_holds(user, self.cookies.get(user)) or self.dice.random() < 0.03:
            self.cookies[user] = f"{user}-{self.count}"
            sign_in = {"sign_in": self.cookies[user], "since": self.clock.at, "number": 1}
            self.party.submit("sign_in", user, **sign_in)
        elif self.dice.random() < 0.01:
            self.party.submit("sign_out", user, sign_in=self.cookies[user])
        elif len(model.live_rooms(self.party.state)) < 3 and self.dice.random() < 0.2:
            more = self.carrying_on(user) | {"publish": self.dice.random() < 0.5}
            room = self.asks("host", user, topic="Tea", lasts=30 * model.MINUTE, **more)["room"]
            self.party.presence.add(room, {user: 1})
        elif len(model.planned_rooms(self.party.state)) < 2 and self.dice.random() < 0.1:
            plan = self.asks("host", user, topic="Tea", lasts=30 * model.MINUTE, opens_at=self.later())
            self.planned_at[plan["room"]] = self.clock.at
        elif rooms := [room.id for room in self.party.state.rooms.values() if not room.is_planned]:
            newest = self.dice.choice(rooms[-2:])  # of the older ones most are closed
            room = self.party.state.rooms[newest]
            guests = [guest for guest in room.guests if model.is_guest_of(room, guest)]
            user = self.dice.choice(guests) if guests and self.dice.random() < 0.3 else user
            self.does(self.dice.choice(self.DEEDS), user, room)

    def later(self):
        return self.clock.at + self.dice.randint(2, 30 * 60) * model.MINUTE

    def carrying_on(self, user):
        """Where it can be, as people do who meet all day: each of its rooms goes on from one before."""
        readable = views.readable(self.party.state.rooms.values(), user)
        old = next((room["id"] for room in readable if not self.party.state.rooms[room["id"]].continued_in), None)
        self.carried_on += old is not None
        return rules.carrying_on(self.party.state, old, {*self.PEOPLE}, 8) if old else {}

    def does(self, kind, user, room):
        if kind == "leave":
            if user in self.party.presence.names_in(room.id):
                self.party.presence.add(room.id, {user: -1})
            return
        if kind == "guest_in":
            return self.comes_in(f"~{self.count}", room)
        if kind in ("move", "call_off", "coming") and (planned := model.planned_rooms(self.party.state)):
            room = self.dice.choice(planned)
        if kind == "call_off" and self.clock.at < self.planned_at.get(room.id, 0) + self.party.LOG_LIFE * 1.3:
            return  # some are to stand for longer than their beginning
        if kind in ("approve", "deny", "remove", "hand_over", "door", "put_out", "move", "call_off", "withhold"):
            user = room.host
        if kind == "take_back":
            user = room.messages[-1]["user"] if room.messages else user
        if kind == "withhold" and self.dice.random() < 0.5:
            return  # some are to be published
        if kind == "leave_out" and (to_come := [*filter(publishing.is_yet_to_come, self.party.state.rooms.values())]):
            room = self.dice.choice(to_come)
            user = next(iter(room.last_said), user)
        if kind == "feedback":
            user = next((name for name in self.PEOPLE if name in room.visitors), user)
        if kind == "withdraw":
            user = next(iter(room.waiting), user)
        people = room.waiting if kind in ("approve", "deny") else room.guests if kind == "put_out" else room.speakers
        more = {"who": next(iter(people), "nobody"), "seq": room.last_said.get(user, 1), "reason": "host", "most": 100}
        more["opens_at"] = self.later()
        self.asks(kind, user, room=room.id, **FIELDS | more)
        self.done.add(kind)
        if kind == "watch":
            self.party.presence.add(room.id, {user: 1})

    def comes_in(self, guest, room):
        self.cookies[guest] = guest
        name = {"name": guest, "skeletons": [guest]}
        self.party.submit(
            "guest_in", guest, room=room.id, hash=room.door.hash, sign_in=guest, since=self.clock.at, **name
        )
        self.done.add("guest_in")

    def asks(self, kind, user, **body):
        key = f"k{self.count}" if self.dice.random() < 0.5 else None
        return self.party.submit(kind, user, key=key, through=self.cookies.get(user), **body)


@pytest.mark.parametrize("seed", range(6))
def test_a_log_that_is_cut_behind_its_life_rebuilds_the_same_present(clean_party, clock, seed):
    evening, cut_away, rooms, said_again = Evening(clean_party, clock, seed), 0, 0, 0
    for _ in range(10):
        evening.passes(hours=4)
        whole = list(clean_party.journal.replay())
        kept = [entry for entry in whole if entry[1]["at"] >= clock.at - clean_party.LOG_LIFE]
        left = rebuilt(clean_party, kept)
        assert (present := rebuilt(clean_party, whole)) == left
        cut_away, rooms = len(whole) - len(kept), rooms + len(present[0])
        hosted = {command["id"] for _, command in kept}  # the id of a room is that of the command that opened it
        said_again += any(room.is_planned and room.id not in hosted for room in present[0].values())
    assert cut_away > 100 and rooms > 10 and evening.carried_on > 10, "much must be cut away, and something there"
    assert said_again, "of a plan that stands, the beginning must be cut away"
    assert evening.done == set(evening.DEEDS) - {"leave"}, "everything must have been done"


def rebuilt(party, log):
    """The rooms and the sign-ins that hold, as this log gives them."""
    party.rebuild(log)
    known = [(name, id) for name, user in party.state.users.items() for id in user.sign_ins]
    return dict(party.state.rooms), {sign_in for sign_in in known if party.sign_in_holds(*sign_in)}
