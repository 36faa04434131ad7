"""Issues as tickets: reading, finding, creating, commenting, and what has changed since. Writing is in `writing`."""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta

from keepstep.adapters.http import Call, Reply, segment
from keepstep.adapters.trackers.github.account import READS, GitHubAccount
from keepstep.adapters.trackers.github.addresses import place_of
from keepstep.adapters.trackers.github.client import GitHubClient, next_address, repository_path
from keepstep.adapters.trackers.github.defaults import dropped, wire_from_defaults
from keepstep.adapters.trackers.github.settings import StatusRules, is_closed
from keepstep.adapters.trackers.github.wire import CommentWire, IssueWire, UserWire, ticket_from_wire
from keepstep.adapters.trackers.github.writing import WRITES, carry_out
from keepstep.domain.document import Document, Paragraph, Text
from keepstep.domain.ticket import Ticket, TicketChanges, TicketDraft, TicketRef
from keepstep.ports.errors import NotThereError, OutsideError, RejectedError
from keepstep.ports.text import TextFormat

_MARKER_PAGES = 10
_MARKER_DAYS = timedelta(days=2)
_ISSUE_PLACE = re.compile(r"/(?:repositories/(?P<id>\d+)|repos/(?P<name>[^/]+/[^/]+))/issues/\d+")
_NO_ISSUES = 410


class GitHubTickets:
    def __init__(
        self, client: GitHubClient, account: GitHubAccount, rules: StatusRules, text: TextFormat
    ) -> None:
        self._client = client
        self._account = account
        self._rules = rules
        self._text = text

    async def fetch_ticket(self, ref: TicketRef) -> Ticket:
        issue, project = await self._read(ref)
        return self._ticket(issue, project)

    async def _read(self, ref: TicketRef) -> tuple[IssueWire, str]:
        """The issue and the repository where it is now. A transfer answers 301, and gives another id and number."""
        call = Call("GET", _issue_path(ref), f"issue {ref.label}", right=READS)
        reply = await self._client.follow(call)
        issue = reply.parse(IssueWire)
        moved = reply.call.path != call.path
        if issue.pull_request is not None or (not moved and str(issue.id) != ref.id):
            raise NotThereError(f"Another issue is {ref.label} now; ours is gone.")
        return issue, await self._project_of(reply) if moved else ref.project

    async def _project_of(self, reply: Reply) -> str:
        place = _ISSUE_PLACE.fullmatch(reply.call.path)
        if place is None:
            raise reply.unexpected("the issue moved to a place that is no repository")
        return place["id"] or str((await self._account.repository(place["name"])).id)

    async def list_tickets(self, project: str, refs: Sequence[TicketRef]) -> Sequence[Ticket]:
        """One by one: GitHub's list takes no numbers."""
        found = await asyncio.gather(*(self._find(each) for each in refs))
        return [each for each in found if each is not None and each.ref.project == project]

    async def _find(self, ref: TicketRef) -> Ticket | None:
        try:
            return await self.fetch_ticket(ref)
        except NotThereError:
            return None

    async def find_by_address(self, project: str, address: str) -> Ticket | None:
        place = place_of(address)
        if place is None:
            return None
        path = repository_path(project, f"/issues/{place.number}")
        call = Call("GET", path, f"issue #{place.number}", right=READS, passes=(301,))
        try:
            reply = await self._client.send(call)
        except NotThereError:
            return None
        if reply.status == 301:
            return None
        issue = reply.parse(IssueWire)
        if issue.pull_request is not None or not place.names(issue.html_url):
            return None
        return self._ticket(issue, project)

    async def find_by_marker(self, project: str, marker: str) -> Sequence[Ticket]:
        """By listing: search lags by minutes, and the list hardly ever does.

        First what the token's user created, newest first; then what anybody changed of late, since the token may be
        another person's than at the first attempt.
        """
        creator = await self._login()
        mine = (("creator", creator),) if creator else ()
        found = await self._carrying(project, marker, (*mine, ("sort", "created"), ("direction", "desc")))
        if not found and creator:
            recent = _moment(datetime.now(UTC) - _MARKER_DAYS)
            found = await self._carrying(project, marker, (("since", recent), ("sort", "updated")))
        found.sort(key=lambda issue: (issue.created_at, issue.number))
        return [self._ticket(each, project) for each in found]

    async def _login(self) -> str:
        try:
            return (await self._client.send(Call("GET", "/user", "the token's user"))).parse(UserWire).login
        except RejectedError:
            return ""

    async def _carrying(
        self, project: str, marker: str, params: tuple[tuple[str, str], ...]
    ) -> list[IssueWire]:
        whole = re.compile(rf"\b{re.escape(marker)}\b")
        call = Call(
            "GET", repository_path(project, "/issues"), "the issues", (("state", "all"), *params), right=READS
        )
        found: dict[int, IssueWire] = {}
        async for reply, page in self._client.pages(call, limit=_MARKER_PAGES):
            for issue in (reply.parse(IssueWire, each) for each in page):
                if issue.pull_request is None and whole.search(issue.body or ""):
                    found[issue.id] = issue
        return list(found.values())

    async def create_ticket(self, project: str, draft: TicketDraft) -> Ticket:
        label = self._rules.label_of(draft.status) if draft.status is not None else None
        extras = wire_from_defaults(draft.defaults, label)
        if extras:
            await self._may_triage(project)
        body = {"title": draft.title, "body": draft.description, **extras}
        call = Call("POST", repository_path(project, "/issues"), "the new issue", body=body, right=WRITES)
        try:
            issue = (await self._client.send(call)).parse(IssueWire)
        except NotThereError as error:
            if error.status != _NO_ISSUES:
                raise
            raise RejectedError(
                "Issues are switched off in this repository.", field="project", status=410
            ) from error
        ticket = self._ticket(issue, project)
        try:
            _refuse_dropped(dropped(extras, issue), ticket)
            if draft.status is not None and is_closed(draft.status):
                return await self.write_ticket(ticket.ref, TicketChanges(status=draft.status))
        except OutsideError as error:
            # The issue exists: whoever handles the error has to look for it before creating another one.
            error.doubt = True
            raise
        return ticket

    async def _may_triage(self, project: str) -> None:
        """Asked first, since GitHub leaves labels and the like out without a word."""
        repository = await self._account.repository(project)
        if not repository.may_triage:
            raise RejectedError(
                f"The token's user may not set labels, assignee, milestone or type in {repository.full_name}: that "
                "takes the role Triage. Give it that role, or take these defaults away.",
                field="labels",
                status=None,
            )

    async def write_ticket(self, ref: TicketRef, changes: TicketChanges) -> Ticket:
        """Reads first, since a reason is only taken with a change of state; then writes only what differs."""
        issue, project = await self._read(ref)
        path = repository_path(project, f"/issues/{issue.number}")
        after = await carry_out(self._client, path, issue, changes, self._rules)
        return self._ticket(after, project)

    async def ensure_marks(self, ref: TicketRef, marker: str, link_back: str) -> None:
        """The footer in the text is all: the list shows whole texts."""

    async def remove_marks(self, ref: TicketRef, marker: str) -> None:
        """Nothing besides the footer."""

    async def ensure_comment(self, ref: TicketRef, text: str, key: str) -> None:
        """The key goes along in an HTML comment, which nobody sees."""
        path = f"{_issue_path(ref)}/comments"
        hidden = f"<!-- {key} -->"
        call = Call("GET", path, f"the comments of issue {ref.label}", right=READS)
        async for reply, page in self._client.pages(call):
            if any(hidden in (reply.parse(CommentWire, each).body or "") for each in page):
                return
        body = {"body": f"{self._text.write(_plain(text))}\n\n{hidden}"}
        await self._client.send(
            Call("POST", path, f"the comment on issue {ref.label}", body=body, right=WRITES)
        )

    async def iter_changed(self, project: str, since: datetime) -> AsyncIterator[Ticket]:
        """Moves `since` along instead of turning pages, which would skip what moves while we read.

        GitHub counts in whole seconds and includes the first. Only when a whole page shares one is the next one turned.
        """
        seen: set[tuple[int, datetime]] = set()
        after, page = since.astimezone(UTC).replace(microsecond=0), 1
        while True:
            reply = await self._changed_page(project, after, page)
            issues = [reply.parse(IssueWire, each) for each in reply.items()]
            for issue in issues:
                if issue.pull_request is None and (issue.id, issue.updated_at) not in seen:
                    seen.add((issue.id, issue.updated_at))
                    yield self._ticket(issue, project)
            if not issues or not next_address(reply):
                return
            last = issues[-1].updated_at
            after, page = (last, 1) if last > after else (after, page + 1)

    async def _changed_page(self, project: str, after: datetime, page: int) -> Reply:
        params = (("state", "all"), ("since", _moment(after)), ("sort", "updated"), ("direction", "asc"))
        path = repository_path(project, "/issues")
        return await self._client.page(Call("GET", path, "the changed issues", params, right=READS), page)

    def _ticket(self, issue: IssueWire, project: str) -> Ticket:
        return ticket_from_wire(issue, project, self._rules)


def _issue_path(ref: TicketRef) -> str:
    return repository_path(ref.project, f"/issues/{segment(ref.key)}")


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _refuse_dropped(names: Sequence[str], ticket: Ticket) -> None:
    if names:
        raise RejectedError(
            f"GitHub made issue {ticket.ref.label} and left out its {', '.join(names)}. The token's user needs the "
            "role Triage, and what was chosen has to exist. Then push again: the issue is found.",
            field=names[0],
            status=None,
        )


def _plain(text: str) -> Document:
    """Written as plain text: a title quoted in a comment must not call people or close issues."""
    return Document(tuple(Paragraph((Text(each),)) for each in text.split("\n\n") if each.strip()))
