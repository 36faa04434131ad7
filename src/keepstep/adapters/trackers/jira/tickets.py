"""Issues as tickets: reading, finding, creating, writing, commenting, and what has changed since."""

import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from keepstep.adapters.http import Call
from keepstep.adapters.trackers import chosen
from keepstep.adapters.trackers.jira.account import required_of
from keepstep.adapters.trackers.jira.addresses import key_of
from keepstep.adapters.trackers.jira.client import API, JiraClient, issue_path
from keepstep.adapters.trackers.jira.fields import LABELS, TYPE, has_own, wire_from_defaults
from keepstep.adapters.trackers.jira.marks import Marks, property_of
from keepstep.adapters.trackers.jira.steps import Steps
from keepstep.adapters.trackers.jira.wire import (
    READ_FIELDS,
    CreatedWire,
    IssueWire,
    adf_from_text,
    aware,
    one_line,
    plain_adf,
    ticket_from_wire,
)
from keepstep.domain.ids import TicketId
from keepstep.domain.ticket import Ticket, TicketChanges, TicketDraft, TicketRef
from keepstep.ports.errors import NotThereError, OutsideError, RejectedError

_READS = "the right Browse projects"
_OVERLAP = timedelta(minutes=2)
_CLOCK_CHANGE = timedelta(hours=3)
_ANY_ZONE = timedelta(hours=26)


class JiraTickets:
    def __init__(self, client: JiraClient, steps: Steps) -> None:
        self._client = client
        self._steps = steps
        self._marks = Marks(client)

    async def fetch_ticket(self, ref: TicketRef) -> Ticket:
        """By its id, which stays through moves."""
        return await self._ticket(await self._issue(ref.id, ref.label))

    async def _issue(self, issue: str, label: str) -> IssueWire:
        params = (("fields", ",".join(READ_FIELDS)),)
        call = Call("GET", issue_path(issue), f"issue {label}", params, right=_READS)
        return (await self._client.send(call)).parse(IssueWire)

    async def list_tickets(self, project: str, refs: Sequence[TicketRef]) -> Sequence[Ticket]:
        """From the database, not from the index of searches."""
        if not refs:
            return []
        body = {"issueIdsOrKeys": [ref.id for ref in refs], "fields": list(READ_FIELDS)}
        call = Call("POST", f"{API}/issue/bulkfetch", "the issues", body=body, reads=True, right=_READS)
        reply = await self._client.send(call)
        data = reply.data.get("issues") if isinstance(reply.data, dict) else None
        found = [
            reply.parse(IssueWire, each) for each in reply.items(data if data is not None else reply.data)
        ]
        return [await self._ticket(each) for each in found if each.fields.project.id == project]

    async def find_by_address(self, project: str, address: str) -> Ticket | None:
        key = key_of(address, await self._client.site())
        if not key:
            return None
        try:
            issue = await self._issue(key, key)
        except NotThereError:
            return None
        return await self._ticket(issue) if issue.fields.project.id == project else None

    async def find_by_marker(self, project: str, marker: str) -> Sequence[Ticket]:
        """By the label. The index follows within seconds, which `settle_seconds` grants it."""
        jql = f'project = {project} AND labels = "{marker}" ORDER BY created ASC, key ASC'
        body = {"fields": list(READ_FIELDS)}
        found = [reply.parse(IssueWire, each) async for reply, each in self._client.search(jql, body)]
        ours = {each.id: each for each in found if marker in each.fields.labels}
        return [
            await self._ticket(each)
            for each in sorted(ours.values(), key=lambda one: (one.fields.created, int(one.id)))
        ]

    async def create_ticket(self, project: str, draft: TicketDraft) -> Ticket:
        fields = {
            **await self._defaults(project, draft),
            "project": {"id": project},
            "summary": one_line(draft.title),
            "labels": list(
                dict.fromkeys([*(_label(each) for each in chosen(draft.defaults, LABELS.name)), draft.marker])
            ),
        }
        if description := adf_from_text(draft.description):
            fields["description"] = description
        body = {"fields": fields, "properties": [property_of(draft.marker)]}
        call = Call("POST", f"{API}/issue", "the new issue", body=body, right="the right Create issues")
        made = (await self._client.send(call)).parse(CreatedWire)
        try:
            return await self._finish(made, draft)
        except OutsideError as error:
            # The issue exists: whoever handles the error has to look for it before creating another one.
            error.doubt = True
            raise

    async def _defaults(self, project: str, draft: TicketDraft) -> dict[str, Any]:
        kind = next(iter(chosen(draft.defaults, TYPE.name)), "")
        if not kind:
            raise RejectedError(
                "No issue type is chosen. Choose it in the settings of the integration.",
                field="type",
                status=None,
            )
        screen = await required_of(self._client, project, kind) if has_own(draft.defaults) else []
        return wire_from_defaults(draft.defaults, screen)

    async def _finish(self, made: CreatedWire, draft: TicketDraft) -> Ticket:
        ref = TicketRef(TicketId(made.id), "", made.key, made.key, "")
        if draft.link_back:
            with contextlib.suppress(
                RejectedError
            ):  # without the right Link issues the footer's link has to do
                await self._marks.link(ref, draft.marker, draft.link_back)
        if draft.status is not None:
            with contextlib.suppress(
                RejectedError
            ):  # it stays where the workflow begins, as the answer shows
                return await self.write_ticket(ref, TicketChanges(status=draft.status))
        return await self.fetch_ticket(ref)

    async def write_ticket(self, ref: TicketRef, changes: TicketChanges) -> Ticket:
        """Only what differs; the status through the workflow, for a PUT ignores it without a word."""
        issue = await self._issue(ref.id, ref.label)
        fields = _differing(issue, changes)
        if fields:
            call = Call(
                "PUT",
                issue_path(ref.id),
                f"issue {ref.label}",
                body={"fields": fields},
                right="the right Edit issues",
                answers=False,
            )
            await self._client.send(call)
        moves = changes.status is not None and changes.status != issue.fields.status.id
        if moves:
            await self._steps.walk(issue, str(changes.status))
        return await (self.fetch_ticket(ref) if fields or moves else self._ticket(issue))

    async def ensure_marks(self, ref: TicketRef, marker: str, link_back: str) -> None:
        await self._marks.ensure(ref, marker, link_back)

    async def remove_marks(self, ref: TicketRef, marker: str) -> None:
        await self._marks.remove(ref, marker)

    async def ensure_comment(self, ref: TicketRef, text: str, key: str) -> None:
        """The key stands at the end of the comment: properties of comments are not listed with them."""
        path = issue_path(ref.id, "/comment")
        newest_first = (("orderBy", "-created"),)
        call = Call("GET", path, f"the comments of issue {ref.label}", newest_first, right=_READS)
        async for _, each in self._client.pages(call, "comments"):
            if key in json.dumps(each.get("body") if isinstance(each, dict) else each):
                return
        body = {"body": plain_adf(f"{text}\n\n({key})")}
        await self._client.send(
            Call("POST", path, f"the comment on issue {ref.label}", body=body, right="the right Add comments")
        )

    async def iter_changed(self, project: str, since: datetime) -> AsyncIterator[Ticket]:
        """JQL knows whole minutes of the user's own clock: asked from earlier on, then held against the moment."""
        start = begin_of(since, (await self._client.myself()).time_zone)
        jql = f'project = {project} AND updated >= "{start:%Y/%m/%d %H:%M}" ORDER BY updated ASC'
        async for reply, each in self._client.search(jql, {"fields": list(READ_FIELDS)}):
            issue = reply.parse(IssueWire, each)
            if aware(issue.fields.updated) >= since:
                yield await self._ticket(issue)

    async def _ticket(self, issue: IssueWire) -> Ticket:
        return ticket_from_wire(issue, await self._client.site())


def begin_of(since: datetime, zone: str) -> datetime:
    """The local minute from which nothing after `since` is missed, an hour told twice by the clock included."""
    try:
        local = ZoneInfo(zone or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return since.astimezone(UTC) - _ANY_ZONE
    start = since.astimezone(UTC) - _OVERLAP
    around = (start - _CLOCK_CHANGE).astimezone(local), (start + _CLOCK_CHANGE).astimezone(local)
    if around[0].utcoffset() != around[1].utcoffset():
        start -= _CLOCK_CHANGE
    return start.astimezone(local)


def _differing(issue: IssueWire, changes: TicketChanges) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if changes.title is not None and one_line(changes.title) != issue.fields.summary:
        fields["summary"] = one_line(changes.title)
    if changes.description is not None:
        wanted = adf_from_text(changes.description)
        if wanted != issue.fields.description:
            fields["description"] = wanted
    return fields


def _label(text: str) -> str:
    """A label of Jira has no blanks."""
    return "-".join(text.split())
