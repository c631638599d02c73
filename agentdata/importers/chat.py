"""Imports conversations in the chat-completions message format.

Each batch of conversations is written in one transaction, so a session is stored with all of its messages or
not at all. A conversation whose externalId is already stored is skipped: running an interrupted import again
completes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, BinaryIO

from sqlalchemy.exc import DBAPIError

from agentdata.errors import AgentDataError, ConflictError, OverloadedError, TimedOutError
from agentdata.importers.conversation import conversations_in, read
from agentdata.importers.message import is_message
from agentdata.importers.records import Unreadable, records
from agentdata.importers.writing import write_batch
from agentdata.operations.unit_of_work import run, sqlstate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from uuid import UUID

    from agentdata.database import Database
    from agentdata.importers.conversation import Conversation, Options
    from agentdata.importers.writing import Report

_MAX_CONVERSATIONS, _MAX_MESSAGES, _MAX_BYTES = 500, 5_000, 8 * 1024 * 1024
"""A batch is full as soon as it reaches one of these numbers."""

_ATTEMPTS = 5

_DATA_ERRORS = ("22", "54")
"""SQLSTATE classes of errors that a value causes: data exception, program limit exceeded."""


@dataclass(frozen=True)
class Import:
    """An import into a project.

    ``warn`` and ``fail`` are called with the place of a record and a text. A record that is warned of was
    imported; a record that fails was not.
    """

    database: Database
    project_id: UUID
    options: Options
    report: Report
    warn: Callable[[str, str], None]
    fail: Callable[[str, str], None]

    async def file(self, file: BinaryIO, name: str) -> None:
        """Import a file."""
        for batch in _batches(self._conversations(file, name)):
            await self._write(batch)

    def _conversations(self, file: BinaryIO, name: str) -> Iterator[Conversation]:
        for place, value in records(file, name, is_message):
            if isinstance(value, Unreadable):
                self._fail(place, value.reason)
                continue
            for where, record in conversations_in(place, value, self.options):
                if isinstance(record, Unreadable):
                    self._fail(where, record.reason)
                    continue
                try:
                    conversation = read(where, record, self.options, PurePath(name).stem)
                except ValueError as error:
                    self._fail(where, str(error))
                else:
                    yield conversation

    async def _write(self, batch: list[Conversation]) -> None:
        """Write a batch; if a conversation in it is refused, write each conversation on its own."""
        try:
            report, warnings = await self._committed(batch)
        except (AgentDataError, DBAPIError) as error:
            if (refusal := _refusal(error)) is None:
                raise
            if len(batch) == 1:
                self._fail(batch[0].place, refusal)
                return
            for conversation in batch:
                await self._write([conversation])
            return
        self.report.read += len(batch)
        self.report.add(report)
        for place, warning in warnings:
            self.report.warnings += 1
            self.warn(place, warning)

    async def _committed(self, batch: list[Conversation]) -> tuple[Report, list[tuple[str, str]]]:
        for _ in range(_ATTEMPTS - 1):
            try:
                return await run(self.database, self.project_id, write_batch, {"batch": batch})
            except ConflictError:
                # Another import or a client wrote the same rows meanwhile: the next attempt finds them.
                continue
        return await run(self.database, self.project_id, write_batch, {"batch": batch})

    def _fail(self, place: str, reason: str) -> None:
        self.report.read += 1
        self.report.bad += 1
        self.fail(place, reason)


def _batches(conversations: Iterable[Conversation]) -> Iterator[list[Conversation]]:
    batch: list[Conversation] = []
    said = size = 0
    for conversation in conversations:
        batch.append(conversation)
        said += len(conversation.messages)
        size += conversation.size
        if len(batch) >= _MAX_CONVERSATIONS or said >= _MAX_MESSAGES or size >= _MAX_BYTES:
            yield batch
            batch, said, size = [], 0, 0
    if batch:
        yield batch


def _refusal(error: AgentDataError | DBAPIError) -> str | None:
    """Return why a conversation was refused, or None if the conversation did not cause the error."""
    if isinstance(error, DBAPIError):
        fault = (sqlstate(error) or "").startswith(_DATA_ERRORS)
        return f"cannot be stored: {str(error.orig).splitlines()[0]}" if fault else None
    return None if isinstance(error, OverloadedError | TimedOutError) else error.message
