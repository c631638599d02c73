"""The projects that the questions are asked of."""

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from agentdata.database import Database
from tests.api import Api, make_api
from tests.questions.project import Project
from tests.questions.shop import open_shop


@pytest.fixture(scope="module")
async def varied(world: Api, owner: AsyncEngine) -> Project:
    """Provide the world, which has some of everything, with ties and nulls."""
    return Project(world, owner)


@pytest.fixture(scope="module")
async def shop(database: Database, owner: AsyncEngine) -> Project:
    """Provide the shop, which has a few rows, each of them easy to count wrongly."""
    api = await make_api(database, owner)
    await open_shop(api)
    # Another project has the same names and as many rows.
    await open_shop(await make_api(database, owner))
    return Project(api, owner)


@pytest.fixture(scope="module", params=["shop", "world"])
async def project(request: pytest.FixtureRequest, shop: Project, varied: Project) -> Project:
    """Provide each of the two projects in turn."""
    return shop if request.param == "shop" else varied
