"""Updating the project, and revoking its keys, by the API."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import pytest

if TYPE_CHECKING:
    from tests.api import Api

UPDATE = "mutation($input: UpdateProjectInput!) { updateProject(input: $input) { name slug } }"


async def test_no_request_changes_the_slug_of_a_project(api: Api, other: Api) -> None:
    taken = (await other.ask("{ project { slug } }"))["project"]["slug"]
    before = await api.ask("{ project { name slug } }")
    for slug in (taken, "free", "default"):
        error = await api.error(UPDATE, input={"slug": slug, "name": "Other"})
        assert error["extensions"] == {"code": "FORBIDDEN", "field": "slug"}
        assert "agentdata projects rename" in error["message"]
    assert await api.ask("{ project { name slug } }") == before


async def test_an_update_may_repeat_the_slug(api: Api) -> None:
    slug = (await api.ask("{ project { slug } }"))["project"]["slug"]
    changed = await api.ask(UPDATE, input={"slug": slug, "name": "Other"})
    assert changed["updateProject"] == {"name": "Other", "slug": slug}


@pytest.mark.parametrize("slug", ["A", "a b", "-a", "a-", "a--b", "ä", "a_b", "a" * 64, "", str(UUID(int=7))])
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
