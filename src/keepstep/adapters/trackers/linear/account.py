"""Looking around with a key: who it is, teams, labels, workflow states, and what a new issue may be given."""

from collections.abc import Sequence
from dataclasses import replace

from keepstep.adapters.trackers.linear import queries
from keepstep.adapters.trackers.linear.client import LinearClient
from keepstep.adapters.trackers.linear.defaults import ALL, ASSIGNEE, PROJECT
from keepstep.adapters.trackers.linear.ids import is_uuid
from keepstep.adapters.trackers.linear.wire import (
    NamedWire,
    StateWire,
    TeamWire,
    ViewerWire,
    in_order,
    project_from_wire,
    status_from_wire,
)
from keepstep.domain.integration import ProjectRef
from keepstep.domain.ticket import TicketStatus
from keepstep.ports.errors import NotThereError, RejectedError
from keepstep.ports.tracker import AccountFacts, ProjectFields, SettingValues

_TEAM_PAGES = 4


class LinearAccount:
    def __init__(self, client: LinearClient) -> None:
        self._client = client

    async def verify(self) -> AccountFacts:
        """What a key may do is not told; a right that it lacks shows with the first call that needs it."""
        data = await self._client.ask(queries.VIEWER, {}, "the key's user")
        viewer = data.at("viewer").parse(ViewerWire)
        workspace = data.at("organization", "name").value
        return AccountFacts(user=f"{viewer.name or viewer.email or 'unknown'} ({workspace})")

    async def list_projects(self, search: str = "") -> Sequence[ProjectRef]:
        wanted = search.strip().lower()
        found = [each for each in await self._teams() if wanted in each.name.lower()]
        return sorted(found, key=lambda each: _distance(each.name.lower(), wanted))

    async def _teams(self) -> list[ProjectRef]:
        after: str | None = None
        found: list[ProjectRef] = []
        for _ in range(_TEAM_PAGES):
            data = await self._client.ask(queries.TEAMS, {"after": after}, "the teams")
            workspace = str(data.at("organization", "urlKey").value)
            teams = data.at("teams")
            found += [
                project_from_wire(each, workspace) for each in teams.nodes(TeamWire) if not each.retired_at
            ]
            after = teams.next_cursor
            if not after:
                break
        return found

    async def get_project(self, project: str) -> ProjectRef:
        """By id, key or name."""
        wanted = project.strip()
        if not is_uuid(wanted):
            return await self._project_named(wanted)
        data = await self._client.ask(queries.TEAM, {"id": wanted}, f"the team {wanted}")
        team = data.at("team").parse(TeamWire)
        if team.retired_at:
            raise RejectedError(
                f"The team {team.name} is retired: nothing can be written there.",
                field="project",
                status=None,
            )
        return project_from_wire(team, str(data.at("organization", "urlKey").value))

    async def _project_named(self, wanted: str) -> ProjectRef:
        for each in await self._teams():
            key = each.url.rpartition("/")[2]
            names = (each.name, each.name.removesuffix(f" ({key})"), key)
            if wanted.lower() in (name.lower() for name in names):
                return each
        raise NotThereError(f"Linear shows no team {wanted}: it is gone, or this key may not see it.")

    async def list_labels(self, project: str) -> Sequence[str]:
        """The team's own and the workspace's, without the groups, which no issue carries."""
        return [
            each.name
            async for page in self._client.pages(
                queries.LABELS, {"team": project}, "the labels", "issueLabels"
            )
            for each in page.nodes(NamedWire)
        ]

    async def list_statuses(self, project: str) -> Sequence[TicketStatus]:
        data = await self._client.ask(queries.STATES, {"team": project}, "the team's workflow states")
        return [status_from_wire(each) for each in in_order(data.at("team", "states").nodes(StateWire))]

    async def list_fields(self, project: str, defaults: SettingValues) -> ProjectFields:  # noqa: ARG002 - none depends
        """Linear requires nothing but a title; whom and what to choose from is read from the team."""
        live = {
            ASSIGNEE.name: await self._choices(queries.MEMBERS, project, "members"),
            PROJECT.name: await self._choices(queries.PROJECTS, project, "projects"),
        }
        return ProjectFields(
            defaults=tuple(replace(each, choices=live.get(each.name, each.choices)) for each in ALL)
        )

    async def _choices(self, query: str, project: str, name: str) -> tuple[tuple[str, str], ...]:
        found = [
            (each.id, each.name)
            async for page in self._client.pages(query, {"team": project}, f"the team's {name}", "team", name)
            for each in page.nodes(NamedWire)
            if each.active
        ]
        return tuple(sorted(found, key=lambda choice: choice[1].lower()))


def _distance(name: str, wanted: str) -> tuple[int, str]:
    """Best match first: the key, the whole name, its beginning."""
    bare, _, key = name.removesuffix(")").rpartition(" (")
    if not wanted or wanted in (name, bare, key):
        return (0, name)
    return (1 if name.startswith(wanted) else 2, name)
