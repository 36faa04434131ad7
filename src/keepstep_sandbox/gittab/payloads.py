"""Webhook payloads in GitLab's shapes, as its documentation shows them.

Attributes carry times as `2026-11-24T09:00:00Z`, changes as `2026-11-24 09:00:00 UTC`: whoever needs the
exact value has to read the issue.
"""

from collections.abc import Mapping
from typing import Any

from keepstep_sandbox.gittab.moments import change_time, hook_time
from keepstep_sandbox.gittab.state import Issue, Label, Note, Project, State, User
from keepstep_sandbox.gittab.wire import Wire

_STATE_IDS = {"opened": 1, "closed": 2}
_TIMES = frozenset({"updated_at", "closed_at", "last_edited_at"})
# Fields of an issue whose change is told.
TOLD = (
    "title",
    "description",
    "state",
    "label_ids",
    "assignee_ids",
    "confidential",
    "discussion_locked",
    "due_date",
    "issue_type",
    "moved_to_id",
    "updated_at",
    "closed_at",
    "updated_by_id",
    "last_edited_at",
    "last_edited_by_id",
)


def told_values(issue: Issue) -> dict[str, Any]:
    """The present values of what a webhook tells, to compare with later."""
    values = {name: getattr(issue, name) for name in TOLD}
    return {name: list(value) if isinstance(value, list) else value for name, value in values.items()}


class Payloads:
    def __init__(self, state: State, wire: Wire) -> None:
        self._state = state
        self._wire = wire

    def issue(self, issue: Issue, user: User, action: str, changes: Mapping[str, Any]) -> dict[str, Any]:
        """The body of an issue event; `changes` as `changes_since` gives them."""
        project = self._state.projects[issue.project_id]
        labels = [self.label(self._state.labels[label_id]) for label_id in issue.label_ids]
        people = [self.person(self._state.users[user_id]) for user_id in issue.assignee_ids]
        return {
            "object_kind": "issue",
            "event_type": "confidential_issue" if issue.confidential else "issue",
            "user": self.actor(user),
            "project": self.project(project),
            "object_attributes": {**self.attributes(issue), "action": action, "labels": labels},
            "repository": self.repository(project),
            "labels": labels,
            "assignees": people,
            **({"assignee": people[0]} if people else {}),
            "changes": dict(changes),
        }

    def note(self, note: Note, issue: Issue, user: User, action: str) -> dict[str, Any]:
        project = self._state.projects[issue.project_id]
        hidden = issue.confidential or note.internal
        kind = "confidential_note" if hidden else "note"
        labels = [self.label(self._state.labels[label_id]) for label_id in issue.label_ids]
        return {
            "object_kind": "note",
            "event_type": kind,
            "user": self.actor(user),
            "project_id": project.id,
            "project": self.project(project),
            "object_attributes": {
                "attachment": None,
                "author_id": note.author_id,
                "change_position": None,
                "commit_id": None,
                "created_at": hook_time(note.created_at),
                "discussion_id": f"{note.id:040x}",
                "id": note.id,
                "internal": note.internal,
                "line_code": None,
                "note": note.body,
                "noteable_id": issue.id,
                "noteable_type": "Issue",
                "original_position": None,
                "position": None,
                "project_id": project.id,
                "resolved_at": None,
                "resolved_by_id": None,
                "resolved_by_push": None,
                "st_diff": None,
                "system": note.system,
                "type": None,
                "updated_at": hook_time(note.updated_at),
                "updated_by_id": None,
                "description": note.body,
                "url": f"{self._wire.issue_url(issue)}#note_{note.id}",
                "action": action,
            },
            "repository": self.repository(project),
            "issue": {**self.attributes(issue), "branch_name": None, "position": 0, "labels": labels},
        }

    def changes_since(self, before: Mapping[str, Any], issue: Issue) -> dict[str, Any]:
        """What differs from `told_values` taken earlier, each with previous and current."""
        changes: dict[str, Any] = {}
        for name, now in told_values(issue).items():
            if before[name] != now:
                changes |= self._change(name, before[name], now)
        return changes

    def _change(self, name: str, was: Any, now: Any) -> dict[str, Any]:
        if name == "label_ids":
            return {"labels": {"previous": self._labels(was), "current": self._labels(now)}}
        if name == "assignee_ids":
            return {"assignees": {"previous": self._people(was), "current": self._people(now)}}
        if name == "state":
            return {"state_id": {"previous": _STATE_IDS[was], "current": _STATE_IDS[now]}}
        if name in _TIMES:
            return {name: {"previous": change_time(was), "current": change_time(now)}}
        return {name: {"previous": was, "current": now}}

    def _labels(self, label_ids: list[int]) -> list[dict[str, Any]]:
        return [self.label(self._state.labels[i]) for i in label_ids if i in self._state.labels]

    def _people(self, user_ids: list[int]) -> list[dict[str, Any]]:
        return [self.person(self._state.users[user_id]) for user_id in user_ids]

    def attributes(self, issue: Issue) -> dict[str, Any]:
        return {
            "author_id": issue.author_id,
            "closed_at": hook_time(issue.closed_at),
            "confidential": issue.confidential,
            "created_at": hook_time(issue.created_at),
            "description": issue.description,
            "discussion_locked": issue.discussion_locked,
            "due_date": issue.due_date,
            "duplicated_to_id": None,
            "id": issue.id,
            "iid": issue.iid,
            "last_edited_at": hook_time(issue.last_edited_at),
            "last_edited_by_id": issue.last_edited_by_id,
            "milestone_id": None,
            "moved_to_id": issue.moved_to_id,
            "project_id": issue.project_id,
            "relative_position": issue.iid * 513,
            "state_id": _STATE_IDS[issue.state],
            "time_estimate": 0,
            "title": issue.title,
            "updated_at": hook_time(issue.updated_at),
            "updated_by_id": issue.updated_by_id,
            "weight": None,
            "health_status": None,
            "type": issue.issue_type.replace("_", " ").title().replace(" ", ""),
            "url": self._wire.issue_url(issue),
            "total_time_spent": 0,
            "time_change": 0,
            "human_total_time_spent": None,
            "human_time_change": None,
            "human_time_estimate": None,
            "assignee_ids": list(issue.assignee_ids),
            "assignee_id": issue.assignee_ids[0] if issue.assignee_ids else None,
            "state": issue.state,
            "severity": "unknown",
        }

    def label(self, label: Label) -> dict[str, Any]:
        return {
            "id": label.id,
            "title": label.name,
            "color": label.color,
            "project_id": label.project_id,
            "created_at": hook_time(label.created_at),
            "updated_at": hook_time(label.updated_at),
            "template": False,
            "description": label.description,
            "type": "ProjectLabel",
            "group_id": None,
        }

    def person(self, user: User) -> dict[str, Any]:
        return {"id": user.id, "name": user.name, "username": user.username, "avatar_url": None}

    def actor(self, user: User) -> dict[str, Any]:
        return {**self.person(user), "email": "[REDACTED]"}

    def project(self, project: Project) -> dict[str, Any]:
        simple = self._wire.simple_project(project)
        ssh_url, http_url, web_url = simple["ssh_url_to_repo"], simple["http_url_to_repo"], simple["web_url"]
        return {
            "id": project.id,
            "name": project.name,
            "description": project.description,
            "web_url": web_url,
            "avatar_url": None,
            "git_ssh_url": ssh_url,
            "git_http_url": http_url,
            "namespace": simple["namespace"]["name"],
            "visibility_level": 0,
            "path_with_namespace": project.full_path,
            "default_branch": "main",
            "ci_config_path": None,
            "homepage": web_url,
            "url": ssh_url,
            "ssh_url": ssh_url,
            "http_url": http_url,
        }

    def repository(self, project: Project) -> dict[str, Any]:
        simple = self._wire.simple_project(project)
        return {
            "name": project.name,
            "url": simple["ssh_url_to_repo"],
            "description": project.description,
            "homepage": simple["web_url"],
        }
