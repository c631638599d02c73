"""Updating the project, and revoking its keys, by the API."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.api import Api

UPDATE = "mutation($input: UpdateProjectInput!) { updateProject(input: $input) { name slug } }"


async def test_the_slug_of_another_project_conflicts(api: Api, other: Api) -> None:
    slug = (await other.ask("{ project { slug } }"))["project"]["slug"]
    error = await api.error(UPDATE, input={"slug": slug})
    assert error["extensions"] == {"code": "CONFLICT", "field": "slug"}
    assert error["message"] == "another project has the same slug"


@pytest.mark.parametrize("slug", ["A", "a b", "-a", "a-", "a--b", "ä", "a_b", "a" * 64, ""])
async def test_invalid_slugs_are_refused(api: Api, slug: str) -> None:
    before = await api.ask("{ project { name slug } }")
    error = await api.error(UPDATE, input={"slug": slug, "name": "Other"})
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": "slug"}
    assert await api.ask("{ project { name slug } }") == before


async def test_revoking_a_key_again_changes_nothing(api: Api) -> None:
    made = await api.ask(
        'mutation { createApiKey(input: {name: "K", scopes: [READ]}) { secret apiKey { id } } }'
    )
    revoke = "mutation($id: ID!) { revokeApiKey(id: $id) { revokedAt } }"
    id_ = made["createApiKey"]["apiKey"]["id"]
    first = await api.ask(revoke, id=id_)
    assert first["revokeApiKey"]["revokedAt"] is not None
    assert await api.ask(revoke, id=id_) == first
