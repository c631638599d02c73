"""The PostgreSQL of tests of faults."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from agentdata import migrations, provision
from tests.faults.clusters import cluster

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.faults.clusters import Cluster


@pytest.fixture(scope="module")
def postgres() -> Iterator[Cluster]:
    """Provide a server with tables."""
    with cluster() as postgres:
        asyncio.run(provision.ensure_role(postgres.url()))
        asyncio.run(migrations.upgrade(postgres.url()))
        yield postgres
