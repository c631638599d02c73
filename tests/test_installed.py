"""agentdata as `pip install` leaves it: beside a library that has the name of one of its packages."""

import json
import os
import signal
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from tests.test_cli import answer, key_file, new_environment, serving

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]

LIBRARY = "schema==0.7.8 --hash=sha256:00bd977fadc7d9521bf289850cd8a8aa5f4948f575476b8daaa5c1b57af2dce1"
"""A library whose only file is `schema/__init__.py`. The locks leave it out: it would hide the checkout's."""

PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]

VALIDATE = """
import schema
assert schema.Schema({"port": int}).validate({"port": 1}) == {"port": 1}
try:
    schema.Schema(int).validate("x")
except schema.SchemaError:
    print("refused")
"""


class Installation:
    """A virtual environment for the wheel, with the libraries of the environment that the tests run in."""

    def __init__(self, folder: Path) -> None:
        """Make the environment, where nothing is installed yet."""
        self.folder = folder / "venv"
        # A folder that a path file names has its own path files ignored, so the editable install is not seen.
        venv.create(self.folder)
        paths = {"base": str(self.folder), "platbase": str(self.folder)}
        self.packages = Path(sysconfig.get_path("purelib", "venv", paths))
        (self.packages / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")

    def names(self) -> set[str]:
        """Return the names in site-packages."""
        return {path.name for path in self.packages.iterdir()}

    def pip(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        """Run pip on the environment."""
        return run(*PIP, "--python", self.folder / "bin/python", *arguments)

    def python(self, program: str) -> str:
        """Run a program that has nothing to do with agentdata, and return its output."""
        done = run(self.folder / "bin/python", "-c", program, cwd=self.folder)
        assert done.returncode == 0, done.stderr
        return done.stdout


def run(
    *command: object, cwd: Path = ROOT, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    words = [str(word) for word in command]
    return subprocess.run(words, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=60)  # noqa: S603 commands of ours


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    done = run(*PIP, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, ROOT)
    assert done.returncode == 0, done.stderr
    [wheel] = folder.iterdir()
    return wheel


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    """Make an environment that has PyPI's library `schema`."""
    installation = Installation(tmp_path)
    requirement = tmp_path / "requirement.txt"
    requirement.write_text(LIBRARY)
    done = installation.pip("install", "--no-deps", "--retries", "1", "--timeout", "5", "-r", requirement)
    if done.returncode != 0 and "No matching distribution" in done.stderr and "CI" not in os.environ:
        pytest.skip("no package registry can be reached, which has the library `schema`")
    assert done.returncode == 0, done.stderr
    return installation


def test_a_library_of_the_same_name_and_agentdata_work_side_by_side(
    wheel: Path, installation: Installation
) -> None:
    before = installation.names()
    done = installation.pip("install", "--no-deps", wheel)
    assert (done.returncode, done.stderr) == (0, "")
    assert installation.names() - before == {
        "agentdata",
        wheel.name.replace("-py3-none-any.whl", ".dist-info"),
    }

    with new_environment() as environment:
        command = str(installation.folder / "bin/agentdata")
        module = [installation.folder / "bin/python", "-m", "agentdata"]
        printed = run(*module, "schema", "print", cwd=installation.folder, env=environment)
        assert printed.stdout == (ROOT / "schema.graphql").read_text(), printed.stderr
        upgraded = run(command, "db", "upgrade", cwd=installation.folder, env=environment)
        assert upgraded.stdout.endswith(" (head)\n"), upgraded.stderr
        with serving(environment | {"AGENTDATA_WORKERS": "2"}, [command]) as server:
            key = key_file(environment).read_text().strip()
            written = answer(server, key, 'mutation { createUser(input: {name: "Ann"}) { name } }')
            assert written.json() == {"data": {"createUser": {"name": "Ann"}}}
            read = answer(server, key, "{ users { nodes { name } } }")
            assert read.json() == {"data": {"users": {"nodes": [{"name": "Ann"}]}}}
            assert installation.python(VALIDATE) == "refused\n"
            assert server.end(signal.SIGTERM) == 0

    assert (
        installation.python(f"import agentdata, agentdata.cli, agentdata.errors\n{VALIDATE}") == "refused\n"
    )
    assert installation.python(f"{VALIDATE}\nimport agentdata, agentdata.cli") == "refused\n"
    found = installation.python(
        "import agentdata, importlib.util as util, json;"
        'print(json.dumps([agentdata.__file__, *(util.find_spec(name) for name in ("models", "resolvers"))]))'
    )
    assert json.loads(found) == [str(installation.packages / "agentdata/__init__.py"), None, None]


def test_uninstalling_leaves_the_library_and_nothing_else(wheel: Path, installation: Installation) -> None:
    before = {path for path in installation.packages.rglob("*") if path.suffix != ".pyc"}
    assert installation.pip("install", "--no-deps", wheel).returncode == 0
    with new_environment() as environment:
        assert run(installation.folder / "bin/agentdata", "schema", "print", env=environment).returncode == 0
    done = installation.pip("uninstall", "--yes", "agentdata")
    assert done.returncode == 0, done.stderr
    assert {path for path in installation.packages.rglob("*") if path.suffix != ".pyc"} == before
    assert installation.python(VALIDATE) == "refused\n"
