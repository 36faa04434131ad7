"""From the one secret of an integration to the two that a GitLab hook takes.

`X-Gitlab-Token` carries a token in the clear with every delivery; from GitLab 19 on a signing key proves the body as
well, by Standard Webhooks. Both are derived (HKDF with SHA-256, RFC 5869, each under its own name), so that whoever
sees the token, in a proxy's log say, has neither our secret nor the key. An old server ignores the key without a word.
"""

from base64 import b64encode

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_BYTES = 32


def hook_token(secret: str) -> str:
    """64 hexadecimal digits."""
    return _derived(secret, b"keepstep gitlab hook token").hex()


def signing_token(secret: str) -> str:
    """`whsec_` and the base64 of 32 bytes, as GitLab wants it."""
    return "whsec_" + b64encode(_derived(secret, b"keepstep gitlab hook signature")).decode("ascii")


def _derived(secret: str, name: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=_BYTES, salt=None, info=name).derive(secret.encode())
