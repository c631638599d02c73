"""The pages for users of other systems cover every column, and refer only to fields that exist."""

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
"""The text that announces a type or field that is not in the contract yet."""


class Row(NamedTuple):
    """A row of a table of a page: a column of the other system, its place in agentdata, and a note."""

    column: str
    place: str
    note: str


def _sections(page: Path) -> dict[str, list[Row]]:
    """Return the rows under each heading of a page, by the tables that the heading names."""
    _, *parts = re.split(r"^#{2,3} ", page.read_text(), flags=re.MULTILINE)
    sections: dict[str, list[Row]] = {}
    for heading, _, text in (part.partition("\n") for part in parts):
        rows = [
            Row(*cells) for cells in re.findall(r"^\| (\*?`.+?) \| (.+?) \| (.*?) ?\|$", text, re.MULTILINE)
        ]
        sections |= dict.fromkeys(re.findall(r"`([^`]+)`", heading), rows)
    return sections


def _exists(type_name: str, field: str) -> bool:
    type_ = SCHEMA.type_map.get(type_name)
    return is_object_type(type_) and (not field or field in type_.fields)


def test_every_system_has_a_page_and_an_entry_in_the_index() -> None:
    assert PAGES.keys() == SYSTEMS.keys()
    index = (ROOT / "docs" / "coming-from" / "README.md").read_text()
    assert [name for name in PAGES if f"]({name}.md)" not in index] == []
    assert "](coming-from/README.md)" in (ROOT / "docs" / "README.md").read_text()


@pytest.mark.parametrize(("system", "table"), TABLES)
def test_a_page_lists_all_columns_of_a_table(system: str, table: str) -> None:
    columns = SYSTEMS[system][table]
    columns = SYSTEMS[system][columns["same_as"]] if "same_as" in columns else columns
    told = [f"`{column}`" for column in columns.get("told", [])]
    also = [f"*`{column}`*" for column in columns.get("also", [])]
    rows = [row.column for row in _sections(PAGES[system])[table]]
    assert sorted(rows) == sorted([*told, *also])


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_field_that_a_page_names_exists(system: str) -> None:
    text = PLANNED.sub("", PAGES[system].read_text())
    assert [place for place in PLACE.findall(text) if not _exists(*place)] == []


@pytest.mark.parametrize("system", SYSTEMS)
def test_fields_marked_as_planned_do_not_exist_yet(system: str) -> None:
    # Once a field exists, the page must no longer call it planned.
    planned = PLANNED.findall(PAGES[system].read_text())
    assert [place for place in planned if _exists(*place)] == []


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_column_has_a_place_or_a_note(system: str) -> None:
    rows = [row for rows in _sections(PAGES[system]).values() for row in rows]
    placed = [row for row in rows if PLACE.search(row.place) or PLANNED.search(row.place)]
    assert [row for row in rows if row not in placed and (row.place != "none" or not row.note)] == []
