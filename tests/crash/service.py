"""One process of the service, driven step by step, so that its points come in the same order every time.

Real use cases, doors, adapters, PostgreSQL and sockets. What differs from `keepstep serve`: jobs are taken from the
engine's table one at a time; a notification waits at the door until the job under way has ended; and the clock jumps
over every wait.
"""

import asyncio
import contextlib
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import httpx
import uvicorn

from crash.seams import Points, Port, SeamLocks, SeamStorage, SeamTransport, inside, watched_for_strays
from keepstep.adapters.clock import SystemClock
from keepstep.adapters.http.address import GuardedTransport
from keepstep.adapters.jobs.engine import JobEngine
from keepstep.adapters.outside import OutsideWorld
from keepstep.adapters.pages import SignedLinkPages
from keepstep.adapters.passwords import Argon2Passwords
from keepstep.adapters.postgres.locks import PostgresLocks
from keepstep.adapters.postgres.people import PostgresPeople
from keepstep.adapters.postgres.pool import new_pool
from keepstep.adapters.postgres.signals import PostgresSignals
from keepstep.adapters.postgres.storage import PostgresStorage
from keepstep.adapters.vault.keys import keys_from_setting
from keepstep.adapters.vault.postgres import PostgresVault
from keepstep.app import bulk_feeding, bulk_preparing, polling, sweep
from keepstep.app.connect import run_integration
from keepstep.app.context import Context, Rules
from keepstep.app.failures import crashed
from keepstep.app.job import run_link
from keepstep.app.people import People
from keepstep.domain.fields import Side
from keepstep.domain.ids import IntegrationId, LinkId
from keepstep.domain.integration import IntegrationState
from keepstep.serving import listen
from keepstep.web import api
from keepstep.web.app import create_app
from keepstep.web.column import router as column
from keepstep.web.deps import Readiness, Services, SystemFacts
from keepstep.web.hooks import router as hooks

_KEYS = "crash:" + "a2V5IG9mIHRoZSBjcmFzaCB0ZXN0cywgMzIgYnl0ZXM="
_NEVER = timedelta(days=36_500)
_SEEN_AGAIN = timedelta(seconds=30)  # less than a page of what a run leaves
_ROUNDS = 60
_LOOK_SECONDS = 0.0005
_TAKE = """
UPDATE procrastinate_jobs SET status = 'doing' WHERE id = (
    SELECT id FROM procrastinate_jobs job WHERE status = 'todo' AND NOT EXISTS (
        SELECT FROM procrastinate_jobs other WHERE other.status = 'doing' AND other.lock = job.lock)
    ORDER BY priority DESC, id LIMIT 1)
RETURNING id, lock
"""
_NEXT_DUE = """
SELECT min(at) FROM (
    SELECT min(due_at) AS at FROM timers WHERE kind IN ('cell', 'look again')
    UNION ALL SELECT min(retry_at) FROM links WHERE state <> 'set aside'
    UNION ALL SELECT min((doc->>'retry_at')::timestamptz) FROM integrations WHERE state IN ('connecting', 'removing')
) AS due
"""
_LEFT = {
    "notices": "SELECT count(*) FROM inbox WHERE handled_at IS NULL AND link_id IS NOT NULL",
    "timers": "SELECT count(*) FROM timers WHERE kind IN ('cell', 'look again')",
    "jobs": "SELECT count(*) FROM procrastinate_jobs",
    "unsettled links": "SELECT count(*) FROM links WHERE state NOT IN ('linked', 'dismissed')",
    "unfinished bulk runs": "SELECT count(*) FROM bulk_runs WHERE state NOT IN ('proposed', 'done')",
    "unsettled integrations": "SELECT count(*) FROM integrations WHERE state <> 'active'",
}


@dataclass(frozen=True)
class Addresses:
    dsn: str
    board: str
    tracker: str
    port: int

    @property
    def service(self):
        return f"http://127.0.0.1:{self.port}"


class JumpingClock(SystemClock):
    """Nobody waits, and a slow machine is no slower: time goes on by a jump, and a little with each look at it.

    Where it has come to outlives the process.
    """

    def __init__(self, at):
        self._at = at

    def now(self):
        self.jump(_LOOK_SECONDS)
        return datetime.fromtimestamp(self._at[0], UTC)

    def elapsed(self):
        return self.now().timestamp()

    async def sleep(self, seconds):
        self.jump(seconds)
        await asyncio.sleep(0)

    def jump(self, seconds):
        self._at[0] += max(0.0, seconds)

    @property
    def ahead(self):
        """Of the emulators' clock, which is the machine's."""
        return max(timedelta(), self.now() - datetime.now(UTC))


class DrivenSignals:
    """Whoever waits for an outcome lets one job run meanwhile; when there is none, the time is over."""

    def __init__(self, service, real):
        self._service, self._real = service, real

    async def tell(self, link):
        await self._real.tell(link)

    async def wait(self, link, seconds):
        if await self._service.run_one_job():
            return True
        self._service.clock.jump(seconds)
        return False


class OneAtATime:
    """A request is let in when no other one and no job is under way; the probe comes in the middle of a job."""

    def __init__(self, app, turn):
        self._app, self._turn = app, turn

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http" or scope["method"] == "GET":
            await self._app(scope, receive, send)
            return
        async with self._turn:
            await self._app(scope, receive, send)


@dataclass
class Service:
    addresses: Addresses
    time: object
    points: Points = field(default_factory=Points)
    crashes: list[str] = field(default_factory=list)

    @contextlib.asynccontextmanager
    async def open(self, app):
        """`app`: made before by `new_app`; it gets its services now."""
        self.clock, self.turn = JumpingClock(self.time), asyncio.Lock()
        async with contextlib.AsyncExitStack() as stack:
            stack.enter_context(watched_for_strays(self.points))
            pool = await stack.enter_async_context(new_pool(self.addresses.dsn, "keepstep-crash", max_size=4))
            self.engine = self._engine()
            await self.engine.open()
            stack.push_async_callback(self.engine.close)
            locks = PostgresLocks(self.addresses.dsn, "crash")
            stack.push_async_callback(locks.close)
            self.ctx, self.pool = self._context(pool, locks), pool
            app.state.services = _services(self.ctx, pool)
            self.http = await stack.enter_async_context(httpx.AsyncClient(timeout=30, trust_env=False))
            listener = stack.enter_context(listen("127.0.0.1", self.addresses.port))
            server = uvicorn.Server(
                uvicorn.Config(OneAtATime(app, self.turn), log_config=None, lifespan="off")
            )
            serving = asyncio.create_task(server.serve(sockets=[listener]))
            while not server.started:
                await asyncio.sleep(0.002)
            yield self
            server.should_exit = True
            await serving

    def _engine(self):
        async def unused(*_values):
            raise AssertionError("the engine itself runs nothing here")

        async def fence(_owner):
            return

        return JobEngine(
            self.addresses.dsn, "crash", run_link=unused, run_integration=unused, on_crash=self._crashed,
            on_dead_worker=fence,
        )  # fmt: skip

    def _context(self, pool, locks):
        points, keys = self.points, keys_from_setting(_KEYS)
        network = GuardedTransport(allow_private=True, limits=httpx.Limits())
        self.transport = SeamTransport(network, points)
        return Context(
            storage=SeamStorage(PostgresStorage(pool), points),
            jobs=Port(self.engine, "jobs", points, reads=("links_with_a_job",)),
            locks=SeamLocks(locks, points),
            signals=Port(
                DrivenSignals(self, PostgresSignals(self.addresses.dsn, pool)),
                "signals",
                points,
                reads=("wait",),
            ),
            vault=Port(PostgresVault(pool, keys), "vault", points, reads=("open", "last_four", "list_keys")),
            clock=self.clock,
            outside=OutsideWorld(allow_private=True, transport=self.transport),
            pages=SignedLinkPages(self.addresses.service, [b"k" * 32]),
            rules=Rules(
                self.addresses.service,
                poll_every=_NEVER,
                look_up_every=_NEVER,
                look_after_every=_NEVER,
                # Always in force, so that it does not depend on the jump before.
                burst_pause=timedelta(hours=1),
                settle_scale=0.1,
            ),
        )

    # ---- the worker

    async def run_one_job(self):
        """False when none waits."""
        with inside():
            taken = await self.engine._table.run(_TAKE)
        if not taken:
            return False
        number, key = taken[0]
        self.points.at("after the worker took a job")
        kind, name = key.split(":", 1)
        try:
            if kind == "link":
                await run_link(self.ctx, LinkId(name))
            else:
                await run_integration(self.ctx, IntegrationId(name))
        except Exception as error:  # noqa: BLE001 - the outermost loop: reported, as the engine does
            await self._crashed(key, error)
        self.points.at("before the worker's job ends")
        with inside():
            await self.engine._table.run(
                "DELETE FROM procrastinate_jobs WHERE id = %(number)s", {"number": number}
            )
        return True

    async def _crashed(self, key, error):
        self.crashes.append(f"{key.split(':')[0]}: {error!r}")
        if key.startswith("link:"):
            await crashed(self.ctx, LinkId(key.removeprefix("link:")), "crash")

    async def work(self):
        """Until no job waits, nothing is on its way to us, and no timer of a Link is set."""
        for _ in range(_ROUNDS):
            await self._all_delivered()
            async with self.turn:
                if await self.run_one_job() or await self._jump_to_what_is_due():
                    continue
            if not await self._all_delivered():
                continue
            if await self._is_quiet():
                return
        raise AssertionError(f"It does not come to rest: {await self.left()}")

    async def _jump_to_what_is_due(self):
        with inside():
            due = (await self.engine._table.run(_NEXT_DUE))[0][0]
        if due is None:
            return False
        self.clock.jump((due - self.clock.now()).total_seconds())
        await sweep.run_timers(self.ctx)
        await sweep.wake_due(self.ctx)
        await sweep.wake_integrations(self.ctx)
        return True

    async def _all_delivered(self):
        with inside():
            for address in (self.addresses.board, self.addresses.tracker):
                query = {"within": 3600, "limit": 20}
                answer = await self.http.get(f"{address}/_sandbox/idle", params=query)
                if not answer.json()["idle"]:
                    raise AssertionError(f"{address} does not get rid of its notifications.")
        return True

    async def _is_quiet(self):
        with inside():
            rows = await self.engine._table.run(
                "SELECT count(*) FROM procrastinate_jobs WHERE status = 'todo'"
            )
        return rows[0][0] == 0

    # ---- after a crash

    async def recover(self):
        """What a start does: put back the dead worker's jobs, find lost wakes, poll; then work until quiet."""
        await self.engine._rescue.once()
        await self.work()
        await self._sweep()
        await self.work()
        await self.feed()

    async def feed(self):
        """Turns of the bulk runs, and the jobs that they wake, until no run goes on."""
        for _ in range(_ROUNDS):
            async with self.turn:
                await bulk_preparing.prepare_runs(self.ctx)
                await bulk_feeding.feed_runs(self.ctx)
            await self.work()
            async with self.ctx.storage.begin() as uow:
                if not await uow.bulk_runs.at_work():
                    return
            self.clock.jump(1)
        raise AssertionError("A bulk run does not come to its end.")

    async def _sweep(self):
        self.clock.jump(25)
        ctx = self.ctx
        await sweep.wake_due(ctx)
        await sweep.wake_forgotten(ctx)
        await sweep.wake_integrations(ctx)
        await self.poll()

    async def poll(self):
        # The marks are of a clock that has jumped, what the emulators tell is not.
        rules = replace(self.ctx.rules, poll_overlap=self.clock.ahead + _SEEN_AGAIN)
        ctx = replace(self.ctx, rules=rules)
        async with self.turn:
            for each in await self.integrations():
                if each.state is IntegrationState.ACTIVE:
                    for side in Side:
                        await polling.poll(ctx, each.id, side)

    async def integrations(self):
        async with self.ctx.storage.begin() as uow:
            return await uow.integrations.list_all()

    async def writes_at_rest(self):
        """What is still changed outside although nothing has happened; nothing should be."""
        before = len(self.transport.writes)
        await self._sweep()
        await self.work()
        return self.transport.writes[before:]

    async def left(self):
        with inside():
            found = {name: (await self.engine._table.run(query))[0][0] for name, query in _LEFT.items()}
        return {name: count for name, count in found.items() if count}


def new_app():
    """Without services yet: it takes longest to build, so it is built once, before the processes part."""
    app = create_app(_services(None, None), [column, hooks, api.router])
    api.describe(app)
    return app


def _services(ctx, pool):
    async def ready():
        return Readiness(())

    async def system():
        return SystemFacts(database="crash tests")

    people = People(PostgresPeople(pool), Argon2Passwords(memory_kib=64, passes=1), SystemClock())
    return Services(ctx, people, ready, "test", secure_cookies=False, system=system)
