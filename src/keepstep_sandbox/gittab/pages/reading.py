"""What the pages show, as plain values for the templates."""

import difflib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from markupsafe import Markup

from keepstep_sandbox.gittab.moments import parsed
from keepstep_sandbox.gittab.pages.markdown import rendered
from keepstep_sandbox.gittab.search import found
from keepstep_sandbox.gittab.state import Change, Issue, Label, Note, Project, State, User

_MOST_SHOWN = 200
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


@dataclass(frozen=True)
class Chip:
    id: int
    name: str
    description: str | None = None


@dataclass(frozen=True)
class Person:
    name: str
    initials: str
    hue: int  # one of six colours of the style sheet
    bot: bool


@dataclass(frozen=True)
class Moment:
    text: str  # "3 min ago"
    exact: str
    iso: str


@dataclass(frozen=True)
class Row:
    iid: int
    title: str
    state: str
    confidential: bool
    chips: list[Chip]
    author: Person
    at: Moment
    comments: int
    address: str


@dataclass(frozen=True)
class Line:
    """A line of a text's change: `+`, `-` or a blank, and the text."""

    sign: str
    text: str


@dataclass(frozen=True)
class Entry:
    """One entry of the timeline: a comment, or a change told in a sentence."""

    kind: str  # comment or change
    who: Person
    at: Moment
    html: Markup | None = None
    sentence: str = ""
    before: str | None = None
    after: str | None = None
    added: tuple[Chip, ...] = ()
    removed: tuple[Chip, ...] = ()
    lines: tuple[Line, ...] = ()


def moment(text: str) -> Moment:
    at = parsed(text)
    seconds = max(0.0, (datetime.now(UTC) - at).total_seconds())
    if seconds < 5:
        words = "just now"
    elif seconds < _MINUTE:
        words = "moments ago"
    elif seconds < _HOUR:
        words = f"{seconds // _MINUTE:.0f} min ago"
    elif seconds < _DAY:
        words = f"{seconds // _HOUR:.0f} h ago"
    else:
        days = int(seconds // _DAY)
        words = "yesterday" if days == 1 else f"{days} days ago"
    return Moment(words, at.strftime("%Y-%m-%d %H:%M:%S UTC"), text)


def person(user: User) -> Person:
    initials = "".join(word[0] for word in user.name.split()[:2]).upper()
    return Person(user.name, initials, user.id % 6, user.bot)


class Reading:
    def __init__(self, state: State) -> None:
        self._state = state

    def chip(self, label: Label) -> Chip:
        return Chip(label.id, label.name, label.description)

    def chips(self, issue: Issue) -> list[Chip]:
        labels = sorted((self._state.labels[i] for i in issue.label_ids), key=lambda label: label.name)
        return [self.chip(label) for label in labels]

    def issue_list(self, project: Project, state: str, search: str, label: str) -> dict[str, Any]:
        """Values of the list page; the counts are of everything that fits search and label."""
        mine = [i for i in self._state.issues.values() if i.project_id == project.id]
        fitting = [
            issue
            for issue in mine
            if (not search or self._finds(search, issue))
            and (not label or label in self._state.names_of(issue))
        ]
        fitting.sort(key=lambda issue: issue.updated_at, reverse=True)
        counts = {name: sum(i.state == name for i in fitting) for name in ("opened", "closed")}
        wanted = [issue for issue in fitting if state in ("all", issue.state)]
        return {
            "counts": counts | {"all": len(fitting)},
            "rows": [self.row(project, issue) for issue in wanted[:_MOST_SHOWN]],
            "left_out": max(0, len(wanted) - _MOST_SHOWN),
            "labels": [self.chip(one) for one in self._labels(project)],
            "empty_project": not mine,
        }

    def _finds(self, search: str, issue: Issue) -> bool:
        """As the API finds, or a piece of the title, or the number."""
        texts = [issue.title, issue.description or ""]
        return (
            search.lower() in issue.title.lower()
            or search.lstrip("#") == str(issue.iid)
            or found(search, texts)
        )

    def _labels(self, project: Project) -> list[Label]:
        return sorted(self._state.labels_of(project.id), key=lambda label: label.name.lower())

    def row(self, project: Project, issue: Issue) -> Row:
        return Row(
            iid=issue.iid,
            title=issue.title,
            state=issue.state,
            confidential=issue.confidential,
            chips=self.chips(issue),
            author=person(self._state.users[issue.author_id]),
            at=moment(issue.updated_at),
            comments=sum(not note.system for note in self._state.notes_of(issue)),
            address=f"/{project.full_path}/-/issues/{issue.iid}",
        )

    def issue(self, project: Project, issue: Issue) -> dict[str, Any]:
        """Values of the issue page."""
        moved_to = self._state.issues.get(issue.moved_to_id or 0)
        target = None if moved_to is None else self._state.projects[moved_to.project_id]
        taken = set(issue.label_ids)
        updated_by = self._state.users.get(issue.updated_by_id or issue.author_id)
        return {
            "issue": issue,
            "row": self.row(project, issue),
            "created": moment(issue.created_at),
            "updated_by": None if updated_by is None else person(updated_by),
            "description": Markup(rendered(issue.description)),  # noqa: S704 - cleaned by nh3
            "free_labels": [one.name for one in self._labels(project) if one.id not in taken],
            "assignees": [person(self._state.users[i]) for i in issue.assignee_ids],
            "timeline": self.timeline(project, issue),
            "moved_to": None
            if moved_to is None or target is None
            else (f"/{target.full_path}/-/issues/{moved_to.iid}", f"{target.full_path}#{moved_to.iid}"),
        }

    def timeline(self, project: Project, issue: Issue) -> list[Entry]:
        """Comments and changes, oldest first."""
        notes = [note for note in self._state.notes_of(issue) if not note.system]
        told = [(note.created_at, self._comment(note)) for note in notes]
        told += [(change.at, self._change(project, change)) for change in issue.history]
        return [entry for _, entry in sorted(told, key=lambda pair: pair[0])]

    def _comment(self, note: Note) -> Entry:
        who = person(self._state.users[note.author_id])
        html = Markup(rendered(note.body))  # noqa: S704 - cleaned by nh3
        return Entry("comment", who, moment(note.created_at), html=html)

    def _change(self, project: Project, change: Change) -> Entry:
        who, at = person(self._state.users[change.user_id]), moment(change.at)
        match change.field:
            case "labels":
                was, now = set(change.before), set(change.after)
                added, removed = self._named(project, now - was), self._named(project, was - now)
                return Entry("change", who, at, sentence="labels", added=added, removed=removed)
            case "title":
                return Entry("change", who, at, sentence="title", before=change.before, after=change.after)
            case "description":
                lines = _difference(change.before or "", change.after or "")
                return Entry("change", who, at, sentence="changed the description", lines=lines)
            case "assignees":
                names = ", ".join(self._state.users[i].name for i in change.after)
                return Entry(
                    "change", who, at, sentence=f"assigned {names}" if names else "removed the assignee"
                )
            case _:
                return Entry("change", who, at, sentence=_sentence(change))

    def _named(self, project: Project, names: set[str]) -> tuple[Chip, ...]:
        labels = ((name, self._state.label_named(project.id, name)) for name in sorted(names))
        return tuple(Chip(0, name) if label is None else self.chip(label) for name, label in labels)

    def label_colors(self) -> list[tuple[int, str, str]]:
        """Every label's number, colour and a text colour that can be read on it."""
        return [(label.id, label.color, readable_on(label.color)) for label in self._state.labels.values()]


def _sentence(change: Change) -> str:
    match change.field:
        case "created":
            return "opened this issue"
        case "state":
            return "closed this issue" if change.after == "closed" else "reopened this issue"
        case "confidential":
            return "made this issue confidential" if change.after else "made this issue visible to everyone"
        case "moved":
            return (
                f"moved this issue from {change.before}"
                if change.before
                else f"moved this issue to {change.after}"
            )
        case "due_date":
            return f"set the due date to {change.after}" if change.after else "removed the due date"
        case _:
            return f"changed {change.field.replace('_', ' ')}"


def _difference(before: str, after: str) -> tuple[Line, ...]:
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=1)
    kept = [line for line in lines if not line.startswith(("---", "+++", "@@"))]
    return tuple(Line(line[:1], line[1:]) for line in kept)


def readable_on(color: str) -> str:
    """Black or white, whichever contrasts more; the better one always reaches 4.5:1."""
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    return "#000" if (luminance + 0.05) / 0.05 >= 1.05 / (luminance + 0.05) else "#fff"


def query(**values: str) -> str:
    """A query with the values that are set."""
    return urlencode({name: value for name, value in values.items() if value})
