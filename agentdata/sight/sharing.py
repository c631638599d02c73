"""Memory that the server's processes share, so that each can tell the counts of all."""

from __future__ import annotations

import mmap
import struct
import zlib
from typing import Any

import orjson

_BUFFER_BYTES = 128 * 1024
"""The largest snapshot; a full one has some 30 kB, because the names of operations are bounded."""

_TURN = struct.Struct("<Q")
_HEAD = struct.Struct("<II")
_PLACE_BYTES = _TURN.size + 2 * _BUFFER_BYTES


class SharedCounts:
    """One place for each process, to which only that process writes.

    A place has two buffers: the process writes the one that is not read, and then swaps them. So a process
    that is killed while it writes leaves its last snapshot, and the one that replaces it goes on from there.
    Create this before the processes are forked.
    """

    def __init__(self, places: int) -> None:
        self.places = places
        # Pages that nobody writes take no memory.
        self._memory = mmap.mmap(-1, places * _PLACE_BYTES)

    def write(self, place: int, snapshot: dict[str, Any]) -> None:
        """Store the snapshot of a process.

        Raises:
            ValueError: It is too large.

        """
        content = orjson.dumps(snapshot)
        if _HEAD.size + len(content) > _BUFFER_BYTES:
            raise ValueError(f"a snapshot of {len(content)} bytes does not fit into {_BUFFER_BYTES}")
        start = place * _PLACE_BYTES
        turn = self._turn(place) + 1
        at = self._buffer(place, turn)
        _HEAD.pack_into(self._memory, at, len(content), zlib.crc32(content))
        self._memory[at + _HEAD.size : at + _HEAD.size + len(content)] = content
        _TURN.pack_into(self._memory, start, turn)

    def read(self, place: int) -> dict[str, Any] | None:
        """Return the last snapshot of a process, or None if it has stored none."""
        # The process may swap the buffers meanwhile; it does so once a second, so trying again helps.
        for _ in range(3):
            turn = self._turn(place)
            if not turn:
                return None
            at = self._buffer(place, turn)
            length, checksum = _HEAD.unpack_from(self._memory, at)
            content = self._memory[at + _HEAD.size : at + _HEAD.size + min(length, _BUFFER_BYTES)]
            if zlib.crc32(content) == checksum:
                snapshot: dict[str, Any] = orjson.loads(content)
                return snapshot
        return None

    def _turn(self, place: int) -> int:
        [turn] = _TURN.unpack_from(self._memory, place * _PLACE_BYTES)
        return int(turn)

    def _buffer(self, place: int, turn: int) -> int:
        return place * _PLACE_BYTES + _TURN.size + turn % 2 * _BUFFER_BYTES
