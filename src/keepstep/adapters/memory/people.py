"""People, sessions, tokens and drafts in memory; passes the same contract as the tables do."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from keepstep.domain.errors import MissingError
from keepstep.ports.people import (
    ApiToken,
    ApiTokenId,
    NameTakenError,
    Person,
    PersonId,
    Session,
)


class MemoryPeople:
    def __init__(self) -> None:
        self.persons = _Persons()
        self.sessions = _Sessions(self.persons)
        self.tokens = _ApiTokens(self.persons)
        self.attempts = _LoginAttempts()
        self.drafts = _Drafts()


class _Persons:
    def __init__(self) -> None:
        self.rows: dict[PersonId, Person] = {}
        self._hashes: dict[PersonId, str] = {}

    async def add(self, person: Person, password_hash: str) -> None:
        if any(each.name == person.name for each in self.rows.values()):
            raise NameTakenError(f"Somebody is called {person.name} already.")
        self.rows[person.id] = person
        self._hashes[person.id] = password_hash

    async def find_login(self, name: str) -> tuple[Person, str] | None:
        found = next((each for each in self.rows.values() if each.name == name), None)
        return (found, self._hashes[found.id]) if found else None

    async def get(self, person: PersonId) -> Person:
        if person not in self.rows:
            raise MissingError("There is no such person (any more).")
        return self.rows[person]

    async def list_all(self) -> Sequence[Person]:
        return sorted(self.rows.values(), key=lambda each: each.name)

    async def set_password(self, person: PersonId, password_hash: str) -> None:
        await self.get(person)
        self._hashes[person] = password_hash

    async def disable(self, person: PersonId) -> bool:
        found = await self.get(person)
        if not any(each.id != person and not each.disabled for each in self.rows.values()):
            return False
        self.rows[person] = replace(found, disabled=True)
        return True

    async def enable(self, person: PersonId) -> None:
        self.rows[person] = replace(await self.get(person), disabled=False)


class _Sessions:
    def __init__(self, persons: _Persons) -> None:
        self._persons = persons
        self._rows: dict[bytes, Session] = {}

    async def add(self, session: Session) -> None:
        self._rows[session.digest] = session

    async def find(self, digest: bytes) -> Session | None:
        found = self._rows.get(digest)
        return replace(found, person=self._persons.rows[found.person.id]) if found else None

    async def touch(self, digest: bytes, at: datetime) -> None:
        if digest in self._rows:
            self._rows[digest] = replace(self._rows[digest], last_seen_at=at)

    async def end(self, digest: bytes) -> None:
        self._rows.pop(digest, None)

    async def end_all(self, person: PersonId, but: bytes = b"") -> None:
        self._rows = {key: each for key, each in self._rows.items() if each.person.id != person or key == but}

    async def prune(self, now: datetime, idle: timedelta) -> None:
        self._rows = {
            key: each
            for key, each in self._rows.items()
            if each.expires_at > now and each.last_seen_at > now - idle
        }


class _ApiTokens:
    def __init__(self, persons: _Persons) -> None:
        self._persons = persons
        self._rows: dict[ApiTokenId, ApiToken] = {}
        self._ids: dict[bytes, ApiTokenId] = {}

    async def add(self, token: ApiToken, digest: bytes) -> None:
        self._rows[token.id] = token
        self._ids[digest] = token.id

    async def find(self, digest: bytes) -> ApiToken | None:
        token = self._ids.get(digest)
        return self._now(self._rows[token]) if token else None

    async def touch(self, token: ApiTokenId, at: datetime) -> None:
        self._rows[token] = replace(self._rows[token], last_used_at=at)

    async def list_all(self) -> Sequence[ApiToken]:
        kept = [self._now(each) for each in self._rows.values() if each.revoked_at is None]
        return sorted(kept, key=lambda each: each.created_at, reverse=True)

    async def revoke(self, token: ApiTokenId, at: datetime) -> ApiToken:
        if token not in self._rows:
            raise MissingError("There is no such token.")
        found = self._rows[token]
        self._rows[token] = replace(found, revoked_at=found.revoked_at or at)
        return self._now(self._rows[token])

    def _now(self, token: ApiToken) -> ApiToken:
        return replace(token, person=self._persons.rows[token.person.id])


class _LoginAttempts:
    def __init__(self) -> None:
        self._rows: defaultdict[str, list[datetime]] = defaultdict(list)

    async def admit(self, key: str, now: datetime, limit: int, window: timedelta) -> datetime | None:
        recent = sorted((at for at in self._rows[key] if at > now - window), reverse=True)
        if len(recent) >= limit:
            return recent[limit - 1] + window
        self._rows[key].append(now)
        return None

    async def clear(self, key: str) -> None:
        self._rows.pop(key, None)

    async def prune(self, before: datetime) -> None:
        for key, rows in list(self._rows.items()):
            self._rows[key] = [at for at in rows if at >= before]


class _Drafts:
    def __init__(self) -> None:
        self._rows: dict[PersonId, str] = {}

    async def load(self, person: PersonId) -> Mapping[str, Any] | None:
        """Kept as text, so that what cannot be stored in the table cannot be stored here either."""
        found = self._rows.get(person)
        draft: Mapping[str, Any] | None = json.loads(found) if found is not None else None
        return draft

    async def save(self, person: PersonId, draft: Mapping[str, Any]) -> None:
        self._rows[person] = json.dumps(draft)

    async def forget(self, person: PersonId) -> bool:
        return self._rows.pop(person, None) is not None
