"""Walking an issue through its workflow, and learning the workflow from issues."""

from collections.abc import Sequence

from keepstep.adapters.http import Call
from keepstep.adapters.trackers import SettingValues, chosen_one
from keepstep.adapters.trackers.jira.client import API, JiraClient, issue_path
from keepstep.adapters.trackers.jira.fields import FOUR_STEPS, RESOLUTION, TRANSITIONS
from keepstep.adapters.trackers.jira.wire import (
    IssueWire,
    StatusWire,
    TransitionWire,
    TypeStatusesWire,
    TypeWire,
)
from keepstep.adapters.trackers.jira.workflow import MOST_STEPS, Workflow, Workflows, fields_for, in_order
from keepstep.ports.errors import NotThereError, OutsideError, RejectedError

RIGHT = "the right Transition issues"
_NAMED_AT_MOST = 4


class Steps:
    def __init__(self, client: JiraClient, settings: SettingValues, workflows: Workflows) -> None:
        self._client = client
        self._most = MOST_STEPS if chosen_one(settings, TRANSITIONS.name) == FOUR_STEPS else 1
        self._resolution = chosen_one(settings, RESOLUTION.name)
        self._workflows = workflows

    def workflow(self, project: str) -> Workflow:
        return self._workflows.of(self._client.account_key, project)

    async def types(self, project: str) -> list[TypeStatusesWire]:
        call = Call("GET", f"{API}/project/{project}/statuses", "the statuses")
        reply = await self._client.send(call)
        found = [reply.parse(TypeStatusesWire, each) for each in reply.items()]
        return [each for each in found if not each.subtask] or found

    async def read(self, issue: str) -> list[TransitionWire]:
        """The steps open to this issue now."""
        params = (("expand", "transitions.fields"),)
        call = Call(
            "GET", issue_path(issue, "/transitions"), f"the steps of issue {issue}", params, right=RIGHT
        )
        reply = await self._client.send(call)
        data = reply.data.get("transitions") if isinstance(reply.data, dict) else None
        return [
            reply.parse(TransitionWire, each)
            for each in reply.items(data if data is not None else reply.data)
        ]

    async def learn(self, project: str, types: Sequence[TypeStatusesWire]) -> Workflow:
        """Asks one issue in each status of each type, where that situation is not known yet."""
        workflow = self.workflow(project)
        for kind in types:
            for status in kind.statuses:
                if (kind.id, status.id) not in workflow.steps:
                    await self._sample(workflow, project, kind, status)
            workflow.looked.add(kind.id)
        return workflow

    async def _sample(self, workflow: Workflow, project: str, kind: TypeWire, status: StatusWire) -> None:
        jql = f"project = {project} AND issuetype = {kind.id} AND status = {status.id} ORDER BY updated DESC"
        async for _, issue in self._client.search(jql, {"fields": ["status"]}, limit=1):
            try:
                workflow.learn((kind.id, status.id), await self.read(str(issue["id"])))
            except NotThereError:
                continue

    async def walk(self, issue: IssueWire, target: str) -> None:
        """Raises RejectedError with a sentence where no way is known or allowed.

        After each step the issue tells its status again: a rule of the workflow may have moved it further.
        """
        project, kind = issue.fields.project.id, issue.fields.issuetype
        at, walked = issue.fields.status, 0
        while at.id != target:
            step = await self._next(project, kind, issue.id, at, target, self._most - walked)
            if step is None:
                raise self._no_way(issue.key, at, target)
            await self._take(issue, step)
            walked += 1
            at = await self._status_of(issue.id)

    async def _next(
        self, project: str, kind: TypeWire, issue: str, at: StatusWire, target: str, left: int
    ) -> TransitionWire | None:
        workflow = self.workflow(project)
        here = await self.read(issue)
        workflow.learn((kind.id, at.id), here)
        straight = [each for each in in_order(here) if each.to.id == target]
        if straight and left:
            return straight[0]
        if left <= 1:
            return None
        way = workflow.way(kind.id, at.id, target, left)
        if way is None and kind.id not in workflow.looked:
            await self.learn(project, [each for each in await self.types(project) if each.id == kind.id])
            way = workflow.way(kind.id, at.id, target, left)
        return way[0] if way else None

    async def _take(self, issue: IssueWire, step: TransitionWire) -> None:
        body: dict[str, object] = {"transition": {"id": step.id}}
        if fields := fields_for(step, self._resolution):
            body["fields"] = fields
        call = Call(
            "POST",
            issue_path(issue.id, "/transitions"),
            f"the step {step.name} of issue {issue.key}",
            body=body,
            right=RIGHT,
            answers=False,
        )
        try:
            await self._client.send(call)
        except RejectedError as error:
            error.field = "status"
            raise

    async def _status_of(self, issue: str) -> StatusWire:
        call = Call("GET", issue_path(issue), f"issue {issue}", (("fields", "status"),))
        reply = await self._client.send(call)
        return reply.parse(StatusWire, (reply.data or {}).get("fields", {}).get("status", {}))

    def _no_way(self, key: str, at: StatusWire, target: str) -> OutsideError:
        name = self._name_of(target)
        cure = (
            "Allow several steps in the settings of the integration, or map another status."
            if self._most == 1
            else "Map another status, or move it in Jira."
        )
        return RejectedError(
            f"No step of the workflow that Keepstep knows leads {key} from {at.name} to {name}. {cure}",
            field="status",
            status=None,
        )

    def _name_of(self, status: str) -> str:
        return self._workflows.name_of(self._client.account_key, status) or "that status"

    def note(self, workflow: Workflow, types: Sequence[TypeStatusesWire], status: StatusWire) -> str:
        """For the map: from where this status cannot be reached, or which types lack it."""
        having = [each for each in types if any(one.id == status.id for one in each.statuses)]
        if len(having) < len(types):
            return f"Only issues of the type {_listed([each.name for each in having])} have this status."
        asked, cut_off = 0, []
        for kind in having:
            for start in kind.statuses:
                if start.id == status.id or (kind.id, start.id) not in workflow.steps:
                    continue
                asked += 1
                if workflow.way(kind.id, start.id, status.id, self._most) is None:
                    cut_off.append(start.name)
        if not asked:
            return "No issue shows yet whether a step leads here." if len(having[0].statuses) > 1 else ""
        if not cut_off:
            return ""
        allowed = "single step" if self._most == 1 else "known way of up to four steps"
        return f"No {allowed} leads here from {_listed(list(dict.fromkeys(cut_off)))}."


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _NAMED_AT_MOST
    return ", ".join(names[:_NAMED_AT_MOST]) + (f" and {more} more" if more > 0 else "")
