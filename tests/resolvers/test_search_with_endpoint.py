"""Searches for a text alone, on a server that makes vectors of texts."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from agentdata.operations import embeddings
from agentdata.vectors import vector_of
from tests import factories
from tests.api import Api, make_api
from tests.embedding import DIMENSIONS, MODEL, Answer, endpoint, vector
from tests.serving import client_of, make_key

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    import httpx
    from sqlalchemy.ext.asyncio import AsyncEngine

    from agentdata.database import Database
    from agentdata.database_urls import DatabaseUrls
    from tests.embedding import Endpoint
    from tests.serving import Key

KNOWLEDGE = """query Search($query: String, $mode: SearchMode, $least: Float) {
  searchKnowledge(query: $query, mode: $mode, minScore: $least) {
    mode isComplete nodes { similarity rank chunk { content } }
  }
}"""
TEXTS = ["The oven needs an hour to heat", "Open the window at noon", "Close the door"]


@pytest.fixture
def served() -> Iterator[Endpoint]:
    """Serve an endpoint."""
    with endpoint() as served:
        yield served
