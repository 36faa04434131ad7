"""Quick actions: a line that starts with a known `/command` is carried out and taken out of the text.

GitLab does this to descriptions and notes alike, so text copied from elsewhere can close an issue. Left alone are
fenced code, `>>>` quotes, HTML blocks, indented lines and unknown words. How sure: the documentation for the rule,
GitLab's own tests of its extractor for what is left alone.
"""

import re
from dataclasses import dataclass, field

_LINE = re.compile(r"/([a-z_]+)(?:[ \t]+(.*?))?[ \t]*", re.IGNORECASE)
_FENCE = re.compile(r"(`{3,}|~{3,})")
_HTML_OPEN = re.compile(r"<([a-zA-Z][a-zA-Z0-9-]*)[^>]*>\s*")
_LABEL = re.compile(r'~"([^"]+)"|~([^\s"]+)|"([^"]+)"|(\S+)')
_PERSON = re.compile(r"@?([\w.-]+)")

_ALIASES = {
    "labels": "label",
    "remove_label": "unlabel",
    "remove_labels": "unlabel",
    "reassign": "assign",
    "remove_assignee": "unassign",
}
_CARRIED_OUT = frozenset(
    {"close", "reopen", "title", "label", "unlabel", "relabel", "assign", "unassign", "confidential"}
)
# Known to GitLab, so taken out of the text, but about things that GitTab does not have.
_SWALLOWED = frozenset(
    {
        "award",
        "copy_metadata",
        "done",
        "due",
        "duplicate",
        "estimate",
        "lock",
        "milestone",
        "move",
        "promote",
        "react",
        "remove_due_date",
        "remove_estimate",
        "remove_milestone",
        "remove_time_spent",
        "spend",
        "subscribe",
        "todo",
        "unlock",
        "unsubscribe",
        "weight",
    }
)


@dataclass
class Actions:
    """What the commands ask for; `names` in the order they stood."""

    names: list[str] = field(default_factory=list)
    state_event: str | None = None
    title: str | None = None
    labels: list[str] | None = None  # replaces all
    add_labels: list[str] = field(default_factory=list)
    remove_labels: list[str] = field(default_factory=list)
    remove_all_labels: bool = False
    assignees: list[str] | None = None
    confidential: bool = False


def extract(text: str) -> tuple[str, Actions]:
    """The text without its quick actions, and what they ask for."""
    actions = Actions()
    kept: list[str] = []
    closing = ""  # what ends the region in which nothing is a command
    for line in text.splitlines():
        if closing:
            closing = "" if _ends(line, closing) else closing
        elif not (closing := _opens(line)) and _take(line, actions):
            continue
        kept.append(line)
    if not actions.names:
        return text, actions
    return "\n".join(kept).strip(), actions


def _opens(line: str) -> str:
    if fence := _FENCE.match(line):
        return fence[1]
    if line.strip() == ">>>":
        return ">>>"
    tag = _HTML_OPEN.fullmatch(line)
    return f"</{tag[1].lower()}>" if tag else ""


def _ends(line: str, closing: str) -> bool:
    if closing.startswith("</"):
        return closing in line.lower()
    return line.strip().startswith(closing)


def _take(line: str, actions: Actions) -> bool:
    """Notes the command of this line; False when it holds none."""
    found = _LINE.fullmatch(line)
    if found is None:
        return False
    name, argument = found[1].lower(), found[2] or ""
    name = _ALIASES.get(name, name)
    if name not in _CARRIED_OUT:
        return _swallow(name, actions)
    if name == "title" and not argument:
        return False
    actions.names.append(name)
    _apply(name, argument, actions)
    return True


def _apply(name: str, argument: str, actions: Actions) -> None:
    match name:
        case "close" | "reopen":
            actions.state_event = name
        case "title":
            actions.title = argument
        case "label":
            actions.add_labels += _labels(argument)
        case "relabel":
            actions.labels = _labels(argument)
        case "unlabel":
            actions.remove_labels += _labels(argument)
            actions.remove_all_labels |= not argument
        case "assign":
            actions.assignees = (actions.assignees or []) + _PERSON.findall(argument)
        case "unassign":
            actions.assignees = []
        case _:
            actions.confidential = True


def _swallow(name: str, actions: Actions) -> bool:
    if name not in _SWALLOWED:
        return False
    actions.names.append(name)
    return True


def _labels(argument: str) -> list[str]:
    return [next(part for part in found if part) for found in _LABEL.findall(argument)]
