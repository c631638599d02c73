"""A bound on the made-up API keys that a client can have looked up."""

from __future__ import annotations

import time
from collections import OrderedDict
from math import ceil
from typing import NamedTuple

from agentdata.addresses import client_of


class _Bucket(NamedTuple):
    tokens: float
    at: float
    """The time of these tokens, in seconds of the monotonic clock."""


class Guesses:
    """A token bucket for each client address: a lookup of a key takes a token, a valid key gives it back."""

    def __init__(self, *, burst: int = 100, per_s: float = 10.0, max_clients: int = 10_000) -> None:
        self._burst = float(burst)
        self._per_s = per_s
        self._max_clients = max_clients
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def take(self, host: str) -> int:
        """Take a token and return 0, or return in how many seconds there is one."""
        client, now = client_of(host), time.monotonic()
        tokens = self._tokens(client, now)
        if tokens < 1:
            return ceil((1 - tokens) / self._per_s)
        self._set(client, tokens - 1, now)
        return 0

    def give_back(self, host: str) -> None:
        """Return the token that the lookup of a valid key took."""
        client, now = client_of(host), time.monotonic()
        self._set(client, self._tokens(client, now) + 1, now)

    def _tokens(self, client: str, now: float) -> float:
        bucket = self._buckets.get(client)
        if bucket is None:
            return self._burst
        return min(self._burst, bucket.tokens + (now - bucket.at) * self._per_s)

    def _set(self, client: str, tokens: float, now: float) -> None:
        if tokens >= self._burst:
            self._buckets.pop(client, None)  # as good as unknown
            return
        self._buckets[client] = _Bucket(tokens, now)
        self._buckets.move_to_end(client)
        if len(self._buckets) > self._max_clients:
            self._buckets.popitem(last=False)
