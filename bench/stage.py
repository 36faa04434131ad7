"""The stage: one fresh service and both emulators, with columns connected and features pushed.

Every column has a workspace, a project and tokens of its own, so that one of them alone meets the limits of one token
and several together do not.
"""

import asyncio
import contextlib
import re
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from bench.figures import BenchError
from bench.outside import SHORT_LIVED, Board, Tracker, checked
from bench.processes import Child, clean_environment, free_ports, wait_for
from bench.service import Service

_FIRST_PROJECT = 101
_CONNECT_SECONDS = 30.0
_QUIET_SECONDS = 60.0
_PUSHES_AT_ONCE = 4
STATUS_LABELS = ["workflow::doing", "workflow::review"]


@dataclass(frozen=True, slots=True)
class Pair:
    """A feature and its ticket, in step."""

    column: "Column" = field(repr=False)
    feature: str
    issue: int

    def is_meant(self, path: str) -> bool:
        """Whether a call's path is about this feature or this ticket."""
        return self.feature in path or self._issue.search(path) is not None

    @property
    def _issue(self) -> re.Pattern[str]:
        return re.compile(rf"/projects/{self.column.project}/issues/{self.issue}(\D|$)")


@dataclass(eq=False)
class Column:
    """One integration: its place on both sides, its tokens, and its pairs."""

    number: int
    features: list[str]
    """Not pushed yet."""
    integration: str = ""
    plugin: str = ""
    status_map: dict[str, dict[str, str]] = field(default_factory=dict)
    pairs: list[Pair] = field(default_factory=list)

    @property
    def workspace(self) -> str:
        return f"bench-{self.number}"

    @property
    def project(self) -> int:
        return _FIRST_PROJECT + self.number

    @property
    def board_token(self) -> str:
        return f"bench-board-of-the-service-{self.number}"

    @property
    def tracker_token(self) -> str:
        return f"bench-tracker-of-the-service-{self.number}"

    @property
    def person_token(self) -> str:
        return f"bench-token-of-a-person-{self.number}"


class Stage:
    def __init__(
        self,
        service: Service,
        board: Board,
        tracker: Tracker,
        emulators: dict[str, Child],
        rest_seconds: float,
    ) -> None:
        """`rest_seconds`: more than the second within which a Link's next sync, or a look at its cell, may follow."""
        self.service = service
        self.board = board
        self.tracker = tracker
        self.emulators = emulators
        self.rest_seconds = rest_seconds
        self.columns: list[Column] = []
        self._rested_at = (-1, -1)
        self._api: httpx.AsyncClient | None = None

    async def log_in(self) -> None:
        token = await asyncio.to_thread(self.service.api_token)
        headers = {"Authorization": f"Bearer {token}"}
        self._api = httpx.AsyncClient(
            base_url=f"{self.service.address}/api/v1",
            headers=headers,
            trust_env=False,
            timeout=30,
            limits=SHORT_LIVED,
        )

    async def aclose(self) -> None:
        for client in (self._api, self.board, self.tracker):
            if client is not None:
                await client.aclose()

    async def ask(self, method: str, path: str, body: Any = None, **params: Any) -> Any:
        """The service's JSON API. Raises BenchError."""
        if self._api is None:
            raise BenchError("Nobody is logged in yet.")
        return await checked(await self._api.request(method, path, json=body, params=params))

    async def add_column(self, features: int) -> Column:
        """Seeds both sides, connects, and returns when the integration is active."""
        number = len(self.columns)
        column = Column(number, [])
        tokens = [column.board_token, column.person_token]
        column.features = await self.board.add_workspace(column.workspace, tokens, features)
        await self.tracker.add_project(column.project, [column.tracker_token, column.person_token])
        made = await self.ask("POST", "/integrations", self._wanted(column))
        until = time.monotonic() + _CONNECT_SECONDS
        while made["state"] != "active":
            if made["failure"] or time.monotonic() > until:
                raise BenchError(
                    f"The integration is not connected: {made['failure'] or 'it takes too long'}"
                )
            await asyncio.sleep(0.1)
            made = await self.ask("GET", f"/integrations/{made['id']}")
        column.integration, column.plugin = made["id"], made["registrations"]["column"]
        column.status_map = made["policy"]["status_map"]
        self.columns.append(column)
        return column

    def _wanted(self, column: Column) -> dict[str, Any]:
        return {
            "name": f"Column {column.number}",
            "board": {"base_url": f"{self.board.address}/v2", "token": column.board_token},
            "tracker": {
                "kind": "gittab",
                "base_url": self.tracker.address,
                "token": column.tracker_token,
                "settings": {"status_labels": STATUS_LABELS},
            },
            "project": str(column.project),
        }

    async def push(self, column: Column, count: int) -> list[tuple[str, float]]:
        """Clicks on so many fresh features, some at once; returns what each click came to once all are in step."""
        slots = asyncio.Semaphore(_PUSHES_AT_ONCE)

        async def one(feature: str) -> tuple[str, float]:
            async with slots:
                return await self.board.click(column.plugin, feature)

        features = [column.features.pop() for _ in range(count)]
        outcomes = await asyncio.gather(*(one(each) for each in features))
        await self.find_pairs(column)
        return outcomes

    async def find_pairs(self, column: Column) -> None:
        """Reads the Links of the column as soon as none of them is being pushed. Raises BenchError."""
        await self.quiet()
        found: list[Any] = []
        while True:
            params = {"integration": column.integration, "offset": len(found), "limit": 50}
            page = await self.ask("GET", "/links", **params)
            found += page["items"]
            if not page["items"] or len(found) >= page["total"]:
                break
        strays = [each for each in found if each["state"] != "linked"]
        if strays:
            raise BenchError(f"{len(strays)} of {len(found)} Links are not linked: {strays[0]['state']}.")
        column.pairs = [
            Pair(column, each["feature"]["id"], int(each["ticket"]["label"].removeprefix("#")))
            for each in found
        ]

    async def quiet(self) -> None:
        """Returns when neither emulator was called for a while and nothing waits to be delivered. Raises BenchError."""
        until, seen, since = time.monotonic() + _QUIET_SECONDS, (-1, -1), time.monotonic()
        while time.monotonic() < until:
            now = await self.board.position(), await self.tracker.position()
            if now == self._rested_at:
                return
            if now != seen or not (await self.board.is_idle() and await self.tracker.is_idle()):
                seen, since = now, time.monotonic()
            elif time.monotonic() - since >= self.rest_seconds:
                self._rested_at = now
                return
            await asyncio.sleep(0.1)
        raise BenchError(f"It did not become quiet within {_QUIET_SECONDS:g} s.")

    async def still_quiet(self) -> None:
        """To be said after reading at the emulators: that changed nothing, so there is nothing to wait for."""
        self._rested_at = await self.board.position(), await self.tracker.position()

    def pairs(self, columns: Iterable[Column] | None = None) -> list[Pair]:
        return [pair for column in columns or self.columns for pair in column.pairs]


MakeService = Callable[[Path, int], Service]
"""From a folder and a port."""


@contextlib.asynccontextmanager
async def open_stage(rest_seconds: float = 1.8, make_service: MakeService = Service) -> AsyncIterator[Stage]:
    """Starts everything in a temporary folder, and stops it by pid."""
    with tempfile.TemporaryDirectory(prefix="keepstep-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # noqa: ASYNC240 - as root the database runs as another user, who has to get in
        board_port, tracker_port, service_port = free_ports(3)
        emulators: dict[str, Child] = {}
        service = make_service(folder, service_port)
        async with contextlib.AsyncExitStack() as stack:
            stack.callback(service.database.remove)
            for kind, port in (("productboard", board_port), ("gittab", tracker_port)):
                emulators[kind] = start_emulator(kind, port, folder)
                stack.push_async_callback(_stop_last, emulators, kind)
            board = Board(f"http://127.0.0.1:{board_port}", folder / "productboard.json")
            tracker = Tracker(f"http://127.0.0.1:{tracker_port}", folder / "gittab.json")
            for kind, emulator in (("productboard", board), ("gittab", tracker)):
                await wait_for(emulators[kind], f"{emulator.address}/_sandbox/health")
            stack.push_async_callback(service.stop)
            await service.start()
            stage = Stage(service, board, tracker, emulators, rest_seconds)
            stack.push_async_callback(stage.aclose)
            await stage.log_in()
            yield stage


async def _stop_last(emulators: dict[str, Child], kind: str) -> None:
    """The one that runs by then: it may have been started again meanwhile."""
    if not emulators[kind].ended:
        await emulators[kind].stop()


def start_emulator(kind: str, port: int, folder: Path) -> Child:
    """A second start in the same folder goes on from its state."""
    command = [sys.executable, "-m", "keepstep_sandbox", kind, "--port", str(port), "--seed", "empty"]
    command += ["--state", str(folder / f"{kind}.json"), "--insecure-callbacks"]
    return Child(kind, command, folder, clean_environment())
