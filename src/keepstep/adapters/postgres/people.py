"""People, sessions, tokens and drafts in PostgreSQL. One statement, or one short transaction, a call."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.errors import UniqueViolation
from psycopg.rows import TupleRow
from psycopg.types.json import Jsonb
from psycopg_pool import AsyncConnectionPool

from keepstep.domain.errors import MissingError
from keepstep.ports.people import (
    ApiToken,
    ApiTokenId,
    NameTakenError,
    Person,
    PersonId,
    Session,
)

_Pool = AsyncConnectionPool[AsyncConnection[TupleRow]]

_LAST_ONE = 0x6B735F70
"""Advisory lock: two people who disable each other at once must not both succeed."""


class PostgresPeople:
    def __init__(self, pool: _Pool) -> None:
        self.persons = _Persons(pool)
        self.sessions = _Sessions(pool)
        self.tokens = _ApiTokens(pool)
        self.attempts = _LoginAttempts(pool)
        self.drafts = _Drafts(pool)


class _Table:
    def __init__(self, pool: _Pool) -> None:
        self._pool = pool

    async def _row(self, sql: str, *values: object) -> TupleRow | None:
        async with self._pool.connection() as connection:
            return await (await connection.execute(sql.encode(), values)).fetchone()

    async def _rows(self, sql: str, *values: object) -> list[TupleRow]:
        async with self._pool.connection() as connection:
            return await (await connection.execute(sql.encode(), values)).fetchall()

    async def _run(self, sql: str, *values: object) -> int:
        async with self._pool.connection() as connection:
            return (await connection.execute(sql.encode(), values)).rowcount


class _Persons(_Table):
    async def add(self, person: Person, password_hash: str) -> None:
        try:
            await self._run(
                "INSERT INTO users (id, name, password_hash, created_at, disabled) VALUES (%s, %s, %s, %s, %s)",
                UUID(person.id),
                person.name,
                password_hash,
                person.created_at,
                person.disabled,
            )
        except UniqueViolation as error:
            raise NameTakenError(f"Somebody is called {person.name} already.") from error

    async def find_login(self, name: str) -> tuple[Person, str] | None:
        row = await self._row(
            "SELECT id, name, created_at, disabled, password_hash FROM users WHERE name = %s", name
        )
        return (_person(row), row[4]) if row else None

    async def get(self, person: PersonId) -> Person:
        row = await self._row("SELECT id, name, created_at, disabled FROM users WHERE id = %s", _uuid(person))
        if row is None:
            raise MissingError("There is no such person (any more).")
        return _person(row)

    async def list_all(self) -> Sequence[Person]:
        rows = await self._rows("SELECT id, name, created_at, disabled FROM users ORDER BY name")
        return [_person(row) for row in rows]

    async def set_password(self, person: PersonId, password_hash: str) -> None:
        sql = "UPDATE users SET password_hash = %s WHERE id = %s"
        if not await self._run(sql, password_hash, _uuid(person)):
            raise MissingError("There is no such person (any more).")

    async def disable(self, person: PersonId) -> bool:
        await self.get(person)
        async with self._pool.connection() as connection:
            await connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LAST_ONE,))
            done = await connection.execute(
                "UPDATE users SET disabled = true WHERE id = %s"
                " AND EXISTS (SELECT 1 FROM users o WHERE o.id <> %s AND NOT o.disabled)",
                (_uuid(person), _uuid(person)),
            )
            return done.rowcount > 0

    async def enable(self, person: PersonId) -> None:
        if not await self._run("UPDATE users SET disabled = false WHERE id = %s", _uuid(person)):
            raise MissingError("There is no such person (any more).")


class _Sessions(_Table):
    async def add(self, session: Session) -> None:
        await self._run(
            "INSERT INTO sessions (id_hash, user_id, csrf, created_at, expires_at, last_seen_at)"
            " VALUES (%s, %s, %s, %s, %s, %s)",
            session.digest,
            UUID(session.person.id),
            session.csrf,
            session.created_at,
            session.expires_at,
            session.last_seen_at,
        )

    async def find(self, digest: bytes) -> Session | None:
        row = await self._row(
            "SELECT u.id, u.name, u.created_at, u.disabled, s.csrf, s.created_at, s.expires_at, s.last_seen_at"
            " FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.id_hash = %s",
            digest,
        )
        return Session(digest, _person(row), row[4], row[5], row[6], row[7]) if row else None

    async def touch(self, digest: bytes, at: datetime) -> None:
        await self._run("UPDATE sessions SET last_seen_at = %s WHERE id_hash = %s", at, digest)

    async def end(self, digest: bytes) -> None:
        await self._run("DELETE FROM sessions WHERE id_hash = %s", digest)

    async def end_all(self, person: PersonId, but: bytes = b"") -> None:
        await self._run("DELETE FROM sessions WHERE user_id = %s AND id_hash <> %s", _uuid(person), but)

    async def prune(self, now: datetime, idle: timedelta) -> None:
        sql = "DELETE FROM sessions WHERE expires_at <= %s OR last_seen_at <= %s"
        await self._run(sql, now, now - idle)


class _ApiTokens(_Table):
    _READ = (
        "SELECT u.id, u.name, u.created_at, u.disabled,"
        " t.id, t.name, t.last_four, t.created_at, t.last_used_at, t.revoked_at"
        " FROM api_tokens t JOIN users u ON u.id = t.user_id "
    )

    async def add(self, token: ApiToken, digest: bytes) -> None:
        await self._run(
            "INSERT INTO api_tokens (id, user_id, name, token_hash, last_four, created_at)"
            " VALUES (%s, %s, %s, %s, %s, %s)",
            UUID(token.id),
            UUID(token.person.id),
            token.name,
            digest,
            token.last_four,
            token.created_at,
        )

    async def find(self, digest: bytes) -> ApiToken | None:
        row = await self._row(self._READ + "WHERE t.token_hash = %s", digest)
        return _token(row) if row else None

    async def touch(self, token: ApiTokenId, at: datetime) -> None:
        await self._run("UPDATE api_tokens SET last_used_at = %s WHERE id = %s", at, UUID(token))

    async def list_all(self) -> Sequence[ApiToken]:
        rows = await self._rows(self._READ + "WHERE t.revoked_at IS NULL ORDER BY t.created_at DESC, t.id")
        return [_token(row) for row in rows]

    async def revoke(self, token: ApiTokenId, at: datetime) -> ApiToken:
        sql = "UPDATE api_tokens SET revoked_at = coalesce(revoked_at, %s) WHERE id = %s"
        await self._run(sql, at, _uuid(token))
        row = await self._row(self._READ + "WHERE t.id = %s", _uuid(token))
        if row is None:
            raise MissingError("There is no such token.")
        return _token(row)


class _LoginAttempts(_Table):
    async def admit(self, key: str, now: datetime, limit: int, window: timedelta) -> datetime | None:
        async with self._pool.connection() as connection:
            await connection.execute(
                "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"login:{key}",)
            )
            cursor = await connection.execute(
                "SELECT at FROM login_attempts WHERE key = %s AND at > %s ORDER BY at DESC OFFSET %s LIMIT 1",
                (key, now - window, limit - 1),
            )
            row = await cursor.fetchone()
            if row is not None:
                oldest: datetime = row[0]
                return oldest + window
            await connection.execute("INSERT INTO login_attempts (key, at) VALUES (%s, %s)", (key, now))
            return None

    async def clear(self, key: str) -> None:
        await self._run("DELETE FROM login_attempts WHERE key = %s", key)

    async def prune(self, before: datetime) -> None:
        await self._run("DELETE FROM login_attempts WHERE at < %s", before)


class _Drafts(_Table):
    async def load(self, person: PersonId) -> Mapping[str, Any] | None:
        row = await self._row("SELECT value FROM settings WHERE key = %s", _draft_key(person))
        draft: Mapping[str, Any] | None = row[0] if row else None
        return draft

    async def save(self, person: PersonId, draft: Mapping[str, Any]) -> None:
        await self._run(
            "INSERT INTO settings (key, value) VALUES (%s, %s)"
            " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            _draft_key(person),
            Jsonb(dict(draft)),
        )

    async def forget(self, person: PersonId) -> bool:
        return await self._run("DELETE FROM settings WHERE key = %s", _draft_key(person)) > 0


def _draft_key(person: PersonId) -> str:
    return f"connect draft of {person}"


def _person(row: TupleRow) -> Person:
    return Person(PersonId(str(row[0])), row[1], row[2], row[3])


def _token(row: TupleRow) -> ApiToken:
    return ApiToken(ApiTokenId(str(row[4])), _person(row), *row[5:10])


def _uuid(value: str) -> UUID:
    """An id that is none cannot be anybody's: the nil UUID matches no row."""
    try:
        return UUID(value)
    except ValueError:
        return UUID(int=0)
