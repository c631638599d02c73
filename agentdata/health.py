"""Answers health checks."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

from sqlalchemy import text
from starlette.responses import JSONResponse

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from agentdata.database import Database

_log = logging.getLogger(__name__)

_LASTS_S = 1.0
"""How many seconds an answer is reused: anyone may send requests, so many of them must cost nothing."""

_WAIT_S = 2.0
"""How many seconds the database may take to answer."""


class Health:
    """Answers 200 while the database answers and 503 otherwise, without an API key."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._asking = asyncio.Lock()
        self._well = False
        self._until = 0.0

    async def answer(self, request: Request) -> Response:  # noqa: ARG002 - a Starlette endpoint takes the request
        """Answer a request."""
        async with self._asking:
            if self._until <= time.monotonic():
                self._well = await self._ask()
                self._until = time.monotonic() + _LASTS_S
        if self._well:
            return JSONResponse({"status": "ok"}, headers={"Cache-Control": "no-store"})
        return JSONResponse(
            {"status": "unavailable", "reason": "the database does not answer"},
            status_code=503,
            headers={"Cache-Control": "no-store", "Retry-After": "1"},
        )

    async def _ask(self) -> bool:
        try:
            async with asyncio.timeout(_WAIT_S), self._database.connection() as connection:
                await connection.execute(text("SELECT 1"))
        except Exception:  # noqa: BLE001 - any failure means that the database does not answer
            _log.warning("the database does not answer", exc_info=True)
            return False
        return True
