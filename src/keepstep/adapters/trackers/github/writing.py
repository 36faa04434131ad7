"""From what is to change to as few writes as GitHub allows: it counts them, 80 in a minute and 500 in an hour."""

from typing import Any

from keepstep.adapters.http import Call, segment
from keepstep.adapters.trackers.github.client import GitHubClient
from keepstep.adapters.trackers.github.settings import StatusRules, is_closed
from keepstep.adapters.trackers.github.wire import IssueWire
from keepstep.domain.ids import StatusId
from keepstep.domain.ticket import TicketChanges
from keepstep.ports.errors import NotThereError, RejectedError

WRITES = 'the repository permission "Issues: read and write"'


async def carry_out(
    client: GitHubClient, path: str, issue: IssueWire, changes: TicketChanges, rules: StatusRules
) -> IssueWire:
    """The issue as it is afterwards; without a write where it is so already."""
    body: dict[str, Any] = {}
    if changes.title is not None and changes.title != issue.title:
        body["title"] = changes.title
    if changes.description is not None and changes.description != (issue.body or ""):
        body["body"] = changes.description
    label = None if changes.status is None else rules.label_of(changes.status)
    labelled = changes.status is not None and await _change_labels(
        client, path, issue, changes.status, label, rules
    )
    states = [] if changes.status is None else _states(changes.status, issue)
    for each in (body | states[0], *states[1:]) if states else (body,) if body else ():
        call = Call("PATCH", path, f"issue #{issue.number}", body=each, right=WRITES)
        issue = (await client.send(call)).parse(IssueWire)
    if labelled and not body and not states:
        call = Call("GET", path, f"issue #{issue.number}", right=WRITES)
        issue = (await client.send(call)).parse(IssueWire)
    if label is not None and label.lower() not in {each.lower() for each in issue.labels}:
        raise RejectedError(
            f"GitHub did not put the label {label} on issue #{issue.number}. The token's user needs the role Triage.",
            field="status",
            status=None,
        )
    return issue


def _states(status: StatusId, issue: IssueWire) -> list[dict[str, Any]]:
    """From one reason to another the way leads over open.

    By the vendor's reference a reason is ignored unless the state changes with it.
    """
    if not is_closed(status):
        return [{"state": "open"}] if issue.state == "closed" else []
    closed = {"state": "closed", "state_reason": str(status)}
    if issue.state != "closed":
        return [closed]
    return [] if (issue.state_reason or "completed") == status else [{"state": "open"}, closed]


async def _change_labels(
    client: GitHubClient, path: str, issue: IssueWire, status: StatusId, label: str | None, rules: StatusRules
) -> bool:
    """One by one: to send the whole set would take away what somebody else adds meanwhile.

    Closing leaves them: they tell where the work ended.
    """
    if is_closed(status):
        return False
    carried = tuple(issue.labels)
    adds = label is not None and label.lower() not in {each.lower() for each in carried}
    if adds:
        call = Call(
            "POST",
            f"{path}/labels",
            f"the label of issue #{issue.number}",
            body={"labels": [label]},
            right=WRITES,
        )
        await client.send(call)
    others = rules.others(label, carried)
    for other in others:
        call = Call("DELETE", f"{path}/labels/{segment(other)}", f"the label {other}", right=WRITES)
        try:
            await client.send(call)
        except NotThereError:
            continue
    return adds or bool(others)
