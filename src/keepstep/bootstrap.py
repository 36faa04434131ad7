"""The only place that chooses implementations: settings in, a running set of ports and use cases out."""

import asyncio
import contextlib
import hmac
import os
import secrets
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import structlog
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from keepstep.adapters.alerts import AlertAddressError, alerts_to
from keepstep.adapters.clock import SystemClock
from keepstep.adapters.jobs.engine import EngineSettings, JobEngine
from keepstep.adapters.jobs.queue import owner_of
from keepstep.adapters.outside import OutsideWorld
from keepstep.adapters.pages import SignedLinkPages
from keepstep.adapters.passwords import Argon2Passwords
from keepstep.adapters.postgres.budget import PostgresBudget, budget_pool
from keepstep.adapters.postgres.embedded import EmbeddedDatabaseError, embedded_postgres
from keepstep.adapters.postgres.locks import PostgresLocks
from keepstep.adapters.postgres.people import PostgresPeople
from keepstep.adapters.postgres.pool import connection_settings, new_pool
from keepstep.adapters.postgres.repositories.links import TENANT_OF_LINK
from keepstep.adapters.postgres.schema import is_current, migrate
from keepstep.adapters.postgres.signals import PostgresSignals
from keepstep.adapters.postgres.storage import PostgresStorage
from keepstep.adapters.vault.keys import Keys, keys_from_setting, load_or_make_key_file
from keepstep.adapters.vault.postgres import PostgresVault
from keepstep.app.connect import run_integration
from keepstep.app.context import Context, Rules
from keepstep.app.failures import crashed
from keepstep.app.job import run_link
from keepstep.app.people import People
from keepstep.domain.fight import Fight
from keepstep.domain.guard import Guard
from keepstep.domain.ids import IntegrationId, LinkId
from keepstep.ports.alerts import AlertSender
from keepstep.settings import Settings, SettingsError

__all__ = ["EmbeddedDatabaseError", "Runtime", "database", "open_runtime", "owner_of", "prepare_database"]

_LOG = structlog.get_logger(__name__)
_POOL_SIZE = 12


@dataclass
class Runtime:
    """One process's connections, ports and use cases."""

    settings: Settings
    owner: str
    ctx: Context
    people: People
    engine: JobEngine
    pool: AsyncConnectionPool[AsyncConnection[Any]]


@contextlib.contextmanager
def database(settings: Settings) -> Iterator[str]:
    """The DSN given, or that of the embedded server, which stops with its last user. Raises EmbeddedDatabaseError."""
    if settings.database_url:
        yield settings.database_url
        return
    with embedded_postgres(settings.data_dir / "postgres", bindir=settings.pg_bindir) as dsn:
        yield dsn


def _sealing_keys(settings: Settings) -> Keys:
    try:
        if settings.secret_keys:
            return keys_from_setting(settings.secret_keys)
        return load_or_make_key_file(settings.data_dir)
    except OSError as error:
        raise SettingsError(f"The key file in {settings.data_dir} cannot be used: {error}") from None


def _alerts(settings: Settings) -> AlertSender:
    try:
        return alerts_to(settings.alert_urls.split())
    except AlertAddressError as error:
        raise SettingsError(f"KEEPSTEP_ALERT_URLS is wrong: {error}") from None


def _page_keys(keys: Keys) -> list[bytes]:
    """The one that seals signs; addresses signed with an older one stay good."""
    return [keys.by_id[keys.first], *(key for name, key in keys.by_id.items() if name != keys.first)]


def _account_key(keys: Keys) -> bytes:
    """What the accounts of the budgets are named with; of the one that seals, which all processes have."""
    return hmac.digest(keys.by_id[keys.first], b"accounts of the budgets of calls", "sha256")


async def prepare_database(dsn: str) -> None:
    """Our schema and the engine's, whoever starts first; a second start asks one question and goes on.

    Raises psycopg.OperationalError with the cause when the database does not answer; a pool would try for half a
    minute and say only that it did.
    """
    async with await AsyncConnection.connect(dsn, **connection_settings("keepstep-prepare")):
        pass
    async with new_pool(dsn, "keepstep-prepare", max_size=1) as pool:
        current = await is_current(pool)
    if not current:
        await asyncio.to_thread(migrate, dsn)


@contextlib.asynccontextmanager
async def open_runtime(settings: Settings, dsn: str) -> AsyncIterator[Runtime]:
    """Connected and migrated. Raises SettingsError, or psycopg's errors when the database does not answer."""
    owner = f"{socket.gethostname()[:20]}-{os.getpid()}-{secrets.token_hex(3)}"
    keys = _sealing_keys(settings)
    await prepare_database(dsn)
    async with contextlib.AsyncExitStack() as stack:
        pool = await stack.enter_async_context(new_pool(dsn, "keepstep", max_size=_POOL_SIZE))
        locks, signals = PostgresLocks(dsn, owner), PostgresSignals(dsn, pool)
        outside = OutsideWorld(
            allow_private=settings.allow_private,
            budget=PostgresBudget(await stack.enter_async_context(budget_pool(dsn))),
            account_key=_account_key(keys),
            call_share=settings.call_share / 100,
            rich_2026_09=settings.productboard_rich_text == "2026-09",
        )
        handlers = _Handlers()
        engine = JobEngine(
            dsn,
            owner,
            run_link=handlers.run_link,
            run_integration=handlers.run_integration,
            on_crash=handlers.crashed,
            on_dead_worker=locks.release_owner,
            tenants=TENANT_OF_LINK,
            settings=_engine_settings(settings),
        )
        await engine.apply_schema()
        await engine.open()
        stack.push_async_callback(engine.close)
        stack.push_async_callback(outside.aclose)
        await signals.open()
        stack.push_async_callback(signals.close)
        stack.push_async_callback(locks.close)
        ctx = Context(
            storage=PostgresStorage(pool),
            jobs=engine,
            locks=locks,
            signals=signals,
            vault=PostgresVault(pool, keys),
            clock=SystemClock(),
            outside=outside,
            pages=SignedLinkPages(settings.public_url, _page_keys(keys)),
            rules=rules_of(settings),
            alerts=_alerts(settings),
        )
        handlers.ctx = ctx
        people = People(PostgresPeople(pool), Argon2Passwords(), ctx.clock)
        yield Runtime(settings, owner, ctx, people, engine, pool)


class _Handlers:
    """What the engine calls; the engine is part of the context that these need, so they get it afterwards."""

    ctx: Context

    async def run_link(self, link: LinkId) -> None:
        await run_link(self.ctx, link)

    async def run_integration(self, integration: IntegrationId) -> None:
        await run_integration(self.ctx, integration)

    async def crashed(self, key: str, error: BaseException) -> None:
        reference = secrets.token_hex(4)
        _LOG.error("job.crashed", key=key, reference=reference, exc_info=error)
        kind, _, name = key.partition(":")
        if kind == "link":
            await crashed(self.ctx, LinkId(name), reference)


def _engine_settings(settings: Settings) -> EngineSettings:
    return EngineSettings(
        concurrency=settings.concurrency,
        heartbeat_s=min(10.0, settings.dead_after / 3),
        dead_after_s=settings.dead_after,
    )


def rules_of(settings: Settings) -> Rules:
    return Rules(
        public_url=settings.public_url,
        push_wait=settings.push_wait,
        push_limit=settings.push_limit,
        poll_every=settings.poll_every,
        look_up_every=settings.look_up_every,
        look_again_after=settings.look_again_after,
        attempts=settings.attempts,
        first_retry=settings.first_retry,
        longest_retry=settings.longest_retry,
        settle_scale=settings.settle_scale,
        journal_days=settings.journal_days,
        inbox_days=settings.inbox_days,
        fight=Fight(settings.fight_flips, settings.fight_within),
        guard=Guard(settings.guard_links, settings.guard_percent),
    )
