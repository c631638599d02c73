"""The allowance of one operation: how long it may run, and how much it may receive from the database.

An operation that reaches its time limit has its running statement cancelled in PostgreSQL, and the statement
is awaited to its end. So the operation knows whether a write was committed, which it would not know if its
task were cancelled.
"""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

from agentdata.errors import LimitExceededError, TimedOutError

if TYPE_CHECKING:
    from agentdata.deadlines import Deadlines
    from agentdata.pool import Connection
    from agentdata.turns import Limits

UNBOUNDED = sys.maxsize
"""As many bytes as nothing ever has."""

_STOP_AGAIN_S = 0.1
"""How long a statement may go on after it was cancelled, in seconds, before it is cancelled again.

A cancellation that reaches the server between two statements of a transaction has no effect.
"""


class Allowance:
    """The allowance of one operation, which uses one connection at a time. Its time begins with ``start``."""

    __slots__ = (
        "_connection",
        "_counted",
        "_deadlines",
        "_ends_at",
        "_expired",
        "_stopping",
        "_time",
        "max_bytes",
        "places",
        "received",
        "seconds",
    )

    def __init__(self, *, seconds: float, max_bytes: int, deadlines: Deadlines, places: Limits = ()) -> None:
        self.places = places
        """The turns without which the operation uses no connection: of its key, and of its project."""
        self.seconds = seconds
        self.max_bytes = max_bytes
        self.received = 0
        """How many bytes the operation has received from the database."""
        self._connection: Connection | None = None
        self._counted = False
        self._stopping: asyncio.Task[None] | None = None
        self._ends_at = 0.0
        self._expired = False
        self._deadlines = deadlines
        self._time = asyncio.get_running_loop().time

    def start(self) -> None:
        """Begin to count the time."""
        self._ends_at = self._time() + self.seconds
        self._deadlines.add(self, self._ends_at, Allowance._expire)

    def renew(self) -> None:
        """Begin to count the time anew, unless it has passed.

        Raises:
            TimedOutError: The time limit has passed.

        """
        self.check()
        self.close()
        self.start()

    @property
    def left_s(self) -> float:
        """How many seconds are left."""
        return self._ends_at - self._time()

    def check(self) -> None:
        """Refuse to begin anything after the time limit.

        Raises:
            TimedOutError: The time limit has passed.

        """
        if self._expired:
            raise self.not_begun()

    def begin(self, connection: Connection, *, counted: bool) -> None:
        """Let the operation use a connection; ``counted`` rows are bounded, and those of writes are not.

        Raises:
            LimitExceededError: The operation has received all that it may.
            TimedOutError: The time limit has passed.

        """
        self.check()
        if counted and self.received >= self.max_bytes:
            raise self._too_much()
        self._connection, self._counted = connection, counted
        connection.driver.meter.left = self.max_bytes - self.received if counted else UNBOUNDED

    def end(self, connection: Connection) -> None:
        """End the use of a connection."""
        if self._connection is not connection:
            return
        meter = connection.driver.meter
        self.received += (self.max_bytes - self.received if self._counted else UNBOUNDED) - meter.left
        meter.left = UNBOUNDED
        self._connection = None
        if self._stopping is not None:
            # The cancellation may still be on its way, and would hit the next statement on this connection.
            connection.usable = False

    def refusal(self, connection: Connection) -> TimedOutError | LimitExceededError | None:
        """Return why the operation itself made the use of a connection fail, or None if it did not."""
        if self._connection is not connection:
            return None
        if connection.driver.meter.left < 0:
            return self._too_much()
        if not self._counted and connection.driver.is_closed():
            return None  # the connection was lost, and nobody knows whether the write was done
        if self._stopping is not None:
            limit = f"stopped at the operation's time limit of {self.seconds:g} s"
            return TimedOutError(
                f"reading was {limit}; ask for less at once, or filter more"
                if self._counted
                else f"the write was {limit}, and nothing of it was done; send fewer writes in one request"
            )
        return None

    def not_begun(self) -> TimedOutError:
        """Return the error of a part of the operation that did not begin."""
        return TimedOutError(
            f"the operation reached its time limit of {self.seconds:g} s before this began, so nothing of it"
            " was done; send it in another request"
        )

    def _too_much(self) -> LimitExceededError:
        return LimitExceededError(
            f"the rows for the answer have more than {self.max_bytes:,} bytes; select fewer fields, or ask"
            " for smaller pages by `first`"
        )

    def close(self) -> None:
        """End the operation."""
        self._deadlines.remove(self)

    def _expire(self) -> None:
        self._expired = True
        if self._connection is not None:
            self._stopping = asyncio.create_task(self._stop())

    async def _stop(self) -> None:
        while self._connection is not None and not self._connection.driver.is_closed():
            await self._connection.driver.cancel_statement()
            await asyncio.sleep(_STOP_AGAIN_S)
