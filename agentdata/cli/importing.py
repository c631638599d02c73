"""Imports without a look for garbage."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def importing() -> Iterator[None]:
    """Keep Python from looking for garbage among what the block imports, now and later.

    All of it stays in use, and Python would look through it over and over while it grows, which takes a fifth
    of the time of a start.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
