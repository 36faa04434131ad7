"""How bodies are checked: pydantic models of what Productboard takes, with every length, enum and type of its files.

Strict: a number is no string. What a schema does not name is ignored where the vendor ignores it and refused where
the schema is closed. `parsed` turns a refusal into the vendor's envelope.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from keepstep_sandbox.productboard.errors import ApiError, invalid, malformed

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s<>\"{}|\\^`]+")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


def uuid_text(text: str) -> str:
    """Lower-cased. Raises ValueError if it is no UUID."""
    if not _UUID.fullmatch(text):
        raise ValueError("must be a UUID")
    return text.lower()


def uri_text(text: str) -> str:
    if not _URI.fullmatch(text):
        raise ValueError("must be an absolute URI")
    return text


def email_text(text: str) -> str:
    if not _EMAIL.fullmatch(text):
        raise ValueError("must be an e-mail address")
    return text


UuidText = Annotated[str, AfterValidator(uuid_text)]
UriText = Annotated[str, AfterValidator(uri_text)]
EmailText = Annotated[str, AfterValidator(email_text)]
Text255 = Annotated[str, Field(min_length=1, max_length=255)]


class Open(BaseModel):
    """Unknown keys are ignored."""

    model_config = ConfigDict(strict=True)


class Closed(BaseModel):
    """Unknown keys are refused."""

    model_config = ConfigDict(strict=True, extra="forbid")


Body = TypeVar("Body", bound=BaseModel)


def parsed(model: type[Body], raw: bytes) -> Body:
    """The checked body. Raises ApiError 400, malformed or invalid, with a pointer for each fault."""
    try:
        return model.model_validate_json(raw)
    except ValidationError as wrong:
        raise _refusal(wrong, raw) from wrong


def _refusal(wrong: ValidationError, raw: bytes) -> ApiError:
    problems = wrong.errors(include_url=False)
    if problems[0]["type"] == "json_invalid":
        return malformed("The body is not valid JSON.")
    sent = _json(raw)
    refusals = [invalid(_sentence(problem), pointer_to(sent, problem["loc"])) for problem in problems[:20]]
    refusals[0].more = refusals[1:]
    return refusals[0]


def _sentence(problem: Mapping[str, Any]) -> str:
    field = "/".join(str(part) for part in problem["loc"]) or "body"
    if problem["type"] == "missing":
        return f"Field '{field}' is required but was not given."
    return f"Field '{field}': {problem['msg']}."


def _json(raw: bytes) -> Any:
    from pydantic_core import from_json  # noqa: PLC0415 - only the error path needs it

    return from_json(raw)


def pointer_to(sent: Any, location: Sequence[int | str]) -> str:
    """A JSON pointer into what was sent.

    pydantic names the branch of a union in its location; such a part is found nowhere in the body and left out.
    """
    parts: list[str] = []
    node = sent
    for index, part in enumerate(location):
        if (isinstance(node, dict) and part in node) or (isinstance(node, list) and isinstance(part, int)):
            node = node[part]  # type: ignore[index]
            parts.append(str(part))
        elif index == len(location) - 1 and isinstance(node, dict):
            parts.append(str(part))
    return "/" + "/".join(parts)
