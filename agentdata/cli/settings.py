"""The settings of commands."""

from typing import TYPE_CHECKING

from agentdata.cli.importing import importing

if TYPE_CHECKING:
    from agentdata.settings import Settings


def load_settings() -> "Settings":
    """Read the settings as `agentdata.settings.load_settings` does, which takes long to import."""
    with importing():
        from agentdata import settings

    return settings.load_settings()
