"""Describes exceptions for the log: classes, codes and places, and never texts, which may hold contents.

The text of an exception is made by whoever raised it: PostgreSQL quotes values in its messages and details,
SQLAlchemy adds the statement with its parameters, and a KeyError is the key itself. So no text is logged.
"""

from __future__ import annotations

import errno
import inspect
import traceback
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_SUSPENDABLE = inspect.CO_COROUTINE | inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR
_MOST_CAUSES = 6
_MOST_FRAMES = 30
_NAMES = {
    "sqlstate": "sqlstate",
    "constraint_name": "constraint",
    "table_name": "table",
    "column_name": "column",
}
"""Attributes of the driver's exceptions, which name things of the tables, and their names in the log."""


def describe(error: BaseException) -> str:
    """Return one line on an exception and its causes: classes, codes, and names of tables and constraints."""
    described = [_describe_one(each) for each in _chain(error)]
    # SQLAlchemy wraps the driver's exception in two others that say the same.
    return " from ".join(dict.fromkeys(described))


def place(error: BaseException) -> str:
    """Return the file, line and function that raised an exception."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].filename}:{frames[-1].lineno} in {frames[-1].name}" if frames else "an unknown place"


def trace(error: BaseException) -> str:
    """Return the places that an exception and its causes passed, the innermost exception first."""
    lines: list[str] = []
    for each in reversed([*_chain(error)]):
        frames = traceback.extract_tb(each.__traceback__, limit=-_MOST_FRAMES)
        lines += [f"  {frame.filename}:{frame.lineno} in {frame.name}" for frame in frames]
        lines.append(_describe_one(each))
    return "\n".join(lines)


def drop_tracebacks(error: BaseException) -> None:
    """Drop the tracebacks of an exception that is reported, and of all that led to it.

    Their frames hold the request, and mostly the exception itself: a cycle, which only the garbage collector
    frees.
    """
    for each in _all(error):
        each.__traceback__ = None


def drop_locals(error: BaseException) -> None:
    """Drop what the functions that an exception passed held, such as the tokens of a document; lines stay."""
    for each in _all(error):
        for frame, _ in traceback.walk_tb(each.__traceback__):
            # To clear the frame of a coroutine would end it.
            if not frame.f_code.co_flags & _SUSPENDABLE:
                with suppress(RuntimeError):  # it is running
                    frame.clear()


def _all(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and all that led to it, also where its text says nothing of them."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        found = waiting.pop()
        if found is not None and id(found) not in seen:
            seen.add(id(found))
            yield found
            waiting += (found.__cause__, found.__context__, getattr(found, "original_error", None))


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and what caused it, outermost first, and of a group its first member."""
    seen: set[int] = set()
    found: BaseException | None = error
    while found is not None and id(found) not in seen and len(seen) < _MOST_CAUSES:
        seen.add(id(found))
        yield found
        if isinstance(found, BaseExceptionGroup):
            found = found.exceptions[0]
        else:
            found = found.__cause__ or (None if found.__suppress_context__ else found.__context__)


def _describe_one(error: BaseException) -> str:
    class_ = type(error)
    words = [class_.__name__ if class_.__module__ == "builtins" else f"{class_.__module__}.{class_.__name__}"]
    if isinstance(error, OSError) and error.errno is not None:
        words.append(f"errno={errno.errorcode.get(error.errno, error.errno)}")
    for attribute, name in _NAMES.items():
        value = getattr(error, attribute, None)
        if isinstance(value, str) and value:
            words.append(f"{name}={value[:80]}")
    return " ".join(words)
