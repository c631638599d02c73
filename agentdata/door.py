"""The bound on connections: how many a process and an address may have, and which must go for new ones."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, NamedTuple, Protocol

from agentdata import refusals
from agentdata.addresses import client_of, is_within
from agentdata.database_url import parse
from agentdata.setup_error import SetupError

if sys.platform != "win32":
    import resource

if TYPE_CHECKING:
    from agentdata.addresses import Network
    from agentdata.settings import Settings

_RESERVED_DESCRIPTORS = 100
"""Descriptors that clients leave for files, the database's sockets beside the pool, and connections that are
accepted only to be refused."""

_SHARE_THAT_GOES = 16
"""If there are too many connections, up to a sixteenth goes at once, so that few accepts look for them."""


class Limits(NamedTuple):
    """The limits of the connections of a process, in seconds and numbers."""

    header_timeout_s: float
    body_timeout_s: float
    pause_s: float
    connections: int
    connections_per_address: int
    trusted_proxies: tuple[Network, ...]


class Connection(Protocol):
    """A connection, as the door sees it."""

    @property
    def host(self) -> str:
        """The address of the client, or of the proxy that connects for it."""

    def waiting_since(self, now: float) -> tuple[int, float] | None:
        """Return for how long it waits for its client, or None if its client waits for us.

        Of two connections, the one with the smaller pair goes first.
        """

    def check(self, now: float) -> None:
        """End the connection if its client is too slow."""

    def turn_away(self) -> None:
        """End the connection because there are too many."""


def limits_of(settings: Settings) -> Limits:
    """Return the limits of these settings and of the system.

    Raises:
        SetupError: The system allows too few open files, or the URL of the database cannot be used.

    """
    pool_size = settings.pool_size
    if settings.database_url is not None:
        pool_size = parse(settings.database_url.get_secret_value()).pool_size(pool_size)
    connections = min(settings.max_connections, _descriptors_for_clients(pool_size))
    return Limits(
        settings.header_timeout_s,
        settings.body_timeout_s,
        settings.client_pause_s,
        connections,
        min(connections, settings.max_connections_per_address or max(1, connections // 2)),
        settings.proxy_networks,
    )


def _descriptors_for_clients(pool_size: int) -> int:
    if sys.platform == "win32":
        return sys.maxsize
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if descriptors == resource.RLIM_INFINITY:
        return sys.maxsize
    left = descriptors - pool_size - _RESERVED_DESCRIPTORS
    if left < 1:
        raise SetupError(
            f"{descriptors} open files are too few for {pool_size} database connections and for clients;"
            f" allow at least {pool_size + 2 * _RESERVED_DESCRIPTORS} (`ulimit -n`), or lower"
            " AGENTDATA_POOL_SIZE"
        )
    return left


class Door:
    """Admits connections up to the limits, and looks at all of them regularly for slow clients.

    If there are too many, those that wait longest for their clients are turned away: a client that sends its
    request at once is served however many send half of one. If all clients wait for us, the new one is turned
    away. The connections of a trusted proxy are those of many clients, so only the total counts for them.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        # In the order in which they came.
        self._connections: dict[Connection, None] = {}
        self._of_client: dict[str, dict[Connection, None]] = {}
        self._interval_s = min(
            1.0, limits.header_timeout_s / 4, limits.body_timeout_s / 4, limits.pause_s / 4
        )
        self._sweep: asyncio.TimerHandle | None = None

    def admit(self, connection: Connection) -> None:
        """Admit a new connection, or turn it or others away."""
        limits = self.limits
        if not is_within(connection.host, limits.trusted_proxies):
            client = client_of(connection.host)
            of_client = self._of_client.setdefault(client, {})
            of_client[connection] = None
            if len(of_client) > limits.connections_per_address:
                self._make_room("client_connections_of_address", connection, of_client)
                if connection not in of_client:
                    return
        self._connections[connection] = None
        if len(self._connections) > limits.connections:
            self._make_room("client_connections", connection, self._connections)
        if self._sweep is None and self._connections:
            self._sweep = asyncio.get_running_loop().call_later(self._interval_s, self._look_at_all)

    def leave(self, connection: Connection) -> None:
        """Forget a connection that was closed."""
        self._connections.pop(connection, None)
        client = client_of(connection.host)
        of_client = self._of_client.get(client)
        if of_client is not None:
            of_client.pop(connection, None)
            if not of_client:
                del self._of_client[client]

    def _make_room(self, kind: str, new: Connection, connections: dict[Connection, None]) -> None:
        now = asyncio.get_running_loop().time()
        waiting = [
            (since, each) for each in connections if each is not new if (since := each.waiting_since(now))
        ]
        waiting.sort(key=lambda entry: entry[0])
        many = max(1, len(connections) // _SHARE_THAT_GOES)
        for going in [each for _, each in waiting[:many]] or [new]:
            self.leave(going)
            refusals.count(kind, going.host)
            going.turn_away()

    def _look_at_all(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for connection in list(self._connections):
            connection.check(now)
        self._sweep = loop.call_later(self._interval_s, self._look_at_all) if self._connections else None
