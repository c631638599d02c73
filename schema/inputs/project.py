"""Inputs of the project."""

from __future__ import annotations

from schema.declarations import input_type, optional


@input_type
class UpdateProjectInput:
    """The changes to the project. Fields that are left out stay as they are."""

    name: str | None = optional("The name of the project; at most 255 characters.")
    slug: str | None = optional(
        "The name of the project in commands and addresses, unique among all projects: a-z, 0-9 and single"
        " hyphens between them; at most 63 characters."
    )
