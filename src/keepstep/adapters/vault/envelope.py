"""Envelope encryption with AES-256-GCM: a secret under its own data key, the data key under a key-encryption key.

Both bind the secret's reference, so that a sealed secret copied into another row does not open. Changing the
key-encryption key touches the wrapped data key only.
"""

import os
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from keepstep.adapters.vault.keys import KEY_BYTES, Keys
from keepstep.domain.ids import SecretRef
from keepstep.ports.vault import VaultError

_NONCE_BYTES = 12


@dataclass(frozen=True, slots=True)
class Envelope:
    key_id: str
    wrapped_key: bytes = field(repr=False)
    sealed: bytes = field(repr=False)


def seal(keys: Keys, ref: SecretRef, secret: str) -> Envelope:
    data_key = os.urandom(KEY_BYTES)
    sealed = _encrypt(data_key, secret.encode(), _secret_context(ref))
    return Envelope(keys.first, _wrap(keys, ref, data_key), sealed)


def unseal(keys: Keys, ref: SecretRef, envelope: Envelope) -> str:
    """Raises VaultError."""
    data_key = _unwrap(keys, ref, envelope)
    return _decrypt(data_key, envelope.sealed, _secret_context(ref)).decode()


def rewrap(keys: Keys, ref: SecretRef, envelope: Envelope) -> Envelope:
    """The same secret under the first key. Raises VaultError."""
    return Envelope(keys.first, _wrap(keys, ref, _unwrap(keys, ref, envelope)), envelope.sealed)


def _wrap(keys: Keys, ref: SecretRef, data_key: bytes) -> bytes:
    return _encrypt(keys.by_id[keys.first], data_key, _key_context(ref, keys.first))


def _unwrap(keys: Keys, ref: SecretRef, envelope: Envelope) -> bytes:
    key = keys.by_id.get(envelope.key_id)
    if key is None:
        raise VaultError(
            f"A secret is sealed with the key {envelope.key_id}, which is not in KEEPSTEP_SECRET_KEYS."
        )
    return _decrypt(key, envelope.wrapped_key, _key_context(ref, envelope.key_id))


def _secret_context(ref: SecretRef) -> bytes:
    return f"keepstep secret 1\n{ref}".encode()


def _key_context(ref: SecretRef, key_id: str) -> bytes:
    return f"keepstep data key 1\n{ref}\n{key_id}".encode()


def _encrypt(key: bytes, plain: bytes, context: bytes) -> bytes:
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plain, context)


def _decrypt(key: bytes, sealed: bytes, context: bytes) -> bytes:
    try:
        return AESGCM(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], context)
    except (InvalidTag, ValueError):
        raise VaultError(
            "A secret does not open: its record was altered, or its key's id names another key."
        ) from None
