"""A key spends points out of a bucket that fills with time; the clock is the test's."""

from __future__ import annotations

import pytest

from agentdata.errors import LimitExceededError, RateLimitedError
from agentdata.rates import Rates


class Clock:
    """A clock that stands still until the test moves it."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        """Return the time in seconds."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """Provide a clock."""
    return Clock()


def test_a_bucket_is_full_at_first_and_refills_with_time(clock: Clock) -> None:
    rates = Rates(10, 100, clock=clock)
    assert rates.take("key", 70) == 30
    with pytest.raises(RateLimitedError, match=r"costs 70 points, and the key has 30 left; try again in 4 s"):
        rates.take("key", 70)
    clock.now += 4
    assert rates.take("key", 70) == 0
    clock.now += 3_600
    assert rates.take("key", 1) == 99, "it holds no more than the burst"


def test_a_refusal_says_when_to_try_again_and_takes_nothing(clock: Clock) -> None:
    rates = Rates(10, 100, clock=clock)
    rates.take("key", 100)
    for _ in range(3):
        with pytest.raises(RateLimitedError) as refused:
            rates.take("key", 45)
        assert refused.value.retry_after_s == 5
    clock.now += 5
    assert rates.take("key", 45) == 5


def test_keys_have_buckets_of_their_own(clock: Clock) -> None:
    rates = Rates(10, 100, clock=clock)
    rates.take("one", 100)
    assert rates.take("other", 100) == 0


def test_an_operation_above_a_full_bucket_is_too_large_however_long_one_waits(clock: Clock) -> None:
    rates = Rates(10, 100, clock=clock)
    with pytest.raises(LimitExceededError, match="costs 101 points, more than the 100 that a key may spend"):
        rates.take("key", 101)
    assert rates.take("key", 100) == 0


def test_the_bucket_that_was_not_used_for_longest_is_forgotten_first(clock: Clock) -> None:
    rates = Rates(10, 100, clock=clock, max_buckets=2)
    for key in ("a", "b", "a", "c"):
        rates.take(key, 40)
    assert rates.take("a", 10) == 10
    assert rates.take("b", 10) == 90, "it was forgotten, and begins full"
