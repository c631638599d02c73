"""The command `agentdata`. Each command calls the library and prints what it gives.

Commands import what they need when they run, so that the first output comes at once.
"""

import sys

from agentdata.errors import AgentDataError
from agentdata.setup_error import SetupError


def main() -> None:
    """Run the command; what the user has to mend is one line on stderr, and a failure."""
    from agentdata.cli.app import app

    try:
        app()
    except (SetupError, AgentDataError) as error:
        print(f"agentdata: {error}", file=sys.stderr)
        sys.exit(1)
