"""Names for clients: the GraphQL name of a column, and the noun for a row of a table."""

from __future__ import annotations

import re
from functools import lru_cache


@lru_cache(maxsize=1_000)
def camel(name: str) -> str:
    """Return the GraphQL name of a column."""
    head, *tail = name.strip("_").split("_")
    return head + "".join(part.capitalize() for part in tail)


def noun(table: str) -> str:
    """Return the singular noun for a row of a table."""
    one = re.sub(r"ies$", "y", table)
    return re.sub(r"(?<=x)es$|(?<=ss)es$|s$", "", one).replace("_", " ")
