"""The exception for problems that the operator of agentdata has to fix."""


class SetupError(Exception):
    """Something outside of the program is wrong; the message names it and says how to fix it.

    Commands print the message as one line, without a traceback, and exit with 1. A message never holds a
    password.
    """
