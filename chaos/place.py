"""The processes: a database server, both emulators, the web alone, and workers that can be killed."""

import asyncio
import contextlib
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import psycopg
from bench.processes import Child, clean_environment, free_ports, program, wait_for

from chaos.clocks import environment_of_clock
from keepstep.adapters.postgres.embedded import embedded_postgres

_QUICK = {
    "KEEPSTEP_PUSH_WAIT": "2",
    "KEEPSTEP_POLL_EVERY": "10",
    "KEEPSTEP_FIRST_RETRY": "0.5",
    "KEEPSTEP_LONGEST_RETRY": "4",
    # Nobody is there to try again by hand what the weather has set aside.
    "KEEPSTEP_ATTEMPTS": "60",
    "KEEPSTEP_SETTLE_SCALE": "0.2",
    "KEEPSTEP_DEAD_AFTER": "7",
    "KEEPSTEP_LOG_LEVEL": "warning",
    "KEEPSTEP_LOG_FORMAT": "json",
}


class Place:
    """Addresses, and everything that is done to processes. Every one is ended by its pid."""

    def __init__(self, folder: Path, dsn: str) -> None:
        board, tracker, web = free_ports(3)
        self.board, self.tracker, self.web = (f"http://127.0.0.1:{port}" for port in (board, tracker, web))
        self._folder, self._dsn = folder, dsn
        self._environment = clean_environment(
            KEEPSTEP_DATABASE_URL=dsn,
            KEEPSTEP_DATA_DIR=str(folder / "data"),
            KEEPSTEP_PORT=str(web),
            KEEPSTEP_PUBLIC_URL=self.web,
            **_QUICK,
        )
        self._ports = {"productboard": board, "gittab": tracker}
        self._children: dict[str, Child] = {}

    async def start(self, workers: int) -> None:
        for name, port in self._ports.items():
            self._children[name] = self._emulator(name, port)
        for name, port in self._ports.items():
            await wait_for(self._children[name], f"http://127.0.0.1:{port}/_sandbox/health")
        self._start("web", "serve", "--no-worker")
        await wait_for(self._children["web"], f"{self.web}/readyz")
        for number in range(workers):
            self._start(f"worker {number}", "worker")

    def _start(self, name: str, *arguments: str, clock: int = 0) -> None:
        environment = self._environment | environment_of_clock(clock)
        self._children[name] = Child(name, [program("keepstep"), *arguments], self._folder, environment)

    def _emulator(self, name: str, port: int) -> Child:
        command = [sys.executable, "-m", "keepstep_sandbox", name, "--port", str(port), "--seed", "empty"]
        command += ["--insecure-callbacks", "--time-scale", "0.01"]
        return Child(name, command, self._folder, clean_environment())

    async def kill_worker(self, number: int, clock: int) -> None:
        """As a power cut would; it is started again at once, with a clock that is so many seconds ahead."""
        name = f"worker {number}"
        await self._killed(self._children[name])
        self._start(name, "worker", clock=clock)

    @staticmethod
    async def _killed(child: Child) -> None:
        if not child.ended:
            child.watched.kill()
        while not child.ended:  # noqa: ASYNC110 - another process's end
            await asyncio.sleep(0.02)

    def restart_database(self) -> None:
        """Ended in the middle of everything, without a checkpoint; whoever keeps it starts it again."""
        with psycopg.connect(self._dsn, autocommit=True) as connection:
            row = connection.execute("SHOW data_directory").fetchone()
        if row is None:
            raise RuntimeError("The server does not say where its files are.")
        psutil.Process(int((Path(row[0]) / "postmaster.pid").read_text().split()[0])).send_signal(
            signal.SIGQUIT
        )

    def api_token(self) -> str:
        root = str(Path(__file__).parents[1])
        made = subprocess.run(
            [sys.executable, "-m", "bench.person"],
            cwd=self._folder,
            env=self._environment | {"PYTHONPATH": root},
            capture_output=True,
            text=True,
            check=True,
        )
        return made.stdout.strip()

    def complaints(self) -> list[str]:
        """What the service logged as an error of its own."""
        lines = [
            line
            for log in self._folder.glob("*.log")
            for line in log.read_text(errors="replace").splitlines()
        ]
        return [line for line in lines if '"job.crashed"' in line or "jobs.crash.unreported" in line]

    async def stop(self) -> None:
        for child in reversed(self._children.values()):
            await self._killed(child)


@contextlib.asynccontextmanager
async def open_place(workers: int) -> AsyncIterator[Place]:
    """Everything runs; at the end it is stopped, and its files are gone."""
    folder = _new_folder()
    try:
        with embedded_postgres(folder / "postgres", system_dir=folder / "system") as dsn:
            place = Place(folder, dsn)
            try:
                await place.start(workers)
                yield place
            finally:
                await place.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _new_folder() -> Path:
    """As root the database runs as another user, who has to get in."""
    folder = Path(tempfile.mkdtemp(prefix="keepstep-chaos-"))
    folder.chmod(0o755)
    return folder
