"""Secrets in memory, for tests."""

import itertools
from collections import Counter
from collections.abc import Sequence

from keepstep.domain.errors import MissingError
from keepstep.domain.ids import SecretRef
from keepstep.ports.vault import KeyUse, VaultError

_SHOWN = 4
_SHORTEST_SHOWN = 16


class MemoryVault:
    """Implements keepstep.ports.vault.Vault. Its keys are names and seal nothing."""

    def __init__(self, *keys: str) -> None:
        self._keys = list(keys) or ["memory"]
        self._secrets: dict[SecretRef, str] = {}
        self._sealed_with: dict[SecretRef, str] = {}
        self._numbers = itertools.count(1)

    def use_keys(self, *keys: str) -> None:
        """As a restart with other SECRET_KEYS: the first one seals."""
        self._keys = list(keys)

    def lose_key(self) -> None:
        """From now on no secret can be opened, as when a key is missing from SECRET_KEYS."""
        self.use_keys("another")

    async def put(self, secret: str) -> SecretRef:
        ref = SecretRef(f"secret-{next(self._numbers)}")
        self._secrets[ref], self._sealed_with[ref] = secret, self._keys[0]
        return ref

    async def open(self, ref: SecretRef) -> str:
        secret = self._find(ref)
        if self._sealed_with[ref] not in self._keys:
            raise self._lacking(ref)
        return secret

    async def replace(self, ref: SecretRef, secret: str) -> None:
        self._find(ref)
        self._secrets[ref], self._sealed_with[ref] = secret, self._keys[0]

    async def last_four(self, ref: SecretRef) -> str:
        secret = self._find(ref)
        return secret[-_SHOWN:] if len(secret) >= _SHORTEST_SHOWN else ""

    async def forget(self, ref: SecretRef) -> None:
        self._secrets.pop(ref, None)
        self._sealed_with.pop(ref, None)

    async def list_keys(self) -> Sequence[KeyUse]:
        counts = Counter(self._sealed_with.values())
        first = self._keys[0]
        names = sorted({*self._keys, *counts}, key=lambda name: (name != first, name))
        return [KeyUse(name, counts[name], name in self._keys, name == first) for name in names]

    async def rotate(self) -> int:
        done, lacking = 0, None
        for ref, key in self._sealed_with.items():
            if key not in self._keys:
                lacking = self._lacking(ref)
            elif key != self._keys[0]:
                self._sealed_with[ref] = self._keys[0]
                done += 1
        if lacking is not None:
            raise lacking
        return done

    def _lacking(self, ref: SecretRef) -> VaultError:
        key = self._sealed_with[ref]
        return VaultError(f"A secret is sealed with the key {key}, which is not in KEEPSTEP_SECRET_KEYS.")

    def _find(self, ref: SecretRef) -> str:
        try:
            return self._secrets[ref]
        except KeyError:
            raise MissingError("This secret was forgotten: enter it again.") from None
