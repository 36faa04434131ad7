"""Ids of our own making: Linear takes a UUID of the caller's for what it creates, and refuses one that it has.

So an issue's id is its Link's marker in another form, and a create that is repeated finds the first instead of making a
second. It has to look like a UUID of version 4; six bits are set for that, which a Link's id, a UUID itself, has set
already. The refusal is "conflict on insert of ..." under INPUT_ERROR (reports of others, 2026).
"""

import hashlib
import re
from uuid import UUID

_DIGITS = re.compile(r"[0-9a-f]{32}\Z")


def issue_id(marker: str) -> str:
    """From the marker's 32 digits."""
    digits = _DIGITS.search(marker)
    return _version_4(digits[0]) if digits else id_of(marker)


def id_of(*words: str) -> str:
    """The same for the same words."""
    return _version_4(hashlib.sha256("\n".join(words).encode()).hexdigest()[:32])


def is_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False


def _version_4(digits: str) -> str:
    return str(UUID(digits, version=4))
