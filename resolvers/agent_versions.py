"""What versions of agents know of others."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from agentdata.execution.links import Link
from agentdata.execution.reader import Reader
from models import Agent, AgentVersion, User


async def creators(reader: Reader, versions: list[AgentVersion]) -> Sequence[User | Agent | None]:
    """Give the user or agent who made each version."""

    async def creator(version: AgentVersion) -> User | Agent | None:
        for model, id_ in ((User, version.created_by_user_id), (Agent, version.created_by_agent_id)):
            if id_ is not None:
                return await reader.load((model, "id"), Link(model), id_)  # type: ignore[no-any-return]  # of the model
        return None

    return await asyncio.gather(*map(creator, versions))
