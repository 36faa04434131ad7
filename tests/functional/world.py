"""The whole service in one process: real use cases, doors and adapters; both emulators; memory instead of PostgreSQL.

Requests go by host name to the ASGI app that stands for it, in both directions. Jobs run by themselves, one after the
other, while the test waits; times are short.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx

from keepstep.adapters.clock import SystemClock
from keepstep.adapters.jobs.inline import InlineJobs
from keepstep.adapters.memory.locks import MemoryLocks
from keepstep.adapters.memory.people import MemoryPeople
from keepstep.adapters.memory.signals import MemorySignals
from keepstep.adapters.memory.storage import MemoryStorage
from keepstep.adapters.memory.vault import MemoryVault
from keepstep.adapters.outside import OutsideWorld
from keepstep.adapters.pages import SignedLinkPages
from keepstep.adapters.passwords import Argon2Passwords
from keepstep.app import bulk_feeding, bulk_preparing, polling, sweep
from keepstep.app.connect import NewIntegration, connect, run_integration
from keepstep.app.context import Context, Rules
from keepstep.app.failures import crashed
from keepstep.app.job import run_link
from keepstep.app.people import People
from keepstep.domain.events import Entry
from keepstep.domain.fields import Side
from keepstep.domain.ids import IntegrationId, LinkId, StatusId
from keepstep.domain.integration import Integration, IntegrationState, ProjectRef
from keepstep.domain.link import Link
from keepstep.domain.policy import StatusMap, SyncPolicy
from keepstep.ports.clock import Clock
from keepstep.ports.storage import JournalQuery, LinkQuery
from keepstep.web import api
from keepstep.web.app import create_app
from keepstep.web.column import router as column
from keepstep.web.deps import Readiness, Services, SystemFacts
from keepstep.web.hooks import router as hooks
from keepstep_sandbox.app import SandboxConfig
from keepstep_sandbox.gittab import create_app as create_gittab
from keepstep_sandbox.productboard import create_app as create_productboard

BOARD_TOKEN, TRACKER_TOKEN, VISITOR = "demo-productboard-token", "demo-gittab-token", "demo-visitor-token"
SERVICE, BOARD, TRACKER = "http://keepstep.test", "http://productboard.test", "http://gittab.test"
STATUS_LABELS = ("workflow::doing", "workflow::review")
LOOK_SECONDS = 0.02

QUICK = Rules(
    public_url=SERVICE,
    push_wait=1.5,
    push_limit=timedelta(seconds=60),
    poll_every=timedelta(seconds=60),
    poll_overlap=timedelta(seconds=5),
    look_up_every=timedelta(),
    look_again_after=timedelta(milliseconds=300),
    attempts=4,
    first_retry=timedelta(milliseconds=50),
    longest_retry=timedelta(milliseconds=200),
    burst_pause=timedelta(milliseconds=20),
    click_settles=timedelta(milliseconds=100),
    click_dies=timedelta(milliseconds=2000),
    settle_scale=0.01,
)


class ByHost(httpx.AsyncBaseTransport):
    """Stands in for the network."""

    def __init__(self) -> None:
        self.apps: dict[str, httpx.AsyncBaseTransport] = {}

    def add(self, address: str, app: Any) -> None:
        self.apps[httpx.URL(address).host] = httpx.ASGITransport(app=app, raise_app_exceptions=False)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        transport = self.apps.get(request.url.host)
        if transport is None:
            raise httpx.ConnectError(f"nobody is {request.url.host}", request=request)
        # ASGITransport knows no time limits of its own.
        limit = request.extensions.get("timeout", {}).get("read")
        try:
            async with asyncio.timeout(limit):
                return await transport.handle_async_request(request)
        except TimeoutError:
            raise httpx.ReadTimeout("no answer in time", request=request) from None


class World:
    def __init__(
        self, rules: Rules = QUICK, *, total_seconds: float = 10.0, clock: Clock | None = None
    ) -> None:
        self.network = ByHost()
        self.client = httpx.AsyncClient(transport=self.network)
        sandbox = {"allow_insecure_callbacks": True, "time_scale": 0.001, "client": self.client}
        self.productboard = create_productboard(SandboxConfig(public_base=BOARD, **sandbox))
        self.gittab = create_gittab(SandboxConfig(public_base=TRACKER, **sandbox))
        self.jobs = InlineJobs()
        self.outside = OutsideWorld(allow_private=True, transport=self.network, total_seconds=total_seconds)
        self.ctx = Context(
            storage=MemoryStorage(),
            jobs=self.jobs,
            locks=MemoryLocks(),
            signals=MemorySignals(),
            vault=MemoryVault(),
            clock=clock or SystemClock(),
            outside=self.outside,
            pages=SignedLinkPages(rules.public_url, [b"k" * 32]),
            rules=rules,
        )
        self.people = People(MemoryPeople(), Argon2Passwords(memory_kib=1024, passes=1), self.ctx.clock)
        services = Services(
            ctx=self.ctx,
            people=self.people,
            ready=self._ready,
            version="test",
            secure_cookies=False,
            system=self._system,
        )
        self.service = create_app(services, [column, hooks, api.router])
        api.describe(self.service)
        for address, app in ((SERVICE, self.service), (BOARD, self.productboard), (TRACKER, self.gittab)):
            self.network.add(address, app)
        self.crashes: list[BaseException] = []
        self.worker_runs = True

    @staticmethod
    async def _ready() -> Readiness:
        return Readiness(())

    @staticmethod
    async def _system() -> SystemFacts:
        return SystemFacts(database="memory")

    # ---- the worker

    async def run_jobs(self) -> None:
        await self.jobs.drain(self._run_link, self._run_integration, self._crashed)

    async def _run_link(self, link: LinkId) -> None:
        await run_link(self.ctx, link)

    async def _run_integration(self, integration: IntegrationId) -> None:
        await run_integration(self.ctx, integration)

    async def _crashed(self, key: str, error: BaseException) -> None:
        self.crashes.append(error)
        if key.startswith("link:"):
            await crashed(self.ctx, LinkId(key.removeprefix("link:")), "test")

    async def _work_forever(self) -> None:
        while True:
            if self.worker_runs:
                for timer in await sweep.run_timers(self.ctx):
                    await polling.run_due_poll(self.ctx, timer)
                await sweep.wake_due(self.ctx)
                await bulk_preparing.prepare_runs(self.ctx)
                await bulk_feeding.feed_runs(self.ctx)
                await self.run_jobs()
            await asyncio.sleep(0.005)

    async def poll(self, integration: Integration) -> None:
        for side in Side:
            await polling.poll(self.ctx, integration.id, side)

    # ---- what people do

    async def connect(self, **changes: Any) -> Integration:
        new = NewIntegration(
            name="Roadmap",
            board_url=f"{BOARD}/v2",
            board_token=await self.ctx.vault.put(BOARD_TOKEN),
            kind="gittab",
            tracker_url=TRACKER,
            tracker_token=await self.ctx.vault.put(TRACKER_TOKEN),
            project=ProjectRef("1", "demo/roadmap"),
            policy=SyncPolicy(status_map=await self.status_map()),
            tracker_settings={"status_labels": STATUS_LABELS},
            defaults={"labels": ("productboard",)},
        )
        made = await connect(self.ctx, replace(new, **changes), "tester")
        return await self.until(lambda: self._connected(made.id))

    async def _connected(self, integration: IntegrationId) -> Integration | None:
        async with self.ctx.storage.begin() as uow:
            found = await uow.integrations.get(integration)
        done = found.state is not IntegrationState.CONNECTING or found.failure
        return found if done else None

    async def status_map(self) -> StatusMap:
        ids = await self.statuses()
        to_ticket = {
            ids["New idea"]: "opened",
            ids["Candidate"]: "opened",
            ids["Planned"]: "opened",
            ids["In progress"]: "label:workflow::doing",
            ids["Released"]: "closed",
        }
        to_feature = {
            "opened": ids["Planned"],
            "label:workflow::doing": ids["In progress"],
            "label:workflow::review": ids["In progress"],
            "closed": ids["Released"],
        }
        return StatusMap(
            {StatusId(key): StatusId(value) for key, value in to_ticket.items()},
            {StatusId(key): StatusId(value) for key, value in to_feature.items()},
        )

    async def statuses(self) -> dict[str, str]:
        board = self.outside.open_board(f"{BOARD}/v2", VISITOR)
        return {each.name: each.id for each in await board.workspace.list_statuses()}

    async def features(self, kind: str = "feature") -> list[dict[str, Any]]:
        answer = await self.board("GET", f"/v2/entities?type[]={kind}")
        return answer["data"]

    async def feature(self, entity: str) -> dict[str, Any]:
        return (await self.board("GET", f"/v2/entities/{entity}"))["data"]

    async def edit_feature(self, entity: str, **fields: Any) -> None:
        await self.board("PATCH", f"/v2/entities/{entity}", {"data": {"fields": fields}})

    async def click(
        self, integration: Integration, entity: str, trigger: str = "button.push"
    ) -> dict[str, Any]:
        """The connection that results, as Productboard applied it."""
        body = {"integrationId": integration.registrations.column, "entityId": entity, "trigger": trigger}
        answer = await self.client.post(f"{BOARD}/_sandbox/click", json=body, timeout=30)
        assert answer.status_code == 200, answer.text
        return answer.json()["connection"]

    async def cell(self, integration: Integration, entity: str) -> dict[str, Any]:
        column_id = integration.registrations.column
        answer = await self.board(
            "GET", f"/v2/plugin-integrations/{column_id}/connections/{entity}", token=BOARD_TOKEN
        )
        return answer["data"]["fields"]["connection"]

    async def board(self, method: str, path: str, body: Any = None, *, token: str = VISITOR) -> Any:
        headers = {"Authorization": f"Bearer {token}"}
        answer = await self.client.request(method, f"{BOARD}{path}", json=body, headers=headers, timeout=30)
        assert answer.status_code < 300, answer.text
        return answer.json() if answer.content else None

    async def tracker(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"PRIVATE-TOKEN": VISITOR}
        url = f"{TRACKER}/api/v4{path}"
        answer = await self.client.request(method, url, json=body, headers=headers, timeout=30)
        assert answer.status_code < 300, answer.text
        return answer.json() if answer.content else None

    async def issues(self, project: int = 1) -> list[dict[str, Any]]:
        """Those that we made, by their marker."""
        found = await self.tracker("GET", f"/projects/{project}/issues?state=all&scope=all&per_page=100")
        return [each for each in found if "keepstep" in (each["description"] or "")]

    async def issue(self, iid: int, project: int = 1) -> dict[str, Any]:
        return await self.tracker("GET", f"/projects/{project}/issues/{iid}")

    async def edit_issue(self, iid: int, project: int = 1, **fields: Any) -> None:
        await self.tracker("PUT", f"/projects/{project}/issues/{iid}", fields)

    async def pushed(
        self, integration: Integration, status: str = "In progress"
    ) -> tuple[dict[str, Any], dict[str, Any], Link]:
        """The first feature of that status, its ticket and their Link, at rest."""
        feature = next(each for each in await self.features() if each["fields"]["status"]["name"] == status)
        connection = await self.click(integration, feature["id"])
        assert connection["state"] == "connected", connection
        link = await self.link_of(integration, feature["id"])
        assert link is not None
        assert link.ticket is not None
        await self.quiet()
        return feature, await self.issue(int(link.ticket.key)), link

    # ---- what is stored

    async def link_of(self, integration: Integration, entity: str) -> Link | None:
        async with self.ctx.storage.begin() as uow:
            return await uow.links.find_open(integration.id, entity)  # type: ignore[arg-type]

    async def links(self, integration: Integration) -> list[Link]:
        async with self.ctx.storage.begin() as uow:
            return list((await uow.links.page(LinkQuery(integration.id, limit=500)))[0])

    async def journal(self, link: Link) -> list[Entry]:
        async with self.ctx.storage.begin() as uow:
            return list((await uow.journal.page(JournalQuery(link=link.id, limit=500)))[0])

    async def integration(self, integration: Integration) -> Integration:
        async with self.ctx.storage.begin() as uow:
            return await uow.integrations.get(integration.id)

    # ---- faults and journals of the emulators

    def fault(self, emulator: str, **rule: Any) -> None:
        getattr(self, emulator).state.sandbox.faults.add(rule)

    def clear_faults(self) -> None:
        for emulator in (self.productboard, self.gittab):
            emulator.state.sandbox.faults.clear()

    def calls(self, since: float = 0.0, *, direction: str = "in") -> list[str]:
        """`METHOD path` of the service's calls to both emulators since then, in order."""
        journals = [app.state.sandbox.journal for app in (self.productboard, self.gittab)]
        entries = [entry for journal in journals for entry in journal._entries]
        kept = [
            entry
            for entry in sorted(entries, key=lambda entry: entry.started_at)
            if entry.direction == direction
            and entry.started_at >= since
            and (direction == "out" or entry.request_headers.get("user-agent", "").startswith("keepstep"))
        ]
        return [f"{entry.method} {entry.url or entry.path}".split("?", 1)[0] for entry in kept]

    # ---- waiting

    async def until(self, probe: Callable[[], Awaitable[Any]], seconds: float = 10.0) -> Any:
        """What the probe gives as soon as it gives something."""
        end = time.monotonic() + seconds
        while True:
            if found := await probe():
                return found
            if time.monotonic() > end:
                raise AssertionError(f"Not within {seconds} s. Crashes: {self.crashes}")
            await asyncio.sleep(0.05)

    async def quiet(self, seconds: float = 0.25) -> None:
        """No call in either direction for so long, in which others had their turns: looks count, not time alone."""
        last, unchanged = -1, 0
        while unchanged < seconds / LOOK_SECONDS:
            count = len(self.calls()) + len(self.calls(direction="out"))
            last, unchanged = count, unchanged + 1 if count == last else 0
            await asyncio.sleep(LOOK_SECONDS)
        assert not self.crashes, self.crashes

    async def aclose(self) -> None:
        await self.outside.aclose()
        for emulator in (self.productboard, self.gittab):
            await emulator.state.sandbox.aclose()
        await self.client.aclose()


@contextlib.asynccontextmanager
async def open_world(rules: Rules = QUICK, **options: Any) -> AsyncIterator[World]:
    world = World(rules, **options)
    worker = asyncio.create_task(world._work_forever())
    try:
        yield world
    finally:
        worker.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await worker
        await world.aclose()
