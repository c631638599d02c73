"""Addresses of clients: which are proxies that we trust, and which count as one client."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Network = IPv4Network | IPv6Network

_IPV6_PREFIX = 64
"""The bits of an IPv6 address that tell clients apart: each customer of a provider has such a network."""

_MAX_LENGTH = 64
"""The characters of an address that are read; a proxy may pass on something else."""


def networks(text: str) -> tuple[Network, ...]:
    """Return the networks of a list such as ``10.0.0.0/8, ::1``.

    Raises:
        ValueError: An element is neither an address nor a network; the message names it.

    """
    return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())


def is_within(host: str, trusted: tuple[Network, ...]) -> bool:
    """Return whether an address belongs to one of the networks."""
    if not trusted:
        return False
    try:
        address = ip_address(host)
    except ValueError:
        return False
    return any(address in network for network in trusted)


def client_of(host: str) -> str:
    """Return the name under which an address is limited: IPv6 addresses of one /64 network share it."""
    return _client_of(host[:_MAX_LENGTH]) if ":" in host else host[:_MAX_LENGTH]


@lru_cache(maxsize=1024)
def _client_of(host: str) -> str:
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(ip_network((address.packed, _IPV6_PREFIX), strict=False))
    return host
