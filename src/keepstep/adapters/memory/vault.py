"""Secrets in memory, for tests."""

import itertools

from keepstep.domain.errors import MissingError
from keepstep.domain.ids import SecretRef
from keepstep.ports.vault import VaultError

_SHOWN = 4
_SHORTEST_SHOWN = 16


class MemoryVault:
    """Implements keepstep.ports.vault.Vault."""

    def __init__(self) -> None:
        self._secrets: dict[SecretRef, str] = {}
        self._numbers = itertools.count(1)
        self._key_lost = False

    def lose_key(self) -> None:
        """From now on no secret can be opened, as when a key is missing from SECRET_KEYS."""
        self._key_lost = True

    async def put(self, secret: str) -> SecretRef:
        ref = SecretRef(f"secret-{next(self._numbers)}")
        self._secrets[ref] = secret
        return ref

    async def open(self, ref: SecretRef) -> str:
        secret = self._find(ref)
        if self._key_lost:
            raise VaultError("The key that this secret was sealed with is not among KEEPSTEP_SECRET_KEYS.")
        return secret

    async def replace(self, ref: SecretRef, secret: str) -> None:
        self._find(ref)
        self._secrets[ref] = secret

    async def last_four(self, ref: SecretRef) -> str:
        secret = self._find(ref)
        return secret[-_SHOWN:] if len(secret) >= _SHORTEST_SHOWN else ""

    async def forget(self, ref: SecretRef) -> None:
        self._secrets.pop(ref, None)

    def _find(self, ref: SecretRef) -> str:
        try:
            return self._secrets[ref]
        except KeyError:
            raise MissingError("This secret was forgotten: enter it again.") from None
