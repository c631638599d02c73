"""Vectors: read from what clients send, checked, and written as the database takes them."""

from __future__ import annotations

import binascii
import hashlib
import math
import struct
import sys
from array import array
from typing import TYPE_CHECKING

from agentdata.errors import BadUserInputError, ConflictError
from models.embedding import MAX_DIMENSIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

LARGEST = 65_504.0
"""The largest number in half precision, in which indexes hold vectors."""

_SMALLEST = 2.0**-24
"""The smallest number in half precision that is not zero."""

_SURELY_NOT_ZERO = 1e-3
"""A vector of this length has a number above ``_SMALLEST``, however many it has."""

_NUMBERS = {int, float}
_HEAD = struct.Struct(">HH")
_WIDTH = 4


class Vector:
    """A vector in single precision, as ``pgvector`` reads it: two 16-bit numbers, then the numbers.

    Raises:
        ValueError: It has no numbers or too many, or a number that cannot be stored, or is zero.

    """

    __slots__ = ("dimensions", "sent")

    def __init__(self, numbers: array[float]) -> None:
        if not 1 <= len(numbers) <= MAX_DIMENSIONS:
            raise ValueError(f"it has {len(numbers)} numbers; it may have from 1 to {MAX_DIMENSIONS:,}")
        # One pass in C: with a length that is finite and in range, so is each number.
        length = math.hypot(*numbers)
        if not length <= LARGEST and not all(abs(number) <= LARGEST for number in numbers):
            raise ValueError("each number must be from -65504 to 65504")
        if length < _SURELY_NOT_ZERO and max(map(abs, numbers)) < _SMALLEST:
            raise ValueError("it is zero, and so has no direction to compare; a number must be at least 6e-8")
        self.dimensions = len(numbers)
        if sys.byteorder == "little":
            numbers.byteswap()
        self.sent = _HEAD.pack(len(numbers), 0) + numbers.tobytes()

    def __str__(self) -> str:
        """Return a digest, by which idempotency keys compare vectors."""
        return hashlib.sha256(self.sent).hexdigest()


def read_vector(value: object) -> Vector:
    """Read a vector from a list of numbers, or from base64 of little-endian numbers of 32 bits.

    Raises:
        ValueError: It is neither, or ``Vector`` refuses it.

    """
    numbers = array("f")
    if not isinstance(value, str | list):
        raise ValueError("it is neither a list of numbers nor a text")  # noqa: TRY004  # as all that is wrong
    if isinstance(value, str):
        try:
            data = binascii.a2b_base64(value, strict_mode=True)
        except ValueError:
            raise ValueError("the text is not base64") from None
        if len(data) % _WIDTH:
            raise ValueError(f"the text holds {len(data)} bytes, which are not numbers of 32 bits")
        numbers.frombytes(data)
        if sys.byteorder == "big":
            numbers.byteswap()
    else:
        if not _NUMBERS.issuperset(map(type, value)):
            raise ValueError("the list holds something that is not a number")
        try:
            numbers.extend(value)
        except OverflowError:
            raise ValueError("each number must be from -65504 to 65504") from None
    return Vector(numbers)


def vector_of(numbers: Sequence[float]) -> Vector:
    """Return the vector of numbers that the server made itself.

    Raises:
        ValueError: ``Vector`` refuses it.

    """
    return Vector(array("f", numbers))


def check_dimensions(field: str, vector: Vector, dimensions: int, model: str) -> None:
    """Refuse a vector of another size than those that it would stand beside.

    Raises:
        BadUserInputError: It has another number of dimensions.

    """
    if vector.dimensions != dimensions:
        raise BadUserInputError(
            f"{field} has {vector.dimensions} numbers; the vectors of the model {model} have {dimensions}",
            field=field,
        )


NO_VECTORS = (
    "this server has no vectors, because its PostgreSQL lacks the extension pgvector: its operator can"
    " install pgvector 0.8 or newer and run CREATE EXTENSION vector; the embedded PostgreSQL has it on"
    " processors with AVX2. Everything else works without it"
)
"""The message for a database without pgvector."""


class NoVectorsError(ConflictError):
    """The database cannot store or compare vectors, because it lacks pgvector."""

    def __init__(self, field: str | None = None) -> None:
        super().__init__(NO_VECTORS, field=field)
