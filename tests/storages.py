"""Storages to run a contract on: tests name this module as a plugin and take `storage`, or `postgres_pool`."""

from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from keepstep.adapters.memory.storage import MemoryStorage
from keepstep.adapters.postgres.pool import new_pool
from keepstep.adapters.postgres.schema import migrate
from keepstep.adapters.postgres.storage import PostgresStorage


@pytest.fixture(scope="module")
def migrated_dsn(postgres_dsn: str) -> str:
    migrate(postgres_dsn)
    return postgres_dsn


@pytest.fixture
async def postgres_pool(migrated_dsn: str) -> AsyncIterator[AsyncConnectionPool[AsyncConnection[Any]]]:
    """On a database whose tables are empty."""
    with psycopg.connect(migrated_dsn) as connection:
        connection.execute("TRUNCATE integrations, secrets CASCADE")
    pool = new_pool(migrated_dsn, "storage-test", max_size=4)
    await pool.open()
    yield pool
    await pool.close()


@pytest.fixture(params=["memory", "postgres"])
def storage(request: pytest.FixtureRequest) -> MemoryStorage | PostgresStorage:
    if request.param == "memory":
        return MemoryStorage()
    return PostgresStorage(request.getfixturevalue("postgres_pool"))
