"""GitHub's calls to us: proof first, then which issue it is about.

`X-Hub-Signature-256` is the HMAC with SHA-256 of the raw body. Nothing in it tells the time; what protects against
replay is that a delivery's id is taken once, and that a notice makes us read the issue, no more.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from keepstep.adapters.incoming import Incoming, Name, Number, delivery_id, is_signed, json_object, read_as
from keepstep.domain.ids import TicketId
from keepstep.ports.errors import NotGenuineError, UnreadableError
from keepstep.ports.tracker import TicketNotice

_TICKET_EVENT = "issues"
_NO_TICKET = "it is about no issue"
IGNORED_EVENTS: Mapping[str, str] = {
    "ping": "GitHub's greeting to a new webhook",
    "issue_comment": "a comment changes no field that is kept",
    "issue_dependencies": "a dependency is no field that is kept",
    "sub_issues": "a sub-issue is no field that is kept",
    "label": "a label's own name is read with the issue",
    "repository": "a repository is addressed by its id, which stays",
    **dict.fromkeys(
        (
            "branch_protection_rule", "check_run", "check_suite", "code_scanning_alert", "commit_comment", "create",
            "delete", "dependabot_alert", "deploy_key", "deployment", "deployment_status", "discussion",
            "discussion_comment", "fork", "gollum", "member", "meta", "milestone", "package", "page_build", "project",
            "project_card", "project_column", "public", "pull_request", "pull_request_review",
            "pull_request_review_comment", "pull_request_review_thread", "push", "registry_package", "release",
            "repository_advisory", "repository_import", "repository_ruleset", "repository_vulnerability_alert",
            "secret_scanning_alert", "secret_scanning_alert_location", "security_and_analysis", "star", "status",
            "team_add", "watch", "workflow_job", "workflow_run",
        ),
        _NO_TICKET,
    ),
}  # fmt: skip
"""Events that a webhook of ours does not ask for, but that a person may tick, each with why it is passed over."""


class _Issue(Incoming):
    id: Number


class _Sender(Incoming):
    login: Name = ""


class _IssueEvent(Incoming):
    action: str
    issue: _Issue
    sender: _Sender | None = None


class GitHubWire:
    def read_notification(
        self,
        headers: Mapping[str, str],
        body: bytes,
        secret: str,
        *,
        signed: bool,  # noqa: ARG002 - a hook with a secret signs every delivery
    ) -> Sequence[TicketNotice]:
        named = {name.lower(): value for name, value in headers.items()}
        _prove(named, body, secret)
        content = _parsed(body)
        event = named.get("x-github-event", "")
        if event in IGNORED_EVENTS:
            return ()
        if event != _TICKET_EVENT:
            raise UnreadableError(f"This is not an event of an issue: X-GitHub-Event is {event[:50]!r}.")
        return (_notice(content, named),)


def _prove(headers: Mapping[str, str], body: bytes, secret: str) -> None:
    if not is_signed(body, secret, headers.get("x-hub-signature-256", ""), prefix="sha256="):
        raise NotGenuineError("X-Hub-Signature-256 is missing or not ours.")


def _parsed(body: bytes) -> dict[str, Any]:
    if body.startswith(b"payload="):
        raise UnreadableError("The body is a form. Set the webhook's content type to application/json.")
    return json_object(body)


def _notice(content: dict[str, Any], headers: Mapping[str, str]) -> TicketNotice:
    """A transfer tells the old id and counts as changed: reading the issue again shows where to."""
    event = read_as(_IssueEvent, content, "an event of an issue")
    return TicketNotice(
        ticket=TicketId(str(event.issue.id)),
        # Equal in all attempts at one delivery.
        delivery_id=delivery_id(headers, "x-github-delivery"),
        deleted=event.action == "deleted",
        actor=event.sender.login if event.sender else "",
    )
