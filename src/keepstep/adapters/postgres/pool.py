"""Connections of our own queries: limits that keep one dead network path from hanging a worker for hours."""

from typing import Any

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from keepstep.adapters.connections import SeenConnection, check_if_doubtful
from keepstep.adapters.postgres.texts import storable_texts

_STATEMENT_MILLISECONDS = 30_000
_NAME_BYTES = 63


def connection_settings(application_name: str, **extra: str) -> dict[str, Any]:
    """Keyword arguments for every connection we make; `extra` are server settings of the session.

    Keepalives and tcp_user_timeout end a half-open connection after about 30 s; without them a read waits for
    the kernel's two hours. They have no effect on a Unix socket.
    """
    if len(application_name.encode()) > _NAME_BYTES:
        raise ValueError(f"PostgreSQL would cut the application name {application_name!r}.")
    options = {"statement_timeout": str(_STATEMENT_MILLISECONDS)} | extra
    return {
        "application_name": application_name,
        "connect_timeout": 10,
        "keepalives": 1,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 4,
        "tcp_user_timeout": 30_000,
        "options": " ".join(f"-c {name}={value}" for name, value in options.items()),
    }


def new_pool(
    dsn: str, application_name: str, *, max_size: int = 10, min_size: int = 1, **extra: str
) -> AsyncConnectionPool[AsyncConnection[Any]]:
    """A closed pool (`await pool.open()`); each block over a connection is one transaction.

    A connection that may have ended is tried before it is handed out, so a restarted server costs no query.
    """
    return AsyncConnectionPool(
        dsn,
        min_size=min_size,
        max_size=max_size,
        open=False,
        timeout=30,
        max_idle=120,
        name=application_name,
        connection_class=SeenConnection,
        kwargs=connection_settings(application_name, **extra) | {"context": storable_texts()},
        check=check_if_doubtful,
    )
