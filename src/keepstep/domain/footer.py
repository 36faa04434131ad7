"""The managed footer of a ticket: the link back to the feature, the Link's page, and the marker."""

from keepstep.domain.nodes import Block, Code, Inline, Link, Paragraph, Rule, Text

_UNTITLED = "Feature in Productboard"


def footer_blocks(feature_url: str, page: str, marker: str) -> tuple[Block, ...]:
    """Where the workspace gives its features no address, the footer has only our own page to lead to."""
    back: tuple[Inline, ...] = (Link(feature_url, (Text(_UNTITLED),)), Text(" · ")) if feature_url else ()
    kept = (Text("kept in step by "), Link(page, (Text("Keepstep"),)), Text(" · "), Code(marker))
    return Rule(), Paragraph((*back, *kept))
