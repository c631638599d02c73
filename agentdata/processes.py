"""The processes that serve together."""

MOST_WORKERS = 64
"""How many server processes may share a port; the others, such as a worker, come on top."""
