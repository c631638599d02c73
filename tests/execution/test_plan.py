"""The parts of plans: how values are written, how rows become objects, and that statements are bounded."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson
import pytest
from sqlalchemy import ARRAY, Numeric, Text, Uuid, select
from sqlalchemy.dialects.postgresql import JSONB

from agentdata.execution.plan import Rows, Run, Shapes, Statement, groups, written
from models import User

ID = UUID("01900000-0000-7000-8000-000000000000")
TYPES: dict[str, Any] = {
    "id": Uuid(),
    "name": Text(),
    "tags": ARRAY(Text),
    "data": JSONB(),
    "cost": Numeric(),
}


class Doubled:
    """A step that answers every key but one."""

    async def values(self, _run: Run, keys: list[Any]) -> dict[Any, Any]:
        """Give each key twice."""
        return {key: key * 2 for key in keys if key != "unknown"}


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("id", ID, str(ID)),
        ("name", "a", "a"),
        ("tags", ["a"], ["a"]),
        ("data", '{"a": [1.50, null]}', {"a": [1.5, None]}),
        ("data", "null", None),
        ("cost", Decimal("0.10"), 0.1),
        *[(name, None, None) for name in TYPES],
    ],
)
def test_values_are_written_as_their_types_are(name: str, value: Any, expected: Any) -> None:
    write = eval(f"lambda value: {written(TYPES[name], 'value')}", {"Fragment": orjson.Fragment})  # noqa: S307  # ours
    assert orjson.loads(orjson.dumps(write(value))) == expected


async def test_rows_become_objects_with_constants_columns_and_what_steps_give() -> None:
    rows = Rows(TYPES)
    rows.constant("__typename", "It's")
    rows.column("'quoted\"key", "name")
    rows.column("again", "name")
    rows.step("step", (Doubled(), "name"))
    rows.step("either", (Doubled(), "id"), (Doubled(), "name"))
    assert rows.names == ["name", "id"]
    run = Run(None, ID, {})  # type: ignore[arg-type]  # nothing is read
    records = [
        ("parent", "a", None),
        ("parent", None, None),
        ("parent", "unknown", None),
        ("parent", "b", "id"),
    ]
    made = await rows.objects(run, records)
    assert [list(each.values()) for each in made] == [
        ["It's", "a", "a", "aa", "aa"],
        ["It's", None, None, None, None],
        ["It's", "unknown", "unknown", None, None],
        ["It's", "b", "b", "bb", "idid"],
    ]


def test_records_are_grouped_under_every_key() -> None:
    assert groups([("b", 1), ("a", 2), ("b", 3)], ["a", "b", "c"]) == {
        "a": [("a", 2)],
        "b": [("b", 1), ("b", 3)],
        "c": [],
    }


def test_a_step_keeps_a_bounded_number_of_statements() -> None:
    built = []

    def build(shape: Any) -> Any:
        built.append(shape)
        return select(User.id).limit(shape)

    shapes = Shapes(build)
    assert shapes(1) is shapes(1)
    assert len(built) == 1
    for shape in range(1_000):
        shapes(shape)
    assert len(shapes._statements) <= 100  # noqa: SLF001  # what is kept is asked


def test_json_is_read_as_text_and_values_are_parameters() -> None:
    statement = Statement(select(User.id, User.user_data).where(User.name == "Ann"))
    assert "Ann" not in statement.text
    assert statement.parameters({}) == ["Ann"]
    assert "AS TEXT" in statement.text.upper()
