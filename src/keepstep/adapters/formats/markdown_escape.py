r"""Writing text into Markdown so that it stays text: nothing is set in bold, linked, executed or notified by chance.

Escapes are as few as possible at first; the writer reads back what it wrote and asks for more where they were too few.
"""

import re
from functools import cache

from keepstep.adapters.formats.markdown_dialect import Dialect, words_that_act
from keepstep.domain.nodes import Text

_LIGHT = re.compile(
    r"""
      \\(?=[!-/:-@\[-`{-~]|\Z)      # a backslash that would escape what follows
    | [`*\[\]~]
    | (?<![^\W_])_+ | _+(?![^\W_])  # inside a word an underscore is harmless
    | <(?=[A-Za-z/!?])
    | &(?=\#?\w+;)
    | !(?=\[|\Z)
    """,
    re.VERBOSE,
)
_FULL = re.compile(r"[!-/:-@\[-`{-~]")
_LINE_STARTS = re.compile(
    r"""
      \#{1,6}(?=\s|\Z)
    | [>|]
    | [-+](?=\s|\Z)
    | (?:[-=+;][ \t]*)+\Z           # rules, underlines of headings, and what fences off front matter
    | [-:|][-:|\ ]*\Z               # the line under a table's head
    | /(?=\w)                       # GitLab would execute it as a quick action
    | ::(?=\w)                      # GitLab would include a file
    """,
    re.VERBOSE,
)
_NUMBER = re.compile(r"(\d{1,9})([.)])(?=\s|\Z)")
_ENTITY = re.compile(r"&(?=#?\w+;)")


def escaped(text: Text, dialect: Dialect, *, full: bool = False) -> str:
    """The text as Markdown; its live words act as they did, all others are shielded."""
    out: list[str] = []
    at = 0
    for found in words_that_act(dialect).finditer(text.text):
        out.append(_plain(text.text[at : found.start()], full=full))
        word = found.group()
        if word in text.live:
            out.append(word)
        elif _references(dialect).fullmatch(word):
            out.append(dialect.shielded(word[0]) + _plain(word[1:], full=full))
        else:
            out.append(_plain(word, full=full))
        at = found.end()
    out.append(_plain(text.text[at:], full=full))
    return _odd_spaces("".join(out))


def fully_escaped(text: str) -> str:
    """For places where nothing acts: no shields, every sign escaped."""
    return _odd_spaces(_plain(text, full=True))


def _plain(text: str, *, full: bool) -> str:
    if full:
        return _FULL.sub(r"\\\g<0>", text)
    return _LIGHT.sub(lambda found: "".join(f"\\{character}" for character in found.group()), text)


@cache
def _references(dialect: Dialect) -> re.Pattern[str]:
    return re.compile(dialect.references)


def _odd_spaces(text: str) -> str:
    """At the ends parsers strip more than the plain space."""
    head = text[: len(text) - len(text.lstrip())]
    tail = text[len(text.rstrip()) :] if len(head) < len(text) else ""
    core = text[len(head) : len(text) - len(tail)]
    return f"{_spaces(head)}{core}{_spaces(tail)}"


def _spaces(text: str) -> str:
    return "".join(" " if space == " " else f"&#{ord(space)};" for space in text)


def guarded_lines(text: str) -> str:
    """No line begins a block of another kind, and none is a command."""
    return "\n".join(map(_guarded, text.split("\n")))


def _guarded(line: str) -> str:
    if _LINE_STARTS.match(line):
        return f"\\{line}"
    return _NUMBER.sub(r"\1\\\2", line, count=1) if _NUMBER.match(line) else line


def guarded_heading(text: str) -> str:
    """Number signs at the end would be taken for decoration."""
    return re.sub(r"(^|\s)(#*)#\Z", r"\1\2\\#", text)


def address(href: str) -> str:
    """Where a link leads, between its round brackets."""
    return _ENTITY.sub("&amp;", re.sub(r"[\\()<>]", r"\\\g<0>", href))


def title(text: str) -> str:
    return _ENTITY.sub("&amp;", re.sub(r"[\\\"]", r"\\\g<0>", text))


def code_span(text: str) -> str:
    longest = max(map(len, re.findall("`+", text)), default=0)
    shortest = next(length for length in range(1, longest + 2) if not _has_run(text, length))
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{'`' * shortest}{pad}{text}{pad}{'`' * shortest}"


def _has_run(text: str, length: int) -> bool:
    return re.search(rf"(?<!`)`{{{length}}}(?!`)", text) is not None


def fence(text: str) -> str:
    longest = max(map(len, re.findall("`{3,}", text)), default=2)
    return "`" * (longest + 1)
