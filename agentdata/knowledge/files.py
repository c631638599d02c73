"""Finds the files below a path: in a git checkout those that git does not ignore, elsewhere all of them.

Symbolic links are never followed, so nothing outside of the path is read.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
import subprocess
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

from pathspec import GitIgnoreSpec

from agentdata.errors import BadUserInputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

MAX_BYTES = 20_000_000
"""The size of the largest file that is read; a larger one is reported as a document that failed."""

HIDDEN, EXCLUDED, LINK, SPECIAL, WITHIN = (
    "hidden",
    "excluded",
    "symbolic link",
    "not a regular file",
    "submodule or checkout within",
)
"""Why a file was skipped before it was opened."""

_PATH_ONLY: int = getattr(os, "O_PATH", os.O_RDONLY)
_SUBMODULE = "160000"
_ALGORITHMS = {40: "sha1", 64: "sha256"}
"""How git hashes, by the number of digits of a hash."""
_STAGED = re.compile(r"(?P<mode>\d+) (?P<blob>[0-9a-f]+) (?P<stage>\d)\t(?P<name>.+)", re.DOTALL)

_GIT_SECONDS = 60
"""How long a command of git may take; it waits for ever to read a pipe named `.gitignore`."""

_HARMLESS = (
    "core.fsmonitor=false",
    f"core.hooksPath={os.devnull}",
    # A bare repository below the checkout could have a configuration of its own.
    "safe.bareRepository=explicit",
)
"""Settings that keep git from running programs which a checkout's own configuration names.

Commands that look into files, such as `git status`, are not run at all: they run the filters of a checkout.
"""

_ALONE = {
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    # A checkout that lacks objects would fetch them.
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "none",
    "LC_ALL": "C",
}


class File(NamedTuple):
    """A file to read."""

    path: Path
    name: str
    """Its path below that of the source, with slashes."""
    blob: str | None
    """The hash of the content in git's index; None if the file is not in it."""

    def is_committed(self, data: bytes) -> bool:
        """Return whether a content is that of git's index."""
        return self.blob is not None and self.blob == git_hash(data, _ALGORITHMS[len(self.blob)])


@dataclass
class Source:
    """The files of a path."""

    identity: str
    """The path or, for a git checkout with a remote, its address: the same wherever the checkout is."""
    files: list[File] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    """The numbers of files that were skipped, by reason."""
    commit: str | None = None
    """The commit of a git checkout, as far as git's index tells: the contents of files may differ from it."""


class _GitError(BadUserInputError):
    """Git fails for a checkout; the message says why, as far as the owner of the machine may know."""


def find(
    path: Path, *, include: Sequence[str] = (), exclude: Sequence[str] = (), within: Path | None = None
) -> Source:
    """Find the files of a folder, a git checkout or a single file.

    ``include`` and ``exclude`` are patterns as in a ``.gitignore`` file. Without ``include``, all files
    count. ``within`` is the only folder that may be read, without what is hidden or ignored by git.

    Raises:
        BadUserInputError: The path or a folder below it cannot be read, or git fails; or the path leads out
            of ``within``, also by links, or to what is hidden or ignored there.

    """
    root = Path(os.path.realpath(path))
    within = None if within is None else Path(os.path.realpath(within))
    if within is not None:
        _check_within(root, within)
    try:
        mode = root.stat().st_mode
        single = not stat.S_ISDIR(mode)
        if single and not stat.S_ISREG(mode):
            raise BadUserInputError(f"cannot read {path}: it is neither a file nor a folder", field="path")
        if single:
            os.close(_open(root))
    except OSError as error:
        raise BadUserInputError(f"cannot read {path}: {error.strerror}", field="path") from None
    folder = root.parent if single else root
    source = Source(str(root))
    try:
        checkout = _checkout(folder, root, within)
        candidates = _walk(root, source.skipped) if checkout is None else checkout.candidates(source)
        wanted = _wanted(candidates, include, exclude, source.skipped, single=root.name if single else None)
        source.files = sorted(
            (File(folder / name, name, blob) for name, blob in wanted if _is_regular(folder, name, source)),
            key=lambda file: file.name,
        )
    except OSError as error:
        raise BadUserInputError(f"cannot read {error.filename}: {error.strerror}", field="path") from None
    except _GitError:
        if within is None:
            raise
        raise BadUserInputError("the git checkout of the path cannot be read", field="path") from None
    return source


def _check_within(root: Path, within: Path) -> None:
    """Refuse a path that leads out of a folder, or to what is hidden in it.

    Raises:
        BadUserInputError: The path is not within the folder, or hidden.

    """
    if not root.is_relative_to(within):
        raise BadUserInputError(f"path must be within {within}", field="path")
    if any(part.startswith(".") for part in root.relative_to(within).parts):
        raise BadUserInputError("path must not lead to a hidden file or folder", field="path")


def read(path: Path) -> bytes:
    """Return the content of a file, without following a link on its path.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is larger than ``MAX_BYTES``.

    """
    with os.fdopen(_open(path), "rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise ValueError(
            f"has more than {MAX_BYTES // 1_000_000} MB; split it into several files, or leave it out with"
            " --exclude"
        )
    return data


def git_hash(data: bytes, algorithm: str = "sha1") -> str:
    """Return git's hash of a content."""
    return hashlib.new(algorithm, b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def _open(path: Path) -> int:
    """Open a regular file, although links or pipes may take its place, or that of a folder, at any time.

    Raises:
        OSError: It cannot be opened, is no regular file, or a link is on its path.

    """
    no_link, only_files = getattr(os, "O_NOFOLLOW", 0), getattr(os, "O_NONBLOCK", 0)
    if os.open not in os.supports_dir_fd:
        return os.open(path, os.O_RDONLY)
    folder = os.open(path.anchor, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for part in path.parts[1:-1]:
            below = os.open(part, _PATH_ONLY | os.O_DIRECTORY | no_link, dir_fd=folder)
            os.close(folder)
            folder = below
        descriptor = os.open(path.name, os.O_RDONLY | no_link | only_files, dir_fd=folder)
    finally:
        os.close(folder)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, SPECIAL, str(path))
    return descriptor


def _wanted(
    candidates: Iterable[tuple[str, str | None]],
    include: Sequence[str],
    exclude: Sequence[str],
    skipped: Counter[str],
    *,
    single: str | None,
) -> Iterator[tuple[str, str | None]]:
    """Yield the files that are neither hidden nor excluded; a single file that the user names is wanted."""
    included, excluded = _patterns("include", include), _patterns("exclude", exclude)
    for name, blob in candidates:
        if single is not None:
            if name == single:
                yield name, blob
        elif any(part.startswith(".") for part in PurePosixPath(name).parts):
            skipped[HIDDEN] += 1
        elif (include and not included.match_file(name)) or excluded.match_file(name):
            skipped[EXCLUDED] += 1
        else:
            yield name, blob


def _patterns(option: str, patterns: Sequence[str]) -> GitIgnoreSpec:
    try:
        return GitIgnoreSpec.from_lines(patterns)
    except ValueError as error:
        raise BadUserInputError(f"{option} has a pattern that is not valid: {error}", field=option) from None


def _is_regular(folder: Path, name: str, source: Source) -> bool:
    """Return whether a file is there and is a regular one, on a path without links; count the others."""
    path = folder / name
    # A forged index of git may have any name.
    if not path.is_relative_to(folder) or ".." in path.parts:
        source.skipped[LINK] += 1
        return False
    try:
        mode = path.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        # Git still knows a file that is deleted but not committed.
        source.commit = None
        return False
    if stat.S_ISLNK(mode) or os.path.realpath(path.parent) != str(path.parent):
        source.skipped[LINK] += 1
        return False
    if not stat.S_ISREG(mode):
        source.skipped[SPECIAL] += 1
        return False
    return True


def _walk(root: Path, skipped: Counter[str]) -> Iterator[tuple[str, None]]:
    """Yield the names of all files below a folder."""
    if not root.is_dir():
        yield root.name, None
        return

    def fail(error: OSError) -> None:
        # Otherwise the documents of a folder that cannot be read would count as gone.
        raise error

    for folder, folders, names in os.walk(root, onerror=fail):
        below = Path(folder).relative_to(root)
        skipped.update(HIDDEN for name in folders if name[0] == ".")
        folders[:] = [name for name in folders if name[0] != "."]
        # The walk does not follow those.
        skipped.update(LINK for name in folders if Path(folder, name).is_symlink())
        for name in names:
            yield (below / name).as_posix(), None


@dataclass(frozen=True)
class _Checkout:
    """A git checkout, or the part of one below a path."""

    folder: Path
    below: str
    """The path of the folder in the checkout, or an empty text."""
    only: str
    """The files to list: `.` or the name of one."""

    def candidates(self, source: Source) -> Iterator[tuple[str, str | None]]:
        """Yield the files that git does not ignore; describe the checkout in ``source``."""
        own = ("config", "--local", "--no-includes", "--get", "remote.origin.url")
        address = _git(self.folder, *own, may_fail=True).strip()
        if address:
            place = "/".join(part for part in (self.below, self.only) if part not in ("", "."))
            source.identity = _address(address) + (f"#{place}" if place else "")
        head = _git(self.folder, "rev-parse", "--quiet", "--verify", "HEAD", may_fail=True).strip()
        if head and not self._list("diff-index", "--cached", "--name-only", head):
            source.commit = head
        names: dict[str, str | None] = {}
        for line in self._list("ls-files", "--stage"):
            entry = _STAGED.fullmatch(line)
            if entry is None:
                continue
            if entry["mode"] == _SUBMODULE:
                source.skipped[WITHIN] += 1
            else:
                names[entry["name"]] = entry["blob"] if entry["stage"] == "0" else None
        for name in self._list("ls-files", "--others", "--exclude-standard"):
            # Git lists a checkout within the checkout as a folder.
            if name.endswith("/"):
                source.skipped[WITHIN] += 1
            else:
                names[name] = None
        yield from names.items()

    def _list(self, command: str, *arguments: str) -> list[str]:
        # Without this option, a name such as `:a` would be a pattern.
        listed = _git(self.folder, "--literal-pathspecs", command, "-z", *arguments, "--", self.only)
        return [each for each in listed.split("\0") if each]


def _checkout(folder: Path, root: Path, within: Path | None) -> _Checkout | None:
    """Return the git checkout that a path belongs to; None if there is none, or it ignores the path.

    Raises:
        BadUserInputError: Git fails; or ``within`` is the only folder that may be read, and git ignores the
            path, or the checkout leads out of the folder.

    """
    if not any((parent / ".git").exists() for parent in (folder, *folder.parents)):
        return None
    top = Path(os.path.realpath(_git(folder, "rev-parse", "--show-toplevel").rstrip("\n")))
    if not folder.is_relative_to(top):
        raise _GitError(f"the git checkout of {folder} has its files elsewhere", field="path")
    if within is not None:
        for kind in ("--absolute-git-dir", "--git-common-dir"):
            place = Path(os.path.realpath(folder / _git(folder, "rev-parse", kind).rstrip("\n")))
            if not (place.is_relative_to(within) or place.is_relative_to(top)):
                raise _GitError(f"the git checkout of {folder} is kept elsewhere", field="path")
    if root != top and _git(folder, "check-ignore", "--no-index", "--", str(root), may_fail=True):
        if within is not None:
            raise BadUserInputError("path must not lead to what git ignores", field="path")
        return None
    only = "." if root == folder else root.name
    below = folder.relative_to(top).as_posix()
    return _Checkout(folder, "" if below == "." else below, only)


def _address(remote: str) -> str:
    """Return the address of a repository without the credentials that it may contain, however they look."""
    scheme, separator, rest = remote.rpartition("://")
    is_path = not separator and (":" not in rest or rest.startswith(("/", ".")))
    if not is_path:
        # As in `https://ann:secret@example.com/a.git` or `git@example.com:a.git`. A `@` behind the host is
        # rarer than one in a password.
        rest = re.split("[?#]", rest.rpartition("@")[2], maxsplit=1)[0]
    return f"{scheme}{separator}{rest}"


def _git(folder: Path, *arguments: str, may_fail: bool = False) -> str:
    """Run git, and return its output; if it ``may_fail``, as if it finds nothing, an empty text.

    Raises:
        BadUserInputError: Git is not installed, fails, or takes too long.

    """
    # A hook of git, which may run this command, sets variables that would lead git elsewhere.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    settings = [part for setting in _HARMLESS for part in ("-c", setting)]
    line = ["git", "-C", str(folder), *settings, *arguments]
    try:
        done = subprocess.run(  # noqa: S603 no shell
            line, env=environment | _ALONE, capture_output=True, check=False, timeout=_GIT_SECONDS
        )
    except subprocess.TimeoutExpired:
        raise _GitError(f"git takes longer than {_GIT_SECONDS} s in {folder}", field="path") from None
    except FileNotFoundError:
        raise BadUserInputError(
            f"{folder} is in a git checkout, but git is not installed: install it", field="path"
        ) from None
    if done.returncode > may_fail:
        reason = os.fsdecode(done.stderr).strip().partition("\n")[0]
        raise _GitError(f"git fails in {folder}: {reason}", field="path")
    return "" if done.returncode else os.fsdecode(done.stdout)
