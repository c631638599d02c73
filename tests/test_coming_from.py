"""The pages for those who come from another system: no column is missing, and every place is one."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, NamedTuple

import pytest
from graphql import is_object_type

from tests.documentation import ROOT
from tests.tables import SCHEMA

if TYPE_CHECKING:
    from pathlib import Path

PAGES = {page.stem: page for page in (ROOT / "docs" / "coming-from").glob("*.md") if page.stem != "README"}
SYSTEMS = tomllib.loads((ROOT / "tests" / "other_systems.toml").read_text())
TABLES = [(system, table) for system, tables in SYSTEMS.items() for table in tables]

PLACE = re.compile(r"`([A-Z]\w*)\.(\w+)`")
PLANNED = re.compile(r"planned as `([A-Z]\w*)(?:\.(\w+))?`")
"""A type or a field that is not in the contract yet."""


class Row(NamedTuple):
    """A row of a table of a page: a column of theirs as it is written, its place here, and what to know."""

    column: str
    place: str
    note: str


def _sections(page: Path) -> dict[str, list[Row]]:
    """Give the rows under each heading of a page by each table that the heading names."""
    _, *parts = re.split(r"^#{2,3} ", page.read_text(), flags=re.MULTILINE)
    sections: dict[str, list[Row]] = {}
    for heading, _, text in (part.partition("\n") for part in parts):
        rows = [
            Row(*cells) for cells in re.findall(r"^\| (\*?`.+?) \| (.+?) \| (.*?) ?\|$", text, re.MULTILINE)
        ]
        sections |= dict.fromkeys(re.findall(r"`([^`]+)`", heading), rows)
    return sections


def _is_there(type_name: str, field: str) -> bool:
    type_ = SCHEMA.type_map.get(type_name)
    return is_object_type(type_) and (not field or field in type_.fields)


def test_every_system_has_its_page_and_its_line_in_the_index() -> None:
    assert PAGES.keys() == SYSTEMS.keys()
    index = (ROOT / "docs" / "coming-from" / "README.md").read_text()
    assert [name for name in PAGES if f"]({name}.md)" not in index] == []
    assert "](coming-from/README.md)" in (ROOT / "docs" / "README.md").read_text()


@pytest.mark.parametrize(("system", "table"), TABLES)
def test_a_table_has_all_columns(system: str, table: str) -> None:
    columns = SYSTEMS[system][table]
    columns = SYSTEMS[system][columns["same_as"]] if "same_as" in columns else columns
    told = [f"`{column}`" for column in columns.get("told", [])]
    also = [f"*`{column}`*" for column in columns.get("also", [])]
    rows = [row.column for row in _sections(PAGES[system])[table]]
    assert sorted(rows) == sorted([*told, *also])


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_place_is_there(system: str) -> None:
    text = PLANNED.sub("", PAGES[system].read_text())
    assert [place for place in PLACE.findall(text) if not _is_there(*place)] == []


@pytest.mark.parametrize("system", SYSTEMS)
def test_what_is_planned_is_not_there_yet(system: str) -> None:
    # Once it is there, the page has to say so.
    planned = PLANNED.findall(PAGES[system].read_text())
    assert [place for place in planned if _is_there(*place)] == []


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_column_has_a_place_or_a_reason(system: str) -> None:
    rows = [row for rows in _sections(PAGES[system]).values() for row in rows]
    placed = [row for row in rows if PLACE.search(row.place) or PLANNED.search(row.place)]
    assert [row for row in rows if row not in placed and (row.place != "none" or not row.note)] == []
