"""Jira's calls to us: proof over the raw bytes first, then which issue it is about."""

import hmac
import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from keepstep.domain.ids import TicketId
from keepstep.ports.errors import NotGenuineError, UnreadableError
from keepstep.ports.tracker import TicketNotice

_ISSUE_EVENTS = frozenset({"jira:issue_created", "jira:issue_updated", "jira:issue_deleted"})
_DELETED = "jira:issue_deleted"
_IGNORED = ("comment_", "worklog_", "issuelink_", "issue_property_", "attachment_", "sprint_", "board_", "project_",
            "jira:version_", "jira:worklog_", "user_", "option_")  # fmt: skip
"""Kinds that a person may switch on, and that change no field that is kept."""


class _Incoming(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Person(_Incoming):
    display_name: str = Field(default="", alias="displayName")


class _Issue(_Incoming):
    id: str


class _Event(_Incoming):
    issue: _Issue
    user: _Person | None = None


class JiraWire:
    def read_notification(
        self,
        headers: Mapping[str, str],
        body: bytes,
        secret: str,
        *,
        signed: bool,  # noqa: ARG002 - a webhook of ours always has a secret
    ) -> Sequence[TicketNotice]:
        named = {name.lower(): value for name, value in headers.items()}
        _prove(named, body, secret)
        content = _parsed(body)
        kind = str(content.get("webhookEvent"))
        if kind.startswith(_IGNORED):
            return ()
        if kind not in _ISSUE_EVENTS:
            raise UnreadableError(f"This is no event of an issue: webhookEvent is {kind[:50]!r}.")
        try:
            event = _Event.model_validate(content)
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False, include_input=False)[0]
            place = ".".join(str(part) for part in first["loc"])
            raise UnreadableError(f"This is no event of an issue: {place}: {first['msg']}.") from error
        return (
            TicketNotice(
                ticket=TicketId(event.issue.id),
                # Equal across the retries of one delivery.
                delivery_id=named.get("x-atlassian-webhook-identifier") or None,
                deleted=kind == _DELETED,
                actor=event.user.display_name if event.user else "",
            ),
        )


def _prove(headers: Mapping[str, str], body: bytes, secret: str) -> None:
    """`X-Hub-Signature: sha256=…`, without the -256 that others have in the header's name."""
    wanted = "sha256=" + hmac.new(secret.encode(), body, sha256).hexdigest()
    given = headers.get("x-hub-signature", "").encode("utf-8", "replace")
    if not hmac.compare_digest(given, wanted.encode("ascii")):
        raise NotGenuineError("X-Hub-Signature is missing or not ours.")


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise UnreadableError("The body is not JSON.") from error
    if not isinstance(content, dict):
        raise UnreadableError("The body has to be a JSON object.")
    return content
