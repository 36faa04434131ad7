"""Webhooks of Redmine 7 (from its source): signed, sent once, without an id of the delivery."""

from collections.abc import Mapping, Sequence

from keepstep.adapters.incoming import Incoming, Name, Number, is_signed, json_object, read_as
from keepstep.domain.ids import TicketId
from keepstep.ports.errors import NotGenuineError
from keepstep.ports.tracker import TicketNotice

_SIGNATURE = "x-redmine-signature-256"
_ISSUE = "issue."


class _Kind(Incoming):
    type: str


class _User(Incoming):
    name: Name | None = None


class _Journal(Incoming):
    user: _User | None = None


class _Issue(Incoming):
    id: Number


class _Data(Incoming):
    issue: _Issue
    journal: _Journal | None = None


class _IssueEvent(_Kind):
    data: _Data


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
        if not is_signed(body, secret, given, prefix="sha256="):
            raise NotGenuineError(
                "The webhook's signature is missing or wrong: enter the secret in Redmine again."
            )
        content = json_object(body)
        if not read_as(_Kind, content, "a webhook of Redmine's").type.startswith(_ISSUE):
            # Wiki pages, news and the like concern no ticket.
            return [TicketNotice(None, None)]
        return [_notice(read_as(_IssueEvent, content, "an event of an issue"))]


def _notice(event: _IssueEvent) -> TicketNotice:
    user = event.data.journal.user if event.data.journal else None
    return TicketNotice(
        TicketId(str(event.data.issue.id)),
        None,
        deleted=event.type == "issue.deleted",
        actor=(user.name if user else None) or "",
    )
