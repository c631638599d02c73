"""Collects the lines that a server would write to standard error."""

from __future__ import annotations

import io
import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from agentdata.sight.logs import writer

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def written(format_: Literal["text", "json"] = "text") -> Iterator[io.StringIO]:
    """Collect what is logged during the block, in the format of a server."""
    stream = io.StringIO()
    handler, root = writer(format_, stream), logging.getLogger()
    # The client of the tests logs its requests, too.
    handler.addFilter(lambda record: not record.name.startswith("httpx"))
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    try:
        yield stream
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
