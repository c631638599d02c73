"""Which files a sync reads: below the path, not hidden, not ignored by git, and never by a link."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from agentdata.errors import BadUserInputError
from agentdata.knowledge import files
from tests.knowledge.checkouts import commit, git, write


def names(path: Path, **options: Any) -> list[str]:
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
        ("a.md", False),
        ("docs/d.md", False),
        ("docs/new.md", True),
    ]
    assert [file.is_committed(files.read(file.path)) for file in changed.files] == [False, True, False]
    git(tmp_path, "add", "a.md")
    assert files.find(tmp_path).commit is None
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
    source = files.find(outer)
    assert [file.name for file in source.files] == ["o.md"]
    assert source.skipped["submodule or checkout within"] == 2


@pytest.mark.parametrize(
    ("remote", "identity"),
    [
        ("https://example.com/a.git", "https://example.com/a.git"),
        ("https://ann:secret@example.com:8443/a.git", "https://example.com:8443/a.git"),
        ("https://ann:se@cret@example.com/a.git", "https://example.com/a.git"),
        ("https://ann:sec/ret@example.com/a.git", "https://example.com/a.git"),
        ("https://ann:sec#ret@example.com/a.git", "https://example.com/a.git"),
        ("https://ann:sec?ret@example.com/a.git", "https://example.com/a.git"),
        ("https://ann:12/3@example.com/a.git", "https://example.com/a.git"),
        ("ann:sec/ret@example.com:a.git", "example.com:a.git"),
        ("example.com:a.git?token=secret", "example.com:a.git"),
        ("https://example.com/a.git?token=secret#secret", "https://example.com/a.git"),
        ("ssh://git:secret@example.com:22/a.git", "ssh://example.com:22/a.git"),
        ("git@example.com:team/a.git", "example.com:team/a.git"),
        ("ann:secret@example.com:a.git", "example.com:a.git"),
        ("../a@b.git", "../a@b.git"),
        ("/srv/a@b.git", "/srv/a@b.git"),
    ],
)
def test_the_address_of_a_checkout_has_no_credentials(tmp_path: Path, remote: str, identity: str) -> None:
    write(tmp_path, {"a.md": "A"})
    commit(tmp_path)
    git(tmp_path, "remote", "add", "origin", remote)
    assert files.find(tmp_path).identity == identity


@pytest.mark.parametrize("name", ["clean", "process"])
@pytest.mark.parametrize("attributes", [".gitattributes", ".git/info/attributes"])
def test_no_filter_of_a_checkout_is_run(tmp_path: Path, name: str, attributes: str) -> None:
    checkout = write(tmp_path / "checkout", {"a.md": "A"})
    commit(checkout)
    write(checkout, {attributes: "*.md filter=evil\n", "a.md": "B"})
    git(checkout, "config", f"filter.evil.{name}", f"touch {tmp_path / 'ran'}; cat")
    # The trap works.
    git(checkout, "status", "--porcelain")
    assert (tmp_path / "ran").exists()
    (tmp_path / "ran").unlink()
    (checkout / "a.md").write_text("C")
    assert names(checkout) == ["a.md"]
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "setting", ["core.fsmonitor", "core.hooksPath", "core.sshCommand", "core.gitProxy", "diff.external"]
)
def test_no_program_of_a_checkout_s_configuration_is_run(tmp_path: Path, setting: str) -> None:
    checkout = write(tmp_path / "checkout", {"a.md": "A"})
    commit(checkout)
    trap = tmp_path / "trap" / "post-index-change"
    write(trap.parent, {trap.name: f"#!/bin/sh\ntouch {tmp_path / 'ran'}\n"})
    trap.chmod(0o755)
    git(checkout, "config", setting, str(trap.parent if setting == "core.hooksPath" else trap))
    (checkout / "a.md").write_text("B")
    assert names(checkout) == ["a.md"]
    assert not (tmp_path / "ran").exists()


def test_a_bare_repository_within_is_no_checkout(tmp_path: Path) -> None:
    outer = write(tmp_path / "outer", {"docs/a.md": "A"})
    commit(outer)
    git(outer, "init", "--quiet", "--bare", "docs")
    config = {
        "core.fsmonitor": f"touch {tmp_path / 'ran'}",
        "core.worktree": str(outer / "docs"),
        "core.bare": "false",
    }
    for name, value in config.items():
        git(tmp_path, "config", "--file", str(outer / "docs/config"), name, value)
    for place in (outer / "docs", outer / "docs/a.md"):
        with pytest.raises(BadUserInputError, match="bare repository"):
            files.find(place)
    assert not (tmp_path / "ran").exists()


def test_a_checkout_with_its_files_elsewhere_is_refused(tmp_path: Path) -> None:
    write(tmp_path, {"secret/key.txt": "secret", "inside/a.md": "A"})
    inside = tmp_path / "inside"
    commit(inside)
    git(inside, "config", "core.worktree", str(tmp_path / "secret"))
    with pytest.raises(BadUserInputError, match="has its files elsewhere"):
        files.find(inside)


def test_git_that_waits_for_ever_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_GIT_SECONDS", 1)
    write(tmp_path, {"a.md": "A"})
    commit(tmp_path)
    os.mkfifo(tmp_path / ".git/info/exclude.pipe")
    (tmp_path / ".git/info/exclude").unlink()
    (tmp_path / ".git/info/exclude.pipe").rename(tmp_path / ".git/info/exclude")
    with pytest.raises(BadUserInputError, match="git takes longer than 1 s"):
        files.find(tmp_path)


def test_a_path_that_is_neither_a_file_nor_a_folder_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(BadUserInputError, match="it is neither a file nor a folder"):
            files.find(path)


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


@pytest.mark.parametrize("forged", ["absolute", "above"])
def test_a_forged_index_leads_nowhere(tmp_path: Path, forged: str) -> None:
    secret = write(tmp_path, {"secret.md": "secret"}) / "secret.md"
    name = str(secret) if forged == "absolute" else "../secret.md"
    stand_in = "x" * len(name) if forged == "above" else f"x{name[1:]}"
    checkout = write(tmp_path / "checkout", {"a.md": "A", stand_in: "A"})
    commit(checkout)
    index = checkout / ".git/index"
    data = index.read_bytes()[:-20].replace(stand_in.encode(), name.encode())
    index.write_bytes(data + hashlib.sha1(data, usedforsecurity=False).digest())
    assert name in git(checkout, "ls-files")
    source = files.find(checkout, within=checkout)
    assert "a.md" in [file.name for file in source.files]
    assert all(file.path.resolve().is_relative_to(checkout) for file in source.files)


def test_a_folder_that_becomes_a_link_meanwhile_is_not_followed(tmp_path: Path) -> None:
    outside = write(tmp_path / "outside", {"a.md": "secret"})
    [file] = files.find(write(tmp_path / "inside", {"docs/a.md": "A"})).files
    assert files.read(file.path) == b"A"
    shutil.rmtree(tmp_path / "inside/docs")
    (tmp_path / "inside/docs").symlink_to(outside)
    with pytest.raises(NotADirectoryError):
        files.read(file.path)
    with pytest.raises(OSError, match="not a regular file"):
        files.read(outside)


def test_a_checkout_of_a_client_is_kept_within_the_folder(tmp_path: Path) -> None:
    inside = write(tmp_path / "inside", {"a.md": "A"})
    commit(inside)
    assert [file.name for file in files.find(inside, within=inside).files] == ["a.md"]
    git(inside, "remote", "add", "origin", "https://example.com/private.git")
    (inside / ".git").rename(tmp_path / "outside")
    (inside / ".git").write_text(f"gitdir: {tmp_path / 'outside'}\n")
    assert files.find(inside).identity == "https://example.com/private.git"
    with pytest.raises(BadUserInputError, match=r"^the git checkout of the path cannot be read$"):
        files.find(inside, within=inside)


def test_the_configuration_of_a_checkout_tells_nothing_of_other_files(tmp_path: Path) -> None:
    other = write(tmp_path / "other", {"b.md": "[secret"})
    commit(other)
    git(other, "remote", "add", "origin", "https://example.com/private.git")
    checkout = write(tmp_path / "checkout", {"a.md": "A"})
    commit(checkout)
    config = checkout / ".git/config"
    before = config.read_text()
    config.write_text(f"{before}[include]\n\tpath = {other / '.git/config'}\n")
    assert files.find(checkout, within=checkout).identity == str(checkout)
    config.write_text(f"{before}[include]\n\tpath = {other / 'b.md'}\n")
    with pytest.raises(BadUserInputError, match=r"^the git checkout of the path cannot be read$"):
        files.find(checkout, within=checkout)


def test_a_path_of_a_client_is_not_read_if_git_cannot_say_whether_it_is_ignored(tmp_path: Path) -> None:
    checkout = write(tmp_path, {"a.md": "A", "build/b.md": "B", ".gitignore": "build/\n"})
    commit(checkout)
    (checkout / ".git/index").write_bytes(b"garbage")
    for place in (checkout, checkout / "build"):
        with pytest.raises(BadUserInputError):
            files.find(place, within=checkout)
