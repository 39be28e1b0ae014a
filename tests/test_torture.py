"""Whatever is killed or frozen: what was acknowledged is there, once, in one order for all, without a gap.

Short runs of tests/torture.py, and proof that its checks find what they are for: old bugs are put back.
"""

import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from person import assert_ok, assert_refused
from servers import ROOT, running_redis, running_server
from torture import CHECKS, KILLS, REFUSAL_SECONDS, Torture, compare, evenly

from runtime.journal import open_journal

REDIS_FAULTS = ("process frozen", "process cut off", "redis killed", "redis frozen")


def found_by(*about, **more):
    """What a run finds, as {kind: how often}. It leaves nothing behind."""
    torture = Torture(*about, **more)
    torture.run()
    assert all(server.process.poll() is not None for server in torture.servers), "no server is left"
    assert not Path(torture.folder).exists(), "no file is left"
    return torture.found, torture


@pytest.mark.server
def test_a_killed_process_loses_and_doubles_nothing():
    found, torture = found_by("file", evenly(KILLS, 10, seed=1), seed=1)
    assert {kind: len(times) for kind, times in torture.recoveries.items()} == dict.fromkeys(KILLS, 2)
    assert torture.acknowledged > 50 and torture.sent_again > 0, "messages were under way"
    assert not found, torture.sentences


@pytest.mark.server
def test_two_processes_stay_one_party_whatever_dies_or_freezes():
    faults = evenly(KILLS + REDIS_FAULTS, 9, seed=1)
    found, torture = found_by("redis", faults, seed=1, freezes=(0.3, 1.5))
    assert torture.refusals and torture.readings, "there were commands and readers while Redis was away"
    assert max(torture.refusals) < REFUSAL_SECONDS and max(torture.readings) < 1
    assert not found, torture.sentences


@pytest.mark.server
@pytest.mark.parametrize(
    "journal, bug, fault, kinds",
    [
        # What was lost is missed at the end, or before by somebody who comes back; who sends it again hides the first,
        # and may be told of a second place.
        ("file", "acknowledge before append", "before append", ("lost", "stale", "duplicated")),
        ("file", "apply before append", "before append", ("out of order", "lost")),
        ("file", "no key memory", "before ack", ("duplicated",)),
        ("redis", "read position lost", "process cut off", ("out of order", "stale", "gap")),
    ],
)
def test_a_bug_that_is_put_back_is_found(journal, bug, fault, kinds):
    """That nothing is found without it, the tests above say of the same faults."""
    found, torture = found_by(journal, [fault], seed=1, bug=bug)
    assert any(found[kind] for kind in kinds), f"found was {found}: {torture.sentences}"


def said(seq, user="asha", key=None):
    return {"room": "r", "seq": seq, "user": user, "text": "Hello", "at": seq, "key": key or str(seq)}


FEED = [said(1), said(2, "bilal"), said(3)]
PAGE = {message["seq"]: message for message in FEED}


@pytest.mark.parametrize(
    "kind, feed, pages, acknowledged",
    [
        ("lost", FEED[:2], {}, [FEED[2]]),
        ("lost", FEED[:2], {"dana": PAGE}, []),
        ("duplicated", [*FEED, said(4, key="3")], {}, []),
        ("out of order", FEED, {"dana": PAGE | {2: said(2, "chen")}}, []),
        ("out of order", FEED, {}, [said(4, key="3")]),
        ("out of order", [said(1, key="2"), said(2, key="1")], {}, []),
        ("gap", FEED, {"dana": {1: FEED[0], 3: FEED[2]}}, []),
        ("gap", [FEED[0], FEED[2]], {}, []),
    ],
)
def test_the_comparison_sees(kind, feed, pages, acknowledged):
    assert not list(compare(FEED, {"dana": PAGE}, FEED)), "nothing is wrong with a page like the feed"
    assert {found for found, _ in compare(feed, pages, acknowledged)} == {kind}


@pytest.fixture(scope="module")
def two_doors():
    """Two processes on one log, as (one, other, journal)."""
    with running_redis() as redis:
        journal = {"PARTY_JOURNAL": redis.address}
        with running_server(**journal) as one, running_server(**journal) as other:
            yield one, other, open_journal(redis.address)


def keys_in(journal, room):
    messages = [command for _, command in journal.replay() if command["kind"] == "message"]
    return [command["key"] for command in messages if command["room"] == room]


def test_the_same_key_through_another_process_gives_the_first_outcome(two_doors):
    one, other, journal = two_doors
    here, there = one.person("asha"), other.person("asha")
    room = here.host()
    there.watch(room)
    first = assert_ok(here.message(room, "Once", key="mine"))
    there.hears("message")
    assert there.message(room, "Once", key="mine") == first
    assert_refused(there.message(room, "Another", key="mine"), "conflict")
    assert keys_in(journal, room) == ["mine"]


def test_the_same_key_through_two_processes_at_once_has_one_outcome(two_doors):
    """It may be in the log twice, as neither could know of the other; it has its effect once, everywhere."""
    one, other, journal = two_doors
    here, there, watcher = one.person("asha"), other.person("asha"), other.person("bilal")
    room = here.host()
    keys = [f"key {number}" for number in range(1, 31)]
    with ThreadPoolExecutor(2) as at_once:
        for key in keys:
            asked = [at_once.submit(person.message, room, "Once", key=key) for person in (here, there)]
            first, second = (assert_ok(answer.result()) for answer in asked)
            assert first == second
    feed = [(message["seq"], message["key"]) for message in watcher.watch(room, after=0)["messages"]]
    assert feed == list(enumerate(keys, start=1))
    assert set(keys_in(journal, room)) == set(keys)


@pytest.mark.alone  # else it may take so long to wake up that it takes Redis for gone
def test_a_process_that_was_frozen_says_nothing_old_as_new(two_doors):
    """Whoever asks as it wakes gets what was acknowledged while it slept."""
    one, other, _ = two_doors
    asha, bilal = one.person("asha"), other.person("bilal")
    room = asha.host()
    bilal.watch(room)
    for _ in range(3):
        other.freeze()
        with ThreadPoolExecutor(1) as meanwhile:
            time.sleep(1.2)  # longer than it waits for an answer of Redis
            last = assert_ok(asha.message(room))["message"]
            asked = meanwhile.submit(bilal.watch, room, after=0)
            other.thaw()
            assert asked.result()["messages"][-1] == last


def test_who_waits_while_the_log_is_read_anew_gets_the_outcome(clean_party):
    command = {"id": "one", "at": clean_party.now(), "kind": "renumber", "user": "asha", "key": None, "number": 1}
    clean_party.awaited["one"] = None
    clean_party.rebuild([(1, command)])
    assert clean_party.awaited.pop("one") == {"ok": True}


def run_program(*arguments):
    return subprocess.Popen(
        [sys.executable, "tests/torture.py", *arguments],
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


@pytest.mark.server
def test_the_program_says_what_is_wrong_and_fails():
    program = run_program("--kills", "1", "--clients", "1", "--bug", "no key memory")
    output, _ = program.communicate(timeout=60)
    assert program.returncode == 1, output
    assert re.search(r"^  duplicated: (?:extra\d|~\S+) got .* for one key\.$", output, re.MULTILINE), output
    assert all(re.search(rf"^{check} +[\d,]+$", output, re.MULTILINE) for check in CHECKS), output


@pytest.mark.server
def test_ctrl_c_ends_the_program_with_its_figures():
    program = run_program("--kills", "10000")
    assert "10000 faults" in program.stdout.readline()
    program.send_signal(signal.SIGINT)
    output, _ = program.communicate(timeout=60)
    assert program.returncode == 0, output
    assert "messages acknowledged" in output
