"""Placeholder."""

from typing import Any


def trace_statement(span: Any, text: str, seconds: float) -> None: ...
