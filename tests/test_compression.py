"""Compression of responses: which coding a client gets, and that it gets what was sent."""

from __future__ import annotations

import gzip
import sys
from typing import TYPE_CHECKING

import brotli
import pytest

from agentdata.compression import CODINGS, Coding, coding_for

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    from collections.abc import Callable

DECOMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "zstd": zstd.decompress,
    "br": brotli.decompress,
    "gzip": gzip.decompress,
}


@pytest.mark.parametrize(
    ("accepted", "name"),
    [
        ("", None),
        ("identity", None),
        ("deflate", None),
        ("gzip", "gzip"),
        ("GZIP ; Q=0.5", "gzip"),
        ("gzip, deflate, br", "br"),
        ("gzip, deflate, br, zstd", "zstd"),
        ("zstd;q=0.5, br;q=0.7, gzip;q=0.9", "gzip"),
        ("zstd;q=0, gzip", "gzip"),
        ("gzip;q=0", None),
        ("gzip;q=nonsense", None),
        ("zstd;q=nan, br;q=-1, gzip", "gzip"),
        ("*", "zstd"),
        ("*;q=0", None),
        ("zstd;q=0, *", "br"),
        ("gzip;q=0.5, identity", None),
        ("gzip, identity;q=0.5", "gzip"),
        (", ,;;", None),
        ("br" + ", gzip" * 50, "br"),
    ],
)
def test_the_header_chooses_the_coding(accepted: str, name: str | None) -> None:
    coding = coding_for(accepted)
    assert (None if coding is None else coding.name) == name


@pytest.mark.parametrize("coding", CODINGS, ids=lambda coding: coding.name)
@pytest.mark.parametrize("body", [b"{}", b'{"data":{"text":"tea"}}' * 10_000])
def test_a_client_reads_what_was_compressed(coding: Coding, body: bytes) -> None:
    assert DECOMPRESS[coding.name](coding.quick(body)) == body
    assert DECOMPRESS[coding.name](coding.small(body)) == body
    assert len(coding.small(body)) <= len(coding.quick(body)) < max(len(body), 50)
