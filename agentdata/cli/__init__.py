"""The command `agentdata`. Each command calls the library and prints its result.

Commands import what they need when they run, so that the first output comes at once.
"""

import sys
from pathlib import Path

from agentdata.cli.importing import importing
from agentdata.cli.printing import printable
from agentdata.errors import AgentDataError
from agentdata.setup_error import SetupError


def main() -> None:
    """Run the command; an error that the user can mend becomes one line on stderr and the exit status 1."""
    _find_own_packages()
    with importing():
        from agentdata.cli.app import app

    try:
        app()
    except (SetupError, AgentDataError) as error:
        # The lines of an error are ours; the names and values in it are not.
        print("agentdata: " + "\n".join(map(printable, str(error).split("\n"))), file=sys.stderr)
        sys.exit(1)


def _find_own_packages() -> None:
    """Make `models`, `resolvers` and `schema` importable in this process and its forks.

    An installed agentdata carries them in a folder of its own, because other libraries have the same names.
    Only this process looks there first: any other program still imports those libraries. A checkout has no
    such folder, and Python ignores a path that does not exist.
    """
    sys.path.insert(0, str(Path(__file__).parents[1] / "packages"))
