"""What people paste to name an issue: the address of its page, of a board where it is selected, or its key."""

import re
from urllib.parse import parse_qs, urlsplit

_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_]+-[0-9]{1,18}")
_BROWSE = re.compile(r"/(?:browse|issues)/(?P<key>[A-Za-z][A-Za-z0-9_]+-[0-9]{1,18})/?$")


def key_of(address: str, site: str) -> str:
    """The key in capitals; "" for what names no issue of this site."""
    text = address.strip()
    if _KEY.fullmatch(text):
        return text.upper()
    try:
        parts = urlsplit(text if "://" in text else f"https://{text}")
    except ValueError:
        return ""
    if parts.netloc.rpartition("@")[2].lower() != urlsplit(site).netloc.lower():
        return ""
    page = _BROWSE.search(parts.path)
    selected = parse_qs(parts.query).get("selectedIssue", [""])[0]
    key = page["key"] if page else selected
    return key.upper() if _KEY.fullmatch(key) else ""
