"""Identifiers, each a type of its own so that they cannot be mixed up."""

import re
from typing import NewType

IntegrationId = NewType("IntegrationId", str)
"""Unguessable: it is the public name of an integration in every callback address."""
LinkId = NewType("LinkId", str)
"""32 hexadecimal digits; the marker in the ticket is made of them."""
FeatureId = NewType("FeatureId", str)
TicketId = NewType("TicketId", str)
"""The tracker's stable id, unique within its account."""
StatusId = NewType("StatusId", str)
BulkId = NewType("BulkId", str)
"""32 hexadecimal digits."""
SecretRef = NewType("SecretRef", str)
"""Names a secret in the vault; never the secret itself."""

_MARKER = re.compile(r"keepstep[0-9a-f]{32}")


def marker_of(link: LinkId) -> str:
    """The visible word by which a ticket is found again: one token for every search engine we know.

    No dashes (PostgreSQL's text search cuts words there) and under 50 characters (GitLab drops longer ones).
    """
    return f"keepstep{link}"


def markers_in(text: str) -> list[str]:
    return _MARKER.findall(text)
