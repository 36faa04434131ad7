"""What people paste to name an issue: its address in one of several forms, "group/project#14", "#14", or "14"."""

import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

_PAGE = re.compile(r"/(?P<project>.+?)(?:/-)?/(?:issues|work_items)/(?P<iid>[0-9]{1,18})(?:/.*)?$")
_REFERENCE = re.compile(r"(?:(?P<project>[^\s#]+)#|#?)(?P<iid>[0-9]{1,18})$")


@dataclass(frozen=True, slots=True)
class Place:
    iid: str
    project: str = ""
    """Path of the project, lower case; "" for whichever is at hand."""
    host: str = ""

    def names(self, web_url: str, api_host: str) -> bool:
        """Whether the issue at `web_url` is meant. Its host may differ from the API's, behind a proxy."""
        real = place_of(web_url)
        if real is None or real.iid != self.iid:
            return False
        if self.host and self.host not in (real.host, api_host.lower()):
            return False
        return not self.project or real.project == self.project or real.project.endswith("/" + self.project)


def place_of(address: str) -> Place | None:
    """None for what names no issue."""
    text = address.strip()
    reference = _REFERENCE.fullmatch(text)
    if reference:
        return Place(reference["iid"], (reference["project"] or "").strip("/").lower())
    try:
        parts = urlsplit(text if "://" in text else f"https://{text}")
    except ValueError:
        return None
    page = _PAGE.fullmatch(unquote(parts.path))
    if page is None or not parts.netloc:
        return None
    return Place(page["iid"], page["project"].lower(), parts.netloc.rpartition("@")[2].lower())
