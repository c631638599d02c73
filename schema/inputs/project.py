"""What clients say of their project."""

from __future__ import annotations

from schema.declarations import input_type, optional


@input_type
class UpdateProjectInput:
    """The changes to the project. What is left out stays as it is."""

    name: str | None = optional("What it is called; at most 255 characters.")
    slug: str | None = optional(
        "Its name in commands and addresses, unique over all projects: a-z, 0-9 and single hyphens"
        " between them; at most 63 characters."
    )
