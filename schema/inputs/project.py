"""What clients say of their project."""

from __future__ import annotations

import strawberry
from strawberry import UNSET


@strawberry.input(description="The changes to the project. What is left out stays as it is.")
class UpdateProjectInput:
    """The changes to the project. What is left out stays as it is."""

    name: str | None = strawberry.field(
        default=UNSET, description="What it is called; at most 255 characters."
    )
    slug: str | None = strawberry.field(
        default=UNSET,
        description=(
            "Its name in commands and addresses, unique over all projects: a-z, 0-9 and single hyphens"
            " between them; at most 63 characters."
        ),
    )
