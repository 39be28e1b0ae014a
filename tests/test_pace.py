"""The counters behind `slow_down` and behind the sign-in's 429."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from servers import running_redis

from runtime.journal import Unavailable
from runtime.pace import TokenBuckets, TriesInMemory, WrongTries

HERE, ELSEWHERE, ASHA, NOBODY = ("address", "192.0.2.1"), ("address", "192.0.2.2"), ("name", "asha"), ("name", None)


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.server)])
def count(request):
    """Makes a counter of ten wrong tries in three minutes; on Redis, all that it makes count together."""
    address = request.getfixturevalue("redis").address if request.param == "redis" else "memory:"
    return lambda: WrongTries(address, most=10, within=180_000)


def test_a_bucket_allows_a_burst_and_then_the_pace():
    buckets = TokenBuckets(pace=5, burst=20)
    assert [buckets.take("asha", at=0) for _ in range(20)] == [0] * 20
    assert buckets.take("asha", at=0) == 1
    assert buckets.take("asha", at=199) == 1
    assert buckets.take("asha", at=200) == 0
    assert buckets.take("asha", at=200) == 1
    assert [buckets.take("asha", at=60_000) for _ in range(20)] == [0] * 20, "never more than a burst"
    assert buckets.take("asha", at=60_000) == 1


def test_a_bucket_is_each_persons_own():
    buckets = TokenBuckets(pace=1, burst=1)
    assert buckets.take("asha", at=0) == 0
    assert buckets.take("asha", at=0) == 1
    assert buckets.take("bilal", at=0) == 0


def test_a_slow_pace_says_the_whole_wait():
    buckets = TokenBuckets(pace=0.25, burst=1)
    buckets.take("asha", at=0)
    assert buckets.take("asha", at=0) == 4


def test_a_very_slow_pace_still_lets_somebody_through():
    buckets = TokenBuckets(pace=0.1, burst=0.4)
    assert [buckets.take("asha", at=at) for at in (0, 1, 10_001)] == [0, 10, 0]


def test_refusals_in_a_row_are_counted_until_one_is_let_through():
    buckets = TokenBuckets(pace=1, burst=1)
    for _ in range(4):
        buckets.take("asha", at=0)
    assert buckets.refusals("asha") == 3
    buckets.take("asha", at=1_000)
    assert buckets.refusals("asha") == 0


def test_a_pace_of_zero_is_no_limit():
    buckets = TokenBuckets(pace=0, burst=0)
    assert [buckets.take("asha", at=0) for _ in range(1_000)] == [0] * 1_000


# --- Wrong tries ------------------------------------------------------------------------------------------------------


def test_ten_wrong_tries_block_until_the_first_is_three_minutes_old(count):
    tries = count()
    for n in range(10):
        assert tries.wait(n * 1_000, HERE) == 0
        assert tries.note(n * 1_000, HERE) == 0
    assert tries.wait(10_000, HERE) == 170
    assert tries.wait(10_000, ELSEWHERE) == 0
    assert tries.wait(10_000, ELSEWHERE, HERE) == 170
    assert tries.wait(180_000, HERE) == 0


def test_a_try_while_blocked_is_refused_and_makes_the_wait_no_longer(count):
    tries = count()
    assert [tries.note(n * 1_000, HERE, ASHA) for n in range(12)] == [0] * 10 + [170, 169]
    assert tries.note(20_000, ELSEWHERE, ASHA) == 160, "the name is blocked too"
    assert tries.wait(20_000, ELSEWHERE) == 0, "and that did not count for the address"
    assert [tries.note(n * 1_000, HERE) for n in (180, 180.5, 181, 181.5)] == [0, 1, 0, 1], "as each gets old"


def test_a_key_without_a_value_counts_for_nobody(count):
    tries = count()
    assert [tries.note(0, NOBODY) for _ in range(20)] == [0] * 20
    assert [tries.note(0, HERE, NOBODY) for _ in range(11)] == [0] * 10 + [180]


def test_of_a_hundred_tries_at_once_ten_are_let_pass(redis):
    processes = [WrongTries(redis.address, most=10, within=180_000) for _ in range(2)]
    with ThreadPoolExecutor(20) as people:
        waits = list(people.map(lambda n: processes[n % 2].note(n, HERE, ASHA), range(100)))
    assert waits.count(0) == 10


def test_processes_count_together_on_redis_and_each_for_itself_in_memory(redis):
    for address, seen in (("memory:", 0), (redis.address, 180), (socket_of(redis), 180)):
        one, other = (WrongTries(address, most=10, within=180_000) for _ in range(2))
        for _ in range(10):
            one.note(0, HERE)
        assert (one.wait(0, HERE), other.wait(0, HERE)) == (180, seen), address
        redis.client().flushall()


def socket_of(redis):
    return f"unix://{redis.settings[1]}?db=0"


def test_wrong_tries_from_many_addresses_fill_no_memory():
    tries = TriesInMemory(most=10, within=180_000)
    for n in range(TriesInMemory.TRACKED + 500):
        tries.ask(n, [f"address {n}"], notes=True)
    assert len(tries._tries) == TriesInMemory.TRACKED


def test_redis_forgets_each_key_when_its_time_is_over_and_keeps_ten_tries_of_it_until_then(redis):
    tries = WrongTries(redis.address, most=10, within=180_000)
    for n in range(15):
        assert tries.note(n * 20_000, HERE, ASHA) == 0, "slow enough never to be blocked"
    keys = redis.client().keys()
    assert len(keys) == 2
    for key in keys:
        assert 179_000 < redis.client().pttl(key) <= 180_000
        assert redis.client().llen(key) == 10


@pytest.mark.server
@pytest.mark.parametrize("fault", ["frozen", "killed"])
def test_without_redis_there_is_an_answer_within_two_seconds_and_it_goes_on_afterwards(fault):
    with running_redis() as redis:
        tries = WrongTries(redis.address, most=10, within=180_000)
        tries.note(0, HERE)
        redis.freeze() if fault == "frozen" else redis.kill()
        for ask in (tries.wait, tries.note):
            began = time.monotonic()
            with pytest.raises(Unavailable):
                ask(0, HERE)
            assert time.monotonic() - began < 2
        redis.thaw() if fault == "frozen" else redis.start()
        assert [tries.note(0, HERE) for _ in range(10)][-1] == 180, "the try from before was kept"


def test_a_password_of_redis_in_the_address_is_used_and_told_to_nobody(redis):
    redis.client().acl_setuser("party", enabled=True, passwords=["+a-secret"], commands=["+@all"], keys=["party:*"])
    address = redis.address.replace("://", "://party:a-secret@")
    assert WrongTries(address, most=10, within=180_000).note(0, HERE) == 0
    with pytest.raises(Unavailable) as refused:
        WrongTries(address.replace("a-secret", "another"), most=10, within=180_000).note(0, HERE)
    assert "another" not in str(refused.value)
