"""Which files a sync reads: below the path, not hidden, not ignored by git, and never by a link."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from agentdata.errors import BadUserInputError
from agentdata.knowledge import files
from tests.knowledge.checkouts import commit, git, write

if TYPE_CHECKING:
    from pathlib import Path


def names(path: Path, **options: tuple[str, ...]) -> list[str]:
    return [file.name for file in files.find(path, **options).files]


def test_a_folder_gives_its_files_in_order_and_counts_those_that_are_hidden(tmp_path: Path) -> None:
    write(tmp_path, {"b.md": "B", "a/c.md": "C", ".env": "secret", ".cache/x.md": "X", "a/.hidden": "h"})
    source = files.find(tmp_path)
    assert [file.name for file in source.files] == ["a/c.md", "b.md"]
    assert source.skipped == {"hidden": 3}
    assert (source.identity, source.commit) == (str(tmp_path), None)


def test_links_lead_nowhere(tmp_path: Path) -> None:
    outside = write(tmp_path / "outside", {"secret.md": "secret", "folder/deep.md": "deep"})
    inside = write(tmp_path / "inside", {"page.md": "page"})
    (inside / "link.md").symlink_to(outside / "secret.md")
    (inside / "again.md").symlink_to(inside / "page.md")
    (inside / "folder").symlink_to(outside / "folder")
    (inside / "up").symlink_to(tmp_path)
    source = files.find(inside)
    assert [file.name for file in source.files] == ["page.md"]
    assert source.skipped == {"symbolic link": 4}
    with pytest.raises(OSError, match="symbolic links"):
        files.read(inside / "link.md")


def test_pipes_and_other_special_files_are_skipped(tmp_path: Path) -> None:
    write(tmp_path, {"page.md": "page"})
    os.mkfifo(tmp_path / "pipe")
    source = files.find(tmp_path)
    assert ([file.name for file in source.files], source.skipped) == (["page.md"], {"not a regular file": 1})


def test_patterns_choose_files_as_gitignore_does(tmp_path: Path) -> None:
    write(tmp_path, {"a.md": "", "b.txt": "", "docs/c.md": "", "docs/old/d.md": "", "tests/e.md": ""})
    assert names(tmp_path, include=("*.md",)) == ["a.md", "docs/c.md", "docs/old/d.md", "tests/e.md"]
    assert names(tmp_path, include=("*.md",), exclude=("tests/", "old/")) == ["a.md", "docs/c.md"]
    assert names(tmp_path, include=("/*.md",)) == ["a.md"]
    assert files.find(tmp_path, exclude=("*.md",)).skipped == {"excluded": 4}


def test_a_single_file_is_read_whatever_its_name(tmp_path: Path) -> None:
    write(tmp_path, {".notes.md": "notes", "other.md": "other"})
    assert names(tmp_path / ".notes.md") == [".notes.md"]
    commit(tmp_path)
    assert names(tmp_path / ".notes.md") == [".notes.md"]


def test_a_path_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadUserInputError, match="nothing: No such file"):
        files.find(tmp_path / "nothing")


def test_a_checkout_gives_the_files_that_git_does_not_ignore(tmp_path: Path) -> None:
    write(
        tmp_path,
        {".gitignore": "build/\n*.log\n", "a.md": "A", "build/b.md": "B", "c.log": "C", "docs/d.md": "D"},
    )
    sha = commit(tmp_path)
    source = files.find(tmp_path)
    assert [file.name for file in source.files] == ["a.md", "docs/d.md"]
    assert source.commit == sha
    assert [file.blob for file in source.files] == git(
        tmp_path, "rev-parse", "HEAD:a.md", "HEAD:docs/d.md"
    ).split()
    write(tmp_path, {"docs/new.md": "N", "a.md": "changed"})
    changed = files.find(tmp_path)
    assert [(file.name, file.blob is None) for file in changed.files] == [
        ("a.md", True),
        ("docs/d.md", False),
        ("docs/new.md", True),
    ]
    assert changed.commit is None
    (tmp_path / "docs/d.md").unlink()
    assert names(tmp_path / "docs") == ["new.md"]


def test_a_part_of_a_checkout_has_its_own_names_and_the_address_of_the_whole(tmp_path: Path) -> None:
    write(tmp_path, {"docs/a.md": "A", "other.md": "O"})
    sha = commit(tmp_path)
    git(tmp_path, "remote", "add", "origin", "https://ann:secret@example.com/handbook.git")
    source = files.find(tmp_path / "docs")
    assert [file.name for file in source.files] == ["a.md"]
    assert source.identity == "https://example.com/handbook.git#docs"
    write(tmp_path, {"other.md": "changed"})
    assert files.find(tmp_path / "docs").commit == sha


def test_a_folder_that_git_ignores_is_read_as_a_folder(tmp_path: Path) -> None:
    write(tmp_path, {".gitignore": "site/\n", "site/index.html": "<p>Hi"})
    commit(tmp_path)
    source = files.find(tmp_path / "site")
    assert ([file.name for file in source.files], source.commit) == (["index.html"], None)


def test_a_link_that_took_the_place_of_a_folder_in_a_checkout_is_not_followed(tmp_path: Path) -> None:
    outside = write(tmp_path / "outside", {"a.md": "secret"})
    inside = write(tmp_path / "inside", {"docs/a.md": "A", "b.md": "B"})
    commit(inside)
    (inside / "docs/a.md").unlink()
    (inside / "docs").rmdir()
    (inside / "docs").symlink_to(outside)
    source = files.find(inside)
    assert [file.name for file in source.files] == ["b.md"]
    assert source.skipped["symbolic link"] > 0


def test_submodules_and_checkouts_within_are_left_out(tmp_path: Path) -> None:
    inner = write(tmp_path / "inner", {"i.md": "I"})
    commit(inner)
    outer = write(tmp_path / "outer", {"o.md": "O"})
    commit(outer)
    git(outer, "-c", "protocol.file.allow=always", "submodule", "add", "--quiet", str(inner), "module")
    write(outer / "nested", {"n.md": "N"})
    commit(outer / "nested")
    assert names(outer) == ["o.md"]


def test_a_hook_of_git_may_sync_another_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = write(tmp_path / "one", {"a.md": "A"}), write(tmp_path / "other", {"b.md": "B"})
    commit(one)
    commit(other)
    monkeypatch.setenv("GIT_DIR", str(one / ".git"))
    assert names(other) == ["b.md"]


def test_a_file_that_is_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MAX_BYTES", 1_000_000)
    write(tmp_path, {"large.txt": "a" * 1_000_001})
    with pytest.raises(ValueError, match="more than 1 MB"):
        files.read(tmp_path / "large.txt")
