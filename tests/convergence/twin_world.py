"""The real use cases over the twins: two integrations, two workers, and everything between as explicit queues."""

import itertools
import json
from dataclasses import replace
from datetime import timedelta

from convergence.chaos import Chaos, Killed, ScriptedClock
from convergence.doors import KIND, TwinOutside
from convergence.twins import TwinBoard, TwinTracker
from keepstep.adapters.jobs.inline import InlineJobs
from keepstep.adapters.memory.locks import MemoryLocks
from keepstep.adapters.memory.storage import MemoryStorage
from keepstep.adapters.memory.vault import MemoryVault
from keepstep.adapters.pages import SignedLinkPages
from keepstep.app import manage, polling, push, receive, sweep
from keepstep.app.context import Context, Rules
from keepstep.app.job import run_link
from keepstep.domain.column import Cell, CellState
from keepstep.domain.fields import Side
from keepstep.domain.ids import IntegrationId, LinkId
from keepstep.domain.integration import (
    BoardAccount,
    Integration,
    IntegrationState,
    ProjectRef,
    Registrations,
    TrackerAccount,
)
from keepstep.domain.link import Link
from keepstep.ports.storage import JournalQuery, LinkQuery

NAMES = ("a", "b")
COLUMNS = {name: f"c0000000-0000-4000-8000-00000000000{name}" for name in NAMES}
"""Productboard's ids have this form; so the emulator takes them too."""
RULES = Rules(public_url="https://keepstep.example", look_up_every=timedelta())
_TIMED_OUT = Cell(CellState.ERROR, message="The integration did not answer.")
_ANSWER_SECONDS = 5.0
_LATE_SECONDS = 0.9


class TwinSignals:
    """Whoever waits for an outcome lets as many jobs run meanwhile as the click says; then its time is over."""

    def __init__(self, world):
        self._world = world
        self.jobs_meanwhile = 0

    async def tell(self, link):
        pass

    async def wait(self, link, seconds):
        if self.jobs_meanwhile and self._world.jobs.waiting:
            self.jobs_meanwhile -= 1
            await self._world.work(0)
            return True
        self._world.clock.advance(seconds)
        return False


class TwinWorld:
    def __init__(self):
        self.clock = ScriptedClock()
        self.chaos = Chaos(self.clock)
        self.queue = []
        """Notifications under way: (side, item id, deleted, delivery id)."""
        self._deliveries = itertools.count(1)
        self.build_outside()
        self.storage, self.jobs = MemoryStorage(), InlineJobs()
        self.signals = TwinSignals(self)
        self.locks = MemoryLocks("one")
        self.workers = [self._context(self.locks), self._context(MemoryLocks("two", beside=self.locks))]
        self.ctx = self.workers[0]
        self.stalled: list[LinkId] = []
        """Jobs whose process died: the engine gives them to another one, later."""
        self.depth = 0
        self.running: list[LinkId] = []
        self.unheard: set[tuple[str, str]] = set()
        """Cells with a click that got no answer in time, or an error: only a poll can mend what it left."""
        self._owners = {}

    def build_outside(self):
        self.board = TwinBoard(self.clock, self._told)
        self.tracker = TwinTracker(self.clock, self._told)
        self.outside = TwinOutside(self.board, self.tracker, self.chaos, self.clock)

    async def aclose(self):
        """Nothing here is open."""

    def _context(self, locks):
        pages = SignedLinkPages(RULES.public_url, [b"k" * 32])
        vault = self.ctx.vault if hasattr(self, "ctx") else MemoryVault()
        return Context(
            self.storage, self.jobs, locks, self.signals, vault, self.clock, self.outside, pages, RULES
        )

    def _told(self, item, *, deleted):
        side = Side.TICKET if item.project else Side.FEATURE
        self.queue.append((side, item.id, deleted, f"d{next(self._deliveries)}"))

    async def begin(self, policies):
        """One integration per policy, each with its own column and project, all on the same features."""
        ref = await self.keep_secrets()
        self.workers[1] = replace(self.workers[1], vault=self.ctx.vault)
        for name, policy in zip(NAMES, policies, strict=True):
            integration = self.integration_of(name, policy, ref)
            async with self.storage.begin() as uow:
                await uow.integrations.add(integration)
                await polling.schedule_polls(self.ctx, uow, integration)
                await uow.commit()

    async def keep_secrets(self):
        """The one that notifications and clicks are signed with."""
        return await self.ctx.vault.put("x" * 20)

    def integration_of(self, name, policy, ref):
        return Integration(
            id=IntegrationId(name),
            name=f"Integration {name}",
            state=IntegrationState.ACTIVE,
            board=BoardAccount("https://board.example", ref),
            tracker=TrackerAccount(KIND, "https://tracker.example", ref),
            project=ProjectRef(f"project-{name}", name),
            button="Push",
            policy=policy,
            board_secret=ref,
            hook_secret=ref,
            created_at=self.clock.now(),
            registrations=Registrations(COLUMNS[name], "sub", "hook", RULES.public_url),
        )

    # ---- the service at work

    async def work(self, which, worker=0):
        """One waiting job, whichever."""
        waiting = self.jobs.waiting
        if not waiting:
            return
        key = waiting[which % len(waiting)]
        del self.jobs._waiting[key]
        await self.run(LinkId(key.removeprefix("link:")), worker)

    async def run(self, link, worker=0):
        self.owners()
        self.depth += 1
        self.running.append(link)
        try:
            await run_link(self.workers[worker], link)
        except Killed:
            self.stalled.append(link)
        except Exception as error:
            raise AssertionError(f"A job crashed: {error!r}") from error
        finally:
            self.depth -= 1
            self.running.remove(link)

    async def other_worker(self, *, fenced):
        """Between two calls of a job: another process takes what waits, or this very Link, its lock lost."""
        if self.depth != 1:
            return
        # A cell that a worker thought dead is just putting cannot be called back, and no poll looks for it.
        if fenced and not self.chaos.current.startswith("board put"):
            await self.locks.release_owner("one")
        async with self.storage.begin() as uow:
            links, _ = await uow.links.page(LinkQuery(limit=10))
        for link in links:
            # The engine runs one job of a Link at a time, as long as it thinks its worker alive.
            if fenced or link.id not in self.running:
                await self.run(link.id, worker=1)

    async def drain(self, limit=60):
        for _ in range(limit):
            if not self.jobs.waiting:
                return
            await self.work(0)
        raise AssertionError(f"After {limit} jobs there still wait {self.jobs.waiting}.")

    async def sweep(self, *, polls=True):
        """What the loop in every worker does, once."""
        for timer in await sweep.run_timers(self.ctx):
            if polls:
                await polling.run_due_poll(self.ctx, timer)
        await sweep.wake_due(self.ctx)
        await sweep.wake_forgotten(self.ctx)

    async def poll(self):
        for name in NAMES:
            for side in Side:
                await polling.poll(self.ctx, IntegrationId(name), side)

    async def rescue(self):
        stalled, self.stalled = self.stalled, []
        for link in stalled:
            await self.jobs.wake_link(link)

    # ---- notifications

    async def deliver(self, which, *, keep=False):
        if not self.queue:
            return
        at = which % len(self.queue)
        side, item, deleted, delivery = self.queue[at] if keep else self.queue.pop(at)
        secret = "x" * 20
        for name in NAMES:
            if side is Side.FEATURE:
                body = json.dumps({"item": item, "deleted": deleted}).encode()
                await receive.from_board(self.ctx, IntegrationId(name), f"Bearer {secret}", body)
            elif self.tracker.items[item].project == f"project-{name}":
                body = json.dumps({"item": item, "deleted": deleted, "delivery": delivery}).encode()
                await receive.from_tracker(self.ctx, IntegrationId(name), {"secret": secret}, body)

    async def deliver_all(self):
        while self.queue:
            await self.deliver(0)

    # ---- what people do in Productboard's column

    async def click(self, name, feature, trigger, *, jobs_meanwhile=0, late=False):
        """The answer is applied when it arrives, which may be after a PUT that was made since."""
        column, came = COLUMNS[name], self.clock.now()
        body = self.click_body(column, feature, trigger)
        answered = []
        give_up = came + timedelta(seconds=_ANSWER_SECONDS)
        self.clock.at(give_up, lambda: answered or self.board.set_cell(column, feature, _TIMED_OUT))
        self.signals.jobs_meanwhile = jobs_meanwhile
        self.unheard.add((name, feature))
        cell = await push.click(
            self.ctx, IntegrationId(name), f"Bearer {'x' * 20}", json.dumps(body).encode()
        )
        if self.clock.now() > give_up:
            return
        answered.append(cell)
        if cell.state is not CellState.ERROR:
            self.unheard.discard((name, feature))
        if late:
            arrives = self.clock.now() + timedelta(seconds=_LATE_SECONDS)
            self.clock.at(arrives, lambda: self.board.set_cell(column, feature, cell))
        else:
            self.board.set_cell(column, feature, cell)

    def click_body(self, column, feature, trigger):
        return {
            "trigger": f"button.{trigger}",
            "column": column,
            "feature": feature,
            "feature_url": f"https://board.example/{feature}",
            "actor": "ann",
        }

    # ---- what is stored

    async def links(self) -> list[Link]:
        async with self.storage.begin() as uow:
            return list((await uow.links.page(LinkQuery(sort="created", limit=100)))[0])

    def owners(self):
        """Every Link that ever was seen here: its integration and feature."""
        for link in self.storage._store.committed.links.values():
            self._owners[link.id] = (link.integration_id, link.feature_id)
        return self._owners

    def is_attached(self, item):
        """Its Link knows of this ticket."""
        links = self.storage._store.committed.links.values()
        return any(link.ticket and link.ticket.id == item.id for link in links)

    def is_in_doubt(self, side, item, name):
        """A write of ours that nobody confirmed, its run over: an edit now is one of a text we do not know as ours.

        It is merged against the older base, as an edit of what stood there before: nothing is lost, but a block that
        was just written and is edited now may stand there twice, as it was written and as it was edited.
        """
        links = self.storage._store.committed.links.values()
        mine = [
            link
            for link in links
            if item.id == (link.feature_id if side is Side.FEATURE else link.ticket and link.ticket.id)
        ]
        writes = [write for link in mine for write in link.intent.writes]
        return not self.depth and any((each.target, each.field) == (side, name) for each in writes)

    async def journal(self, link_id=None):
        async with self.storage.begin() as uow:
            return (await uow.journal.page(JournalQuery(link=link_id, limit=100_000)))[0]

    async def integration(self, name) -> Integration:
        async with self.storage.begin() as uow:
            return await uow.integrations.get(IntegrationId(name))

    async def set_policy(self, name, policy):
        await manage.change(self.ctx, IntegrationId(name), manage.Changes(policy=policy), "ann")

    async def resume(self, name):
        if (await self.integration(name)).state is IntegrationState.PAUSED:
            await manage.resume(self.ctx, IntegrationId(name), "ann")

    # ---- after the last fault

    async def calm_down(self):
        """Faults stop; what is under way arrives; dead jobs are run again; every wait comes to its end."""
        self.chaos.stop()
        self.tracker.search_lag = timedelta()
        for name in NAMES:
            await self.resume(name)
        await self.rescue()
        await self.deliver_all()
        await self.come_to_rest()

    async def come_to_rest(self):
        """Until nothing waits: jobs, echoes, timers, retries. No poll is needed for it."""
        for _ in range(40):
            await self.drain()
            await self.deliver_all()
            await self.drain()
            if not await self._something_is_due():
                return
            self.clock.advance(60)
            await self.sweep(polls=False)
        raise AssertionError("It does not come to rest.")

    async def _something_is_due(self):
        state = self.storage._store.committed
        timers = [each for each in state.timers.values() if each.link_id is not None]
        waiting = [each for row, each in state.notices.items() if row not in state.handled and each.link_id]
        idle = {link.id for link in state.links.values() if link.state == "set aside"}
        retries = [link for link in state.links.values() if link.retry_at and link.id not in idle]
        return bool(
            timers
            or retries
            or self.jobs.waiting
            or self.queue
            or [each for each in waiting if each.link_id not in idle]
        )
