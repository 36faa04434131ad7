"""Secrets: encrypted at rest, opened late, never shown again beyond their last four characters."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from keepstep.domain.ids import SecretRef


class VaultError(Exception):
    """A secret cannot be opened: the key it was sealed with is not among SECRET_KEYS."""


@dataclass(frozen=True, slots=True)
class KeyUse:
    """A key by its id, never the key itself."""

    key_id: str
    secrets: int
    """So many are sealed with it."""
    given: bool
    """Whether we have it. If not, none of its secrets opens."""
    first: bool
    """Whether it is the one that seals."""


class Vault(Protocol):
    async def put(self, secret: str) -> SecretRef:
        """Seal a new secret; committed when this returns."""

    async def open(self, ref: SecretRef) -> str:
        """Raises MissingError when forgotten, VaultError when its key is gone."""

    async def replace(self, ref: SecretRef, secret: str) -> None:
        """The same reference, a new secret: atomic."""

    async def last_four(self, ref: SecretRef) -> str:
        """For display; "" for secrets too short to show any part of."""

    async def forget(self, ref: SecretRef) -> None:
        """May be repeated."""

    async def list_keys(self) -> Sequence[KeyUse]:
        """Every key that we were given or that a secret is sealed with; the first one first, then by id."""

    async def rotate(self) -> int:
        """Seal with the first key what is sealed with another; returns how many secrets that were. May be repeated.

        Others may read and write meanwhile, if they were given the first key. Raises VaultError at the end when some
        secret's key is missing; all others are done then.
        """
