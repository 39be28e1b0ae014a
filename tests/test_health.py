"""Whether the party is well, for machines: /healthz, /readyz, the watchdog, and the figures of /metrics."""

import resource
import threading
import time

import pytest

import app
from runtime import health, settings
from runtime.health import Health
from runtime.journal import Unavailable, open_journal

FRAME = 4_120  # bytes of a page in SQLite's write-ahead log


@pytest.fixture
def visitor(clean_party):
    """Nobody's browser."""
    return clean_party.app.test_client()


def unavailable():
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
    monkeypatch.setattr(app.health, "_probed", None)
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
    room, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (written_to_disk(journal) + FRAME - 1, most))
    try:
        for _ in range(3):
            with pytest.raises(Unavailable):
                journal.probe()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, most))
    journal.probe()
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"], "its owner hears of both, once"


def test_whoever_tries_the_log_waits_for_who_is_writing_a_second_at_most(tmp_path):
    journal, _ = following(tmp_path / "party.db")
    with journal._turn:
        began = time.monotonic()
        with pytest.raises(Unavailable, match="too many"):
            journal.probe()
        assert time.monotonic() - began < 1.5


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
