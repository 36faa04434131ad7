"""What every command that works on the database begins with: settings, connections, and finding what is meant.

Commands work beside a running `keepstep serve`, which does the jobs that they wake; the embedded database is shared.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import psycopg

from keepstep.app.context import Context
from keepstep.app.overview import list_links
from keepstep.bootstrap import Runtime, database, open_runtime
from keepstep.domain.errors import InvalidInputError, MissingError
from keepstep.domain.ids import IntegrationId, LinkId
from keepstep.domain.integration import Integration
from keepstep.ports.storage import LinkQuery
from keepstep.settings import Settings, load_settings
from keepstep.telemetry import configure_logging

Result = TypeVar("Result")

ACTOR = "cli"
_SHORTEST_PREFIX = 4
_PAGE = 500
_CONNECT_SECONDS = 5


def run(work: Callable[[Runtime], Awaitable[Result]]) -> Result:
    """Raises SettingsError, EmbeddedDatabaseError, and psycopg's errors when the database does not answer."""
    settings = load_settings()
    configure_logging(json_lines=False, level="error")
    with database(settings) as dsn:
        # A pool would try for half a minute; a person wants to know at once.
        psycopg.connect(dsn, connect_timeout=_CONNECT_SECONDS).close()
        return asyncio.run(_opened(settings, dsn, work))


async def _opened(settings: Settings, dsn: str, work: Callable[[Runtime], Awaitable[Result]]) -> Result:
    async with open_runtime(settings, dsn) as runtime:
        return await work(runtime)


def run_with_context(work: Callable[[Context], Awaitable[Result]]) -> Result:
    return run(lambda runtime: work(runtime.ctx))


async def find_integration(ctx: Context, named: str) -> Integration:
    """By id, by name, or by the beginning of its id. Raises MissingError, InvalidInputError."""
    async with ctx.storage.begin() as uow:
        exact = await uow.integrations.find(IntegrationId(named))
        if exact is not None:
            return exact
        everything = await uow.integrations.list_all()
    wanted = named.strip().casefold()
    found = [each for each in everything if each.name.casefold() == wanted]
    if not found and len(wanted) >= _SHORTEST_PREFIX:
        found = [each for each in everything if each.id.startswith(wanted)]
    if not found:
        raise MissingError(f"There is no integration {named!r}. See `keepstep integrations list`.")
    if len(found) > 1:
        raise InvalidInputError("integration", f"Several integrations fit {named!r}: name it by its id.")
    return found[0]


async def find_link(ctx: Context, named: str) -> LinkId:
    """By id, or by its beginning. Raises MissingError, InvalidInputError."""
    wanted = named.strip().lower()
    async with ctx.storage.begin() as uow:
        exact = await uow.links.find(LinkId(wanted))
    if exact is not None:
        return exact.id
    found = await _beginning_with(ctx, wanted) if len(wanted) >= _SHORTEST_PREFIX else []
    if not found:
        raise MissingError(f"There is no Link {named!r}. See `keepstep links list`.")
    if len(found) > 1:
        raise InvalidInputError("link", f"Several Links begin with {named!r}: give more of the id.")
    return found[0]


async def _beginning_with(ctx: Context, wanted: str) -> list[LinkId]:
    found: list[LinkId] = []
    offset = 0
    while True:
        links, _ = await list_links(ctx, LinkQuery(sort="created", offset=offset, limit=_PAGE))
        found += [each.id for each in links if each.id.startswith(wanted)]
        if len(links) < _PAGE:
            return found
        offset += _PAGE
