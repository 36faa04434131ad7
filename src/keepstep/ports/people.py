"""People who may log in, their sessions and API tokens, and what they have half filled in.

Every method is atomic and committed when it returns. Only hashes of secrets come here: of passwords by `Passwords`, of
session ids and API tokens (256 random bits each, so a plain digest is enough) by SHA-256.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NewType, Protocol

from keepstep.domain.errors import KeepstepError

PersonId = NewType("PersonId", str)
ApiTokenId = NewType("ApiTokenId", str)


class NameTakenError(KeepstepError):
    """Somebody has this login name already."""


@dataclass(frozen=True, slots=True)
class Person:
    """Everybody who may log in may do everything; there are no roles yet."""

    id: PersonId
    name: str
    """The login name, in lower case; stands in the journal as the actor."""
    created_at: datetime
    disabled: bool = False


@dataclass(frozen=True, slots=True)
class Session:
    digest: bytes
    person: Person
    csrf: str
    created_at: datetime
    expires_at: datetime
    """However busy the session is."""
    last_seen_at: datetime


@dataclass(frozen=True, slots=True)
class ApiToken:
    id: ApiTokenId
    person: Person
    name: str
    last_four: str
    created_at: datetime
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None


class Persons(Protocol):
    async def add(self, person: Person, password_hash: str) -> None:
        """Raises NameTakenError."""

    async def find_login(self, name: str) -> tuple[Person, str] | None:
        """The person of this name with the password's hash."""

    async def get(self, person: PersonId) -> Person:
        """Raises MissingError."""

    async def list_all(self) -> Sequence[Person]:
        """By name."""

    async def set_password(self, person: PersonId, password_hash: str) -> None:
        """Raises MissingError."""

    async def disable(self, person: PersonId) -> bool:
        """False, and nothing is changed, when nobody who may log in would be left. Raises MissingError."""

    async def enable(self, person: PersonId) -> None:
        """Raises MissingError."""


class Sessions(Protocol):
    async def add(self, session: Session) -> None: ...

    async def find(self, digest: bytes) -> Session | None:
        """However old; whether it still holds is the caller's business."""

    async def touch(self, digest: bytes, at: datetime) -> None: ...

    async def end(self, digest: bytes) -> None:
        """May be repeated."""

    async def end_all(self, person: PersonId, but: bytes = b"") -> None: ...

    async def prune(self, now: datetime, idle: timedelta) -> None:
        """Forget those that are over, or were idle for longer."""


class ApiTokens(Protocol):
    async def add(self, token: ApiToken, digest: bytes) -> None: ...

    async def find(self, digest: bytes) -> ApiToken | None:
        """Also a revoked one."""

    async def touch(self, token: ApiTokenId, at: datetime) -> None: ...

    async def list_all(self) -> Sequence[ApiToken]:
        """Those not revoked, newest first."""

    async def revoke(self, token: ApiTokenId, at: datetime) -> ApiToken:
        """May be repeated. Raises MissingError."""


class LoginAttempts(Protocol):
    async def admit(self, key: str, now: datetime, limit: int, window: timedelta) -> datetime | None:
        """Count one attempt under `key`, unless `limit` were made within `window`: then say when to try again.

        Callers at once never get more than `limit` through. An attempt that is not admitted does not count.
        """

    async def clear(self, key: str) -> None:
        """A success: the attempts before it are forgotten."""

    async def prune(self, before: datetime) -> None: ...


class Drafts(Protocol):
    """What a person has entered in the Connect wizard so far: one draft each, plain JSON, no secrets."""

    async def load(self, person: PersonId) -> Mapping[str, Any] | None: ...

    async def save(self, person: PersonId, draft: Mapping[str, Any]) -> None: ...

    async def forget(self, person: PersonId) -> bool:
        """Whether there was one: of two callers at once only one is told so."""


class PeopleStore(Protocol):
    @property
    def persons(self) -> Persons: ...

    @property
    def sessions(self) -> Sessions: ...

    @property
    def tokens(self) -> ApiTokens: ...

    @property
    def attempts(self) -> LoginAttempts: ...

    @property
    def drafts(self) -> Drafts: ...


class Passwords(Protocol):
    async def hash(self, password: str) -> str: ...

    async def verify(self, password: str, password_hash: str) -> bool:
        """Takes as long for a hash that does not match. Does not block the event loop."""

    def is_weak(self, password_hash: str) -> bool:
        """Made with lesser parameters than today's: hash again at the next login."""
