"""What people paste to name an issue: the address of its page, "owner/name#14", "#14", or "14"."""

import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

_PAGE = re.compile(r"/(?P<repository>[^/]+/[^/]+)/issues/(?P<number>[0-9]{1,18})/?")
_REFERENCE = re.compile(r"(?:(?P<repository>[^\s#/]+/[^\s#/]+)#|#?)(?P<number>[0-9]{1,18})")


@dataclass(frozen=True, slots=True)
class Place:
    number: str
    repository: str = ""
    """owner/name, lower case; "" for whichever is at hand."""
    host: str = ""

    def names(self, page: str) -> bool:
        """Whether the issue with that page is meant."""
        real = place_of(page)
        if real is None or real.number != self.number:
            return False
        return self.host in ("", real.host) and self.repository in ("", real.repository)


def place_of(address: str) -> Place | None:
    """None for what names no issue."""
    text = address.strip()
    reference = _REFERENCE.fullmatch(text)
    if reference:
        return Place(str(int(reference["number"])), (reference["repository"] or "").lower())
    try:
        parts = urlsplit(text if "://" in text else f"https://{text}")
    except ValueError:
        return None
    page = _PAGE.fullmatch(unquote(parts.path))
    if page is None or not parts.netloc:
        return None
    host = parts.netloc.rpartition("@")[2].lower().removeprefix("www.")
    return Place(str(int(page["number"])), page["repository"].lower(), host)
