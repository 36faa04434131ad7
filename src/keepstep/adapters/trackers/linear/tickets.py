"""Issues as tickets: reading, finding, creating, writing, commenting, and what has changed since."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any

from keepstep.adapters.trackers.linear import marks, queries
from keepstep.adapters.trackers.linear.addresses import place_of
from keepstep.adapters.trackers.linear.client import LinearClient, Part
from keepstep.adapters.trackers.linear.defaults import wanted_labels, wire_from_defaults
from keepstep.adapters.trackers.linear.ids import id_of, issue_id
from keepstep.adapters.trackers.linear.wire import IssueWire, NamedWire, ticket_from_wire, wire_from_changes
from keepstep.domain.document import Document, Paragraph, Text
from keepstep.domain.ticket import Ticket, TicketChanges, TicketDraft, TicketRef
from keepstep.ports.errors import NotThereError, OutsideError, RejectedError, StaleError
from keepstep.ports.text import TextFormat
from keepstep.ports.tracker import SettingValues

_AT_ONCE = 50


class LinearTickets:
    def __init__(self, client: LinearClient, text: TextFormat) -> None:
        self._client = client
        self._text = text

    async def fetch_ticket(self, ref: TicketRef) -> Ticket:
        """By the id, which stays when the issue moves to another team. What lies in the trash counts as deleted."""
        return _present(await self._issue(ref.id, ref.label))

    async def _issue(self, issue: str, label: str) -> IssueWire:
        """Also what is archived or in the trash."""
        data = await self._client.ask(queries.ISSUE, {"id": issue}, f"issue {label}")
        return data.at("issue").parse(IssueWire)

    async def list_tickets(self, project: str, refs: Sequence[TicketRef]) -> Sequence[Ticket]:
        ids = list(dict.fromkeys(each.id for each in refs))
        found: list[Ticket] = []
        for at in range(0, len(ids), _AT_ONCE):
            variables = {"ids": ids[at : at + _AT_ONCE], "team": project}
            data = await self._client.ask(queries.ISSUES_BY_ID, variables, "the linked issues")
            issues = data.at("issues").nodes(IssueWire)
            found += [ticket_from_wire(each) for each in issues if not each.trashed]
        return found

    async def find_by_address(self, project: str, address: str) -> Ticket | None:
        place = place_of(address)
        if place is None:
            return None
        try:
            issue = await self._issue(place.identifier, place.identifier)
        except NotThereError:
            return None
        ours = issue.team.id == project and not issue.trashed and place.names(issue.url)
        return ticket_from_wire(issue) if ours else None

    async def find_by_marker(self, project: str, marker: str) -> Sequence[Ticket]:  # noqa: ARG002 - ids know no team
        """One at most, the one whose id is made of the marker; true at once, wherever it has moved meanwhile."""
        try:
            issue = await self._issue(issue_id(marker), "of this marker")
        except NotThereError:
            return []
        return [] if issue.trashed else [ticket_from_wire(issue)]

    async def create_ticket(self, project: str, draft: TicketDraft) -> Ticket:
        """A second create with the marker of the first gives the first, as it is now."""
        body = {
            **wire_from_defaults(draft.defaults, await self._label_ids(project, draft.defaults)),
            "id": issue_id(draft.marker),
            "teamId": project,
            "title": draft.title,
            "description": draft.description,
        }
        if draft.status is not None:
            body["stateId"] = draft.status
        try:
            part = await self._client.change(
                queries.CREATE_ISSUE, "issueCreate", {"input": body}, "the new issue"
            )
            ticket = ticket_from_wire(part.at("issue").parse(IssueWire))
        except StaleError:
            ticket = await self._made_before(draft.marker)
        await self._mark(ticket, draft)
        return ticket

    async def _made_before(self, marker: str) -> Ticket:
        issue = await self._issue(issue_id(marker), "made before")
        if issue.trashed:
            raise RejectedError(
                f"The issue {issue.identifier} that was made for this is in Linear's trash. Restore it there, or "
                "unlink the feature and push it again.",
                status=None,
            )
        return ticket_from_wire(issue)

    async def _mark(self, ticket: Ticket, draft: TicketDraft) -> None:
        try:
            await marks.attach(self._client, ticket.ref, draft.marker, draft.link_back)
        except (NotThereError, RejectedError):
            return  # the text leads back as well
        except OutsideError as error:
            # The issue exists: whoever handles the error has to look for it before creating another one.
            error.doubt = True
            raise

    async def _label_ids(self, project: str, defaults: SettingValues) -> dict[str, str]:
        """By name; the team's own labels come before the workspace's of the same name, as Linear lists them."""
        found: dict[str, str] = {}
        if not wanted_labels(defaults):
            return found
        async for page in self._client.pages(queries.LABELS, {"team": project}, "the labels", "issueLabels"):
            for each in page.nodes(NamedWire):
                found.setdefault(each.name, each.id)
        return found

    async def write_ticket(self, ref: TicketRef, changes: TicketChanges) -> Ticket:
        """One mutation with what changes; its answer shows the issue after it."""
        body = wire_from_changes(changes)
        if not body:
            return await self.fetch_ticket(ref)
        try:
            part = await self._update(ref, body)
        except NotThereError:
            # An archived issue can be read, and is said not to be found by mutations (a report of others, 2026).
            if not await self._unarchived(ref):
                raise
            part = await self._update(ref, body)
        return _present(part.at("issue").parse(IssueWire))

    async def _update(self, ref: TicketRef, body: dict[str, Any]) -> Part:
        variables = {"id": ref.id, "input": body}
        return await self._client.change(queries.UPDATE_ISSUE, "issueUpdate", variables, f"issue {ref.label}")

    async def _unarchived(self, ref: TicketRef) -> bool:
        """What is in the trash is left there: a person put it there."""
        issue = await self._issue(ref.id, ref.label)
        if issue.archived_at is None or issue.trashed:
            return False
        await self._client.change(
            queries.UNARCHIVE_ISSUE, "issueUnarchive", {"id": ref.id}, f"issue {ref.label}"
        )
        return True

    async def ensure_marks(self, ref: TicketRef, marker: str, link_back: str) -> None:
        await marks.attach(self._client, ref, marker, link_back)

    async def remove_marks(self, ref: TicketRef, marker: str) -> None:
        await marks.detach(self._client, ref, marker)

    async def ensure_comment(self, ref: TicketRef, text: str, key: str) -> None:
        """The comment's id is made of the key, so Linear itself refuses the second one."""
        body = {
            "id": id_of("comment", ref.id, key),
            "issueId": ref.id,
            "body": self._text.write(_plain(text)),
        }
        try:
            await self._client.change(
                queries.CREATE_COMMENT, "commentCreate", {"input": body}, f"the comment on issue {ref.label}"
            )
        except StaleError:
            return

    async def iter_changed(self, project: str, since: datetime) -> AsyncIterator[Ticket]:
        """Oldest change first, those in the trash and in the archive included.

        Moves `since` along instead of turning pages: Linear's cursor is a place among issues that move while we read.
        It stands at the last issue read, whose moment is read again; only when a whole page shares one moment is the
        next page turned.
        """
        seen: set[tuple[str, datetime]] = set()
        moment, after = since.astimezone(UTC), None
        while True:
            page = await self._changed_page(project, moment, after)
            issues = page.nodes(IssueWire)
            for issue in issues:
                if (issue.id, issue.updated_at) not in seen:
                    seen.add((issue.id, issue.updated_at))
                    yield ticket_from_wire(issue)
            if not issues or not page.next_cursor:
                return
            last = issues[-1].updated_at
            moment, after = (last, None) if last > moment else (moment, page.next_cursor)

    async def _changed_page(self, project: str, since: datetime, after: str | None) -> Part:
        moment = since.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        variables = {"team": project, "since": moment, "after": after}
        return (await self._client.ask(queries.CHANGED_ISSUES, variables, "the changed issues")).at("issues")


def _present(issue: IssueWire) -> Ticket:
    if issue.trashed:
        raise NotThereError(f"Issue {issue.identifier} is in Linear's trash.", status=None)
    return ticket_from_wire(issue)


def _plain(text: str) -> Document:
    """Written as plain text: a title quoted in a comment must not become anything else."""
    return Document(tuple(Paragraph((Text(each),)) for each in text.split("\n\n") if each.strip()))
