"""One PostgreSQL cluster on this machine: where it lies, whether it runs, starting and stopping it.

Callers hold the start lock of `embedded`, so nobody else starts or stops meanwhile.
"""

import contextlib
import hashlib
import os
import secrets
import shutil
import stat
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psutil

from keepstep.adapters.postgres.embedded_binaries import Binaries, EmbeddedDatabaseError, one_line

_MARKER = "postgres-home"
_SETTINGS = {
    "port": "5432",
    "listen_addresses": "",
    "shared_buffers": "16MB",
    "max_connections": "120",
    "max_worker_processes": "2",
    "max_parallel_workers": "0",
    "autovacuum_max_workers": "1",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "min_wal_size": "32MB",
    "max_wal_size": "256MB",
    "jit": "off",
    "log_checkpoints": "off",
    "log_min_error_statement": "panic",  # statements carry what people wrote; the log is no place for it
}
_SETTINGS_SINCE_18 = {"io_method": "sync"}  # else three more processes wait for reads
_START_SECONDS = 120
_LEFTOVERS_SECONDS = 15
_LOG_BYTES = 5_000_000
_SOCKET_BASE_LENGTH = 60
_UNSAFE = set('"$`\\\n')


@dataclass(frozen=True)
class Running:
    pid: int
    sockets: Path

    def dsn(self) -> str:
        return f"postgresql://postgres@/postgres?host={quote(str(self.sockets), safe='/')}&port=5432"


class Cluster:
    """The cluster of one data folder.

    As root the server runs as `nobody`, who cannot enter a private data folder. The cluster then lies below
    `system_dir`, and a marker file in the data folder says where: moving the data folder keeps its database,
    emptying it begins a new one, and a database that vanished is reported instead of silently begun anew.
    """

    def __init__(self, data_dir: Path, binaries: Binaries, system_dir: Path) -> None:
        self._marker = data_dir / _MARKER
        self._binaries = binaries
        if binaries.account is None:
            self._home = data_dir
        elif self._marker.exists():
            self._home = Path(self._marker.read_text().strip())
        else:
            digest = hashlib.sha256(str(data_dir).encode()).hexdigest()[:8]
            self._home = system_dir / f"{digest}-{secrets.token_hex(4)}"
        self.data = self._home / "pg"
        self._sockets: Path | None = None
        self._check_place(data_dir)

    def _check_place(self, data_dir: Path) -> None:
        is_root = self._binaries.account is not None
        if self._marker.exists() and not is_root:
            raise EmbeddedDatabaseError(
                f"The database of {data_dir} was made by root; start as root again, or use another data folder."
            )
        if self._marker.exists() and not (self.data / "PG_VERSION").exists():
            raise EmbeddedDatabaseError(
                f"The database of {data_dir} should lie in {self.data} but is not there; bring it back, "
                f"or delete {self._marker} to begin with an empty one."
            )
        if is_root and (data_dir / "pg" / "PG_VERSION").exists():
            raise EmbeddedDatabaseError(
                f"The database of {data_dir} was made by another user; start as that user, not as root."
            )
        if _UNSAFE & set(str(self.data)):
            raise EmbeddedDatabaseError(
                f"The path {self.data} has a quote, dollar sign or backslash in it; choose another data folder."
            )

    def running(self) -> Running | None:
        """The server of this very cluster, if it runs: the pid file alone proves nothing after a crash."""
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
            process = psutil.Process(int(lines[0]))
            alive = process.status() != psutil.STATUS_ZOMBIE
            command = process.cmdline()
            sockets = Path(lines[4])
        except (OSError, ValueError, IndexError, psutil.Error):
            return None
        ours = Path(command[0]).name == "postgres" and str(self.data) in command if command else False
        return Running(process.pid, sockets) if alive and ours else None

    def ensure_started(self) -> Running:
        """Makes the cluster if there is none and starts its server if it does not run."""
        major = self._binaries.major_version()
        if not (self.data / "PG_VERSION").exists():
            self._make(major)
        self._check_version(major)
        running = self.running() or self._start(major)
        self._sockets = running.sockets
        return running

    def stop(self) -> None:
        if self.running() is None:
            return
        for mode in ("fast", "immediate"):
            said = self._binaries.run("pg_ctl", "-D", self.data, "-w", "-t", "30", "-m", mode, "stop")
            if said.returncode == 0:
                break
        self._forget_sockets()

    def _make(self, major: int) -> None:
        """Into a folder beside the real place, so that an interrupted start leaves no half cluster."""
        fresh = self._home / "pg.new"
        try:
            self._home.mkdir(parents=True, exist_ok=True)
            if self._binaries.account is not None:
                self._home.chmod(0o755)
            shutil.rmtree(fresh, ignore_errors=True)
            self._make_folder(fresh)
        except OSError as error:
            raise EmbeddedDatabaseError(f"Cannot make a database in {self._home}: {error}") from error
        # Case-insensitive search beyond ASCII needs the built-in locale, which PostgreSQL 17 brought.
        locale = ["--locale=C"]
        if major >= 17:
            locale += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        said = self._binaries.run(
            "initdb", "-D", fresh, "-U", "postgres", "-A", "trust", "-E", "UTF8", *locale
        )
        if said.returncode != 0:
            raise EmbeddedDatabaseError(
                f"PostgreSQL cannot make its files in {fresh}: {one_line(said.stdout)}"
            )
        fresh.rename(self.data)
        if self._binaries.account is not None:
            half = self._marker.with_suffix(".new")
            half.write_text(f"{self._home}\n")
            half.rename(self._marker)

    def _make_folder(self, folder: Path) -> None:
        folder.mkdir(mode=0o700)
        account = self._binaries.account
        if account is not None:
            os.chown(folder, account.uid, account.gid)

    def _check_version(self, major: int) -> None:
        made_by = (self.data / "PG_VERSION").read_text().strip()
        if made_by != str(major):
            raise EmbeddedDatabaseError(
                f"The database in {self.data} was made by PostgreSQL {made_by}, but PostgreSQL {major} is "
                f"installed and cannot read it; dump it with version {made_by} and restore it."
            )

    def _start(self, major: int) -> Running:
        sockets = self._socket_folder()
        self._disown_leftovers(sockets)
        settings = _SETTINGS | (_SETTINGS_SINCE_18 if major >= 18 else {})
        options = " ".join(f"-c {name}={value or chr(39) * 2}" for name, value in settings.items())
        options += f" -c unix_socket_directories={sockets}"
        log = self.data / "server.log"
        with contextlib.suppress(OSError):
            if log.stat().st_size > _LOG_BYTES:
                log.replace(log.with_suffix(".log.old"))
        until = time.monotonic() + _LEFTOVERS_SECONDS
        while True:
            wait = ["-w", "-t", str(_START_SECONDS)]
            said = self._binaries.run("pg_ctl", "-D", self.data, *wait, "-l", log, "-o", options, "start")
            found = self.running() if said.returncode == 0 else None
            if found is not None:
                return found
            cause = self._cause(log, said.stdout)
            # Backends outlive a killed server for a moment and keep its memory; PostgreSQL refuses meanwhile.
            if "shared memory block" not in cause or time.monotonic() > until:
                raise EmbeddedDatabaseError(f"PostgreSQL does not start in {self.data}: {cause}")
            time.sleep(0.2)

    @staticmethod
    def _cause(log: Path, said: str) -> str:
        with contextlib.suppress(OSError):
            fatal = [line for line in log.read_text(errors="replace").splitlines()[-20:] if "FATAL" in line]
            if fatal:
                return one_line(fatal[-1])
        return one_line(said)

    def _disown_leftovers(self, sockets: Path) -> None:
        """After a crash the pid in the pid file may be some other program's by now; PostgreSQL would wait for it.

        pg_ctl lets the server ignore the pid of pg_ctl's own parent, which is us. Writing our pid (instead of
        deleting the file) keeps PostgreSQL's check that nobody uses the old shared memory any more.
        """
        pid_file = self.data / "postmaster.pid"
        with contextlib.suppress(FileNotFoundError):
            rest = pid_file.read_text().splitlines()[1:]
            pid_file.write_text("\n".join([str(os.getpid()), *rest, ""]))
        for name in (".s.PGSQL.5432", ".s.PGSQL.5432.lock"):
            (sockets / name).unlink(missing_ok=True)

    def _socket_folder(self) -> Path:
        """A short path, since a socket's may have some 100 bytes, and one that only the server's user enters.

        Once a server ran it stays where it was, since other processes know it by that address.
        """
        account = self._binaries.account
        if account is not None:
            folder = self._home / "run"
            owner = account.uid
        else:
            owner = os.geteuid()
            digest = hashlib.sha256(str(self.data).encode()).hexdigest()[:12]
            folder = self._sockets or _short_base(owner) / f"keepstep-{owner}-{digest}"
        with contextlib.suppress(FileExistsError):
            self._make_folder(folder)
        facts = folder.lstat()
        if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != owner or facts.st_mode & 0o077:
            raise EmbeddedDatabaseError(
                f"{folder} is for the database's socket but is not a private folder of ours; remove it."
            )
        return folder

    def _forget_sockets(self) -> None:
        if self._binaries.account is None and self._sockets is not None:
            with contextlib.suppress(OSError):
                self._sockets.rmdir()


def _short_base(owner: int) -> Path:
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    if runtime and len(runtime) <= _SOCKET_BASE_LENGTH and not _UNSAFE & set(runtime) and " " not in runtime:
        with contextlib.suppress(OSError):
            if Path(runtime).stat().st_uid == owner:
                return Path(runtime)
    return Path("/tmp")  # noqa: S108  (the folder in it is made private and its owner checked)
