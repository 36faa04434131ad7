"""One embedded PostgreSQL per test run, one fresh database per test module; registered by tests/conftest.py."""

import itertools
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from keepstep.adapters.postgres.embedded import embedded_postgres

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The DSN of the server's own database; tests take `postgres_dsn`."""
    folder = Path(tempfile.mkdtemp(prefix="keepstep-tests-"))
    folder.chmod(0o755)  # as root the server runs as another user, who has to get in
    try:
        with embedded_postgres(folder / "data", system_dir=folder / "system") as dsn:
            yield dsn
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def postgres_dsn(postgres_server: str) -> Iterator[str]:
    """The DSN of a database that is empty when the module begins and dropped when it ends."""
    name = f"module_{next(_numbers)}"
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        try:
            yield postgres_server.replace("/postgres?", f"/{name}?")
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
