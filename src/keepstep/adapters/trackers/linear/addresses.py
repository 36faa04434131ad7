"""What people paste to name an issue: its page's address, or "ENG-42"."""

import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

_IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9]{0,19}-[0-9]{1,9}")
_PAGE = re.compile(rf"/(?P<workspace>[^/]+)/issue/(?P<identifier>{_IDENTIFIER.pattern})(?:/.*)?")


@dataclass(frozen=True, slots=True)
class Place:
    identifier: str
    """Upper case. An issue that moved to another team answers to its old one, too."""
    host: str = ""
    workspace: str = ""

    def names(self, url: str) -> bool:
        """Whether the issue of that page may be meant: it is in the same workspace."""
        real = place_of(url)
        return not self.host or (
            real is not None and (real.host, real.workspace) == (self.host, self.workspace)
        )


def place_of(address: str) -> Place | None:
    """None for what names no issue."""
    text = address.strip()
    if _IDENTIFIER.fullmatch(text):
        return Place(text.upper())
    try:
        parts = urlsplit(text if "://" in text else f"https://{text}")
    except ValueError:
        return None
    page = _PAGE.fullmatch(unquote(parts.path))
    if page is None or not parts.hostname:
        return None
    return Place(page["identifier"].upper(), parts.hostname, page["workspace"].lower())
