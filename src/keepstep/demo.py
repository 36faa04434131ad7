"""`keepstep demo`: the service and both emulators on this machine, seeded, with one integration connected.

State lies under `.demo/<first port>/`; a second start goes on from it. The integration is connected through the same
use case as on the page.
"""

import asyncio
import contextlib
import ctypes
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TextIO

import httpx
import structlog

from keepstep.app import discover
from keepstep.app.connect import NewIntegration, connect, try_again
from keepstep.bootstrap import Runtime
from keepstep.domain.ids import StatusId
from keepstep.domain.integration import Integration, IntegrationState, ProjectRef
from keepstep.domain.policy import StatusMap, SyncPolicy
from keepstep.serving import is_ready, listen, serve
from keepstep.settings import Settings, SettingsError, load_settings
from keepstep.web.deps import Check, Readiness

_LOG = structlog.get_logger(__name__)

BOARD_TOKEN = "demo-productboard-token"  # noqa: S105 - fixed and public: the emulators are for everyone
TRACKER_TOKEN = "demo-gittab-token"  # noqa: S105
_NAME = "GitTab roadmap"
_ADMIN = "admin"
_START_SECONDS = 30.0
_STOP_SECONDS = 5.0
_STATUS_LABELS = ("workflow::doing", "workflow::review")


@dataclass(frozen=True, slots=True)
class DemoPlace:
    """Ports and files of one demo."""

    port: int
    folder: Path

    @property
    def service(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def board(self) -> str:
        return f"http://127.0.0.1:{self.port + 1}"

    @property
    def tracker(self) -> str:
        return f"http://127.0.0.1:{self.port + 2}"


def demo_place(root: Path) -> DemoPlace:
    """Raises SettingsError for a port that leaves no room for three."""
    text = os.environ.get("KEEPSTEP_DEMO_PORT", "8080")
    if not text.isdigit() or not 1 <= int(text) <= 65533:
        raise SettingsError(f"KEEPSTEP_DEMO_PORT is wrong: {text!r} is no port from 1 to 65533.")
    return DemoPlace(int(text), root / ".demo" / text)


def demo_settings(place: DemoPlace) -> Settings:
    """Short times, so that a person sees everything happen; never the database or the keys of a real installation.

    Raises SettingsError.
    """
    return load_settings(
        database_url="",
        secret_keys="",
        host="127.0.0.1",
        data_dir=place.folder,
        public_url=place.service,
        port=place.port,
        poll_every=timedelta(seconds=30),
        look_up_every=timedelta(seconds=30),
        look_again_after=timedelta(seconds=5),
        first_retry=timedelta(seconds=1),
        longest_retry=timedelta(seconds=15),
        settle_scale=0.1,
        dead_after=8.0,
        log_level="warning",
    )


async def run_demo(root: Path, out: TextIO) -> None:
    """Until Ctrl-C. Raises SettingsError with one line when something it needs is not to be had."""
    place = demo_place(root)
    settings = demo_settings(place)
    place.folder.mkdir(parents=True, exist_ok=True)
    for port in range(place.port, place.port + 3):
        _check_free(port)
    with _emulator("productboard", place.port + 1, place), _emulator("gittab", place.port + 2, place):
        demo = _Demo(place, out)
        await demo.wait_for_emulators()
        boards = (("Productboard emulator", place.board), ("GitTab emulator", place.tracker))
        await serve(settings, with_worker=True, ready=demo.ready, boards=boards, started=demo.start)


def _check_free(port: int) -> None:
    try:
        listen("127.0.0.1", port).close()
    except SettingsError:
        raise SettingsError(
            f"Port {port} is taken: stop what runs there, or choose three others: KEEPSTEP_DEMO_PORT=9080 make demo"
        ) from None


@contextlib.contextmanager
def _emulator(name: str, port: int, place: DemoPlace) -> Iterator[None]:
    command = [sys.executable, "-m", "keepstep_sandbox", name, "--port", str(port)]
    command += ["--state", str(place.folder / f"{name}.json"), "--insecure-callbacks", "--time-scale", "0.05"]
    with (place.folder / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(  # noqa: S603 - our own module
            command,
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=_die_with_parent,  # noqa: PLW1509 - no thread is running yet
        )
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _die_with_parent() -> None:
    """Linux: a demo that is killed takes its emulators along. A session of their own keeps Ctrl-C for the parent."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)


class _Demo:
    """Seeds, connects and tells; `ready` is true when all of that is done."""

    def __init__(self, place: DemoPlace, out: TextIO) -> None:
        self._place = place
        self._out = out
        self._connected = False

    async def ready(self, runtime: Runtime) -> Readiness:
        base = await is_ready(runtime)
        detail = (
            "The demo's integration is connected."
            if self._connected
            else "The demo is still being connected."
        )
        return Readiness((*base.checks, Check("demo", ok=self._connected, detail=detail)))

    async def wait_for_emulators(self) -> None:
        until = time.monotonic() + _START_SECONDS
        async with httpx.AsyncClient() as client:
            for name, address in (("productboard", self._place.board), ("gittab", self._place.tracker)):
                while not await _answers(client, f"{address}/_sandbox/journal"):
                    if time.monotonic() > until:
                        log = self._place.folder / f"{name}.log"
                        raise SettingsError(f"The {name} emulator does not start; see {log}.")
                    await asyncio.sleep(0.1)

    async def start(self, runtime: Runtime) -> None:
        """Beside the server: Productboard probes our door while the integration is connected."""
        password = await self._admin(runtime)
        await self._wait_for_ourselves()
        integration = await self._integration(runtime)
        while integration.state is IntegrationState.CONNECTING:
            if integration.failure:
                raise SettingsError(f"The demo's integration cannot be connected: {integration.failure}")
            await asyncio.sleep(0.1)
            async with runtime.ctx.storage.begin() as uow:
                integration = await uow.integrations.get(integration.id)
        self._connected = True
        self._tell(password)

    async def _wait_for_ourselves(self) -> None:
        async with httpx.AsyncClient() as client:
            while not await _answers(client, f"{self._place.service}/healthz"):  # noqa: ASYNC110 - another socket's state
                await asyncio.sleep(0.05)

    async def _admin(self, runtime: Runtime) -> str:
        """Made once and kept, so that a second start can print it again."""
        kept = self._place.folder / "admin-password"
        if await runtime.people.is_empty():
            password = "-".join(secrets.token_hex(2) for _ in range(3))
            kept.touch(mode=0o600)
            kept.write_text(password)
            await runtime.people.create_admin(_ADMIN, password)
        return kept.read_text() if kept.exists() else "(the one you chose)"

    async def _integration(self, runtime: Runtime) -> Integration:
        async with runtime.ctx.storage.begin() as uow:
            existing = await uow.integrations.list_all()
        if not existing:
            return await connect(runtime.ctx, await self._configuration(runtime), "demo")
        first = existing[0]
        if first.state is IntegrationState.CONNECTING and first.failure:
            await try_again(runtime.ctx, first.id, "demo")
            first = await self._again(runtime, first)
        return first

    @staticmethod
    async def _again(runtime: Runtime, integration: Integration) -> Integration:
        async with runtime.ctx.storage.begin() as uow:
            return await uow.integrations.get(integration.id)

    async def _configuration(self, runtime: Runtime) -> NewIntegration:
        ctx, board_url = runtime.ctx, f"{self._place.board}/v2"
        settings = {"status_labels": _STATUS_LABELS}
        project = ProjectRef("1", "demo/roadmap")
        board = ctx.outside.open_board(board_url, BOARD_TOKEN)
        tracker = ctx.outside.open_tracker("gittab", self._place.tracker, TRACKER_TOKEN, settings)
        statuses = await board.workspace.list_statuses()
        proposed = discover.propose_map(statuses, await tracker.account.list_statuses(project.id))
        return NewIntegration(
            name=_NAME,
            board_url=board_url,
            board_token=await ctx.vault.put(BOARD_TOKEN),
            workspace="Harbor",
            kind="gittab",
            tracker_url=self._place.tracker,
            tracker_token=await ctx.vault.put(TRACKER_TOKEN),
            project=project,
            policy=SyncPolicy(status_map=_with_both_ends(proposed)),
            tracker_settings=settings,
            defaults={"labels": ("productboard",)},
        )

    def _tell(self, password: str) -> None:
        place = self._place
        lines = (
            "",
            "Keepstep is running. Two windows side by side show the step being kept:",
            f"  Keepstep      {place.service}   (login: {_ADMIN} / {password})",
            f"  Productboard  {place.board}   the emulator's board: click Push",
            f"  GitTab        {place.tracker}   the emulator's tickets",
            f"State is kept in {place.folder}. Stop with Ctrl-C.",
            "",
        )
        self._out.write("\n".join(lines) + "\n")
        self._out.flush()


def _with_both_ends(proposed: StatusMap) -> StatusMap:
    """Open and closed tickets must mean different things to a feature, or the demo would show nothing."""
    ends = {proposed.to_feature.get(StatusId(name)) for name in ("opened", "closed")}
    if len(ends) < 2:
        raise SettingsError("The demo's statuses cannot be mapped: open and closed mean the same.")
    return proposed


async def _answers(client: httpx.AsyncClient, address: str) -> bool:
    try:
        return (await client.get(address, timeout=2)).status_code == 200
    except httpx.TransportError:
        return False
