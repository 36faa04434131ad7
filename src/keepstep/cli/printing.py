"""Plain text for people, JSON for scripts. Nothing that came from outside may steer the terminal."""

import json
import shutil
import textwrap
import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import typer
from pydantic import BaseModel

_GAP = "  "
_NARROWEST = 8


def say(text: str = "") -> None:
    typer.echo(text)


def note(text: str) -> None:
    """Beside the result: not part of what a script reads."""
    typer.echo(text, err=True)


def say_json(found: BaseModel | Sequence[BaseModel]) -> None:
    say_data(
        found.model_dump(mode="json")
        if isinstance(found, BaseModel)
        else [each.model_dump(mode="json") for each in found]
    )


def say_data(data: Any) -> None:
    say(json.dumps(data, indent=2, ensure_ascii=False))


def plain(text: str) -> str:
    """On one line, without control characters: a title could carry commands to the terminal."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def width_of(text: str) -> int:
    """Cells on a terminal: wide characters take two, combining ones none."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in text
    )


def shortened(text: str, room: int) -> str:
    text = plain(text)
    if width_of(text) <= room:
        return text
    while text and width_of(text) > room - 1:
        text = text[:-1]
    return text.rstrip() + "…"


def say_table(heads: Sequence[str], rows: Sequence[Sequence[str]], flexible: Sequence[int]) -> None:
    """Aligned, and not wider than the terminal: the columns numbered in `flexible` give way."""
    cells = [[plain(cell) for cell in row] for row in rows]
    widths = [max(map(width_of, column)) for column in zip(heads, *cells, strict=True)]
    room = shutil.get_terminal_size((80, 24)).columns
    excess = sum(widths) + len(_GAP) * (len(widths) - 1) - room
    while excess > 0:
        widest = max(flexible, key=lambda at: widths[at])
        if widths[widest] <= _NARROWEST:
            break
        widths[widest] -= 1
        excess -= 1
    for row in ([*heads], *cells):
        say(_GAP.join(_padded(cell, width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _padded(text: str, width: int) -> str:
    cut = shortened(text, width)
    return cut + " " * (width - width_of(cut))


def wrapped(first: str, text: str) -> str:
    """`first` and the text behind it, in lines as wide as the terminal, aligned under the text."""
    width = max(shutil.get_terminal_size((80, 24)).columns, width_of(first) + 20)
    return textwrap.fill(
        plain(text),
        width,
        initial_indent=first,
        subsequent_indent=" " * width_of(first),
        break_long_words=False,
        break_on_hyphens=False,
    )


def say_facts(facts: Sequence[tuple[str, str]]) -> None:
    """Name and value, one a line; those without a value are left out."""
    widest = max((width_of(name) for name, value in facts if value), default=0)
    for name, value in facts:
        if value:
            say(f"{_padded(name, widest)}{_GAP}{plain(value)}")


def ago(moment: datetime | None) -> str:
    if moment is None:
        return "never"
    seconds = (datetime.now(UTC) - moment).total_seconds()
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length:.0f} {unit} ago"
    return "just now"


def at(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"
