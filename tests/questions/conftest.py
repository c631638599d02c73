"""The projects that questions are asked of."""

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from agentdata.database import Database
from tests.api import Api, make_api
from tests.questions.asked import Asked
from tests.questions.shop import open_shop


@pytest.fixture(scope="module")
async def some(world: Api, owner: AsyncEngine) -> Asked:
    """Provide the world: some of everything, with ties and nulls."""
    return Asked(world, owner)


@pytest.fixture(scope="module")
async def shop(database: Database, owner: AsyncEngine) -> Asked:
    """Provide a shop: a few rows, each there because it may be counted wrongly."""
    api = await make_api(database, owner)
    await open_shop(api)
    # Another shop has the same names and as much of everything.
    await open_shop(await make_api(database, owner))
    return Asked(api, owner)


@pytest.fixture(scope="module", params=["shop", "world"])
async def asked(request: pytest.FixtureRequest, shop: Asked, some: Asked) -> Asked:
    """Provide the one and the other."""
    return shop if request.param == "shop" else some
