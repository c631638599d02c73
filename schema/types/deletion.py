"""The result of a deletion."""

from __future__ import annotations

import strawberry

from schema.declarations import object_type


@object_type
class Deletion:
    """The result of a deletion."""

    ids: list[strawberry.ID] = strawberry.field(
        description="The id that was given and, for a session, the ids of the sessions that were deleted"
        " with it; for documents named by external ids, the ids of those found; for vectors, the ids of the"
        " memories or messages that they were of."
    )
