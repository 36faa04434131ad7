"""The service over PostgreSQL in this process, with one integration of every kind; nothing outside answers.

Kept open for a whole module: Hypothesis calls it with one example after the other.
"""

import asyncio
import contextlib
import itertools
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import httpx
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from keepstep.adapters.clock import SystemClock
from keepstep.adapters.jobs.inline import InlineJobs
from keepstep.adapters.memory.locks import MemoryLocks
from keepstep.adapters.memory.signals import MemorySignals
from keepstep.adapters.outside import OutsideWorld
from keepstep.adapters.pages import SignedLinkPages
from keepstep.adapters.passwords import Argon2Passwords
from keepstep.adapters.postgres.people import PostgresPeople
from keepstep.adapters.postgres.pool import new_pool
from keepstep.adapters.postgres.schema import migrate
from keepstep.adapters.postgres.storage import PostgresStorage
from keepstep.adapters.registry import known_trackers
from keepstep.adapters.vault.keys import Keys
from keepstep.adapters.vault.postgres import PostgresVault
from keepstep.app.context import Context, Rules
from keepstep.app.opening import board_proof
from keepstep.app.people import People
from keepstep.domain.ids import FeatureId, TicketId
from keepstep.domain.integration import (
    BoardAccount,
    Integration,
    IntegrationState,
    ProjectRef,
    Registrations,
    TrackerAccount,
)
from keepstep.domain.link import Link, LinkState
from keepstep.domain.policy import SyncPolicy
from keepstep.domain.ticket import TicketRef
from keepstep.web import api
from keepstep.web.app import create_app
from keepstep.web.column import router as column
from keepstep.web.deps import Readiness, Services, SystemFacts
from keepstep.web.hooks import router as hooks

EXAMPLES = int(os.environ.get("KEEPSTEP_FUZZ", "25"))
"""Examples a test; `make fuzz` takes many more."""
SERVICE = "http://keepstep.test"
COLUMN, FEATURE = "col-1", FeatureId("0f000000-0000-4000-8000-000000000042")
HOOK_SECRET = "inbound-secret-two-3333"
KINDS = ("github", "gitlab", "gittab", "jira", "linear", "redmine")
TICKETS = {"linear": "0d9c6f0e-7a1b-4c55-9d57-1f2e3a4b5c6d"}
PASSWORD = "rowan-lantern-42"

_BIGGEST_ROW = "SELECT coalesce(max(octet_length({table}::text)), 0) FROM {table}"


@dataclass(frozen=True)
class Stored:
    """How much the doors have left in the database."""

    notices: int
    links: int
    clicks: int


class Site:
    def __init__(self, pool: AsyncConnectionPool[AsyncConnection[Any]]) -> None:
        self._pool = pool
        self._numbers = itertools.count(1)
        self.ctx = Context(
            storage=PostgresStorage(pool),
            jobs=InlineJobs(),
            locks=MemoryLocks(),
            signals=MemorySignals(),
            vault=PostgresVault(pool, Keys("k1", {"k1": b"k" * 32})),
            clock=SystemClock(),
            outside=OutsideWorld(allow_private=True, transport=httpx.MockTransport(_nobody)),
            pages=SignedLinkPages(SERVICE, [b"k" * 32]),
            rules=Rules(SERVICE, push_wait=0),
        )
        self.people = People(PostgresPeople(pool), Argon2Passwords(memory_kib=64, passes=1), self.ctx.clock)
        services = Services(self.ctx, self.people, _ready, "test", secure_cookies=False, system=_system)
        self.app = create_app(services, [column, hooks, api.router])
        api.describe(self.app)
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        self.client = httpx.AsyncClient(transport=transport, base_url=SERVICE, timeout=20)
        self.integrations: dict[str, Integration] = {}
        self.link: Link
        self.token = ""

    async def seed(self) -> None:
        assert set(KINDS) <= set(known_trackers())
        for kind in KINDS:
            self.integrations[kind] = await self._integration(kind)
        self.link = await self._link(self.integrations["gitlab"])
        person = (await self.people.create_admin("ada", PASSWORD)).person
        self.token = (await self.people.create_token(person, "script")).secret

    async def _integration(self, kind: str) -> Integration:
        vault = self.ctx.vault
        made = Integration(
            id=self.ctx.clock.new_integration_id(),
            name=f"To {kind}",
            state=IntegrationState.ACTIVE,
            board=BoardAccount("https://board.test/v2", await vault.put("pb-token-of-the-tests"), "Acme"),
            tracker=TrackerAccount(kind, f"https://{kind}.test", await vault.put("token-of-the-tests")),
            project=ProjectRef("1", "demo/roadmap"),
            button="Push",
            policy=SyncPolicy(),
            board_secret=await vault.put("inbound-secret-one-2222"),
            hook_secret=await vault.put(HOOK_SECRET),
            created_at=self.ctx.clock.now(),
            registrations=Registrations(COLUMN, "sub-1", "hook-1", SERVICE, hook_signed=kind != "gittab"),
        )
        async with self.ctx.storage.begin() as uow:
            await uow.integrations.add(made)
            await uow.commit()
        return made

    async def _link(self, integration: Integration) -> Link:
        now = self.ctx.clock.now()
        made = Link(
            id=self.ctx.clock.new_link_id(),
            integration_id=integration.id,
            feature_id=FEATURE,
            state=LinkState.LINKED,
            created_at=now,
            account=integration.tracker.key,
            feature_title="Sign in with a passkey",
            ticket=TicketRef(TicketId("1007"), "1", "7", "#7", "https://gitlab.test/demo/roadmap/-/issues/7"),
        )
        async with self.ctx.storage.begin() as uow:
            await uow.links.add_or_find(made)
            await uow.commit()
        return made

    async def proof(self, integration: Integration) -> str:
        """What Productboard sends in `Authorization`."""
        return await board_proof(self.ctx, integration)

    async def send(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Raises TimeoutError when there is no answer for far longer than any sender waits."""
        async with asyncio.timeout(10):
            return await self.client.request(method, path, **more)

    async def stored(self) -> Stored:
        return Stored(
            *[await self._ask(f"SELECT count(*) FROM {each}") for each in ("inbox", "links", "clicks")]
        )

    async def biggest_row(self) -> int:
        """Bytes of the biggest row of those that a door can write."""
        tables = ("inbox", "links", "journal", "received", "login_attempts")
        return max([await self._ask(_BIGGEST_ROW.format(table=each)) for each in tables])

    async def forget_attempts(self) -> None:
        """As if a quarter of an hour had passed since the last login."""
        await self._ask("DELETE FROM login_attempts RETURNING 1")

    async def _ask(self, sql: str) -> int:
        async with self._pool.connection() as connection:
            row = await (await connection.execute(sql)).fetchone()
        return row[0] if row else 0


@contextlib.asynccontextmanager
async def open_site(dsn: str) -> AsyncIterator[Site]:
    migrate(dsn)
    pool = new_pool(dsn, "fuzz", max_size=4)
    await pool.open()
    site = Site(pool)
    try:
        await site.seed()
        yield site
    finally:
        await site.client.aclose()
        await site.ctx.outside.aclose()
        await pool.close()


def _nobody(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError(f"nobody is {request.url.host}", request=request)


async def _ready() -> Readiness:
    return Readiness(())


async def _system() -> SystemFacts:
    return replace(SystemFacts(database="PostgreSQL"))
