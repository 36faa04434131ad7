"""Brings the database to the schema this code needs; a start that finds it there loads no Alembic and no SQLAlchemy.

Several processes may start at once: an advisory lock lets one migrate, the others wait and find it done. A schema that
is newer than the code is taken as current, because steps expand before they contract.
"""

import asyncio
from pathlib import Path
from typing import Any

import psycopg
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from keepstep.adapters.postgres.migrations import HEAD

_LOCK = 0x6B656570_73746570
"""`keepstep` in ASCII; any number of our own would do."""
_FIND_TABLE = "SELECT to_regclass('alembic_version')"
_FIND_REVISION = "SELECT max(version_num) FROM alembic_version"


async def ensure_schema(pool: AsyncConnectionPool[AsyncConnection[Any]], dsn: str) -> None:
    """May be repeated, and called by many processes at once."""
    if not await is_current(pool):
        await asyncio.to_thread(migrate, dsn)


async def is_current(pool: AsyncConnectionPool[AsyncConnection[Any]]) -> bool:
    async with pool.connection() as connection:
        found = await (await connection.execute(_FIND_TABLE)).fetchone()
        if not found or found[0] is None:
            return False
        row = await (await connection.execute(_FIND_REVISION)).fetchone()
    return bool(row and row[0] and row[0] >= HEAD)


def migrate(dsn: str) -> None:
    """Blocking; may be repeated. Takes every form of DSN that libpq takes."""
    from alembic import command  # noqa: PLC0415 - a second start must not pay for these imports
    from alembic.config import Config  # noqa: PLC0415
    from sqlalchemy import create_engine  # noqa: PLC0415
    from sqlalchemy.pool import NullPool  # noqa: PLC0415

    engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(dsn), poolclass=NullPool)
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    with psycopg.connect(dsn, autocommit=True, application_name="keepstep-migrate") as guard:
        guard.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
        if _revision(guard) >= HEAD:
            return
        with engine.connect() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")


def _revision(connection: psycopg.Connection[Any]) -> str:
    found = connection.execute(_FIND_TABLE).fetchone()
    if not found or found[0] is None:
        return ""
    row = connection.execute(_FIND_REVISION).fetchone()
    return (row and row[0]) or ""
