"""What others send to our doors: proven over its raw bytes, then read, with the reason told where it cannot be."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from keepstep.ports.errors import UnreadableError

_Model = TypeVar("_Model", bound=BaseModel)

_LONGEST_NAME = 200
_LONGEST_DELIVERY_ID = 200

Name = Annotated[str, AfterValidator(lambda text: text[:_LONGEST_NAME])]
"""Who did it, for people to read. However long somebody's name is, it is no reason to refuse a notification."""
Number = Annotated[int, Field(strict=True, ge=0, lt=2**63)]
"""An id that is a number."""
Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,100}$")]
"""An id that is text."""


class Incoming(BaseModel):
    """The part of a message that is of use to us."""

    model_config = ConfigDict(extra="ignore", frozen=True)


def is_signed(body: bytes, secret: str, given: str, *, prefix: str = "") -> bool:
    """Whether `given`, a header's value, is the prefix and the HMAC with SHA-256 of the body in hexadecimal digits."""
    ours = prefix + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(given.encode("utf-8", "replace"), ours.encode("ascii"))


def delivery_id(headers: Mapping[str, str], *names: str) -> str | None:
    """The first of these headers that is there, by names in lower case. Raises UnreadableError for one without end."""
    found = next((headers[name] for name in names if headers.get(name)), None)
    if found is not None and len(found) > _LONGEST_DELIVERY_ID:
        raise UnreadableError(
            f"{names[0]} has {len(found)} characters; at most {_LONGEST_DELIVERY_ID} are expected."
        )
    return found


def json_object(body: bytes) -> dict[str, Any]:
    """Raises UnreadableError."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise UnreadableError("The body is not JSON.") from error
    if not isinstance(content, dict):
        raise UnreadableError("The body has to be a JSON object.")
    return content


def read_as(model: type[_Model], content: Any, what: str, *, under: tuple[str, ...] = ()) -> _Model:
    """Raises UnreadableError: this is not `what`, and at which place; never the value, which may be somebody's text."""
    try:
        return model.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join([*under, *(str(part) for part in first["loc"])])
        raise UnreadableError(f"This is not {what}: {place}: {first['msg']}.") from error
