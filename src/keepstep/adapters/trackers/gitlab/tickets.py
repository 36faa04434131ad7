"""Issues as tickets: reading, finding, creating, writing, commenting, and what has changed since."""

import re
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta

from keepstep.adapters.http import Call, Reply, segment
from keepstep.adapters.trackers import chosen
from keepstep.adapters.trackers.gitlab.addresses import place_of
from keepstep.adapters.trackers.gitlab.client import PER_PAGE, GitLabClient, has_more, project_path
from keepstep.adapters.trackers.gitlab.settings import CLOSED, NEW_TICKET_LABELS, StatusRules
from keepstep.adapters.trackers.gitlab.wire import (
    IssueWire,
    NoteWire,
    aware,
    ticket_from_wire,
    unknown_status,
    wire_from_changes,
    wire_from_draft,
)
from keepstep.domain.document import Document, Paragraph, Text
from keepstep.domain.ids import markers_in
from keepstep.domain.ticket import Ticket, TicketChanges, TicketDraft, TicketRef
from keepstep.ports.errors import NotThereError, OutsideError, RejectedError
from keepstep.ports.text import TextFormat

_WRITES = 'the scope "api" and the role Reporter'
_READS = 'the scope "api"'
_ALL = (("state", "all"), ("scope", "all"))
"""Without `scope`, only issues that the token's user has created are listed."""
_MOVE_PAGES = 3
_TICK = timedelta(milliseconds=1)


class GitLabTickets:
    def __init__(self, client: GitLabClient, rules: StatusRules, text: TextFormat) -> None:
        self._client = client
        self._rules = rules
        self._text = text

    async def fetch_ticket(self, ref: TicketRef) -> Ticket:
        reply = await self._client.send(Call("GET", _issue_path(ref), f"issue {ref.label}", right=_READS))
        issue = reply.parse(IssueWire)
        if str(issue.id) != ref.id:
            raise NotThereError(f"Another issue is {ref.label} now; ours is gone.")
        return await self._find_moved(issue) or self._ticket(issue)

    async def _find_moved(self, stub: IssueWire) -> Ticket | None:
        """A move closes the issue and makes a new one elsewhere, whose id the old one tells; only administrators may
        read an issue by that id alone, so the marker in its text is searched in all that the token sees.
        """
        if stub.moved_to_id is None:
            return None
        for marker in dict.fromkeys(markers_in(stub.description or "")):
            params = (("search", marker), ("in", "description"), *_ALL)
            call = Call("GET", "/issues", "the moved issue", params, right=_READS)
            async for reply, page in self._client.pages(call, limit=_MOVE_PAGES):
                for issue in (reply.parse(IssueWire, each) for each in page):
                    if issue.id == stub.moved_to_id:
                        return await self._find_moved(issue) or self._ticket(issue)
        return None

    async def list_tickets(self, project: str, refs: Sequence[TicketRef]) -> Sequence[Ticket]:
        wanted = {each.id: each.key for each in refs}
        found: dict[str, Ticket] = {}
        keys = list(wanted.values())
        for some in (keys[at : at + PER_PAGE] for at in range(0, len(keys), PER_PAGE)):
            params = (*(("iids[]", key) for key in some), *_ALL)
            call = Call("GET", project_path(project, "/issues"), "the linked issues", params, right=_READS)
            async for reply, page in self._client.pages(call):
                tickets = [self._ticket(reply.parse(IssueWire, each)) for each in page]
                found |= {each.ref.id: each for each in tickets if each.ref.id in wanted}
        return list(found.values())

    async def find_by_address(self, project: str, address: str) -> Ticket | None:
        place = place_of(address)
        if place is None:
            return None
        path = project_path(project, f"/issues/{place.iid}")
        try:
            reply = await self._client.send(Call("GET", path, f"issue #{place.iid}", right=_READS))
        except NotThereError:
            return None
        issue = reply.parse(IssueWire)
        return self._ticket(issue) if place.names(issue.web_url, self._client.host) else None

    async def find_by_marker(self, project: str, marker: str) -> Sequence[Ticket]:
        """Full text of one project, updated right after each commit. It finds prefixes: each hit is checked."""
        params = (
            ("search", marker),
            ("in", "description"),
            *_ALL,
            ("order_by", "created_at"),
            ("sort", "asc"),
        )
        call = Call("GET", project_path(project, "/issues"), "the issues", params, right=_READS)
        found = [
            reply.parse(IssueWire, each) async for reply, page in self._client.pages(call) for each in page
        ]
        whole = re.compile(rf"\b{re.escape(marker)}\b")
        ours = {each.id: each for each in found if whole.search(each.description or "")}
        return [
            self._ticket(each)
            for each in sorted(ours.values(), key=lambda issue: (issue.created_at, issue.id))
        ]

    async def create_ticket(self, project: str, draft: TicketDraft) -> Ticket:
        if draft.status is not None and not self._rules.knows(draft.status):
            raise unknown_status(draft.status)
        body = wire_from_draft(draft, chosen(draft.defaults, NEW_TICKET_LABELS.name), self._rules)
        call = Call("POST", project_path(project, "/issues"), "the new issue", body=body, right=_WRITES)
        ticket = self._ticket((await self._client.send(call)).parse(IssueWire))
        if draft.status != CLOSED:
            return ticket
        try:
            return await self.write_ticket(ticket.ref, TicketChanges(status=CLOSED))
        except RejectedError:
            return ticket
        except OutsideError as error:
            # The issue exists: whoever handles the error has to look for it before creating another one.
            error.doubt = True
            raise

    async def write_ticket(self, ref: TicketRef, changes: TicketChanges) -> Ticket:
        """One PUT with what changes; its answer shows the issue after it."""
        body = wire_from_changes(changes, self._rules)
        if not body:
            return await self.fetch_ticket(ref)
        reply = await self._client.send(
            Call("PUT", _issue_path(ref), f"issue {ref.label}", body=body, right=_WRITES)
        )
        return self._ticket(reply.parse(IssueWire))

    async def ensure_marks(self, ref: TicketRef, marker: str, link_back: str) -> None:
        """The footer in the text is all: full-text search finds its marker."""

    async def remove_marks(self, ref: TicketRef, marker: str) -> None:
        """Nothing besides the footer."""

    async def ensure_comment(self, ref: TicketRef, text: str, key: str) -> None:
        """The key goes along in an HTML comment: nobody sees it, and comments are listed, not searched, to find it."""
        path = f"{_issue_path(ref)}/notes"
        hidden = f"<!-- {key} -->"
        newest_first = (("sort", "desc"), ("order_by", "created_at"))
        call = Call("GET", path, f"the comments of issue {ref.label}", newest_first, right=_READS)
        async for reply, page in self._client.pages(call):
            if any(hidden in reply.parse(NoteWire, each).body for each in page):
                return
        body = {"body": f"{self._text.write(_plain(text))}\n\n{hidden}"}
        await self._client.send(
            Call("POST", path, f"the comment on issue {ref.label}", body=body, right=_WRITES)
        )

    async def iter_changed(self, project: str, since: datetime) -> AsyncIterator[Ticket]:
        """Moves `updated_after` along instead of turning pages, which would skip what moves while we read.

        It stands a tick before the last issue read, so that others of the same moment are not lost, whether the server
        takes it as "after" or "at or after". Only when a whole page shares one moment is the next page turned.
        """
        seen: set[tuple[int, datetime]] = set()
        after, page = since.astimezone(UTC), 1
        while True:
            reply = await self._changed_page(project, after, page)
            issues = [reply.parse(IssueWire, each) for each in reply.items()]
            for issue in issues:
                if (issue.id, issue.updated_at) not in seen:
                    seen.add((issue.id, issue.updated_at))
                    yield self._ticket(issue)
            if not issues or not has_more(reply):
                return
            last = aware(issues[-1].updated_at) - _TICK
            after, page = (last, 1) if last > after else (after, page + 1)

    async def _changed_page(self, project: str, after: datetime, page: int) -> Reply:
        moment = after.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        params = (("updated_after", moment), ("order_by", "updated_at"), ("sort", "asc"), *_ALL)
        call = Call("GET", project_path(project, "/issues"), "the changed issues", params, right=_READS)
        return await self._client.page(call, page)

    def _ticket(self, issue: IssueWire) -> Ticket:
        return ticket_from_wire(issue, self._rules)


def _issue_path(ref: TicketRef) -> str:
    return project_path(ref.project, f"/issues/{segment(ref.key)}")


def _plain(text: str) -> Document:
    """Written as plain text: a title quoted in a comment must not call people, or be carried out as `/close`."""
    return Document(tuple(Paragraph((Text(each),)) for each in text.split("\n\n") if each.strip()))
