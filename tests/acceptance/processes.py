"""Real processes that cannot outlive the tests.

What a test started is ended by pid and by session, and by the kernel should the tests themselves be killed.
"""

import contextlib
import ctypes
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import psutil

KEEPSTEP = Path(sys.executable).with_name("keepstep")
_LIBC = ctypes.CDLL(None)
_DIE_WITH_PARENT = 1
_STOP_SECONDS = 30.0
"""The service allows requests and jobs 5 s each, and then stops its database."""

_Found = TypeVar("_Found")


def until(probe: Callable[[], _Found], seconds: float = 20.0, *, every: float = 0.05) -> _Found:
    """What the probe gives as soon as it is true; at the end the probe's last answer is in the error."""
    end = time.monotonic() + seconds
    while not (found := probe()):
        if time.monotonic() > end:
            raise AssertionError(f"Not within {seconds} s; last seen: {found!r}")
        time.sleep(every)
    return found


def free_ports(count: int = 1) -> int:
    """The first of so many free ones in a row, below the range that outgoing connections take theirs from."""
    dice = random.SystemRandom()
    for _ in range(200):
        first = dice.randrange(20_000, 32_000)
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            for port in range(first, first + count):
                stack.enter_context(socket.socket()).bind(("127.0.0.1", port))
            return first
    raise AssertionError("no free ports")


def clean_environment(**settings: str) -> dict[str, str]:
    """Ours without anybody's settings of Keepstep."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("KEEPSTEP_", "PG"))}
    return kept | {"PYTHONUNBUFFERED": "1"} | settings


class Process:
    """One child, in a session of its own, with its output in a file."""

    def __init__(self, name: str, command: list[str | Path], folder: Path, settings: dict[str, str]) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        with self.log.open("ab") as log:
            self._popen = subprocess.Popen(
                command,
                cwd=folder,
                env=clean_environment(**settings),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_die_with_parent,  # noqa: PLW1509 - it calls the kernel and nothing else
            )

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def ended(self) -> int | None:
        return self._popen.poll()

    @property
    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def send(self, number: signal.Signals) -> None:
        self._popen.send_signal(number)

    def kill(self) -> None:
        """As a power cut would: nothing is cleaned up."""
        self._popen.kill()
        self._popen.wait()

    def stop(self, number: signal.Signals = signal.SIGTERM, seconds: float = _STOP_SECONDS) -> int:
        """Its exit code. Fails when it takes longer."""
        self.send(number)
        return self._popen.wait(seconds)

    def ctrl_c(self, seconds: float = _STOP_SECONDS) -> int:
        """What a terminal does: the signal goes to the whole foreground group."""
        os.killpg(self.pid, signal.SIGINT)
        return self._popen.wait(seconds)

    def family(self) -> list[psutil.Process]:
        """It and everything below it."""
        root = psutil.Process(self.pid)
        return [root, *root.children(recursive=True)]

    def clean(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGCONT)
        with contextlib.suppress(psutil.NoSuchProcess):
            for each in self.family():
                with contextlib.suppress(psutil.NoSuchProcess):
                    each.kill()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self._popen.wait(_STOP_SECONDS)


def _die_with_parent() -> None:
    _LIBC.prctl(_DIE_WITH_PARENT, signal.SIGKILL)


@contextlib.contextmanager
def temporary_folder() -> Iterator[Path]:
    """With the database that root keeps elsewhere removed as well."""
    folder = Path(tempfile.mkdtemp(prefix="keepstep-tests-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        for marker in folder.rglob("postgres-home"):
            shutil.rmtree(marker.read_text().strip(), ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)
