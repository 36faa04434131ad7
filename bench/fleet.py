"""The scaled shape: one web process and any number of workers over a PostgreSQL of its own, each a process."""

import asyncio
from pathlib import Path

import psutil
import psycopg

from bench.processes import Child, program
from bench.service import Service
from keepstep.adapters.postgres.embedded_binaries import find_binaries
from keepstep.adapters.postgres.embedded_server import Cluster

_CONNECTIONS = 200
_WORKER_SECONDS = 2.0
"""Until a worker that was just started takes jobs."""


class Fleet(Service):
    """`workers` may be changed while it runs; `cluster` may be stopped and started, and nobody else does."""

    def __init__(self, folder: Path, port: int, **settings: str) -> None:
        super().__init__(folder, port, **settings)
        database = self.database.folder
        database.mkdir(parents=True)
        self.cluster = Cluster(database, find_binaries(None, folder / "system"), folder / "system")
        self._workers: list[Child] = []

    async def start(self) -> float:
        self.dsn = await asyncio.to_thread(self._start_database)
        self.environment["KEEPSTEP_DATABASE_URL"] = self.settings["database_url"] = self.dsn
        ready = await self.run("serve", "--no-worker")
        await self.set_workers(1)
        return ready

    def _start_database(self) -> str:
        """With room for several processes: the embedded one is made for a single one."""
        dsn = self.cluster.ensure_started().dsn()
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(f"ALTER SYSTEM SET max_connections = {_CONNECTIONS}".encode())
        self.cluster.stop()
        return self.cluster.ensure_started().dsn()

    async def set_workers(self, number: int) -> None:
        while len(self._workers) > number:
            await self._workers.pop().stop()
        while len(self._workers) < number:
            name = f"worker-{len(self._workers)}"
            self._workers.append(Child(name, [program("keepstep"), "worker"], self.folder, self.environment))
        await asyncio.sleep(_WORKER_SECONDS)

    async def stop(self) -> None:
        try:
            await self.set_workers(0)
            await super().stop()
        finally:
            await asyncio.to_thread(self.cluster.stop)

    @property
    def own(self) -> list[psutil.Process]:
        return [self.child.watched, *(each.watched for each in self._workers)]
