"""Hooks: each event goes to each who wants it at least once, always with the same id, and in the order of its room."""

import contextlib
import json
import os
import queue
import re
import socket
import sqlite3
import subprocess
import sys
import threading
from datetime import datetime

import pytest
from person import assert_ok
from servers import ROOT, free_port, password_of, running_server
from standardwebhooks import Webhook, WebhookVerificationError
from test_services import Log, UntilItRests, until
from torture_services import Torture, TorturedHooks

import app
from party import publishing, views
from party.model import MINUTE
from party.state import State
from runtime import clock, settings
from runtime.journal import open_journal
from services import follow, hooks, hooks_file, pages, posting
from services.follow import Follower, transaction
from services.hooks import Hooks
from services.posting import Answer, Unanswered
from services.publisher import Publisher

START = 1_763_800_000_000  # when these tests begin, milliseconds UTC
HOUR, DAY = 60 * MINUTE, 24 * 60 * MINUTE
OLD, NEW = "whsec_" + "b2xk" * 8, "whsec_" + "bmV3" * 8
BLOG, CHAT = "https://blog.example/hook?key=hidden", "https://chat.example/in"
PATIENCE = 20  # seconds that a busy machine may take


def table(name="blog", address=BLOG, secrets=(NEW,), more=""):
    return f'[hook.{name}]\naddress = "{address}"\nsecrets = {json.dumps(list(secrets))}\n{more}\n'


@pytest.fixture(autouse=True)
def file(tmp_path, monkeypatch):
    """The owner's file: `file(text)` writes it anew."""
    monkeypatch.setattr(settings, "INSTANCE", tmp_path)
    monkeypatch.setattr(settings, "HOOKS", tmp_path / "hooks.toml")
    monkeypatch.setattr(settings, "PUBLISHED", tmp_path / "published")
    settings.PUBLISHED.mkdir()

    def file(*tables, mode=0o600):
        draft = tmp_path / "hooks.toml.draft"
        draft.write_text("".join(tables))
        draft.chmod(mode)
        draft.rename(settings.HOOKS)  # another file, also where the disk's clock has not gone on

    file(table())
    return file


@pytest.fixture(autouse=True)
def time(monkeypatch):
    """What time it is for the service: `time.at`."""

    class Time:
        at = START

        def __call__(self):
            return self.at

    monkeypatch.setattr(clock, "now", time := Time())
    monkeypatch.setattr(hooks, "JITTER", 0)
    return time


class Receivers:
    """Who is called in place of `posting.post`: what each was sent, in order, and what they answer."""

    def __init__(self):
        self.calls, self.answers = [], {}  # answers: address → a status, or what is called for one

    def post(self, address, body, headers, seconds, most, allowed):
        assert (seconds, most) == (15, 65_536)
        self.calls.append((address, headers["webhook-id"], json.loads(body), headers, body))
        answer = self.answers.get(address, 204)
        return Answer(answer(headers["webhook-id"]) if callable(answer) else answer, b"")

    def told(self, address=BLOG):
        """(type, room) of each call."""
        return [(body["type"], body["data"].get("room")) for to, _, body, *_ in self.calls if to == address]

    def ids(self, address=BLOG):
        return [id for to, id, *_ in self.calls if to == address]


@pytest.fixture
def receivers(monkeypatch):
    receivers = Receivers()
    monkeypatch.setattr(posting, "post", receivers.post)
    return receivers


def unanswered(id):
    raise Unanswered("blog.example:443 did not answer within 15 seconds.")


class Service:
    """A party's log, and the service that reads it: what happens, and what the service then does."""

    def __init__(self, path):
        self.state, self.number = State(), 0
        self.database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self.database.row_factory = sqlite3.Row
        self.database.executescript(Hooks.SCHEMA)
        self.begins_anew()

    def begins_anew(self):
        """As after a kill: nothing counts but the store."""
        self.service = Hooks()

    def happens(self, kind, user=None, **body):
        self.number += 1
        command = {"id": f"{self.number:016x}", "at": clock.now(), "kind": kind, "user": user, "key": None, "most": 100}
        command |= body
        outcome = self.state.apply(command)
        with transaction(self.database):
            room = self.state.rooms.get(outcome.get("room", command.get("room")))
            self.service.take(self.database, command, outcome, room)
        assert outcome["ok"], outcome
        return outcome.get("room")

    def opens(self, topic="Tea", host="asha", **more):
        return self.happens("host", host, topic=topic, lasts=30 * MINUTE, **more)

    def closes(self, room):
        self.happens("close", "asha", room=room, reason="host")

    def close(self):
        self.database.close()

    def works(self):
        """Until nobody is to be called any more; gives the seconds until it is to work again."""
        return self.service.work(self.database, threading.Event())

    def rows(self):
        return [dict(row) for row in self.database.execute("SELECT * FROM outbox ORDER BY number")]


@pytest.fixture
def service(receivers):
    with contextlib.closing(Service(settings.store_of("hooks"))) as service:
        yield service


# --- What is told -----------------------------------------------------------------------------------------------------


def data_of(receivers, type, address=BLOG):
    """Of the last event of that type."""
    return [body["data"] for to, _, body, *_ in receivers.calls if to == address and body["type"] == type][-1]


def evening(service, time, **more):
    """A room from its plan to its page, in which a guest speaks, and somebody takes back what they said."""
    room = service.happens(
        "host", "asha", topic="Tea", lasts=30 * MINUTE, opens_at=time.at + HOUR, publish=True, **more
    )
    service.happens("move", "asha", room=room, opens_at=time.at + 2 * HOUR)
    time.at += 2 * HOUR
    service.happens("open", room=room)
    service.happens("watch", "asha", room=room)
    service.happens("door", "asha", room=room, open="ask", hash="h", whole=False, renew=False, out=False, doors=True)
    came = {"sign_in": "s", "since": time.at, "name": "Gita", "skeletons": ["gita"]}
    service.happens("guest_in", "~g", room=room, hash="h", **came)
    service.happens("watch", "~g", room=room)
    for who in ("bilal", "~g"):
        service.happens("request", who, room=room, pitch="May I?")
        service.happens("approve", "asha", room=room, who=who)
    for who, text in (("asha", "Welcome"), ("~g", "Green, please"), ("bilal", "Never mind")):
        service.happens("message", who, room=room, text=text)
    service.happens("take_back", "bilal", room=room, seq=3)
    service.closes(room)
    time.at += HOUR
    service.happens("publish", room=room)
    return room


def make_pages(service):
    """As the publisher does."""
    with contextlib.closing(sqlite3.connect(settings.store_of("publisher"), isolation_level=None)) as store:
        store.executescript(f"{follow.Follower.KEPT}; {Publisher.SCHEMA}")
        for room in service.state.rooms.values():
            if room.is_published:
                page = views.published(room)
                (settings.PUBLISHED / pages.name_of(page)).touch()
                row = room.id, pages.name_of(page), json.dumps(page)
                store.execute("INSERT OR IGNORE INTO pages (room, name, body) VALUES (?, ?, ?)", row)


def test_of_a_room_is_told_from_its_plan_to_its_page(service, receivers, time):
    room = evening(service, time)
    make_pages(service)
    service.works()
    types = ["room.planned", "room.planned", "room.opened", *2 * ["speaker.joined"], "room.closed", "room.published"]
    assert receivers.told() == [(type, room) for type in types]
    assert service.rows() == [], "nothing is kept of what went out"
    opened_at = START + 2 * HOUR
    known = {"room": room, "topic": "Tea", "host": "asha", "listed": True, "publish": True}
    speakers = {"speakers": ["bilal", "~g"], "guests": {"~g": "Gita"}}
    planned = known | {"speakers": [], "guests": {}, "opens_at": opened_at}
    assert data_of(receivers, "room.planned") == planned
    assert data_of(receivers, "speaker.joined") == known | speakers | {"user": "~g"}
    times = {"opened_at": opened_at, "closed_at": opened_at, "publishes_at": opened_at + HOUR}
    assert data_of(receivers, "room.closed") == known | speakers | times | {
        "closed": "host",
        "visitors": 2,
        "messages": 2,
    }
    published = data_of(receivers, "room.published")
    assert published.pop("address").endswith(".html")
    assert published == known | speakers | {"messages": 2}
    body = receivers.calls[0][2]
    assert body["timestamp"] == "2025-11-22T08:26:40.000Z" and body.keys() == {"type", "timestamp", "data"}


def test_words_are_told_where_the_file_says_so_and_nowhere_else(service, receivers, time, file):
    file(table(), table("chat", CHAT, more="words = true"))
    evening(service, time)
    make_pages(service)
    service.works()
    assert not any(word in body for to, *_, body in receivers.calls if to == BLOG for word in (b"Green", b"May I"))
    assert data_of(receivers, "room.closed", CHAT)["last"] == {
        "user": "~g",
        "text": "Green, please",
        "guests": {"~g": "Gita"},
    }
    published = data_of(receivers, "room.published", CHAT)
    assert [said.get("text") for said in published["words"]] == ["Welcome", "Green, please", None]
    assert published["whole"] is True
    assert b"Never mind" not in b"".join(body for *_, body in receivers.calls), "what was taken back"


def test_the_words_of_a_page_wait_nowhere_but_in_the_publishers_store(service, receivers, time, file):
    """What the owner takes away before it went out is not told, nor left in a store of ours."""
    file(table(more="words = true"))
    evening(service, time)
    [row] = [row for row in service.rows() if row["page"]]
    assert "Welcome" not in row["body"]
    make_pages(service)
    with contextlib.closing(sqlite3.connect(settings.store_of("publisher"), isolation_level=None)) as store:
        store.execute("UPDATE pages SET name = NULL, body = NULL")  # a moment before its file goes
    service.works()
    assert [row["page"] for row in service.rows()] == [row["page"]]
    assert b"Welcome" not in b"".join(body for *_, body in receivers.calls)


def test_words_that_were_told_or_given_up_are_gone_from_the_disk(service, receivers, time, file):
    file(table(more='words = true\nevents = ["room.closed"]'))
    for setting in ("journal_mode = WAL", "secure_delete = ON"):  # as of a store in use
        service.database.execute(f"PRAGMA {setting}")

    def talk():
        room = service.opens()
        service.happens("message", "asha", room=room, text="Green, please")
        service.closes(room)

    def is_on_disk():
        return b"Green, please" in b"".join(path.read_bytes() for path in settings.INSTANCE.glob("hooks.db*"))

    service.works()
    talk()
    assert is_on_disk()
    service.works()
    assert not is_on_disk()
    talk()
    with transaction(service.database):
        service.service.rest(service.database, time.at + 11 * DAY)
    service.works()
    assert service.rows() == [] and not is_on_disk()


def test_who_may_know_of_listed_rooms_alone_is_not_told_which_room_is_carried_on(service, receivers, time, file):
    """That one may be unlisted."""
    file(table(), table("chat", CHAT, more="unlisted = true"))
    first = service.opens(listed=False)
    service.closes(first)
    service.opens(continues=first)
    service.works()
    assert data_of(receivers, "room.opened")["continues"] is None
    assert data_of(receivers, "room.opened", CHAT)["continues"] == first


def test_the_document_names_each_event_and_all_that_is_in_it(service, receivers, time, file):
    file(table(more="words = true"))
    evening(service, time)
    with transaction(service.database):
        service.service.gap(service.database, 5, 10)
    make_pages(service)
    service.works()
    page = (ROOT / "docs/services.md").read_text()
    rows = dict(re.findall(r"^\| `(\w+\.\w+)` \| (.+) \|$", page, re.M))
    assert tuple(rows) == hooks_file.TYPES and set(rows) == {type for type, _ in receivers.told()}
    of_every_room = set(re.findall(r"`(\w+)`", re.search(r"^Of every room there are (.+)", page, re.M)[1]))
    for *_, body, _, _ in receivers.calls:
        more = body["data"].keys() - of_every_room
        assert [name for name in more if f"`{name}`" not in rows[body["type"]]] == []
        assert body["type"] == "log.gap" or of_every_room - {"id", "name"} >= body["data"].keys() - more


def test_of_a_long_page_the_words_are_told_from_the_beginning(monkeypatch):
    monkeypatch.setattr(hooks, "WORDS_AT_MOST", 50)
    said = [{"seq": seq, "text": "x" * 10} for seq in (1, 2)]
    assert hooks.as_long_as_it_may_be(said) == {"words": said[:1], "whole": False}


def test_what_no_lobby_shows_is_told_to_nobody_but_who_may_know(service, receivers, time, file):
    file(table(), table("chat", CHAT, more="unlisted = true"))
    room = evening(service, time, listed=False)
    service.works()
    assert receivers.told() == []
    assert ("room.closed", room) in receivers.told(CHAT)


def test_each_is_told_what_it_wants(service, receivers, file):
    file(table(more='events = ["room.closed"]'), table("chat", CHAT))
    room = service.opens()
    service.closes(room)
    service.works()
    assert receivers.told() == [("room.closed", room)]
    assert receivers.told(CHAT) == [("room.opened", room), ("room.closed", room)]


def test_what_is_refused_or_about_no_room_is_not_told(service, receivers):
    room = service.opens()
    service.works()
    service.happens("sign_in", "asha", sign_in="s", since=0, number=1)
    with pytest.raises(AssertionError, match="not_found"):
        service.happens("approve", "asha", room=room, who="nobody")
    assert service.rows() == []


def test_what_was_called_off_has_closed(service, receivers, time):
    room = service.happens("host", "asha", topic="Tea", lasts=MINUTE, opens_at=time.at + HOUR)
    service.happens("call_off", "asha", room=room)
    service.works()
    closed = data_of(receivers, "room.closed")
    assert (closed["closed"], closed["opened_at"]) == ("called_off", None)


def test_a_room_that_is_not_published_yet_or_of_which_nothing_is_left_is_not_told_as_such(service, receivers, time):
    room = service.opens(publish=True)
    service.happens("message", "asha", room=room, text="Not for everybody")
    service.closes(room)
    time.at += HOUR + publishing.LATE
    service.happens("publish", room=room)
    service.happens("leave_out", "asha", room=room, out=True)  # in the other hour that begins
    time.at += HOUR
    service.happens("publish", room=room)
    service.works()
    assert receivers.told() == [("room.opened", room), ("room.closed", room)] and service.rows() == []


def test_what_is_read_again_as_from_an_older_backup_is_noted_once_and_has_the_same_id(service):
    command = {"id": "c", "at": START, "kind": "host", "user": "asha", "key": None, "topic": "Tea", "lasts": 1}
    for _ in range(2):
        room = service.state.rooms[service.state.apply(command)["room"]]
        with transaction(service.database):
            service.service.take(service.database, command, {"ok": True, "room": "c"}, room)
    assert [row["id"] for row in service.rows()] == ["msg_c"]


def test_a_gap_in_the_log_is_told_as_that(service, receivers):
    with transaction(service.database):
        service.service.gap(service.database, 5, 10)
    service.works()
    assert receivers.calls[0][1:3] == (
        "gap_5_10",
        {"type": "log.gap", "timestamp": hooks.as_text(START), "data": {"since": 5, "until": 10}},
    )


# --- How it is told ---------------------------------------------------------------------------------------------------


def test_each_of_the_secrets_proves_who_told_it(service, receivers, file, time):
    time.at = int(datetime.now().timestamp() * 1_000)  # the library looks at the machine's clock
    file(table(secrets=(NEW, OLD)))
    service.opens()
    service.works()
    *_, headers, body = receivers.calls[0]
    for secret in (NEW, OLD):
        assert Webhook(secret).verify(body, headers)["type"] == "room.opened"
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_" + "b3Ro" * 8).verify(body, headers)
    assert headers["Content-Type"] == "application/json"


def test_who_cannot_be_reached_is_called_ten_times_in_three_days(service, receivers, time):
    receivers.answers[BLOG] = unanswered
    service.opens()
    calls = []
    while service.rows()[0]["given_up_at"] is None:
        service.works()
        calls.append(time.at - START)
        time.at = service.rows()[0]["due_at"]
    waits = [after - before for before, after in zip(calls, calls[1:], strict=False)]
    assert waits == [5_000, *(minutes * MINUTE for minutes in (5, 30, 120, 300, 600, 840, 1_200, 1_440))]
    assert len(calls) == len(receivers.calls) == 10 and len(set(receivers.ids())) == 1
    stamps = [int(headers["webhook-timestamp"]) * 1_000 - START for *_, headers, _ in receivers.calls]
    assert stamps == calls, "each call is of its own time"


def test_what_failed_together_does_not_come_together_again(service, receivers, monkeypatch):
    monkeypatch.setattr(hooks, "JITTER", 0.1)
    receivers.answers[BLOG] = 503
    for number in range(20):
        service.opens(host=f"host {number}")
    service.works()
    due = [row["due_at"] - START for row in service.rows()]
    assert len(set(due)) > 10 and all(4_500 <= one <= 5_500 for one in due)


@pytest.mark.parametrize("status", [301, 302, 304, 400, 429, 500])
def test_every_answer_but_a_success_is_a_failure(service, receivers, status):
    receivers.answers[BLOG] = status
    service.opens()
    service.works()
    assert service.rows()[0]["error"] == f"It answered {status}." and service.rows()[0]["tries"] == 1


def test_what_failed_keeps_its_room_waiting_for_an_hour_and_no_other(service, receivers, time):
    tea, milk = service.opens("Tea"), service.opens("Milk")
    first = service.rows()[0]["id"]
    receivers.answers[BLOG] = lambda id: 500 if id == first else 204
    service.closes(tea)
    service.closes(milk)
    service.works()
    assert receivers.told() == [("room.opened", tea), ("room.opened", milk), ("room.closed", milk)]
    time.at += HOUR - 1
    service.works()
    assert receivers.told()[3:] == [("room.opened", tea)]
    time.at += 1
    service.works()
    assert receivers.told()[4:] == [("room.closed", tea)]
    assert [row["id"] for row in service.rows()] == [first], "it goes on trying"
    receivers.answers.clear()
    time.at += DAY
    service.works()
    assert receivers.told()[5:] == [("room.opened", tea)] and service.rows() == []


def test_who_hangs_keeps_nobody_else_waiting(service, receivers, file):
    file(table(), table("chat", CHAT))
    hangs, told = threading.Event(), queue.SimpleQueue()
    receivers.answers = {BLOG: lambda id: hangs.wait(PATIENCE) and 204, CHAT: lambda id: told.put(id) or 204}
    room = service.opens()
    with contextlib.closing(Service(settings.store_of("hooks"))) as worker:
        working = threading.Thread(target=worker.works)
        working.start()
        told.get(timeout=PATIENCE)
        service.closes(room)
        told.get(timeout=PATIENCE)  # also of what happens meanwhile
        assert receivers.told() == [("room.opened", room)], "the one that hangs is called once"
        hangs.set()
        working.join(PATIENCE)
    assert receivers.told() == receivers.told(CHAT) == [("room.opened", room), ("room.closed", room)]


def test_who_is_called_at_the_end_is_not_waited_for(service, receivers, monkeypatch):
    """What was not noted goes out again, with the same id."""
    monkeypatch.setattr(hooks, "LEAVING_SECONDS", 0.1)
    hangs, ended = threading.Event(), threading.Event()
    receivers.answers[BLOG] = lambda id: ended.set() or (hangs.wait(PATIENCE) and 204)
    service.opens()
    service.service.work(service.database, ended)
    assert len(service.rows()) == 1
    receivers.answers.clear()
    service.begins_anew()
    service.works()
    hangs.set()
    assert service.rows() == [] and len(receivers.ids()) == 2 and len(set(receivers.ids())) == 1


def test_what_could_not_be_noted_is_not_told_again_meanwhile(service, receivers):
    """As on a full disk."""
    service.database.execute("PRAGMA busy_timeout = 10")
    service.opens()
    with contextlib.closing(sqlite3.connect(settings.store_of("hooks"), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        for _ in range(3):
            with pytest.raises(sqlite3.OperationalError, match="locked"):  # as is told of every work
                service.works()
    service.works()
    assert len(receivers.calls) == 1 and service.rows() == []


def test_a_mistake_of_ours_is_a_failure_like_others(service, receivers, caplog):
    receivers.answers[BLOG] = lambda id: 1 / 0
    service.opens()
    service.works()
    assert service.rows()[0]["tries"] == 1 and "could not be called" in caplog.text


def test_who_wants_nothing_any_more_is_told_nothing_until_the_owner_says_so(service, receivers, time, caplog):
    receivers.answers[BLOG] = 410
    room = service.opens()
    service.works()
    receivers.answers.clear()
    service.closes(room)
    time.at += DAY
    service.works()
    assert receivers.told() == [("room.opened", room)]
    assert caplog.text.count("answered 410 and is off") == 1
    assert list(hooks.enabled("blog"))
    service.works()
    assert receivers.told() == 2 * [("room.opened", room)], "what came meanwhile is not noted"


# --- A page comes first -----------------------------------------------------------------------------------------------


def test_that_a_page_is_there_is_told_when_it_is(service, receivers, time):
    evening(service, time)
    service.works()
    assert ("room.published", service.rows()[0]["room"]) not in receivers.told()
    time.at += 10 * MINUTE
    (settings.PUBLISHED / service.rows()[0]["page"]).touch()
    service.works()
    assert receivers.told()[-1][0] == "room.published" and service.rows() == []


def test_for_a_page_that_does_not_come_its_room_waits_an_hour_and_nobody_after_three_days(service, receivers, time):
    evening(service, time)
    row = service.rows()[-1]
    assert row["holds_until"] == time.at + HOUR
    for _ in range(6):
        assert service.works() > 0 and service.rows()[-1]["given_up_at"] is None
        time.at += DAY // 2
    service.works()
    assert service.rows()[-1]["given_up_at"] and not any(type == "room.published" for type, _ in receivers.told())


# --- What the owner says, and is told ---------------------------------------------------------------------------------


def test_the_file_is_read_again_when_it_changes(service, receivers, file):
    service.opens()
    file(table("chat", CHAT))
    room = service.opens()
    settings.HOOKS.unlink()
    service.opens()
    file(table("chat", CHAT))
    service.works()
    assert (receivers.told(), receivers.told(CHAT)) == ([], [("room.opened", room)])


@pytest.mark.parametrize(
    "text, sentence",
    [
        ("a = ", ", end of document: Invalid value."),
        ("\n[hook.blog\n", ", line 2, column 11: Expected ']' at the end of a table declaration."),
        ("alowed = []\n", ": There is no `alowed`: only `allowed`, and tables like [hook.blog]."),
        ("\n[hooks.blog]\n", ": There is no `hooks`: only `allowed`, and tables like [hook.blog]."),
        ('allowed = ["http://localhost:8080/"]', ': `allowed` is a list like ["localhost:8080"].'),
        ("hook = 3", ": A hook is a table like [hook.blog]."),
        (table("a.b"), ": [hook.a] has no `b`: address, secrets, events, words, unlisted are what there is."),
        (table('"ä b"'), ": [hook.ä b] may be named with letters, digits, - and _ alone."),
        ('[hook.blog]\naddress = "https://x/"', ": [hook.blog] needs `secrets`."),
        (table(address="http://x:80/"), ": [hook.blog] cannot be called: x:80 is to be called without https,"),
        (table(secrets=()), ": [hook.blog] needs `secrets`: a list of one to 4"),
        (table(secrets=(NEW, "whsec_!" + OLD)), ": [hook.blog] needs `secrets`: a list of one to 4"),
        (table(secrets=("whsec_ü" + "b2xk" * 8,)), ": [hook.blog] needs `secrets`: a list of one to 4"),
        (table(more='"(" = 1'), ": [hook.blog] has no `(`: address, secrets, events, words, unlisted are what"),
        (f"a = {'[' * 5_000}", " has lists within lists without end."),
        (table(secrets=("whsec_c2hvcnQ=",)), ": [hook.blog] needs `secrets`: a list of one to 4"),
        (table(more='events = ["room.shut"]'), ": [hook.blog] can have room.planned, room.opened,"),
        (table() + table("chat", more="words = 1"), ": [hook.chat] can have `words = true` or `false`."),
        ("".join(table(f"n{number}") for number in range(17)), ": 16 hooks are the most."),
    ],
)
def test_a_mistake_in_the_file_is_a_sentence(file, text, sentence):
    file(text)
    with pytest.raises(ValueError) as refused:
        hooks_file.read(settings.HOOKS)
    assert str(refused.value).startswith(f"{settings.HOOKS}{sentence}"), refused.value
    assert "bmV3" not in str(refused.value), "no secret is said"


def test_an_editor_may_begin_the_file_with_a_mark_that_nobody_sees(file):
    file("\ufeff" + table())
    assert list(hooks_file.read(settings.HOOKS).hooks) == ["blog"]


def test_of_a_file_with_a_mistake_what_it_said_before_counts(service, receivers, file, caplog):
    service.opens()
    file("a = ")
    service.opens()
    service.works()
    assert len(receivers.calls) == 2
    assert [record.getMessage() for record in caplog.records] == [
        f"{settings.HOOKS}, end of document: Invalid value. What it said before counts."
    ]


def test_where_the_file_was_never_right_the_service_waits_and_nothing_is_lost(file, receivers, tmp_path, caplog):
    class AsLongAsItTakes(UntilItRests, Hooks):
        name, SCHEMA, take = Hooks.name, Hooks.SCHEMA, Hooks.take

        def __init__(self):
            UntilItRests.__init__(self)
            Hooks.__init__(self)

    class Mended(threading.Event):
        def wait(self, seconds):
            file(table())
            return super().wait(0.01)

    file("a = ")
    receivers.answers[BLOG] = 500  # it stays in the outbox
    with contextlib.closing(Log(str(tmp_path / "party.db"))) as log:
        log.opens_a_room()
        service = AsLongAsItTakes()
        service.ended = Mended()
        Follower(service, open_journal(log.address)).follow(service.ended)
    assert f"The service hooks waits: {settings.HOOKS}, end of document" in caplog.text
    with follow.reading("hooks") as store:
        assert [row["room"] for row in store.execute("SELECT room FROM outbox")] == ["tea"]


def test_a_file_that_others_can_read_is_told_of_once(service, file, caplog):
    file(table(), mode=0o640)
    for _ in range(3):
        service.opens()
    assert caplog.text.count("others can read it: `chmod 600") == 1


def test_the_owner_is_told_once_that_a_hook_fails_and_once_that_it_goes_on(service, receivers, time, caplog):
    receivers.answers[BLOG] = unanswered
    for _ in range(3):
        service.opens()
        service.works()
    receivers.answers.clear()
    time.at += MINUTE
    service.works()
    first, *others = [record.getMessage() for record in caplog.records]
    assert first == "The hook blog waits: blog.example:443 did not answer within 15 seconds."
    assert others == ["The hook blog goes on."]
    assert not any(word in caplog.text for word in ("hidden", NEW, "Tea", "asha")), "no secret, no word, no name"


@pytest.fixture
def flask(service):
    def flask(*arguments):
        said = app.app.test_cli_runner().invoke(args=["hooks", *arguments])
        return said.exit_code, said.output

    return flask


def test_the_owner_sees_what_waits_and_can_have_it_tried_again(flask, service, receivers, time):
    receivers.answers[BLOG] = unanswered
    service.opens()
    while (row := service.rows()[0])["given_up_at"] is None:
        service.works()
        time.at += 2 * DAY
    status, said = flask("list")
    assert status == 0 and said.startswith("blog: on; 1 not out yet\n")
    assert all(part in said for part in (row["id"], "room.opened", "10 tries", "given up", "did not answer within"))
    receivers.answers.clear()
    assert flask("replay", row["id"]) == (0, f"{row['id']} goes out now. `hooks list` shows whether it was taken.\n")
    service.works()
    assert service.rows() == [] and set(receivers.ids()) == {row["id"]}
    assert flask("replay", row["id"])[0] == 1


def test_what_was_given_up_is_kept_for_seven_days(service, receivers, time):
    receivers.answers[BLOG] = 500
    service.opens()
    while service.rows()[0]["given_up_at"] is None:
        service.works()
        time.at += 2 * DAY
    given_up_at = service.rows()[0]["given_up_at"]
    service.database.execute("UPDATE outbox SET at = ?", (given_up_at,))
    for at, kept in ((given_up_at + 7 * DAY, 1), (given_up_at + 7 * DAY + 1, 0)):
        service.service.rest(service.database, at)
        assert len(service.rows()) == kept


def test_the_owner_switches_a_hook_off_and_on_while_the_service_runs(flask, service, receivers):
    assert flask("disable", "blog") == (0, "blog is told nothing more.\n")
    service.opens()
    assert "blog: off since 2025-11-22 08:26:40.000: by the owner; 0 not out yet" in flask("list")[1]
    assert flask("enable", "blog") == (0, "blog is told what happens.\n")
    room = service.opens()
    service.works()
    assert receivers.told() == [("room.opened", room)]
    assert flask("disable", "chat") == (1, f"Error: There is no [hook.chat] in {settings.HOOKS}.\n")


def test_the_owner_tries_a_hook(flask, receivers):
    assert flask("test", "blog") == (0, "blog took it: 204.\n")
    assert receivers.told() == [("hook.test", None)]
    receivers.answers[BLOG] = 500
    assert flask("test", "blog") == (1, "Error: blog did not take it: It answered 500.\n")


def test_before_the_service_has_begun_a_sentence_says_so(receivers):
    said = app.app.test_cli_runner().invoke(args=["hooks", "list"])
    assert said.exit_code == 1 and "do the services run, and is hooks among PARTY_SERVICES?" in said.output


# --- For real ---------------------------------------------------------------------------------------------------------


@pytest.mark.server
def test_whatever_is_killed_each_event_is_taken_by_a_program_of_another_language():
    """And proved by its signature, with one id, in the order of its room; be it that now and then it fails there."""
    torture = Torture(TorturedHooks(), ("services killed", "services frozen", "party killed"), seed=1)
    torture.tortured.FAILING = 0.4
    torture.run()
    assert torture.found == []
    assert torture.tortured.counts["taken"] > 10 and torture.tortured.counts["failed"], "there was something to tell"


@pytest.mark.server
def test_the_program_in_the_document_says_when_half_of_the_time_is_over(tmp_path):
    secret, port = NEW, free_port()
    page = (ROOT / "docs/services.md").read_text()
    (tmp_path / "halftime.py").write_text(program := re.search(r"```python\n(.+?)```", page, re.S)[1])
    assert len(program.splitlines()) <= 40
    said = re.search(r"```\n(allowed.+?)```", page, re.S)[1]
    (tmp_path / "hooks.toml").write_text(said.replace("8080", str(port)).replace("whsec_…", secret))
    started = {"PARTY_INSTANCE": str(tmp_path), "PARTY_JOURNAL": str(tmp_path / "party.db"), "PARTY_SERVICES": "hooks"}
    with running_server(program=("tests/hurried.py",), PARTY_ROOM_MINUTES=str(6 / 60), **started) as server:
        command = [sys.executable, "halftime.py", server.address, "bilal", str(port)]
        secrets = {"PASSWORD": password_of("bilal"), "SECRET": secret}
        bot = subprocess.Popen(command, cwd=tmp_path, env=os.environ | secrets, stderr=subprocess.DEVNULL)
        try:
            asha = server.person("asha")
            until(lambda: socket.socket().connect_ex(("localhost", port)) == 0)
            room = asha.host("Tea")
            asha.hears("waiting", lambda queue: [one["user"] for one in queue["waiting"]] == ["bilal"])
            assert_ok(asha.approve(room, "bilal"))
            message = asha.hears("message", lambda message: message["user"] == "bilal")
        finally:
            bot.kill()
            bot.wait()
    view = asha.hears("room", lambda view: "bilal" in set(view["speakers"]) - set(view["away"]))
    assert message["text"] == "Half of the time is over."
    assert message["at"] >= (view["opened_at"] + view["closes_at"]) / 2
