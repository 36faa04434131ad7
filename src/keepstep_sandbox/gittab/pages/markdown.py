"""Markdown to safe HTML for the pages: CommonMark with tables, strikethrough, task lists and bare links."""

import re

import nh3
from markdown_it import MarkdownIt
from mdit_py_plugins.tasklists import tasklists_plugin

_TASK_BOX = re.compile(
    r'<input class="task-list-item-checkbox"( checked="checked")? disabled="disabled" type="checkbox">'
)
_ATTRIBUTES = {name: set(allowed) for name, allowed in nh3.ALLOWED_ATTRIBUTES.items()}
_CLASSES = {"span": {"task"}, "li": {"task-list-item"}, "ul": {"contains-task-list"}}

_parser = (
    MarkdownIt("commonmark", {"html": True, "linkify": True})
    .enable(["table", "strikethrough", "linkify"])
    .use(tasklists_plugin)
)


def rendered(text: str | None) -> str:
    """HTML that may stand in a page as it is; boxes of tasks become signs, since nobody can tick them here."""
    html: str = _parser.render(text or "")
    html = _TASK_BOX.sub(lambda box: f'<span class="task">{"☑" if box[1] else "☐"}</span>', html)
    return nh3.clean(html, attributes=_ATTRIBUTES, allowed_classes=_CLASSES, link_rel="noopener nofollow")
