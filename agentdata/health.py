"""Health checks."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

from sqlalchemy import text
from starlette.responses import JSONResponse

from agentdata.sight.failures import describe

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from agentdata.database import Database

_log = logging.getLogger(__name__)

_ANSWER_VALID_S = 1.0
"""How long an answer is reused, in seconds: anyone may send requests, so a flood must be cheap."""

_DATABASE_TIMEOUT_S = 2.0
"""How long the database may take to answer, in seconds."""


class Health:
    """Answers 200 while the database answers and 503 otherwise, without an API key."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._checking = asyncio.Lock()
        self._healthy = False
        self._valid_until = 0.0

    async def answer(self, request: Request) -> Response:  # noqa: ARG002 - a Starlette endpoint takes the request
        """Answer a request."""
        async with self._checking:
            if self._valid_until <= time.monotonic():
                self._healthy = await self._database_answers()
                self._valid_until = time.monotonic() + _ANSWER_VALID_S
        if self._healthy:
            return JSONResponse({"status": "ok"}, headers={"Cache-Control": "no-store"})
        return JSONResponse(
            {"status": "unavailable", "reason": "the database does not answer"},
            status_code=503,
            headers={"Cache-Control": "no-store", "Retry-After": "1"},
        )

    async def live(self, request: Request) -> Response:  # noqa: ARG002 - a Starlette endpoint takes the request
        """Answer that this process answers, whether the database does or not."""
        return JSONResponse({"status": "ok"}, headers={"Cache-Control": "no-store"})

    async def _database_answers(self) -> bool:
        try:
            async with asyncio.timeout(_DATABASE_TIMEOUT_S), self._database.connection() as connection:
                await connection.execute(text("SELECT 1"))
        except Exception as error:  # noqa: BLE001 - any failure means that the database does not answer
            _log.warning("the database does not answer: %s", describe(error))
            return False
        return True
