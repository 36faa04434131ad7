"""Jira's calls to us: proof over the raw bytes first, then which issue it is about."""

from collections.abc import Mapping, Sequence

from pydantic import Field

from keepstep.adapters.incoming import Id, Incoming, Name, delivery_id, is_signed, json_object, read_as
from keepstep.domain.ids import TicketId
from keepstep.ports.errors import NotGenuineError, UnreadableError
from keepstep.ports.tracker import TicketNotice

_ISSUE_EVENTS = frozenset({"jira:issue_created", "jira:issue_updated", "jira:issue_deleted"})
_DELETED = "jira:issue_deleted"
_IGNORED = ("comment_", "worklog_", "issuelink_", "issue_property_", "attachment_", "sprint_", "board_", "project_",
            "jira:version_", "jira:worklog_", "user_", "option_")  # fmt: skip
"""Kinds that a person may switch on, and that change no field that is kept."""


class _Person(Incoming):
    display_name: Name = Field(default="", alias="displayName")


class _Issue(Incoming):
    id: Id


class _Event(Incoming):
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
        content = json_object(body)
        kind = str(content.get("webhookEvent"))
        if kind.startswith(_IGNORED):
            return ()
        if kind not in _ISSUE_EVENTS:
            raise UnreadableError(f"This is not an event of an issue: webhookEvent is {kind[:50]!r}.")
        event = read_as(_Event, content, "an event of an issue")
        return (
            TicketNotice(
                ticket=TicketId(event.issue.id),
                # Equal across the retries of one delivery.
                delivery_id=delivery_id(named, "x-atlassian-webhook-identifier"),
                deleted=kind == _DELETED,
                actor=event.user.display_name if event.user else "",
            ),
        )


def _prove(headers: Mapping[str, str], body: bytes, secret: str) -> None:
    """`X-Hub-Signature: sha256=…`, without the -256 that others have in the header's name."""
    if not is_signed(body, secret, headers.get("x-hub-signature", ""), prefix="sha256="):
        raise NotGenuineError("X-Hub-Signature is missing or not ours.")
