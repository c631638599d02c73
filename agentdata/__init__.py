"""One GraphQL API over everything AI agents are, do, say and remember."""

__version__ = "0.1.0"
