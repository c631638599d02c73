"""The documentation is correct and complete: its examples run, it covers the contract, its links work."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
import sys
from typing import TYPE_CHECKING

import pytest
from graphql import GraphQLEnumType, GraphQLInputObjectType, GraphQLObjectType, is_introspection_type

from agentdata.engine.reporting import client_error
from agentdata.errors import AgentDataError
from tests.documentation import (
    PAGES,
    ROOT,
    Run,
    blocks,
    corrected,
    examples,
    serving_pages,
)
from tests.tables import SCHEMA, commands

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from agentdata.database_urls import DatabaseUrls
    from tests.documentation import Project

DOCS = ROOT / "docs"
ALL = [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]
TEXTS = {path: path.read_text() for path in PAGES}
TEXT = "\n".join(text for path, text in TEXTS.items() if path.parent.name != "coming-from")
"""The text of the pages that document the contract, without those about other systems."""
OTHER_PROGRAMS = {"BIN=$(python", "$BIN/pg_dump", "$BIN/pg_restore", "curl", "docker", "export", "pip"}
"""Programs that shell examples may start besides our own commands; their arguments are not checked."""


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.fixture(scope="module")
async def new_project(database_urls: DatabaseUrls) -> AsyncIterator[Callable[[], Awaitable[Project]]]:
    """Provide a function that creates an empty project."""
    async with serving_pages(database_urls) as new_project:
        yield new_project


@pytest.mark.parametrize("path", PAGES, ids=_name)
async def test_examples_and_tables_of_a_page_are_correct(
    path: Path, new_project: Callable[[], Awaitable[Project]]
) -> None:
    project = await new_project()
    await project.prepare(path)
    page = TEXTS[path]
    assert await corrected(page, project) == page, f"run `python -m tests.documentation {_name(path)}`"


async def test_the_python_example_runs(new_project: Callable[[], Awaitable[Project]], tmp_path: Path) -> None:
    page = TEXTS[DOCS / "getting-started.md"]
    [program] = [block.text for block in blocks(page) if block.kind == "python"]
    assert program.count("http://127.0.0.1:8000/") == 1
    project = await new_project()
    await corrected(page, project)
    (tmp_path / ".agentdata").mkdir()
    (tmp_path / ".agentdata" / "api-key").write_text(project.key.secret + "\n")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        program.replace("http://127.0.0.1:8000", str(project.client.base_url).rstrip("/")),
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    assert (process.returncode, output) == (0, b"1\n")


@pytest.mark.parametrize(
    ("shown", "answer"),
    [
        ({"a": 1}, {"a": 2}),
        ({"a": 1}, {"a": True}),
        ({"a": 1}, {"a": 1, "b": None}),
        ([1], [1, 1]),
        ("2026-01-01", "2026-01-02"),
        (
            ["019a9f3c-7d1e-7c43-9b5e-2f6c1a0d4e01"] * 2,
            ["019a9f3c-7d1e-7c43-9b5e-2f6c1a0d4e02", "019a9f3c-7d1e-7c43-9b5e-2f6c1a0d4e03"],
        ),
    ],
)
def test_a_wrong_answer_in_a_page_is_found(shown: object, answer: object) -> None:
    assert not Run().matches(shown, answer)


def test_an_id_of_a_page_matches_the_same_id_of_the_run_everywhere() -> None:
    run, there, here = Run(), *(f"019a9f3c-7d1e-7c43-9b5e-2f6c1a0d4e0{digit}" for digit in "12")
    assert run.matches(
        {"id": there, "at": "2026-01-01T00:00:00Z"}, {"id": here, "at": "2030-01-01T00:00:00Z"}
    )
    assert run.matches(f"there is no user {there}", f"there is no user {here}")


def test_a_time_of_a_request_matches_only_itself() -> None:
    assert not Run(requests='{"startedAt": "2026-01-01T00:00:00Z"}').matches(
        "2026-01-01T00:00:00Z", "2030-01-01T00:00:00Z"
    )


@pytest.mark.parametrize("path", ALL, ids=_name)
def test_shell_examples_use_existing_commands_and_options(path: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    known = dict(commands())
    for line in _shell_lines(path.read_text()):
        program, *words = shlex.split(re.sub(r"^([A-Z_]+=\S+ )+(?=[a-z.])", "", line), comments=True)
        if program == "make":
            assert set(words) <= targets, line
        elif program.rpartition("/")[2] == "agentdata":
            name = max((n for n in known if f"{line} ".startswith(f"{n} ")), key=len, default=None)
            assert name, line
            options = {option for parameter in known[name].params for option in parameter.opts}
            assert {word.partition("=")[0] for word in words if word.startswith("--")} <= options, line
        elif program == ".venv/bin/python":
            assert words[:2] == ["-m", "tests.documentation"], line
            assert all((ROOT / word).exists() for word in words[2:]), line
        else:
            assert program in OTHER_PROGRAMS, line


def _shell_lines(page: str) -> list[str]:
    text = "".join(block.text for block in blocks(page) if block.kind == "sh").replace("\\\n", " ")
    return [line for line in text.splitlines() if line.strip() and not line.startswith("#")]


def test_settings_and_commands_have_tables() -> None:
    operating = (DOCS / "operating.md").read_text()
    assert "<!-- settings -->" in operating
    assert "<!-- commands -->" in operating


def test_every_type_is_documented() -> None:
    # Connections, filters, orders and inputs are documented with the type that they belong to.
    derived = re.compile(r".+(Connection|Edge|Filter|Order|OrderField|Input)|Query|Mutation|Node")
    names = [name for name, type_ in SCHEMA.type_map.items() if not is_introspection_type(type_)]
    missing = [name for name in names if not derived.fullmatch(name) and f"`{name}`" not in TEXT]
    assert [name for name in missing if name != "OrderDirection"] == []
    assert all(f"`{direction}`" in TEXT for direction in ("ASC", "DESC"))


def test_every_noun_and_enum_has_a_table() -> None:
    nouns = "".join(page.read_text() for page in DOCS.glob("*.md"))
    for name, type_ in SCHEMA.type_map.items():
        if isinstance(type_, GraphQLObjectType) and [each.name for each in type_.interfaces] == ["Node"]:
            assert f"\n## {name}\n" in nouns
            assert f"<!-- fields {name} -->" in nouns
        if isinstance(type_, GraphQLEnumType) and not re.match(r"__|Order", name) and "Order" not in name:
            assert f"<!-- values {name} -->" in nouns


def test_every_root_field_is_documented() -> None:
    assert SCHEMA.query_type is not None
    assert SCHEMA.mutation_type is not None
    for fields, page in (
        (SCHEMA.query_type.fields, "queries.md"),
        (SCHEMA.mutation_type.fields, "writing.md"),
    ):
        text = (DOCS / page).read_text()
        assert [name for name in fields if f"`{name}`" not in text] == []


def test_every_filter_operator_is_documented() -> None:
    queries = (DOCS / "queries.md").read_text()
    for name, type_ in SCHEMA.type_map.items():
        if isinstance(type_, GraphQLInputObjectType) and not {"and", "some", "field"} & set(type_.fields):
            if not name.endswith("Filter"):
                continue
            [row] = [line for line in queries.splitlines() if line.startswith("|") and f"`{name}`" in line]
            assert [operator for operator in type_.fields if f"`{operator}`" not in row] == [], name


def test_every_error_code_is_documented() -> None:
    writing = (DOCS / "writing.md").read_text()
    codes = {error.code for error in AgentDataError.__subclasses__() if hasattr(error, "code")} | {"INTERNAL"}
    assert len(codes) >= 9
    assert [code for code in sorted(codes) if f"\n| `{code}` |" not in writing] == []
    assert [code for code in sorted(codes) if f'"code": "{code}"' not in writing] == []


@pytest.mark.parametrize("sqlstate", ["57014", "53300"])
def test_messages_for_database_errors_read_as_documented(sqlstate: str) -> None:
    error = Exception()
    error.sqlstate = sqlstate  # type: ignore[attr-defined]  # like exceptions of asyncpg
    documented = client_error(error)
    assert documented is not None
    assert json.dumps(documented.message) in (DOCS / "writing.md").read_text()


@pytest.mark.parametrize("path", ALL, ids=_name)
def test_links_have_existing_targets(path: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text()):
        if re.match(r"https?://", target):
            continue
        file, _, anchor = target.partition("#")
        page = path.parent / file if file else path
        assert page.exists(), target
        assert not anchor or anchor in _anchors(page.read_text()), target


def _anchors(page: str) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_page_is_in_the_index() -> None:
    index = (DOCS / "README.md").read_text()
    assert [page.name for page in DOCS.glob("*.md") if f"({page.name})" not in index] == ["README.md"]


def test_pages_contain_no_path_of_this_machine() -> None:
    assert [_name(path) for path in ALL if str(ROOT) in path.read_text()] == []


def test_the_readme_has_an_example_and_at_most_100_lines() -> None:
    readme = (ROOT / "README.md").read_text()
    assert examples(readme)
    assert len(readme.splitlines()) <= 100
