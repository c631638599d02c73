"""The user or agent who did something."""

from __future__ import annotations

from typing import Annotated

import strawberry

from schema.types.agent import Agent
from schema.types.user import User

Actor = Annotated[User | Agent, strawberry.union("Actor", description="The user or agent who did something.")]
