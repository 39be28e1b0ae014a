"""The counters behind `slow_down` and behind the sign-in's 429."""

from runtime.pace import TokenBuckets, WrongTries


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


def test_ten_wrong_tries_block_until_the_first_is_three_minutes_old():
    tries = WrongTries(most=10, within=180_000)
    for n in range(10):
        assert tries.wait(n * 1_000, "here") == 0
        tries.note(n * 1_000, "here")
    assert tries.wait(10_000, "here") == 170
    assert tries.wait(10_000, "elsewhere") == 0
    assert tries.wait(10_000, "elsewhere", "here") == 170
    assert tries.wait(180_000, "here") == 0


def test_wrong_tries_from_many_addresses_fill_no_memory():
    tries = WrongTries(most=10, within=180_000)
    for n in range(WrongTries.TRACKED + 500):
        tries.note(n, f"address {n}")
    assert len(tries._tries) == WrongTries.TRACKED
