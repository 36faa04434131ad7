"""The fields that are kept in step, and the sides they stand on."""

import hashlib
from dataclasses import dataclass
from enum import StrEnum

from keepstep.domain.ids import StatusId


class Side(StrEnum):
    FEATURE = "feature"
    TICKET = "ticket"

    @property
    def other(self) -> "Side":
        return Side.TICKET if self is Side.FEATURE else Side.FEATURE


class Field(StrEnum):
    TITLE = "title"
    DESCRIPTION = "description"
    STATUS = "status"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The kept fields of one side, exactly as read; the base is one snapshot per side.

    The canonical form is always computed from the exact text, never stored: after an upgrade of a reader both
    the base and the present are read by the same code, so the upgrade itself is no change.
    """

    title: str
    description: str
    """In the side's own format, managed footers included."""
    status: StatusId | None

    def value(self, field: Field) -> str:
        """The exact value; "" stands for no status."""
        match field:
            case Field.TITLE:
                return self.title
            case Field.DESCRIPTION:
                return self.description
            case Field.STATUS:
                return self.status or ""

    @property
    def digest(self) -> str:
        whole = "\0".join((self.title, self.description, self.status or ""))
        return hashlib.blake2b(whole.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def normal_title(title: str) -> str:
    """Titles are compared by their words: both sides trim and fold white space in their own ways."""
    return " ".join(title.split())
