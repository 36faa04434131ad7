"""Secrets: encrypted at rest, opened late, never shown again beyond their last four characters."""

from typing import Protocol

from keepstep.domain.ids import SecretRef


class VaultError(Exception):
    """A secret cannot be opened: the key it was sealed with is not among SECRET_KEYS."""


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
