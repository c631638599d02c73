"""The size of an answer is known before it is written as JSON."""

from __future__ import annotations

import threading
import tracemalloc
from typing import Any

import orjson
import pytest
from graphql import ExecutionResult
from hypothesis import given
from hypothesis import strategies as st

from agentdata.answers import check_size, may_exceed
from agentdata.engine.costs import Price
from agentdata.engine.requests.executor import Executor
from agentdata.errors import LimitExceededError
from agentdata.fairness import Fairness
from schema.root import schema

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="ascii")), inner),
)


@given(VALUES)
def test_what_is_too_large_is_refused_and_what_fits_is_not(value: Any) -> None:
    size = len(orjson.dumps(value))
    # Commas are counted behind each item, and floats are written with a digit more or less.
    check_size(value, 3 * size + 10)
    if size > 10:
        with pytest.raises(LimitExceededError):
            check_size(value, size // 4)


def test_one_text_that_occurs_many_times_counts_each_time_and_is_copied_once() -> None:
    text = "x" * 4_000_000
    row = {f"a{number}": text for number in range(200)}
    content = {"session": row, "again": [row] * 1_000_000}
    tracemalloc.start()
    try:
        with pytest.raises(LimitExceededError, match="the answer would have more than 100,000,000 bytes"):
            check_size(content, 100_000_000)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # The serializer reserves room for a text of control characters alone.
    assert peak < 10 * len(text)
    check_size({"session": {"a": text}}, 4_100_000)


def test_quotes_and_control_characters_count_as_they_are_written() -> None:
    for text in ('"' * 50, "\\" * 50, "\x01" * 50, "ü" * 50, "\n" * 5_000):
        size = len(orjson.dumps(text))
        check_size(text, size)
        with pytest.raises(LimitExceededError):
            check_size(text, size - 1)


def test_an_answer_is_measured_only_if_it_may_be_too_large() -> None:
    most = 64 * 1024 * 1024
    price = Price(points=10, key_bytes=1_000, repeats=50, short_bytes=10**6, long_repeats=50)
    assert not may_exceed(price, 10_000, most)
    assert may_exceed(price, 1_000_000, most)
    assert may_exceed(price._replace(key_bytes=10**8), 0, most)
    # The values are as small as their columns demand, and as the rows that they come from.
    assert not may_exceed(price._replace(long_repeats=2), 1_000_000, most)
    assert not may_exceed(price._replace(short_bytes=10**9), 10_000, most)
    assert may_exceed(price._replace(short_bytes=10**9), 1_000_000, most)


@pytest.mark.parametrize("most", [1_000_000, 1_500])
async def test_an_answer_is_measured_beside_the_event_loop(
    monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    threads = []

    def check(content: Any, max_bytes: int) -> None:
        threads.append(threading.current_thread().name)
        check_size(content, max_bytes)

    monkeypatch.setattr("agentdata.fairness.check_size", check)
    operation = Executor(schema).operation("{ project { name } }", None)
    fairness = Fairness(1, most, 1, 1, 1, None)
    result = ExecutionResult({"project": {"name": "x" * 2_000}}, None)
    price = Price(points=1, key_bytes=100, repeats=1, short_bytes=0, long_repeats=1)
    assert fairness.may_exceed(price, 10**6)
    bounded = await fairness.bounded(result, operation)
    assert (bounded is result) == (most == 1_000_000)
    assert len(threads) == 1
    assert threads[0].startswith("answering")
