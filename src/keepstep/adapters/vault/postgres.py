"""The vault on PostgreSQL: envelopes in the table `secrets`, the keys to them only in this process."""

import secrets
from collections.abc import Sequence
from typing import Any

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from keepstep.adapters.connections import one_statement
from keepstep.adapters.vault.envelope import Envelope, rewrap, seal, unseal
from keepstep.adapters.vault.keys import Keys
from keepstep.domain.errors import MissingError
from keepstep.domain.ids import SecretRef
from keepstep.ports.vault import KeyUse, VaultError

_SHOWN = 4
_SHORTEST_SHOWN = 16
"""Of a shorter secret four characters would be too much."""
_BATCH = 200

_PUT = "INSERT INTO secrets (ref, key_id, wrapped_key, sealed, last_four) VALUES (%s, %s, %s, %s, %s)"
_OPEN = "SELECT key_id, wrapped_key, sealed FROM secrets WHERE ref = %s"
_REPLACE = """
UPDATE secrets SET key_id = %s, wrapped_key = %s, sealed = %s, last_four = %s, changed_at = now() WHERE ref = %s
"""
_WRAPPED_BY_OTHERS = """
SELECT ref, key_id, wrapped_key, sealed FROM secrets WHERE key_id <> %s AND ref > %s ORDER BY ref LIMIT %s
"""
# Only if nobody replaced the secret since it was read: that one is wrapped anew already.
_REWRAP = "UPDATE secrets SET key_id = %s, wrapped_key = %s WHERE ref = %s AND wrapped_key = %s"


class PostgresVault:
    """Implements keepstep.ports.vault.Vault. The pool is the caller's to open and close."""

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection[Any]], keys: Keys) -> None:
        self._pool = pool
        self._keys = keys

    async def put(self, secret: str) -> SecretRef:
        ref = SecretRef(secrets.token_hex(16))
        envelope = seal(self._keys, ref, secret)
        async with self._pool.connection() as connection:
            await connection.execute(
                _PUT, (ref, envelope.key_id, envelope.wrapped_key, envelope.sealed, _last_four(secret))
            )
        return ref

    async def open(self, ref: SecretRef) -> str:
        async with one_statement(self._pool) as connection:
            row = await (await connection.execute(_OPEN, (ref,))).fetchone()
        if row is None:
            raise _missing()
        return unseal(self._keys, ref, Envelope(*row))

    async def replace(self, ref: SecretRef, secret: str) -> None:
        """Raises MissingError. Works without the key of the old secret."""
        envelope = seal(self._keys, ref, secret)
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                _REPLACE, (envelope.key_id, envelope.wrapped_key, envelope.sealed, _last_four(secret), ref)
            )
        if cursor.rowcount == 0:
            raise _missing()

    async def last_four(self, ref: SecretRef) -> str:
        """Kept in clear beside the envelope, so that pages work while a key is missing. Raises MissingError."""
        async with self._pool.connection() as connection:
            row = await (
                await connection.execute("SELECT last_four FROM secrets WHERE ref = %s", (ref,))
            ).fetchone()
        if row is None:
            raise _missing()
        return str(row[0])

    async def forget(self, ref: SecretRef) -> None:
        async with self._pool.connection() as connection:
            await connection.execute("DELETE FROM secrets WHERE ref = %s", (ref,))

    async def list_keys(self) -> Sequence[KeyUse]:
        async with self._pool.connection() as connection:
            cursor = await connection.execute("SELECT key_id, count(*) FROM secrets GROUP BY key_id")
            counts: dict[str, int] = dict(await cursor.fetchall())
        first, given = self._keys.first, self._keys.by_id.keys()
        names = sorted(given | counts.keys(), key=lambda name: (name != first, name))
        return [KeyUse(name, counts.get(name, 0), name in given, name == first) for name in names]

    async def rotate(self) -> int:
        """The secrets' own keys are wrapped anew; the secrets stay sealed as they are."""
        done, last, failure = 0, "", None
        while True:
            async with self._pool.connection() as connection:
                cursor = await connection.execute(_WRAPPED_BY_OTHERS, (self._keys.first, last, _BATCH))
                rows = await cursor.fetchall()
                for ref, *sealed in rows:
                    try:
                        done += await self._rewrap(connection, SecretRef(ref), Envelope(*sealed))
                    except VaultError as error:
                        failure = error
            if not rows:
                break
            last = rows[-1][0]
        if failure is not None:
            raise failure
        return done

    async def _rewrap(self, connection: AsyncConnection[Any], ref: SecretRef, old: Envelope) -> int:
        new = rewrap(self._keys, ref, old)
        cursor = await connection.execute(_REWRAP, (new.key_id, new.wrapped_key, ref, old.wrapped_key))
        return cursor.rowcount


def _last_four(secret: str) -> str:
    return secret[-_SHOWN:] if len(secret) >= _SHORTEST_SHOWN else ""


def _missing() -> MissingError:
    return MissingError("This secret was forgotten: enter it again.")
