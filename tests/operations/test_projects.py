"""The project and its keys are changed by the API, too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.api import Api

UPDATE = "mutation($input: UpdateProjectInput!) { updateProject(input: $input) { name slug } }"


async def test_a_slug_that_another_project_has_conflicts(api: Api, other: Api) -> None:
    slug = (await other.ask("{ project { slug } }"))["project"]["slug"]
    error = await api.error(UPDATE, input={"slug": slug})
    assert error["extensions"] == {"code": "CONFLICT", "field": "slug"}
    assert error["message"] == "another project has the same slug"


@pytest.mark.parametrize("slug", ["A", "a b", "-a", "a-", "a--b", "ä", "a_b", "a" * 64, ""])
async def test_slugs_that_are_none(api: Api, slug: str) -> None:
    before = await api.ask("{ project { name slug } }")
    error = await api.error(UPDATE, input={"slug": slug, "name": "Other"})
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": "slug"}
    assert await api.ask("{ project { name slug } }") == before


async def test_a_key_is_revoked_once(api: Api) -> None:
    made = await api.ask(
        'mutation { createApiKey(input: {name: "K", scopes: [READ]}) { secret apiKey { id } } }'
    )
    revoke = "mutation($id: ID!) { revokeApiKey(id: $id) { revokedAt } }"
    id_ = made["createApiKey"]["apiKey"]["id"]
    first = await api.ask(revoke, id=id_)
    assert first["revokeApiKey"]["revokedAt"] is not None
    assert await api.ask(revoke, id=id_) == first
