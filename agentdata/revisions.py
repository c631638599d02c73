"""The revision that the tables are at, and the newest that this version of agentdata knows.

Nothing here uses Alembic, which takes long to import: a server whose tables are at the newest revision starts
without it.
"""

from pathlib import Path

from sqlalchemy import text

from agentdata.connection import transaction

_INSTALLED = Path(__file__).parent / "alembic"

SCRIPTS = _INSTALLED if _INSTALLED.exists() else Path(__file__).parents[1] / "alembic"
"""The folder of the migrations. They are one line, and the name of each file begins with its revision."""


async def current(url: str) -> str | None:
    """Return the revision of the tables, or None before the first."""
    async with transaction(url) as connection:
        if await connection.scalar(text("SELECT to_regclass('alembic_version')")) is None:
            return None
        revision: str | None = await connection.scalar(text("SELECT version_num FROM alembic_version"))
        return revision


def head() -> str:
    """Return the newest revision of this version of agentdata."""
    newest = max(file.name for file in SCRIPTS.glob("versions/[0-9]*.py"))
    return newest.partition("_")[0]
