"""Logging in and out, people, and tokens for the API.

Passwords are hashed by `ports.people.Passwords`; session ids and API tokens carry 256 random bits, of which only the
SHA-256 is stored. Whoever guesses passwords is slowed down by name and by address, told when to try again, and learns
neither from the answer nor from its time whether a name exists.
"""

import hashlib
import ipaddress
import math
import re
import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from keepstep.domain.errors import ForbiddenMoveError, InvalidInputError, KeepstepError
from keepstep.ports.clock import Clock
from keepstep.ports.people import (
    ApiToken,
    ApiTokenId,
    Drafts,
    NameTakenError,
    Passwords,
    PeopleStore,
    Person,
    PersonId,
    Session,
)

SESSION_IDLE = timedelta(hours=12)
SESSION_LONGEST = timedelta(days=7)
SHORTEST_PASSWORD = 10
LONGEST_PASSWORD = 500
LONGEST_TOKEN_NAME = 60
ATTEMPTS_PER_NAME = 8
ATTEMPTS_PER_ADDRESS = 30
ATTEMPT_WINDOW = timedelta(minutes=15)

_NAME = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,63}")
_SEEN_EVERY = timedelta(minutes=1)
_USED_EVERY = timedelta(minutes=1)
_TOKEN_PREFIX = "ks_"  # noqa: S105 - the public beginning of every token
_WORDS = 5


class LoginRefusedError(KeepstepError):
    """Name and password do not belong together."""


class TooManyAttemptsError(KeepstepError):
    """Too many failed logins; `until` says when to try again."""

    def __init__(self, until: datetime, now: datetime) -> None:
        minutes = max(1, math.ceil((until - now).total_seconds() / 60))
        word = "minute" if minutes == 1 else "minutes"
        super().__init__(f"Too many attempts. Try again in {minutes} {word}.")
        self.until = until


@dataclass(frozen=True, slots=True)
class NewPerson:
    person: Person
    password: str
    """To be shown once."""


@dataclass(frozen=True, slots=True)
class OpenedSession:
    secret: str
    """For the cookie; nowhere else."""
    session: Session


@dataclass(frozen=True, slots=True)
class NewToken:
    secret: str
    """To be shown once."""
    token: ApiToken


class People:
    def __init__(self, store: PeopleStore, passwords: Passwords, clock: Clock) -> None:
        self._store = store
        self._passwords = passwords
        self._clock = clock
        self._nobody = ""

    @property
    def drafts(self) -> Drafts:
        return self._store.drafts

    async def is_empty(self) -> bool:
        """Nobody has been made yet: the first one comes from the command line."""
        return not await self._store.persons.list_all()

    async def list_people(self) -> Sequence[Person]:
        return await self._store.persons.list_all()

    async def create_admin(self, name: str, password: str | None = None) -> NewPerson:
        """Makes a password when none is given. Raises InvalidInputError (name, password)."""
        name = _checked_name(name)
        chosen = _generated_password() if password is None else _checked_password(password, name, "password")
        person = Person(PersonId(str(uuid.uuid4())), name, self._clock.now())
        try:
            await self._store.persons.add(person, await self._passwords.hash(chosen))
        except NameTakenError as error:
            raise InvalidInputError(
                "name", f"Somebody is called {name} already. Choose another name."
            ) from error
        return NewPerson(person, chosen)

    async def reset_password(self, name: str, password: str | None = None) -> NewPerson:
        """For the command line, when a password is forgotten; ends that person's sessions. Raises InvalidInputError."""
        found = await self._store.persons.find_login(_folded(name))
        if found is None:
            raise InvalidInputError("name", f"Nobody is called {name!r}.")
        person = found[0]
        chosen = (
            _generated_password()
            if password is None
            else _checked_password(password, person.name, "password")
        )
        await self._store.persons.set_password(person.id, await self._passwords.hash(chosen))
        await self._store.persons.enable(person.id)
        await self._store.sessions.end_all(person.id)
        await self._store.attempts.clear(_by_name(person.name))
        return NewPerson(replace(person, disabled=False), chosen)

    async def log_in(self, name: str, password: str, address: str) -> OpenedSession:
        """Raises LoginRefusedError, TooManyAttemptsError."""
        name, now = _folded(name), self._clock.now()
        await self._admit(_by_name(name), ATTEMPTS_PER_NAME, now)
        await self._admit(_by_address(address), ATTEMPTS_PER_ADDRESS, now)
        person = await self._whose(name, password)
        if person is None:
            raise LoginRefusedError("Name and password do not belong together. Check both, and capitals.")
        await self._store.attempts.clear(_by_name(name))
        await self._store.attempts.clear(_by_address(address))
        return await self._open_session(person, now)

    async def prune(self) -> None:
        """Forget attempts that do not count any more, and sessions that are over."""
        now = self._clock.now()
        await self._store.attempts.prune(now - ATTEMPT_WINDOW)
        await self._store.sessions.prune(now, SESSION_IDLE)

    async def _admit(self, key: str, limit: int, now: datetime) -> None:
        until = await self._store.attempts.admit(key, now, limit, ATTEMPT_WINDOW)
        if until is not None:
            raise TooManyAttemptsError(until, now)

    async def _whose(self, name: str, password: str) -> Person | None:
        """An unknown name costs the same hashing as a known one."""
        found = await self._store.persons.find_login(name)
        if not self._nobody:
            self._nobody = await self._passwords.hash(secrets.token_urlsafe())
        person, stored = found or (None, self._nobody)
        matches = await self._passwords.verify(password[:LONGEST_PASSWORD], stored)
        if person is None or person.disabled or not matches:
            return None
        if self._passwords.is_weak(stored):
            await self._store.persons.set_password(person.id, await self._passwords.hash(password))
        return person

    async def _open_session(self, person: Person, now: datetime) -> OpenedSession:
        secret = self._clock.new_secret()
        csrf = secrets.token_urlsafe(32)
        session = Session(digest(secret), person, csrf, now, now + SESSION_LONGEST, now)
        await self._store.sessions.add(session)
        return OpenedSession(secret, session)

    async def find_session(self, secret: str) -> Session | None:
        """The session behind a cookie, if it still holds; notes that it was seen."""
        session = await self._store.sessions.find(digest(secret)) if secret else None
        now = self._clock.now()
        if session is None or session.person.disabled:
            return None
        if now >= session.expires_at or now >= session.last_seen_at + SESSION_IDLE:
            await self._store.sessions.end(session.digest)
            return None
        if now - session.last_seen_at >= _SEEN_EVERY:
            await self._store.sessions.touch(session.digest, now)
        return session

    async def log_out(self, session: Session) -> None:
        await self._store.sessions.end(session.digest)

    async def change_password(self, session: Session, old: str, new: str) -> None:
        """Ends that person's other sessions. Raises InvalidInputError (old, new), TooManyAttemptsError."""
        person = session.person
        await self._admit(_by_name(person.name), ATTEMPTS_PER_NAME, self._clock.now())
        found = await self._store.persons.find_login(person.name)
        if found is None or not await self._passwords.verify(old[:LONGEST_PASSWORD], found[1]):
            raise InvalidInputError("old", "This is not your present password.")
        _checked_password(new, person.name, "new")
        await self._store.persons.set_password(person.id, await self._passwords.hash(new))
        await self._store.sessions.end_all(person.id, but=session.digest)
        await self._store.attempts.clear(_by_name(person.name))

    async def disable(self, person_id: PersonId) -> Person:
        """Ends the sessions at once; the tokens of a disabled person do not work either.

        Raises MissingError, ForbiddenMoveError.
        """
        if not await self._store.persons.disable(person_id):
            raise ForbiddenMoveError("Nobody could log in any more. Make or enable another person first.")
        await self._store.sessions.end_all(person_id)
        return await self._store.persons.get(person_id)

    async def enable(self, person_id: PersonId) -> Person:
        """Raises MissingError."""
        await self._store.persons.enable(person_id)
        return await self._store.persons.get(person_id)

    async def list_tokens(self) -> Sequence[ApiToken]:
        return await self._store.tokens.list_all()

    async def create_token(self, person: Person, name: str) -> NewToken:
        """Raises InvalidInputError (name)."""
        name = " ".join(name.split())
        if not name:
            raise InvalidInputError("name", "Say what the token is for, so that you know it again later.")
        if not name.isprintable():
            raise InvalidInputError("name", "A name has no control characters.")
        if len(name) > LONGEST_TOKEN_NAME:
            raise InvalidInputError("name", f"At most {LONGEST_TOKEN_NAME} characters.")
        secret = f"{_TOKEN_PREFIX}{self._clock.new_secret()}"
        token_id = ApiTokenId(str(uuid.uuid4()))
        token = ApiToken(token_id, person, name, secret[-4:], self._clock.now())
        await self._store.tokens.add(token, digest(secret))
        return NewToken(secret, token)

    async def revoke_token(self, token_id: ApiTokenId) -> ApiToken:
        """Raises MissingError."""
        return await self._store.tokens.revoke(token_id, self._clock.now())

    async def find_token(self, secret: str) -> ApiToken | None:
        """The token a caller of the API shows, if it works; notes that it was used."""
        if not secret.startswith(_TOKEN_PREFIX):
            return None
        token, now = await self._store.tokens.find(digest(secret)), self._clock.now()
        if token is None or token.revoked_at is not None or token.person.disabled:
            return None
        if token.last_used_at is None or now - token.last_used_at >= _USED_EVERY:
            await self._store.tokens.touch(token.id, now)
        return token


def digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode(errors="replace")).digest()


def _folded(name: str) -> str:
    """Nobody's name has U+0000, which no database can look up: it becomes a sign that stands for it."""
    return name.strip().lower()[:100].replace("\0", "\ufffd")


def _checked_name(name: str) -> str:
    name = _folded(name)
    if not _NAME.fullmatch(name):
        expected = "1 to 64 letters (a to z), digits and . _ @ + -, beginning with a letter or digit"
        raise InvalidInputError("name", f"A login name has {expected}.")
    return name


def _checked_password(password: str, name: str, field: str) -> str:
    if len(password) < SHORTEST_PASSWORD:
        raise InvalidInputError(field, f"At least {SHORTEST_PASSWORD} characters; a few words do well.")
    if len(password) > LONGEST_PASSWORD:
        raise InvalidInputError(field, f"At most {LONGEST_PASSWORD} characters.")
    if password.strip().lower() == name or len(set(password)) < 4:
        raise InvalidInputError(field, "This is easily guessed. Choose another one.")
    return password


def _generated_password() -> str:
    """100 bits in groups that can be read out and typed; no letters or digits that look alike."""
    letters = "abcdefghjkmnpqrstuvwxyz23456789"
    return "-".join("".join(secrets.choice(letters) for _ in range(4)) for _ in range(_WORDS))


def _by_name(name: str) -> str:
    return f"name:{name}"


def _by_address(address: str) -> str:
    """Whoever has one IPv6 address has 2^64 of them: counted by network."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return f"address:{address[:100]}"
    if parsed.version == 6 and parsed.ipv4_mapped is None:
        return f"address:{ipaddress.ip_network((parsed, 64), strict=False)}"
    return f"address:{parsed}"
