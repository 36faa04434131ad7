r"""What differs between the trackers that write Markdown, and the parser set up for each.

How sure about references: GitLab's own filters leave a character alone that was written with a backslash before it
(`\@name`; its source: `escaped_char_filter.rb`, formerly `markdown_pre_escape_filter.rb`). GitHub looks for mentions
after backslashes and entities are gone; an empty comment behind the character (`@<!-- -->name`) stops it, as bots
that quote changelogs rely on.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock, reference

MAX_NESTING = 30
"""Blocks nested deeper are kept as they are, unread; recursion stays far from Python's limit."""

_FOOTNOTE = re.compile(r"\[\^[^\]\s]+\]:")
_FENCED_QUOTE = ">>>"
UNCLOSED = "unclosed_quote"
"""In the parser's environment: such a quote was opened and no line closes it."""


@dataclass(frozen=True, slots=True)
class Dialect:
    name: str
    references: str
    """What would name a person, a ticket or a label."""
    shield: str
    """Goes before or behind a reference's first character so that it is only text."""
    shield_before: bool
    soft_breaks_show: bool = False
    """A line end in the text is a line end on the page."""
    fenced_quotes: bool = False

    def shielded(self, character: str) -> str:
        return self.shield + character if self.shield_before else character + self.shield


GITLAB = Dialect(
    name="gitlab_markdown",
    references=r"(?<!\w)@\w[\w./-]*|[#!&]\d+|~(?:\w[\w:.-]*|\"[^\"\n]+\")",
    shield="\\",
    shield_before=True,
    fenced_quotes=True,
)
GITHUB = Dialect(
    name="github_markdown",
    references=r"(?<!\w)@\w[\w/-]*|#\d+",
    shield="<!-- -->",
    shield_before=False,
    soft_breaks_show=True,
)


@cache
def words_that_act(dialect: Dialect) -> re.Pattern[str]:
    """References, footnote marks, page links, alert marks, the third state of a GitLab box, and tags."""
    tags = r"</?[A-Za-z][^<>]*>|<!--(?!>)(?:(?!-->|<!--).)*-->"
    return re.compile(
        rf"{dialect.references}|\[\^[^\[\]\s]+\]|\[\[[^\[\]\n]+\]\]|\[!\w+\]|\[~\]|{tags}", re.DOTALL
    )


@cache
def parser(dialect: Dialect) -> MarkdownIt:
    """CommonMark, tables and strikethrough. Addresses are taken as they stand; the model checks and encodes them.

    It finds the blocks; the text in them is parsed when somebody asks, since most blocks have been read before.
    """
    md = MarkdownIt("commonmark", {"maxNesting": MAX_NESTING}).enable(["table", "strikethrough"])
    # Without it escaped characters stay apart from text that acts.
    md.disable(["text_join", "inline"])
    for name, taken in (("normalizeLink", str), ("normalizeLinkText", str), ("validateLink", bool)):
        setattr(md, name, taken)
    md.block.ruler.at("reference", _reference)
    md.block.ruler.before("paragraph", "footnote", _footnote, {"alt": ["paragraph"]})
    if dialect.fenced_quotes:
        md.block.ruler.before(
            "blockquote",
            "fenced_quote",
            _fenced_quote,
            {"alt": ["paragraph", "reference", "blockquote", "list"]},
        )
    return md


def _line(state: StateBlock, number: int) -> str:
    return state.src[state.bMarks[number] + state.tShift[number] : state.eMarks[number]]


def _reference(state: StateBlock, start: int, end: int, silent: bool) -> bool:  # noqa: FBT001
    """A footnote is no link definition, though CommonMark reads a short one so."""
    return (
        state.src.startswith("[", state.bMarks[start] + state.tShift[start])
        and not _FOOTNOTE.match(_line(state, start))
        and reference(state, start, end, silent)
    )


def _footnote(state: StateBlock, start: int, end: int, silent: bool) -> bool:  # noqa: FBT001
    """Each footnote is a paragraph of its own."""
    del end
    starts = state.src.startswith("[^", state.bMarks[start] + state.tShift[start])
    return starts and silent and _FOOTNOTE.match(_line(state, start)) is not None


def _fenced_quote(state: StateBlock, start: int, end: int, silent: bool) -> bool:  # noqa: FBT001
    """GitLab's quote between two lines of `>>>`."""
    if not state.src.startswith(_FENCED_QUOTE, state.bMarks[start] + state.tShift[start]):
        return False
    if _line(state, start).rstrip() != _FENCED_QUOTE or state.is_code_block(start):
        return False
    last = _closing_line(state, range(start + 1, end))
    if last is None:
        state.env[UNCLOSED] = True
        return False
    if silent:
        return True
    token = state.push("blockquote_open", "blockquote", 1)
    token.map = [start, last + 1]
    parent, line_max = state.parentType, state.lineMax
    state.parentType, state.lineMax = "blockquote", last
    state.md.block.tokenize(state, start + 1, last)
    state.push("blockquote_close", "blockquote", -1)
    state.parentType, state.lineMax = parent, line_max
    state.line = last + 1
    return True


def _closing_line(state: StateBlock, lines: Sequence[int]) -> int | None:
    for number in lines:
        if state.sCount[number] < state.blkIndent and not state.isEmpty(number):
            return None
        if _line(state, number).rstrip() == _FENCED_QUOTE:
            return number
    return None
