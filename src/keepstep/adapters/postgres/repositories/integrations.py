"""Integrations on PostgreSQL."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from psycopg import AsyncConnection

from keepstep.adapters.postgres.documents import integration_document, integration_from, plain
from keepstep.domain.errors import MissingError, StaleRevisionError
from keepstep.domain.ids import IntegrationId
from keepstep.domain.integration import Integration

_ADD = """
INSERT INTO integrations (id, state, name_sort, revision, doc)
VALUES (%(id)s, %(state)s, %(name_sort)s, %(revision)s, %(doc)s)
"""
_SAVE = """
UPDATE integrations SET state = %(state)s, name_sort = %(name_sort)s, revision = %(revision)s, doc = %(doc)s
WHERE id = %(id)s AND revision = %(revision)s - 1
"""
_DELETE = (
    # A million rows take longer than the limit of a statement that somebody waits for.
    "SET LOCAL statement_timeout = 0",
    "DELETE FROM inbox WHERE integration_id = %s",
    "DELETE FROM journal WHERE integration_id = %s",
    "DELETE FROM timers WHERE integration_id = %s",
    "DELETE FROM links WHERE integration_id = %s",
    "DELETE FROM integrations WHERE id = %s",
    "DELETE FROM link_tally WHERE integration_id = %s",
    "DELETE FROM journal_tally WHERE integration_id = %s",
)


class PostgresIntegrations:
    """Implements keepstep.ports.storage.Integrations."""

    def __init__(self, connection: AsyncConnection[Any]) -> None:
        self._connection = connection

    async def add(self, integration: Integration) -> None:
        await self._connection.execute(_ADD, _columns(integration))

    async def get(self, integration: IntegrationId) -> Integration:
        found = await self.find(integration)
        if found is None:
            raise MissingError("There is no such integration (any more).")
        return found

    async def find(self, integration: IntegrationId) -> Integration | None:
        cursor = await self._connection.execute(
            "SELECT doc::text FROM integrations WHERE id = %s", (plain(integration),)
        )
        row = await cursor.fetchone()
        return integration_from(row[0]) if row else None

    async def list_all(self) -> Sequence[Integration]:
        cursor = await self._connection.execute("SELECT doc::text FROM integrations ORDER BY name_sort, id")
        return [integration_from(row[0]) for row in await cursor.fetchall()]

    async def save(self, integration: Integration) -> Integration:
        saved = replace(integration, revision=integration.revision + 1)
        cursor = await self._connection.execute(_SAVE, _columns(saved))
        if cursor.rowcount == 0:
            await self.get(integration.id)
            raise StaleRevisionError(f"{integration.name} was changed by somebody else in the meantime.")
        return saved

    async def delete(self, integration: IntegrationId) -> None:
        """Set by set, because cascading row by row is slow; the last statement takes what is left."""
        for statement in _DELETE:
            await self._connection.execute(statement, (integration,) if "%s" in statement else None)


def _columns(integration: Integration) -> dict[str, object]:
    return {
        "id": integration.id,
        "state": integration.state.value,
        "name_sort": plain(integration.name.casefold()),
        "revision": integration.revision,
        "doc": integration_document(integration),
    }
