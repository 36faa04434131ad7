"""Issues as tickets: reading, finding, creating, writing and reading again, commenting, and what has changed since."""

import re
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from keepstep.adapters.http import Call, Reply, segment
from keepstep.adapters.trackers import SettingValues
from keepstep.adapters.trackers.redmine.client import PER_PAGE, RedmineClient
from keepstep.adapters.trackers.redmine.fields import marker_field, wire_from_defaults
from keepstep.adapters.trackers.redmine.wire import IssueWire, ticket_from_wire, wire_from_changes
from keepstep.domain.document import Code, Document, Paragraph, Text
from keepstep.domain.ticket import Ticket, TicketChanges, TicketDraft, TicketRef
from keepstep.ports.errors import NotThereError, RejectedError
from keepstep.ports.text import TextFormat

_EVERY_STATUS = ("status_id", "*")
"""Without it only open issues are listed."""
_NO_SUBPROJECTS = ("subproject_id", "!*")
_ADDRESS = re.compile(r"/issues/(\d+)(?:\.json)?/?\Z")
_KEY = re.compile(r"#?(\d{1,12})\Z")


class RedmineTickets:
    def __init__(self, client: RedmineClient, settings: SettingValues, text: TextFormat) -> None:
        self._client = client
        self._field = marker_field(settings)
        self._text = text

    async def fetch_ticket(self, ref: TicketRef) -> Ticket:
        """An issue keeps its number when it moves; one in a project that we may not see answers 403."""
        return self._ticket(await self._fetch(ref.key))

    async def _fetch(self, key: str, include: str = "") -> IssueWire:
        call = Call("GET", _path(key), f"issue #{key}", (("include", include),) if include else ())
        try:
            reply = await self._client.send(call)
        except RejectedError as error:
            # Without REST everything is 403, and taken for "moved out of sight" that would part every ticket.
            if error.status != 403 or not await self._answers():
                raise
            raise NotThereError(f"Redmine does not show issue #{key} to this user (403).") from error
        return _issue(reply)

    async def _answers(self) -> bool:
        try:
            await self._client.send(Call("GET", "/users/current.json", "the account"))
        except RejectedError:
            return False
        return True

    async def list_tickets(self, project: str, refs: Sequence[TicketRef]) -> Sequence[Ticket]:
        if not refs:
            return []
        numbers = ",".join(each.key for each in refs)
        params = (("issue_id", numbers), ("project_id", project), _EVERY_STATUS, _NO_SUBPROJECTS)
        return [self._ticket(each) for each in await self._list(params, "the linked issues")]

    async def _list(self, params: Sequence[tuple[str, str]], thing: str) -> list[IssueWire]:
        call = Call("GET", "/issues.json", thing, params)
        return [reply.parse(IssueWire, each) async for reply, each in self._client.pages(call, "issues")]

    async def find_by_address(self, project: str, address: str) -> Ticket | None:
        number = self._number(address.strip())
        if number is None:
            return None
        try:
            issue = await self._fetch(number)
        except NotThereError:
            return None
        return self._ticket(issue) if str(issue.project.id) == project else None

    def _number(self, address: str) -> str | None:
        if found := _KEY.fullmatch(address):
            return found.group(1)
        try:
            parts = urlsplit(address)
        except ValueError:
            return None
        found = _ADDRESS.search(parts.path) if parts.netloc == self._client.host else None
        return found.group(1) if found else None

    async def find_by_marker(self, project: str, marker: str) -> Sequence[Ticket]:
        """Straight from the database, by the custom field where one is chosen, and by the text of the description."""
        found = await self._list(
            (("project_id", project), ("description", f"~{marker}"), _EVERY_STATUS, _NO_SUBPROJECTS),
            "the issues",
        )
        if self._field is not None:
            params = (("project_id", project), (f"cf_{self._field}", marker), _EVERY_STATUS, _NO_SUBPROJECTS)
            found += await self._list(params, "the issues")
        whole = re.compile(rf"\b{re.escape(marker)}\b")
        ours = {
            each.id: each
            for each in found
            if whole.search(each.description or "")
            or any(one.id == self._field and one.value == marker for one in each.custom_fields)
        }
        return [self._ticket(each) for _, each in sorted(ours.items())]

    async def create_ticket(self, project: str, draft: TicketDraft) -> Ticket:
        """A status that the workflow does not let a new issue have is left out by Redmine without a word."""
        marker = (self._field, draft.marker) if self._field is not None else None
        changes = TicketChanges(draft.title, draft.description, draft.status)
        body = {
            "project_id": int(project) if project.isdecimal() else project,
            **wire_from_changes(changes),
            **wire_from_defaults(draft.defaults, marker),
        }
        call = Call(
            "POST", "/issues.json", "the new issue", body={"issue": body}, right="the right to add issues"
        )
        return self._ticket(_issue(await self._client.send(call)))

    async def write_ticket(self, ref: TicketRef, changes: TicketChanges) -> Ticket:
        """The answer to a write is empty, whatever became of it: the issue is read again."""
        body = wire_from_changes(changes)
        if body:
            await self._put(ref, body)
        return await self.fetch_ticket(ref)

    async def _put(self, ref: TicketRef, body: dict[str, Any]) -> None:
        await self._client.send(
            Call(
                "PUT",
                _path(ref.key),
                f"issue {ref.label}",
                body={"issue": body},
                right="the right to edit issues",
                answers=False,
            )
        )

    async def ensure_marks(self, ref: TicketRef, marker: str, link_back: str) -> None:  # noqa: ARG002 - the footer leads back
        await self._mark(ref, marker)

    async def remove_marks(self, ref: TicketRef, marker: str) -> None:
        """Only our own: another Link's marker stays."""
        if self._field is None:
            return
        issue = await self._fetch(ref.key)
        if any(each.id == self._field and each.value == marker for each in issue.custom_fields):
            await self._mark(ref, "")

    async def _mark(self, ref: TicketRef, value: str) -> None:
        if self._field is not None:
            await self._put(ref, {"custom_fields": [{"id": self._field, "value": value}]})

    async def ensure_comment(self, ref: TicketRef, text: str, key: str) -> None:
        """Redmine's notes hide nothing, so the key stands at their end for everybody to see."""
        issue = await self._fetch(ref.key, "journals")
        if any(key in (each.notes or "") for each in issue.journals):
            return
        blocks = [Paragraph((Text(each),)) for each in text.split("\n\n") if each.strip()]
        notes = self._text.write(Document((*blocks, Paragraph((Code(key),)))))
        await self._put(ref, {"notes": notes})

    async def iter_changed(self, project: str, since: datetime) -> AsyncIterator[Ticket]:
        """Moves the moment along instead of turning pages, which would skip what changes while we read.

        Redmine keeps whole seconds and takes the moment as "at or after". Only where a whole page shares one second is
        the next page turned.
        """
        seen: set[tuple[int, datetime]] = set()
        after, offset = since.astimezone(UTC).replace(microsecond=0), 0
        while True:
            issues = await self._changed_page(project, after, offset)
            for issue in issues:
                if (issue.id, issue.updated_on) not in seen:
                    seen.add((issue.id, issue.updated_on))
                    yield self._ticket(issue)
            if len(issues) < PER_PAGE:
                return
            last = issues[-1].updated_on
            after, offset = (last, 0) if last > after else (after, offset + PER_PAGE)

    async def _changed_page(self, project: str, after: datetime, offset: int) -> list[IssueWire]:
        params = (
            ("project_id", project),
            ("updated_on", f">={after:%Y-%m-%dT%H:%M:%SZ}"),
            ("sort", "updated_on,id"),
            _EVERY_STATUS,
            _NO_SUBPROJECTS,
        )
        reply, entries = await self._client.page(
            Call("GET", "/issues.json", "the changed issues", params), "issues", offset
        )
        return [reply.parse(IssueWire, each) for each in entries]

    def _ticket(self, issue: IssueWire) -> Ticket:
        return ticket_from_wire(issue, self._client.base_url)


def _path(key: str) -> str:
    return f"/issues/{segment(key)}.json"


def _issue(reply: Reply) -> IssueWire:
    return reply.parse(IssueWire, reply.data.get("issue") if isinstance(reply.data, dict) else None)
