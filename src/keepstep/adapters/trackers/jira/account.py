"""Looking around with a token: who it is, what it may, projects, types, statuses, fields."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from keepstep.adapters.http import Call, segment
from keepstep.adapters.trackers import SettingValues, chosen_one
from keepstep.adapters.trackers.jira import fields as ask
from keepstep.adapters.trackers.jira.client import API, JiraClient
from keepstep.adapters.trackers.jira.steps import Steps
from keepstep.adapters.trackers.jira.wire import (
    FieldWire,
    NamedWire,
    ProjectWire,
    TypeWire,
    UserWire,
    status_from_wire,
)
from keepstep.domain.integration import ProjectRef
from keepstep.domain.ticket import TicketStatus
from keepstep.ports.errors import NotThereError, RejectedError
from keepstep.ports.tracker import AccountFacts, ProjectFields

_RIGHTS = {
    "BROWSE_PROJECTS": "Browse projects",
    "CREATE_ISSUES": "Create issues",
    "EDIT_ISSUES": "Edit issues",
    "TRANSITION_ISSUES": "Transition issues",
    "ADD_COMMENTS": "Add comments",
}
_PROJECT_PAGES = 3
_ORDER = {"new": 0, "indeterminate": 1, "done": 2}


class JiraAccount:
    def __init__(self, client: JiraClient, steps: Steps) -> None:
        self._client = client
        self._steps = steps

    async def verify(self) -> AccountFacts:
        """By the user's own page: searches answer strangers too."""
        user = await self._client.myself()
        params = (("permissions", ",".join(_RIGHTS)),)
        reply = await self._client.send(Call("GET", f"{API}/mypermissions", "the rights", params))
        rights = reply.data.get("permissions", {}) if isinstance(reply.data, dict) else {}
        missing = tuple(
            f"The account lacks the right {name} in every project."
            for key, name in _RIGHTS.items()
            if not rights.get(key, {}).get("havePermission")
        )
        return AccountFacts(user=user.display_name or user.account_id or "unknown", missing=missing)

    async def list_projects(self, search: str = "") -> Sequence[ProjectRef]:
        params = [("action", "create"), ("orderBy", "name")]
        if word := search.strip().partition(" (")[0]:
            params.append(("query", word))
        call = Call("GET", f"{API}/project/search", "the projects", params)
        site = await self._client.site()
        return [
            _project(reply.parse(ProjectWire, each), site)
            async for reply, each in self._client.pages(call, "values", limit=_PROJECT_PAGES)
        ]

    async def get_project(self, project: str) -> ProjectRef:
        wanted = project.strip()
        reply = await self._client.send(
            Call("GET", f"{API}/project/{segment(wanted)}", f"the project {wanted}", right="Browse projects")
        )
        found = reply.parse(ProjectWire)
        if found.archived:
            raise RejectedError(
                f"{found.name} is archived: nothing can be written there.", field="project", status=None
            )
        return _project(found, await self._client.site())

    async def list_labels(self, project: str) -> Sequence[str]:  # noqa: ARG002 - labels belong to the site
        call = Call("GET", f"{API}/label", "the labels")
        return [str(each) async for _, each in self._client.pages(call, "values", limit=5)]

    async def list_statuses(self, project: str) -> Sequence[TicketStatus]:
        """Of all types of the project, with what is known of the ways to them."""
        types = await self._steps.types(segment(project))
        workflow = await self._steps.learn(project, types)
        found = {status.id: status for kind in types for status in kind.statuses}
        ordered = sorted(found.values(), key=lambda each: _ORDER.get(each.category.key, 0))
        return [status_from_wire(each, self._steps.note(workflow, types, each)) for each in ordered]

    async def list_fields(self, project: str, defaults: SettingValues) -> ProjectFields:
        types = await self._types(project)
        chosen_type = chosen_one(defaults, ask.TYPE.name)
        if not any(each.id == chosen_type for each in types):
            chosen_type = types[0].id if types else ""
        found = await required_of(self._client, project, chosen_type) if chosen_type else []
        offered = (
            replace(
                ask.with_choices(ask.TYPE, [(each.id, each.name) for each in types]), default=chosen_type
            ),
            ask.LABELS,
            ask.with_choices(ask.ASSIGNEE, await self._assignees(project)),
            ask.with_choices(ask.PRIORITY, await self._priorities(project)),
        )
        resolutions = await self._resolutions(project)
        settings = (ask.TRANSITIONS, ask.with_choices(ask.RESOLUTION, resolutions))
        demanded = {each.field_id for each in found if each.required and not each.has_default}
        asked = tuple(replace(each, required=True) if each.name in demanded else each for each in offered)
        return ProjectFields(settings, (*asked, *ask.required_fields(found)))

    async def _types(self, project: str) -> list[TypeWire]:
        call = Call("GET", f"{API}/issue/createmeta/{segment(project)}/issuetypes", "the issue types")
        pages = self._client.pages(call, "issueTypes", "createMetaIssueType", "values")
        found = [reply.parse(TypeWire, each) async for reply, each in pages]
        return [each for each in found if not each.subtask]

    async def _assignees(self, project: str) -> list[tuple[str, str]]:
        params = (("project", project), ("maxResults", "200"))
        call = Call("GET", f"{API}/user/assignable/search", "the people of the project", params)
        try:
            reply = await self._client.send(call)
        except (RejectedError, NotThereError):
            return []
        found = [reply.parse(UserWire, each) for each in reply.items()]
        return [(each.account_id, each.display_name or each.account_id) for each in found]

    async def _priorities(self, project: str) -> list[tuple[str, str]]:
        call = Call("GET", f"{API}/priority/search", "the priorities", (("projectId", project),))
        try:
            found = [reply.parse(NamedWire, each) async for reply, each in self._client.pages(call, "values")]
        except (RejectedError, NotThereError):
            return []
        return [(each.id, each.label) for each in found]

    async def _resolutions(self, project: str) -> list[tuple[str, str]]:
        """Those that the project's own steps allow."""
        types = await self._steps.types(segment(project))
        workflow = await self._steps.learn(project, types)
        return list(workflow.resolutions().items())


async def required_of(client: JiraClient, project: str, issue_type: str) -> list[FieldWire]:
    """The fields on the screen of a new issue."""
    path = f"{API}/issue/createmeta/{segment(project)}/issuetypes/{segment(issue_type)}"
    call = Call("GET", path, "the fields of a new issue", right="Create issues")
    pages = client.pages(call, "fields", "results", "values")
    found: list[Any] = [reply.parse(FieldWire, each) async for reply, each in pages]
    return found


def _project(project: ProjectWire, site: str) -> ProjectRef:
    return ProjectRef(project.id, f"{project.name} ({project.key})", f"{site}/browse/{project.key}")
