"""Inputs of the project."""

from __future__ import annotations

from schema.declarations import input_type, optional


@input_type
class UpdateProjectInput:
    """The changes to the project. Fields that are left out stay as they are."""

    name: str | None = optional("The name of the project; at most 255 characters.")
    slug: str | None = optional(
        "The name of the project in commands. It may only repeat the present one: another is FORBIDDEN.",
        deprecated="Only the operator changes it, by the command `agentdata projects rename`.",
    )
