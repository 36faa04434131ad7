"""Starting, weighing and stopping the processes under test. Every one is stopped by its pid."""

import asyncio
import contextlib
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from bench.figures import BenchError

_START_SECONDS = 60.0
_STOP_SECONDS = 15.0
_MEGABYTE = 1024 * 1024


def free_ports(count: int) -> list[int]:
    """Free a moment ago; all different."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


class Child:
    """One process of ours; its output goes to a file in the folder."""

    def __init__(self, name: str, command: Sequence[str], folder: Path, environment: dict[str, str]) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self.started_at = time.time()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own programs
                command,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                cwd=folder,
                env=environment,
                start_new_session=True,
                preexec_fn=_die_with_parent,  # noqa: PLW1509 - no thread runs yet
            )
        self.watched = psutil.Process(self._process.pid)

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    async def stop(self) -> None:
        """SIGTERM, and SIGKILL for what does not listen. Raises BenchError for an exit code that is not 0."""
        self._process.terminate()
        until = time.monotonic() + _STOP_SECONDS
        while not self.ended and time.monotonic() < until:  # noqa: ASYNC110 - another process's end
            await asyncio.sleep(0.02)
        if not self.ended:
            self._process.kill()
            self._process.wait()
            raise BenchError(f"{self.name} did not stop within {_STOP_SECONDS:g} s; it was killed.")
        if self._process.returncode not in (0, -signal.SIGTERM):
            raise BenchError(f"{self.name} ended with {self._process.returncode}: {self.last_words()}")

    def last_words(self) -> str:
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "(nothing was said)"


def _die_with_parent() -> None:
    """Linux: a bench that is killed leaves nothing running."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)


def program(name: str) -> str:
    """An installed command, beside the interpreter that runs this."""
    return str(Path(sys.executable).with_name(name))


def clean_environment(**values: str) -> dict[str, str]:
    """Ours without any KEEPSTEP_ setting of the person who runs this."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("KEEPSTEP_")}
    return kept | values


async def wait_for(child: Child, address: str, seconds: float = _START_SECONDS) -> float:
    """When it first answered 200, as epoch seconds. Raises BenchError."""
    until = time.monotonic() + seconds
    async with httpx.AsyncClient(trust_env=False) as client:
        while True:
            with contextlib.suppress(httpx.TransportError):
                if (await client.get(address, timeout=5)).status_code == 200:
                    return time.time()
            if child.ended or time.monotonic() > until:
                raise BenchError(f"{child.name} does not start: {child.last_words()}")
            await asyncio.sleep(0.01)


@dataclass(frozen=True, slots=True)
class Weight:
    """Memory in MB. PSS counts a page shared by n processes as one n-th."""

    pss: float
    rss: float

    def __add__(self, other: "Weight") -> "Weight":
        return Weight(self.pss + other.pss, self.rss + other.rss)


def weigh(processes: Iterable[psutil.Process]) -> Weight:
    total = Weight(0, 0)
    for each in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            full = each.memory_full_info()
            total += Weight(full.pss / _MEGABYTE, full.rss / _MEGABYTE)
    return total


def cpu_seconds(processes: Iterable[psutil.Process]) -> float:
    """Of these and of their children that have ended."""
    total = 0.0
    for each in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            spent = each.cpu_times()
            total += spent.user + spent.system + spent.children_user + spent.children_system
    return total


class Database:
    """The embedded server of one data folder, as seen from outside."""

    def __init__(self, data_dir: Path) -> None:
        self.folder = data_dir / "postgres"

    @property
    def home(self) -> Path:
        """As root the cluster lies elsewhere, and a marker says where."""
        marker = self.folder / "postgres-home"
        return Path(marker.read_text().strip()) if marker.exists() else self.folder

    @property
    def pid_file(self) -> Path:
        return self.home / "pg" / "postmaster.pid"

    def processes(self) -> list[psutil.Process]:
        """The server and its children. Raises BenchError when it does not run."""
        try:
            server = psutil.Process(int(self.pid_file.read_text().splitlines()[0]))
        except (OSError, ValueError, IndexError, psutil.NoSuchProcess) as error:
            raise BenchError("The embedded database does not run.") from error
        return [server, *server.children(recursive=True)]

    def remove(self) -> None:
        """What lies outside the data folder; the rest goes with it."""
        if self.home != self.folder:
            shutil.rmtree(self.home, ignore_errors=True)
