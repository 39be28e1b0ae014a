"""Whether the party is well, for machines: /healthz, /readyz, the watchdog, and the figures of /metrics."""

import contextlib
import logging
import os
import re
import resource
import socket
import subprocess
import sys
import threading
import time
from types import SimpleNamespace
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from person import PATIENCE, form_token
from servers import ROOT, running_server

import app
from runtime import health, records, settings, supervisor, transport
from runtime.health import Health
from runtime.journal import Unavailable, open_journal

FRAME = 4_120  # bytes of a page in SQLite's write-ahead log


@pytest.fixture
def visitor(clean_party, monkeypatch):
    """Nobody's browser."""
    monkeypatch.setattr(clean_party.health, "_probed", None)  # else what came of another test's log is told again
    return clean_party.app.test_client()


def unavailable(*_):
    raise Unavailable("no")


def healthy(**instead):
    """Of a party that is well, but for what is given."""
    parts = {"seconds_between_ticks": 0.25, "probe_log": lambda: None, "serves_connections": lambda: True} | instead
    well = Health(**parts)
    well.note_tick()
    return well


# --- /healthz and /readyz ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("path", "status"), [("/healthz", "ok"), ("/readyz", "ready")])
def test_a_stranger_is_told_that_the_party_is_well_and_which_version_it_is(visitor, path, status):
    answer = visitor.get(path)
    assert (answer.status_code, answer.json) == (200, {"status": status, "version": settings.VERSION})
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Set-Cookie" not in answer.headers


AILMENTS = {
    "ticks": lambda well, patch: patch.setattr(well, "_ticked", time.monotonic() - health.TICKS_MISSING_SECONDS),
    "connections": lambda well, patch: patch.setattr(well, "_serves_connections", lambda: False),
    "log": lambda well, patch: patch.setattr(well, "_probe_log", unavailable),
}


@pytest.mark.parametrize("ailment", AILMENTS)
def test_a_party_that_is_not_well_says_why_in_plain_words(visitor, monkeypatch, ailment):
    AILMENTS[ailment](app.health, monkeypatch)
    answer = visitor.get("/readyz")
    reason = health.SENTENCES[ailment]
    assert answer.status_code == 503
    assert answer.json == {"status": "not ready", "version": settings.VERSION, "reason": reason}
    assert answer.headers["Cache-Control"] == "no-store"
    assert visitor.get("/healthz").status_code == 200, "it lives all the same"


def test_before_the_first_tick_it_is_not_ready():
    well = Health(0.25, lambda: None, lambda: True)
    assert not well.checks()["ticks"]
    well.note_tick()
    assert all(well.checks().values())


def test_a_tick_that_fails_is_none(clean_party, monkeypatch):
    monkeypatch.setattr(clean_party.health, "_ticked", None)
    with monkeypatch.context() as broken:
        broken.setattr(clean_party, "announce_news", lambda: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            clean_party.tick()
        assert not clean_party.health.checks()["ticks"]
    clean_party.tick()
    assert clean_party.health.checks()["ticks"]


def test_however_many_ask_the_log_is_tried_once_a_second(monkeypatch):
    tries, asked = [], []
    well = healthy(probe_log=lambda: (tries.append(1), time.sleep(0.05)))
    threads = [threading.Thread(target=lambda: asked.append(well.checks()["log"])) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(tries), asked) == (1, [True] * 20)
    monkeypatch.setattr(well, "_probed", well._probed - health.PROBED_AT_MOST_EVERY)
    well.checks()
    assert len(tries) == 2


# --- Trying the log ---------------------------------------------------------------------------------------------------


def following(address):
    journal, received = open_journal(str(address)), []
    journal.follow(lambda entries: received.extend(entries), lambda *entry: received.append(entry))
    return journal, received


def written_to_disk(journal):
    return journal.wal.stat().st_size


@contextlib.contextmanager
def full_disk(journal):
    """No file may grow by a page."""
    room, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (written_to_disk(journal) + FRAME - 1, most))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, most))


def test_a_probe_of_a_file_is_written_to_the_disk_each_time_and_is_no_command(tmp_path):
    journal, received = following(tmp_path / "party.db")
    sizes = [written_to_disk(journal)]
    for _ in range(3):
        journal.probe()
        sizes.append(written_to_disk(journal))
    assert [after - before for before, after in zip(sizes, sizes[1:], strict=False)] == [FRAME] * 3
    position = journal.append({"id": "c1", "at": 1, "kind": "message"})
    assert [position] == [1] == [position for position, _ in received]
    journal.close()
    assert [entry[0] for entry in following(tmp_path / "party.db")[0].replay()] == [1], "the next start takes it up"


def test_a_probe_finds_a_full_disk_and_that_there_is_room_again(tmp_path, caplog):
    journal, _ = following(tmp_path / "party.db")
    with full_disk(journal):
        for _ in range(3):
            with pytest.raises(Unavailable):
                journal.probe()
    journal.probe()
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"], "its owner hears of both, once"


def test_whoever_tries_the_log_waits_for_who_is_writing_a_second_at_most(tmp_path, monkeypatch):
    journal, _ = following(tmp_path / "party.db")
    assert journal.TURN_SECONDS == 1
    monkeypatch.setattr(journal, "TURN_SECONDS", 0.05)
    with journal._turn:
        began = time.monotonic()
        with pytest.raises(Unavailable, match="too many"):
            journal.probe()
        assert time.monotonic() - began < 1


@pytest.mark.server
def test_a_probe_of_redis_is_a_write_that_waits_for_its_disk_and_what_is_there_must_have_come(redis):
    journal, received = following(redis.address)
    journal.probe()
    written = redis.client().info("persistence")["aof_current_size"]
    journal.probe()
    assert redis.client().info("persistence")["aof_current_size"] > written
    assert list(journal.replay()) == received == []
    journal.close()


@pytest.mark.server
@pytest.mark.parametrize(
    "fault", [{"maxmemory": "1"}, {"min-replicas-to-write": "1"}], ids=["full", "may not be written"]
)
def test_a_probe_finds_that_redis_takes_no_command(redis, fault):
    journal, _ = following(redis.address)
    journal.probe()
    usual = {name: redis.client().config_get(name)[name] for name in fault}
    redis.client().config_set(*next(iter(fault.items())))
    try:
        with pytest.raises(Unavailable):
            journal.append({"id": "c1", "at": 1, "kind": "message"})
        with pytest.raises(Unavailable):
            journal.probe()
    finally:
        redis.client().config_set(*next(iter(usual.items())))
    journal.probe()
    journal.close()


@pytest.mark.server
def test_a_frozen_redis_makes_it_not_ready_within_two_seconds(redis, clean_party, visitor, monkeypatch):
    monkeypatch.setattr(clean_party, "journal", open_journal(redis.address))
    clean_party.begin()
    assert visitor.get("/readyz").status_code == 200
    redis.freeze()
    monkeypatch.setattr(clean_party.health, "_probed", None)
    began = time.monotonic()
    answer = visitor.get("/readyz")
    assert time.monotonic() - began < 2
    assert (answer.status_code, answer.json["reason"]) == (503, health.SENTENCES["log"])
    redis.thaw()
    clean_party.journal.close()


def test_a_full_disk_makes_it_not_ready(clean_party, visitor, monkeypatch, tmp_path):
    monkeypatch.setattr(clean_party, "journal", open_journal(str(tmp_path / "party.db")))
    clean_party.begin()
    with full_disk(clean_party.journal):
        answer = visitor.get("/readyz")
    assert (answer.status_code, answer.json["reason"]) == (503, health.SENTENCES["log"])
    monkeypatch.setattr(clean_party.health, "_probed", None)
    assert visitor.get("/readyz").status_code == 200, "there is room again"
    clean_party.journal.close()


def test_a_party_that_ends_is_not_ready(visitor, monkeypatch):
    monkeypatch.setattr(app.gate, "closed", True)
    answer = visitor.get("/readyz")
    assert (answer.status_code, "restarting" in answer.text) == (503, True)


# --- The loop ---------------------------------------------------------------------------------------------------------

LOOP = """
import runtime.transport
import eventlet
from runtime.transport.loop import LoopLine
loop = LoopLine.LOOP
loop.start()
print(runtime.transport.serves_connections())
if {break_} == "writing":
    loop._to_write = None
    loop._has_to_write.release()
else:
    loop._watched = None
    import socket
    ends = socket.socketpair()
    loop._epoll.register(ends[0].fileno(), 1)
    ends[1].send(b".")
eventlet.sleep(0.05)
print(runtime.transport.serves_connections())
"""


@pytest.mark.parametrize("broken", ["reading", "writing"])
def test_a_loop_that_reads_or_writes_no_more_is_noticed(broken):
    program = LOOP.replace("{break_}", repr(broken))
    settings = {**os.environ, "PARTY_ASYNC_MODE": "eventlet"}
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=settings, capture_output=True, text=True)
    assert ended.stdout.split() == ["True", "False"], ended.stderr


# --- The watchdog -----------------------------------------------------------------------------------------------------


@pytest.fixture(params=["in a folder", "abstract"])
def systemd(request, tmp_path):
    """A socket such as systemd's: (its name as in NOTIFY_SOCKET, what was told there since this was asked last)."""
    name = str(tmp_path / "notify") if request.param == "in a folder" else f"@party-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(name.replace("@", "\0"))
        listener.setblocking(False)

        def told():
            messages = []
            with contextlib.suppress(BlockingIOError):
                while True:
                    messages.append(listener.recv(100).decode())
            return messages

        yield name, told


@pytest.mark.parametrize("goes", ["well", "wrong"])
def test_systemd_is_told_of_ticks_that_ended_once_a_second_however_they_went(systemd, goes, clean_party, monkeypatch):
    name, told = systemd
    monkeypatch.setattr(settings, "NOTIFY_SOCKET", name)
    if goes == "wrong":
        monkeypatch.setattr(clean_party, "announce_news", lambda: 1 / 0)

    def tick_after(seconds):
        monkeypatch.setattr(clean_party.health, "_told", time.monotonic() - seconds)
        once_only(clean_party, monkeypatch, clean_party.tick, clean_party.health.is_alive)
        return told()

    assert [tick_after(1), tick_after(0.5), tick_after(1)] == [["WATCHDOG=1"], [], ["WATCHDOG=1"]]


def once_only(party, monkeypatch, *tasks):
    """What the party does again and again, once."""
    monkeypatch.setattr(party.socketio, "sleep", lambda seconds: sys.exit())
    monkeypatch.setattr(party.socketio, "start_background_task", lambda do: do())
    with pytest.raises(SystemExit):
        party.transport.again_and_again(party.socketio, 0.25, *tasks)


def test_a_tick_that_fails_again_and_again_is_recorded_and_counted_once_a_minute(
    clean_party, visitor, monkeypatch, caplog
):
    monkeypatch.setattr(records, "_told", records.Sparingly())
    monkeypatch.setattr(clean_party, "announce_news", lambda: 1 / 0)
    before = figures(visitor)["party_mistakes_total"]
    for _ in range(5):
        once_only(clean_party, monkeypatch, clean_party.tick)
    told = [record for record in caplog.records if record.levelname == "ERROR"]
    assert len(told) == 1 and told[0].exc_info and told[0].id in told[0].getMessage()
    assert figures(visitor)["party_mistakes_total"] == before + 1
    monkeypatch.setattr(clean_party, "announce_news", lambda: {}["another"])
    once_only(clean_party, monkeypatch, clean_party.tick)
    assert figures(visitor)["party_mistakes_total"] == before + 2, "what goes wrong in another way is told too"


def test_where_nobody_listens_to_that_the_party_goes_on(monkeypatch, tmp_path):
    for name in (None, str(tmp_path / "nobody"), "@nobody"):
        monkeypatch.setattr(settings, "NOTIFY_SOCKET", name)
        supervisor.tell("READY=1")


CAN_HANG = """
import app
import os, sys, threading
from runtime import health
health.TICKS_MISSING_SECONDS = 2
tick = app.tick
app.tick = lambda: threading.Event().wait() if os.path.exists(sys.argv[1]) else tick()
app.main()
"""


@pytest.mark.server
@pytest.mark.parametrize("systemd", ["abstract"], indirect=True)
def test_systemd_is_told_when_a_server_listens_lives_and_ends_and_nothing_more_where_its_tick_hangs(systemd, tmp_path):
    name, told = systemd
    heard, hangs = [], tmp_path / "hangs"

    def hears(what):
        deadline = time.monotonic() + PATIENCE
        while what not in heard:
            assert time.monotonic() < deadline, (what, heard)
            heard.extend(told())
            time.sleep(0.01)

    with running_server(program=("-c", CAN_HANG, hangs), NOTIFY_SOCKET=name) as server:
        hears("READY=1")
        heard.clear()
        hears("WATCHDOG=1")
        hangs.touch()
        heard.clear()
        while status_of(f"{server.address}readyz") == 200:
            time.sleep(0.05)
        assert told() in ([], ["WATCHDOG=1"]), "of the second in which it hung; in two it would have been two"
        assert status_of(f"{server.address}healthz") == 200, "the process itself goes on"
    hears("STOPPING=1")


def test_the_unit_waits_for_what_is_told_and_takes_a_party_out_before_it_kills_it():
    unit = (ROOT / "deploy/party@.service").read_text()
    assert "Type=notify\n" in unit and "ExecStartPost" not in unit
    assert int(re.search(r"^WatchdogSec=(\d+)$", unit, re.M)[1]) >= 2 * health.TICKS_MISSING_SECONDS


def status_of(address):
    try:
        return urlopen(address).status
    except HTTPError as answer:
        return answer.code


# --- Figures ----------------------------------------------------------------------------------------------------------


def figures(browser, **headers):
    """{name and labels as they stand there: number}"""
    answer = browser.get("/metrics", headers=headers)
    assert answer.status_code == 200, answer.text
    lines = [line.rpartition(" ") for line in answer.text.splitlines() if not line.startswith("#")]
    return {name: float(number) for name, _, number in lines}


def test_figures_say_what_there_is_now(join, visitor):
    asha, bilal = join("asha"), join("bilal")
    join("asha")
    asha.close(bilal.host() and asha.host())
    asha.plan(at=app.now() + 3_600_000)
    now = figures(visitor)
    assert (now["party_people"], now['party_rooms{state="live"}'], now['party_rooms{state="closed"}']) == (2, 1, 1)
    assert now['party_rooms{state="planned"}'] == 1
    assert now[f'party_build_info{{version="{settings.VERSION}"}}'] == 1
    assert {now[f'party_ready{{check="{name}"}}'] for name in health.SENTENCES} == {1}
    assert now["process_resident_memory_bytes"] > 1_000_000


def test_figures_count_events_by_their_outcome_and_measure_them(join, visitor, monkeypatch):
    asha = join("asha")
    room, before = asha.host(), figures(visitor)
    asha.message(room)
    asha.message("nowhere")
    with monkeypatch.context() as away:
        away.setattr(app.journal, "append", unavailable)
        asha.message(room)
    for made_up in ("dance", "sing"):
        asha.ask(made_up, {})
    after = figures(visitor)

    def more(name):
        return after[name] - before.get(name, 0)

    outcomes = {"ok": 1, "not_found": 1, "unavailable": 1}
    assert {name: more(f'party_events_total{{event="message",outcome="{name}"}}') for name in outcomes} == outcomes
    assert more('party_events_total{event="unknown",outcome="bad_input"}') == 2, "whatever somebody makes up is one"
    assert more('party_event_duration_seconds_count{event="message"}') == 3
    assert more("party_log_append_duration_seconds_count") == 2, "what never reached the log took none of its time"
    assert not any("dance" in name for name in after)


def test_figures_count_wrong_sign_ins_and_our_own_mistakes(visitor):
    wrong, mistakes = 'party_requests_total{endpoint="sign_in",status="401"}', "party_mistakes_total"
    before = figures(visitor)
    form = {"name": "asha", "password": "wrong", "token": form_token(visitor.get("/sign-in").text)}
    visitor.post("/sign-in", data=form)
    records.mistake(logging.getLogger("party"), "This is a test.")
    after = figures(visitor)
    assert [after[name] - before.get(name, 0) for name in (wrong, mistakes)] == [1, 1]


@pytest.mark.server
@pytest.mark.parametrize("mode", ["eventlet", "threading"])
def test_a_server_of_each_kind_gives_figures_of_its_connections(request, mode):
    server = request.getfixturevalue(f"{mode}_server")

    asha = server.person("asha")
    text = urlopen(f"{server.address}metrics").read().decode()
    asha.line.hang_up()
    now = dict(re.findall(r"^(party_\w+) (\S+)$", text, re.M))
    assert {"party_unsent_packets", "party_unsent_packets_longest"} <= now.keys()
    assert float(now["party_connections"]) >= 1
    assert now["party_mistakes_total"] == "0.0", "it is there before there is one"


def test_figures_say_what_waits_for_slow_readers(visitor, monkeypatch):
    monkeypatch.setattr(transport, "lines", lambda party: [SimpleNamespace(unsent=number) for number in (0, 5, 3)])
    now = figures(visitor)
    assert (now["party_unsent_packets"], now["party_unsent_packets_longest"]) == (8, 5)


def test_the_age_of_the_last_backup_is_there_when_there_is_one(visitor, monkeypatch, tmp_path):
    monkeypatch.setattr(settings, "INSTANCE", tmp_path)
    assert "party_last_backup_timestamp_seconds" not in figures(visitor)
    (tmp_path / "backed_up").touch()
    assert abs(time.time() - figures(visitor)["party_last_backup_timestamp_seconds"]) < 60


def test_refused_handshakes_are_counted_by_their_reason(visitor):
    statuses = "malformed", "signed_out", "origin", "too_many_tabs", "restarting"
    names = [f'party_refused_handshakes_total{{reason="{reason}"}}' for reason in statuses]
    before = figures(visitor)
    assert set(names) <= before.keys(), "from zero on"
    visitor.get("/socket.io/")
    after = figures(visitor)
    assert sum(after[name] - before[name] for name in names) == 1


STRANGERS = {
    "another machine": {"REMOTE_ADDR": "192.0.2.1"},
    "no address": {"REMOTE_ADDR": ""},
    "a proxy that nobody told us of": {"HTTP_X_FORWARDED_FOR": "192.0.2.1"},
    "another such proxy": {"HTTP_FORWARDED": "for=192.0.2.1"},
    "one that says little": {"HTTP_X_REAL_IP": "192.0.2.1"},
    "one that passes on the name alone": {"HTTP_HOST": "party.example"},
    "a page that gave its name our address": {"HTTP_HOST": "127.0.0.1.party.example"},
    "a wrong token": {"REMOTE_ADDR": "192.0.2.1", "HTTP_AUTHORIZATION": "Bearer wrong"},
    "no token": {"REMOTE_ADDR": "192.0.2.1", "HTTP_AUTHORIZATION": "Bearer "},
    "letters that no header has": {"REMOTE_ADDR": "192.0.2.1", "HTTP_AUTHORIZATION": "Bearer \xe9"},
}


@pytest.mark.parametrize("token", [None, "a long token"])
@pytest.mark.parametrize("stranger", STRANGERS)
def test_figures_are_not_for_strangers(visitor, monkeypatch, stranger, token):
    monkeypatch.setattr(settings, "METRICS_TOKEN", token)
    answer = visitor.get("/metrics", environ_overrides=STRANGERS[stranger])
    assert (answer.status_code, answer.text) == (403, f"{health.NOT_FOR_YOU}\n")


@pytest.mark.parametrize("host", ["127.0.0.1:5001", "localhost:5001", "[::1]:5001", "localhost"])
def test_figures_are_for_this_machine(visitor, host):
    assert figures(visitor, Host=host)


def test_behind_a_proxy_that_says_nothing_of_itself_only_the_token_counts(visitor, monkeypatch):
    monkeypatch.setattr(settings, "METRICS_TOKEN", "a long token")
    monkeypatch.setattr(settings, "ORIGINS", ["http://localhost:5000", "https://party.example"])
    bare = {"Host": "127.0.0.1:5000"}  # as nginx sends it by default
    assert visitor.get("/metrics", headers=bare).status_code == 403
    assert figures(visitor, Authorization="Bearer a long token", **bare)
    with monkeypatch.context() as known:
        known.setattr(settings, "PROXIES", 1)
        assert figures(visitor, **bare), "that one says for whom it asks"
    monkeypatch.setattr(settings, "ORIGINS", ["http://localhost:5000"])
    assert figures(visitor, **bare)


def test_figures_are_for_who_knows_the_token(visitor, monkeypatch):
    monkeypatch.setattr(settings, "METRICS_TOKEN", "a long token")
    headers = {"X-Forwarded-For": "192.0.2.1", "Host": "party.example"}
    assert figures(visitor, Authorization="Bearer a long token", **headers)
    assert figures(visitor, Authorization="bearer a long token", **headers), "a scheme has no capitals"


def test_figures_name_nobody_and_no_room(join, visitor):
    asha = join("asha")
    room = asha.host("Secret topic")
    asha.message(room, "secret words")
    text = visitor.get("/metrics").text
    assert [word for word in ("asha", room, "ecret", "127.0.0.1") if word in text] == []
