"""A bound on the made-up API keys that a client can have looked up."""

from __future__ import annotations

from math import ceil

from agentdata.addresses import client_of
from agentdata.token_buckets import TokenBuckets


class Guesses:
    """A token bucket for each client address: a lookup of a key takes a token, a valid key returns it."""

    def __init__(self, *, burst: int = 100, per_s: float = 10.0, max_clients: int = 10_000) -> None:
        self.buckets = TokenBuckets(per_s, burst, max_buckets=max_clients)

    def take(self, host: str) -> int:
        """Take a token and return 0, or return in how many seconds there is one."""
        client = client_of(host)
        tokens = self.buckets.left(client)
        if tokens < 1:
            return ceil((1 - tokens) / self.buckets.per_s)
        self.buckets.add(client, -1)
        return 0

    def give_back(self, host: str) -> None:
        """Return the token that the lookup of a valid key took."""
        self.buckets.add(client_of(host), 1)
