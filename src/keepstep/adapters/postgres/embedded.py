"""PostgreSQL started and stopped by the service itself, for a laptop or one small container.

Any number of processes may use one data folder at a time. Two locks keep them in order; the kernel drops both
when a process dies, so a kill -9 leaves nothing to clean up: `start.lock` is held while somebody starts or
stops the server, `users.lock` is shared by all who use it, and who finds himself its only holder on leaving
stops the server. A server that was killed is started again by whoever notices first.
"""

import contextlib
import fcntl
import logging
import os
import threading
from collections.abc import Iterator
from pathlib import Path

from keepstep.adapters.postgres.embedded_binaries import EmbeddedDatabaseError, find_binaries
from keepstep.adapters.postgres.embedded_server import Cluster

__all__ = ["SYSTEM_DIR", "EmbeddedDatabaseError", "embedded_postgres"]

SYSTEM_DIR = Path("/var/lib/keepstep")
"""Where root keeps clusters and a copy of the programs, since the server's user cannot enter private folders."""
_LOOK_SECONDS = 2.0
_log = logging.getLogger(__name__)


@contextlib.contextmanager
def embedded_postgres(
    data_dir: Path, *, bindir: Path | None = None, system_dir: Path = SYSTEM_DIR
) -> Iterator[str]:
    """Yields the DSN of a running server over the data folder; the last one out stops it.

    Raises EmbeddedDatabaseError with one line that says what is wrong: files of another PostgreSQL version,
    made by another user, a folder that cannot be written.
    """
    folder = data_dir.absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        folder = folder.resolve()
        turn, users = (_lock_file(folder / name) for name in ("start.lock", "users.lock"))
    except OSError as error:
        raise EmbeddedDatabaseError(f"Cannot use the data folder {folder}: {error}") from error
    with contextlib.closing(_Descriptor(turn)), contextlib.closing(_Descriptor(users)):
        with _turn(turn):
            cluster = Cluster(folder, find_binaries(bindir, system_dir), system_dir)
            running = cluster.ensure_started()
            fcntl.flock(users, fcntl.LOCK_SH)
        leaving = threading.Event()
        keeper = threading.Thread(target=_keep_alive, args=(cluster, turn, leaving), daemon=True)
        keeper.start()
        try:
            yield running.dsn()
        finally:
            leaving.set()
            keeper.join()
            _leave(cluster, turn, users)


class _Descriptor:
    def __init__(self, number: int) -> None:
        self._number = number

    def close(self) -> None:
        os.close(self._number)


def _lock_file(path: Path) -> int:
    """Not inherited by children, or the server itself would count as a user."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


@contextlib.contextmanager
def _turn(lock: int) -> Iterator[None]:
    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(lock, fcntl.LOCK_UN)


def _leave(cluster: Cluster, turn: int, users: int) -> None:
    with _turn(turn):
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        cluster.stop()


def _keep_alive(cluster: Cluster, turn: int, leaving: threading.Event) -> None:
    """A killed server (the kernel's memory killer, a person) is started again; pools reconnect by themselves."""
    while not leaving.wait(_LOOK_SECONDS):
        if cluster.running() is not None:
            continue
        try:
            with _turn(turn):
                cluster.ensure_started()
        except (EmbeddedDatabaseError, OSError) as error:
            _log.error("database.embedded.down", extra={"cause": str(error)})
        else:
            _log.warning("database.embedded.restarted")
