"""Webhooks of Redmine 7 (from its source): signed, sent once, without an id of the delivery."""

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from typing import Any

from keepstep.domain.ids import TicketId
from keepstep.ports.errors import NotGenuineError, UnreadableError
from keepstep.ports.tracker import TicketNotice

_SIGNATURE = "x-redmine-signature-256"
_PREFIX = "sha256="
_ISSUE = "issue."


class RedmineWire:
    def read_notification(
        self,
        headers: Mapping[str, str],
        body: bytes,
        secret: str,
        *,
        signed: bool,  # noqa: ARG002 - there is no other proof
    ) -> Sequence[TicketNotice]:
        given = {name.lower(): value for name, value in headers.items()}.get(_SIGNATURE, "")
        wanted = _PREFIX + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(given.encode(), wanted.encode()):
            raise NotGenuineError(
                "The webhook's signature is missing or wrong: enter the secret in Redmine again."
            )
        return [_notice(_parsed(body))]


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise UnreadableError("A webhook's body has to be JSON.") from error
    if not isinstance(found, dict) or not isinstance(found.get("type"), str):
        raise UnreadableError("A webhook of Redmine tells its type.")
    return found


def _notice(event: dict[str, Any]) -> TicketNotice:
    """Wiki pages, news and the like concern no ticket."""
    kind = event["type"]
    if not kind.startswith(_ISSUE):
        return TicketNotice(None, None)
    data = event.get("data")
    issue = data.get("issue") if isinstance(data, dict) else None
    number = issue.get("id") if isinstance(issue, dict) else None
    if not isinstance(number, int):
        raise UnreadableError("A webhook about an issue names its number: data.issue.id.")
    return TicketNotice(TicketId(str(number)), None, deleted=kind == "issue.deleted", actor=_actor(data))


def _actor(data: Any) -> str:
    journal = data.get("journal")
    user = journal.get("user") if isinstance(journal, dict) else None
    name = user.get("name") if isinstance(user, dict) else None
    return name if isinstance(name, str) else ""
