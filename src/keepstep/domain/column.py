"""Column: what a feature's cell shows, cut to Productboard's limits at grapheme borders."""

import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from keepstep.domain.ticket import StatusCategory, TicketRef, TicketStatus

Colour = Literal["gray", "blue", "green", "yellow", "orange", "red", "purple"]

MAX_CELL_LABEL = 20
MAX_TOOLTIP = 50
MAX_MESSAGE = 255
MAX_URL = 1000

_COLOURS: dict[StatusCategory, Colour] = {
    StatusCategory.TODO: "gray",
    StatusCategory.DOING: "blue",
    StatusCategory.DONE: "green",
    StatusCategory.DROPPED: "purple",
}
_JOINER = "\u200d"


class CellState(StrEnum):
    INITIAL = "initial"
    PROGRESS = "progress"
    CONNECTED = "connected"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Cell:
    state: CellState
    label: str = ""
    hover_label: str = ""
    tooltip: str = ""
    colour: Colour = "gray"
    url: str = ""
    message: str = ""


INITIAL = Cell(CellState.INITIAL)
PROGRESS = Cell(CellState.PROGRESS)


def connected_cell(ref: TicketRef, title: str, status: TicketStatus) -> Cell:
    return Cell(
        CellState.CONNECTED,
        label=shorten(status.name, MAX_CELL_LABEL) or "Linked",
        hover_label=shorten(ref.label, MAX_CELL_LABEL) or "Open",
        tooltip=shorten(f"{ref.label} {title}", MAX_TOOLTIP) or "Open the ticket",
        colour=_COLOURS[status.category],
        url=ref.url[:MAX_URL],
    )


def undecided_cell(ref: TicketRef, page: str) -> Cell:
    """A decision waits: the cell leads to the Link's page instead of the ticket."""
    return Cell(
        CellState.CONNECTED,
        label="Decide",
        hover_label=shorten(ref.label, MAX_CELL_LABEL) or "Open",
        tooltip=shorten(f"{ref.label} both sides changed: open to decide", MAX_TOOLTIP),
        colour="orange",
        url=page[:MAX_URL],
    )


def error_cell(message: str, page: str = "") -> Cell:
    """The sentence is cut, the address of the Link's page never is."""
    tail = f" {page}" if page and len(page) < MAX_MESSAGE - 60 else ""
    return Cell(CellState.ERROR, message=shorten(message, MAX_MESSAGE - len(tail)) + tail)


def shorten(text: str, limit: int) -> str:
    """At most `limit` UTF-16 units (how Productboard counts is unknown; these are never fewer than code points).

    Cuts at grapheme borders: no combining mark, variation selector or joined emoji is torn apart.
    """
    text = " ".join(text.split())
    if _units(text) <= limit:
        return text
    kept, room = "", limit - 1
    for cluster in _clusters(text):
        room -= _units(cluster)
        if room < 0:
            break
        kept += cluster
    return kept.rstrip() + "…"


def _units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _clusters(text: str) -> list[str]:
    clusters: list[str] = []
    for char in text:
        if clusters and (_extends(char) or clusters[-1].endswith(_JOINER) or _pairs(clusters[-1], char)):
            clusters[-1] += char
        else:
            clusters.append(char)
    return clusters


def _extends(char: str) -> bool:
    skin_tone = "\U0001f3fb" <= char <= "\U0001f3ff"
    return char == _JOINER or skin_tone or unicodedata.category(char) in ("Mn", "Me", "Mc")


def _pairs(cluster: str, char: str) -> bool:
    """Two regional indicators make one flag."""
    return len(cluster) == 1 and all("\U0001f1e6" <= each <= "\U0001f1ff" for each in cluster + char)
