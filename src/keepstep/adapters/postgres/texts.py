"""Text that PostgreSQL cannot keep is refused before it is sent, as the input of a person or a sender that it is.

PostgreSQL's text has no U+0000, and UTF-8 has no half of a surrogate pair. Both can stand in a form, an address or a
notification; without this they would come back as a fault of the database.
"""

from psycopg import adapters
from psycopg.abc import Buffer
from psycopg.adapt import AdaptersMap
from psycopg.types.string import StrDumperUnknown

from keepstep.domain.errors import InvalidInputError


class StorableText(StrDumperUnknown):
    """Raises InvalidInputError; which field it was is not known here."""

    def dump(self, obj: str) -> Buffer | None:
        if "\0" in obj or (not obj.isascii() and any("\ud800" <= each <= "\udfff" for each in obj)):
            raise InvalidInputError(
                "", "A text holds a character that cannot be stored (U+0000 or half a pair). Take it out."
            )
        return super().dump(obj)


def storable_texts() -> AdaptersMap:
    """For the connections of a pool."""
    checked = AdaptersMap(adapters)
    checked.register_dumper(str, StorableText)
    return checked
