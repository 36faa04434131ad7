"""What Linear's errors mean.

They come with 200 or 400, in `errors`, each with `extensions` of which `code` and `type` tell the kind in two
spellings and `userPresentableMessage` is for people. Sure by the vendor's SDK and by reports of others: the shape, the
codes named here, "Entity not found: X" and "conflict on insert of X" (both under INPUT_ERROR). What else there is: not
known.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from keepstep.adapters.http import Problem

_KINDS = {
    "AUTHENTICATION_ERROR": 401,
    "UNAUTHENTICATED": 401,
    "FORBIDDEN": 403,
    "FEATURE_NOT_ACCESSIBLE": 403,
    "USAGE_LIMIT_EXCEEDED": 402,
    "RATELIMITED": 429,
    "INPUT_ERROR": 422,
    "INVALID_INPUT": 422,
    "USER_ERROR": 422,
    "BAD_USER_INPUT": 422,
    "GRAPHQL_VALIDATION_FAILED": 422,
    "GRAPHQL_PARSE_FAILED": 422,
    "INTERNAL_SERVER_ERROR": 500,
    "INTERNAL_ERROR": 500,
    "NETWORK_ERROR": 503,
    "LOCK_TIMEOUT": 503,
    "BOOTSTRAP_ERROR": 503,
}
_ABSENT = re.compile(r"Entity not found: (\w+)")
_ADDRESSED = frozenset({"Issue", "Team", "Webhook", "Attachment", "Comment"})
"""What a call is about. Others, such as a label, are values in it that are not accepted."""
_CONFLICT = re.compile(r"conflict on insert of", re.IGNORECASE)
_NO_ADMIN = re.compile(r"admin required|\badmin\b.*\bscope\b", re.IGNORECASE)
_UNKNOWN = 500
_FIELDS = (
    (re.compile(r"stateId|WorkflowState|issue state", re.IGNORECASE), "status"),
    (re.compile(r"labelIds|\blabels?\b|IssueLabel", re.IGNORECASE), "labels"),
    (re.compile(r"assignee|\bUser\b"), "assignee"),
    (re.compile(r"projectId|\bProject\b"), "project"),
    (re.compile(r"priority", re.IGNORECASE), "priority"),
    (re.compile(r"description", re.IGNORECASE), "description"),
    (re.compile(r"title", re.IGNORECASE), "title"),
    (re.compile(r"\burl\b", re.IGNORECASE), "public_url"),
)
_RESETS = (("x-ratelimit-requests", 1), ("x-ratelimit-endpoint-requests", 1), ("x-ratelimit-complexity", 0))


def read_status(status: int, body: Any) -> int:
    """The status that HTTP would have for this answer; the given one where the body tells no error."""
    error = _first_error(body)
    if error is None:
        return status
    text, extensions = str(error.get("message") or ""), _extensions(error)
    absent = _ABSENT.search(text)
    if absent:
        return 404 if absent[1] in _ADDRESSED else 422
    if _CONFLICT.search(text):
        return 409
    if _NO_ADMIN.search(f"{text} {extensions.get('userPresentableMessage')}"):
        return 403
    for spelt in (extensions.get("code"), extensions.get("type")):
        known = _KINDS.get(str(spelt or "").upper().replace(" ", "_"))
        if known is not None:
            return known
    if status >= 400:
        return status
    told = extensions.get("statusCode")
    return told if isinstance(told, int) and 400 <= told < 600 else _UNKNOWN


def read_problem(_status: int, body: Any) -> Problem:
    error = _first_error(body)
    if error is None:
        return Problem(text=body if isinstance(body, str) else "")
    text, shown = str(error.get("message") or ""), str(_extensions(error).get("userPresentableMessage") or "")
    both = f"{text} {shown}"
    field = next((name for pattern, name in _FIELDS if pattern.search(both)), "")
    missing = "a workspace admin's key with the right Admin" if _NO_ADMIN.search(both) else ""
    return Problem(text=shown or text, field=field, missing=missing)


def read_wait(headers: Mapping[str, str]) -> timedelta | None:
    """Until the buckets that are empty leak again: of requests, of one query's requests, of complexity.

    A bucket of complexity may hold some points and still too few, so it counts below what the query cost.
    """
    cost = _number(headers, "x-complexity") or 0
    resets = [
        reset
        for name, least in _RESETS
        if (reset := _number(headers, f"{name}-reset")) is not None
        and (_number(headers, f"{name}-remaining") or 0) < (least or max(cost, 1))
    ]
    if not resets:
        return None
    return datetime.fromtimestamp(min(max(resets), 4e12) / 1000, UTC) - datetime.now(UTC)


def _number(headers: Mapping[str, str], name: str) -> float | None:
    text = headers.get(name, "").strip()
    return float(text) if re.fullmatch(r"\d{1,15}(\.\d{1,9})?", text) else None


def _first_error(body: Any) -> dict[str, Any] | None:
    errors = body.get("errors") if isinstance(body, dict) else None
    if not isinstance(errors, list) or not errors:
        return None
    return errors[0] if isinstance(errors[0], dict) else {"message": str(errors[0])}


def _extensions(error: dict[str, Any]) -> dict[str, Any]:
    found = error.get("extensions")
    return found if isinstance(found, dict) else {}
