"""Vectors are read from numbers and from base64, and wrong ones are refused with what is wrong."""

from __future__ import annotations

import base64
import struct
from typing import Any

import pytest

from agentdata.embedded.processor import has_avx2
from agentdata.vectors import Vector, read_vector, vector_of


def as_base64(*numbers: float) -> str:
    """Return numbers as little-endian floats of 32 bits, in base64."""
    return base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()


@pytest.mark.parametrize("numbers", [[1], [0.5, -0.25, 0], [65_504, -65_504, 6e-8], [0.1] * 4_000])
def test_numbers_and_base64_give_the_same_vector(numbers: list[float]) -> None:
    first, second = read_vector(numbers), read_vector(as_base64(*numbers))
    assert first.sent == second.sent == vector_of(numbers).sent
    assert first.dimensions == len(numbers)
    assert str(first) == str(second) != str(read_vector([2, 3]))


def test_a_vector_is_sent_as_pgvector_reads_it() -> None:
    assert read_vector([1, -0.5]).sent == struct.pack(">HHff", 2, 0, 1, -0.5)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "neither"),
        ({}, "neither"),
        (1.5, "neither"),
        ([], "0 numbers"),
        ("", "0 numbers"),
        ([1] * 4_001, "4001 numbers"),
        ([1, "2"], "not a number"),
        ([True, 1], "not a number"),
        ([[1]], "not a number"),
        ([None], "not a number"),
        ("no base64", "not base64"),
        ("AAA", "not base64"),
        ("AAA=", "2 bytes"),
        ([0, 0.0, -0.0], "zero"),
        ([1e-8, 0], "zero"),
        ([65_505, 1], "65504"),
        ([-1e300], "65504"),
        ([10**400], "65504"),
        (as_base64(float("nan"), 1), "65504"),
        (as_base64(float("inf")), "65504"),
        (as_base64(1, float("-inf")), "65504"),
    ],
)
def test_a_wrong_vector_is_refused(value: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_vector(value)


def test_a_long_vector_of_large_numbers_is_right() -> None:
    # Its length is above the largest number.
    assert isinstance(read_vector([65_504] * 4_000), Vector)


@pytest.mark.parametrize(
    ("described", "has"),
    [
        ("processor : 0\nflags\t\t: fpu avx avx2\n\nprocessor : 1\nflags\t\t: fpu avx avx2\n", True),
        ("processor : 0\nflags\t\t: fpu avx avx2\n\nprocessor : 1\nflags\t\t: fpu avx\n", False),
        ("processor : 0\nflags\t\t: fpu avx512\n", False),
        ("", False),
    ],
)
def test_avx2_is_found_if_all_processors_have_it(described: str, *, has: bool) -> None:
    assert has_avx2(described) is has
