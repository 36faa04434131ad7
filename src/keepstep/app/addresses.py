"""Reading what people paste."""

import base64
import binascii
import re

from keepstep.domain.errors import InvalidInputError
from keepstep.domain.ids import FeatureId

_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_LAST_PART = re.compile(r"[A-Za-z0-9+/_=-]{20,}")


def feature_id_in(text: str) -> FeatureId:
    """A feature's id, or any address that holds it.

    Productboard's page addresses end in base64 of a type and the id (computed from the published examples, so the
    shape is likely, not promised); "Copy API ID" in an item's menu gives the id itself.
    """
    found = _UUID.findall(text)
    if not found:
        for part in reversed(_LAST_PART.findall(text)):
            found = _UUID.findall(_decoded(part))
            if found:
                break
    if not found:
        raise InvalidInputError(
            "feature",
            "Paste the feature's address, or its id: in Productboard, “Copy API ID” in the item's menu.",
        )
    return FeatureId(found[-1].lower())


def _decoded(part: str) -> str:
    padded = part.replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return base64.b64decode(padded + "=" * (-len(padded) % 4)).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return ""
