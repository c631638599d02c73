"""What a deletion leaves to say."""

from __future__ import annotations

import strawberry

from schema.declarations import object_type


@object_type
class Deletion:
    """What was deleted."""

    ids: list[strawberry.ID] = strawberry.field(
        description="The id that was given; for a session also those of the sessions deleted with it."
    )
