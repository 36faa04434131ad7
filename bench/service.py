"""The service under test: `keepstep serve` with an embedded database in a folder of its own."""

import json
import subprocess
import sys
from pathlib import Path

import psutil

from bench.figures import BenchError
from bench.processes import Child, Database, clean_environment, program, wait_for

_NEVER = "86400"


class Service:
    """One data folder; may be started and stopped several times."""

    def __init__(self, folder: Path, port: int, **settings: str) -> None:
        self.folder = folder
        self.address = f"http://127.0.0.1:{port}"
        self.database = Database(folder / "data")
        self.settings = {
            "data_dir": str(folder / "data"),
            "port": str(port),
            "public_url": self.address,
            "log_format": "json",
            # Polls would be counted as calls of whatever is being measured.
            "poll_every": _NEVER,
        } | settings
        self.environment = clean_environment(
            **{f"KEEPSTEP_{name.upper()}": value for name, value in self.settings.items()}
        )
        # Where the person who runs this forbids bytecode, every start would compile the whole source.
        self.environment.pop("PYTHONDONTWRITEBYTECODE", None)
        self._child: Child | None = None

    @property
    def child(self) -> Child:
        if self._child is None:
            raise BenchError("The service was not started.")
        return self._child

    async def start(self) -> float:
        """Returns when /readyz first answered 200."""
        return await self.run("serve")

    async def run(self, *command: str) -> float:
        self._child = Child("service", [program("keepstep"), *command], self.folder, self.environment)
        return await wait_for(self._child, f"{self.address}/readyz")

    async def stop(self) -> None:
        child, self._child = self._child, None
        if child is not None and not child.ended:
            await child.stop()

    @property
    def own(self) -> list[psutil.Process]:
        return [self.child.watched]

    @property
    def all(self) -> list[psutil.Process]:
        """With the database's processes."""
        return [*self.own, *self.database.processes()]

    def api_token(self) -> str:
        """A token for the JSON API, made by a process that shares the running database."""
        command = [sys.executable, "-m", "bench.person"]
        root = str(Path(__file__).parents[1])
        made = subprocess.run(  # noqa: S603 - our own module
            command,
            cwd=self.folder,
            env=self.environment | {"PYTHONPATH": root},
            capture_output=True,
            text=True,
            check=False,
        )
        if made.returncode:
            raise BenchError(f"No token for the API could be made: {made.stderr.strip()[-300:]}")
        return made.stdout.strip()

    def logged(self, event: str) -> list[dict[str, object]]:
        """The events of that name in the log, oldest first."""
        lines = self.child.log.read_text(errors="replace").splitlines()
        found = [json.loads(line) for line in lines if line.startswith("{")]
        return [each for each in found if each.get("event") == event]
