"""Finds the files below a path: in a git checkout those that git does not ignore, elsewhere all of them.

Symbolic links are never followed, so nothing outside of the path is read.
"""

from __future__ import annotations

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


def find(
    path: Path, *, include: Sequence[str] = (), exclude: Sequence[str] = (), ignored: bool = True
) -> Source:
    """Find the files of a folder, a git checkout or a single file.

    ``include`` and ``exclude`` are patterns as in a ``.gitignore`` file. Without ``include``, all files
    count. Unless ``ignored``, a path that git ignores is refused.

    Raises:
        BadUserInputError: The path or a folder below it cannot be read, is ignored, or git fails.

    """
    root = Path(os.path.realpath(path))
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
        checkout = _checkout(folder, root, ignored=ignored)
        candidates = _walk(root, source.skipped) if checkout is None else checkout.candidates(source)
        wanted = _wanted(candidates, include, exclude, source.skipped, single=root.name if single else None)
        source.files = sorted(
            (File(folder / name, name, blob) for name, blob in wanted if _is_regular(folder, name, source)),
            key=lambda file: file.name,
        )
    except OSError as error:
        raise BadUserInputError(f"cannot read {error.filename}: {error.strerror}", field="path") from None
    return source


def read(path: Path) -> bytes:
    """Return the content of a file, without following a link that has taken its place.

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
    """Open a file that may be replaced by a link or a pipe at any time; neither is waited for."""
    return os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))


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
        address = _git(self.folder, "config", "--get", "remote.origin.url", fails=True).strip()
        if address:
            place = "/".join(part for part in (self.below, self.only) if part not in ("", "."))
            source.identity = _address(address) + (f"#{place}" if place else "")
        head = _git(self.folder, "rev-parse", "--verify", "HEAD", fails=True).strip()
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


def _checkout(folder: Path, root: Path, *, ignored: bool) -> _Checkout | None:
    """Return the git checkout that a path belongs to; None if there is none, or it ignores the path.

    Raises:
        BadUserInputError: Git fails; or it ignores the path, and ``ignored`` does not allow that.

    """
    if not any((parent / ".git").exists() for parent in (folder, *folder.parents)):
        return None
    top = Path(os.path.realpath(_git(folder, "rev-parse", "--show-toplevel").rstrip("\n")))
    if not folder.is_relative_to(top):
        raise BadUserInputError(f"the git checkout of {folder} has its files elsewhere", field="path")
    if root != top and _git(folder, "check-ignore", "--no-index", "--", str(root), fails=True):
        if not ignored:
            raise BadUserInputError("path must not lead to what git ignores", field="path")
        return None
    only = "." if root == folder else root.name
    below = folder.relative_to(top).as_posix()
    return _Checkout(folder, "" if below == "." else below, only)


def _address(remote: str) -> str:
    """Return the address of a repository without the credentials that it may contain."""
    scheme, separator, rest = remote.rpartition("://")
    if not separator:
        # As in `git@example.com:handbook.git`; a path has no `@` before its first slash.
        return re.sub(r"^[^/]*@", "", remote)
    rest = re.split(r"[?#]", rest, maxsplit=1)[0]
    host, slash, path = rest.partition("/")
    if re.search(r":(?!\d*$)", host.rpartition("@")[2]) and "@" in path:
        # A password with a slash in it, which should have been escaped.
        host, slash, path = rest.rpartition("@")[2].partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"


def _git(folder: Path, *arguments: str, fails: bool = False) -> str:
    """Run git, and return its output; ``fails`` returns an empty text if it fails.

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
        raise BadUserInputError(f"git takes longer than {_GIT_SECONDS} s in {folder}", field="path") from None
    except FileNotFoundError:
        raise BadUserInputError(
            f"{folder} is in a git checkout, but git is not installed: install it", field="path"
        ) from None
    if done.returncode and not fails:
        reason = os.fsdecode(done.stderr).strip().partition("\n")[0]
        raise BadUserInputError(f"git fails in {folder}: {reason}", field="path")
    return "" if done.returncode else os.fsdecode(done.stdout)
