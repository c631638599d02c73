"""The one exception for what the person who runs agentdata has to mend."""


class SetupError(Exception):
    """Something outside the program is wrong; the message names it and says how to mend it.

    Commands print the message as one line and end with a failure, without a traceback. A message never
    holds a password.
    """
