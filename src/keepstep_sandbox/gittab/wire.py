"""GitTab's records in GitLab's REST v4 shapes: keys, order of labels, times with milliseconds."""

import re
from datetime import date
from typing import Any

from keepstep_sandbox.gittab.moments import is_past
from keepstep_sandbox.gittab.state import (
    Hook,
    HookEvent,
    Issue,
    Label,
    Note,
    Project,
    State,
    Token,
    User,
)

HOOK_EVENTS = (
    "push_events",
    "tag_push_events",
    "merge_requests_events",
    "repository_update_events",
    "issues_events",
    "confidential_issues_events",
    "note_events",
    "confidential_note_events",
    "pipeline_events",
    "wiki_page_events",
    "deployment_events",
    "feature_flag_events",
    "job_events",
    "releases_events",
    "milestone_events",
    "emoji_events",
    "resource_access_token_events",
    "vulnerability_events",
)
FAILURES_BEFORE_PAUSE = 4
FAILURES_BEFORE_END = 40
_TASK = re.compile(r"^\s*(?:[-*+]|\d+[.)])\s+\[([ xX])\](?=\s)", re.MULTILINE)


def text_color(color: str) -> str:
    """Dark on light and light on dark, by GitLab's own sum of the three parts."""
    parts = [int(color[i : i + 2], 16) for i in (1, 3, 5)]
    return "#1F1E24" if sum(parts) > 500 else "#FFFFFF"


def task_counts(description: str | None) -> tuple[int, int]:
    """Tasks in the text, and how many are ticked."""
    boxes = _TASK.findall(description or "")
    return len(boxes), sum(box in "xX" for box in boxes)


class Wire:
    """The shapes; `base` is the instance's own address."""

    def __init__(self, state: State, base: str) -> None:
        self._state = state
        self.base = base

    def user(self, user: User) -> dict[str, Any]:
        return {
            "id": user.id,
            "username": user.username,
            "public_email": "",
            "name": user.name,
            "state": "active",
            "locked": False,
            "avatar_url": None,
            "web_url": f"{self.base}/{user.username}",
        }

    def user_id(self, user_id: int | None) -> dict[str, Any] | None:
        return None if user_id is None else self.user(self._state.users[user_id])

    def me(self, user: User) -> dict[str, Any]:
        return {
            **self.user(user),
            "created_at": user.created_at,
            "bio": "",
            "bot": user.bot,
            "email": f"{user.username}@noreply.gittab.example",
            "commit_email": f"{user.username}@noreply.gittab.example",
            "confirmed_at": user.created_at,
            "external": False,
            "private_profile": False,
            "two_factor_enabled": False,
            "can_create_project": not user.bot,
            **({"is_admin": True} if user.admin else {}),
        }

    def member(self, user: User, level: int) -> dict[str, Any]:
        return {
            **self.user(user),
            "access_level": level,
            "expires_at": None,
            "membership_state": "active",
        }

    def token(self, token: Token) -> dict[str, Any]:
        expired = token.expires_at is not None and token.expires_at <= date.today().isoformat()  # noqa: DTZ011 - days
        return {
            "id": token.id,
            "name": token.name,
            "revoked": token.revoked,
            "created_at": token.created_at,
            "description": None,
            "scopes": token.scopes,
            "user_id": token.user_id,
            "last_used_at": token.last_used_at,
            "active": not (token.revoked or expired),
            "expires_at": token.expires_at,
        }

    def project_url(self, project: Project) -> str:
        return f"{self.base}/{project.full_path}"

    def simple_project(self, project: Project) -> dict[str, Any]:
        web_url = self.project_url(project)
        host = self.base.partition("://")[2].partition(":")[0]
        return {
            "id": project.id,
            "description": project.description,
            "name": project.name,
            "name_with_namespace": f"{project.namespace.title()} / {project.name}",
            "path": project.path,
            "path_with_namespace": project.full_path,
            "created_at": project.created_at,
            "default_branch": "main",
            "tag_list": [],
            "topics": [],
            "ssh_url_to_repo": f"git@{host}:{project.full_path}.git",
            "http_url_to_repo": f"{web_url}.git",
            "web_url": web_url,
            "readme_url": None,
            "forks_count": 0,
            "avatar_url": None,
            "star_count": 0,
            "last_activity_at": project.last_activity_at,
            "namespace": {
                "id": 1,
                "name": project.namespace.title(),
                "path": project.namespace,
                "kind": "group",
                "full_path": project.namespace,
                "parent_id": None,
                "avatar_url": None,
                "web_url": f"{self.base}/groups/{project.namespace}",
            },
        }

    def project(self, project: Project, level: int) -> dict[str, Any]:
        api = f"{self.base}/api/v4/projects/{project.id}"
        opened = sum(i.project_id == project.id and i.state == "opened" for i in self._state.issues.values())
        return {
            **self.simple_project(project),
            "_links": {
                "self": api,
                "issues": f"{api}/issues",
                "labels": f"{api}/labels",
                "members": f"{api}/members",
            },
            "archived": project.archived,
            "empty_repo": True,
            "visibility": "private",
            "issues_enabled": project.issues_enabled,
            "issues_access_level": "enabled" if project.issues_enabled else "disabled",
            "merge_requests_enabled": False,
            "open_issues_count": opened,
            "description_html": "",
            "updated_at": project.last_activity_at,
            "permissions": {
                "project_access": {"access_level": level, "notification_level": 3} if level else None,
                "group_access": None,
            },
        }

    def label(self, label: Label, *, counts: bool = False) -> dict[str, Any]:
        wire: dict[str, Any] = {
            "id": label.id,
            "name": label.name,
            "description": label.description,
            "description_html": label.description or "",
            "text_color": text_color(label.color),
            "color": label.color,
            "archived": False,
        }
        if counts:
            states = [i.state for i in self._state.issues.values() if label.id in i.label_ids]
            wire |= {
                "open_issues_count": states.count("opened"),
                "closed_issues_count": states.count("closed"),
                "open_merge_requests_count": 0,
            }
        return wire | {"subscribed": False, "priority": label.priority, "is_project_label": True}

    def issue_url(self, issue: Issue) -> str:
        return f"{self.project_url(self._state.projects[issue.project_id])}/-/issues/{issue.iid}"

    def issue(self, issue: Issue, *, label_details: bool = False) -> dict[str, Any]:
        names = self._state.names_of(issue)
        assignees = [self.user_id(user_id) for user_id in issue.assignee_ids]
        return {
            "id": issue.id,
            "iid": issue.iid,
            "project_id": issue.project_id,
            "title": issue.title,
            "description": issue.description,
            "state": issue.state,
            "created_at": issue.created_at,
            "updated_at": issue.updated_at,
            "closed_at": issue.closed_at,
            "closed_by": self.user_id(issue.closed_by_id),
            "labels": self._label_details(issue, names) if label_details else names,
            "milestone": None,
            "assignees": assignees,
            "author": self.user_id(issue.author_id),
            "type": issue.issue_type.upper(),
            "assignee": assignees[0] if assignees else None,
            "user_notes_count": sum(not note.system for note in self._state.notes_of(issue)),
            "merge_requests_count": 0,
            "upvotes": 0,
            "downvotes": 0,
            "due_date": issue.due_date,
            "confidential": issue.confidential,
            "discussion_locked": issue.discussion_locked,
            "issue_type": issue.issue_type,
            "web_url": self.issue_url(issue),
            "time_stats": {
                "time_estimate": 0,
                "total_time_spent": 0,
                "human_time_estimate": None,
                "human_total_time_spent": None,
            },
            **self._issue_tail(issue),
        }

    def _issue_tail(self, issue: Issue) -> dict[str, Any]:
        project = self._state.projects[issue.project_id]
        api = f"{self.base}/api/v4/projects/{project.id}"
        count, completed = task_counts(issue.description)
        tasks = {"task_status": f"{completed} of {count} checklist items completed"} if count else {}
        return {
            "task_completion_status": {"count": count, "completed_count": completed},
            "blocking_issues_count": 0,
            "has_tasks": count > 0,
            **tasks,
            "_links": {
                "self": f"{api}/issues/{issue.iid}",
                "notes": f"{api}/issues/{issue.iid}/notes",
                "award_emoji": f"{api}/issues/{issue.iid}/award_emoji",
                "project": api,
                "closed_as_duplicate_of": None,
            },
            "references": {
                "short": f"#{issue.iid}",
                "relative": f"#{issue.iid}",
                "full": f"{project.full_path}#{issue.iid}",
            },
            "severity": "UNKNOWN",
            "subscribed": False,
            "moved_to_id": issue.moved_to_id,
            "imported": False,
            "imported_from": "none",
            "service_desk_reply_to": None,
        }

    def _label_details(self, issue: Issue, names: list[str]) -> list[dict[str, Any]]:
        labels = [self._state.label_named(issue.project_id, name) for name in names]
        keys = ("id", "name", "description", "description_html", "text_color", "color")
        return [{key: self.label(label)[key] for key in keys} for label in labels if label is not None]

    def note(self, note: Note) -> dict[str, Any]:
        issue = self._state.issues[note.issue_id]
        return {
            "id": note.id,
            "type": None,
            "body": note.body,
            "author": self.user_id(note.author_id),
            "created_at": note.created_at,
            "updated_at": note.updated_at,
            "system": note.system,
            "noteable_id": issue.id,
            "noteable_type": "Issue",
            "project_id": issue.project_id,
            "resolvable": False,
            "confidential": note.internal,
            "internal": note.internal,
            "imported": False,
            "imported_from": "none",
            "noteable_iid": issue.iid,
            "commands_changes": {},
        }

    def hook(self, hook: Hook) -> dict[str, Any]:
        """Without its secrets: GitLab tells only whether there are any."""
        return {
            "id": hook.id,
            "url": hook.url,
            "name": hook.name,
            "description": hook.description,
            "created_at": hook.created_at,
            **{event: hook.events[event] for event in HOOK_EVENTS},
            "enable_ssl_verification": hook.enable_ssl_verification,
            "alert_status": alert_status(hook),
            "disabled_until": hook.disabled_until if alert_status(hook) == "temporarily_disabled" else None,
            "url_variables": [],
            "custom_headers": [{"key": header["key"]} for header in hook.custom_headers],
            "custom_webhook_template": None,
            "push_events_branch_filter": hook.push_events_branch_filter,
            "branch_filter_strategy": "wildcard",
            "token_present": bool(hook.token),
            "signing_token_present": bool(hook.signing_token),
            "project_id": hook.project_id,
        }

    def hook_event(self, event: HookEvent) -> dict[str, Any]:
        return {
            "id": event.id,
            "url": event.url,
            "trigger": event.trigger,
            "request_headers": event.request_headers,
            "request_data": event.body,
            "response_headers": event.response_headers,
            "response_body": event.response_body,
            "execution_duration": round(event.duration_s, 6),
            "response_status": event.response_status,
        }


def alert_status(hook: Hook) -> str:
    if hook.failures >= FAILURES_BEFORE_END:
        return "disabled"
    if hook.disabled_until is not None and not is_past(hook.disabled_until):
        return "temporarily_disabled"
    return "executable"
