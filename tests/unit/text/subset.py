"""A second opinion on what Productboard accepts, written from its published rules and not from the writer."""

from xml.etree import ElementTree as ET

TAGS = {"h1", "h2", "p", "b", "i", "u", "s", "code", "pre", "blockquote", "ul", "ol", "li", "a", "hr"}
RICH_TAGS = TAGS | {"table", "thead", "tbody", "tr", "th", "td"}
ATTRIBUTES = {"a": {"href"}}
RICH_ATTRIBUTES = {"a": {"href"}, "ul": {"data-type"}, "li": {"data-checked"}, "pre": {"data-language"}}


def faults(html, *, rich):
    """Every reason to refuse the text."""
    try:
        body = ET.fromstring(f"<body>{html}</body>")
    except ET.ParseError as error:
        return [f"not well-formed: {error}"]
    tags, attributes = (RICH_TAGS, RICH_ATTRIBUTES) if rich else (TAGS, ATTRIBUTES)
    found = []
    for element in body.iter():
        if element is body:
            continue
        if element.tag not in tags:
            found.append(f"tag {element.tag}")
        if unknown := set(element.attrib) - attributes.get(element.tag, set()) - _of_node(element):
            found.append(f"attributes {sorted(unknown)} on {element.tag}")
    if (body.text or "").strip() or any((child.tail or "").strip() for child in body):
        found.append("bare text")
    return found


def _of_node(element):
    """What Productboard itself set on an anchor of embedded content."""
    return set(element.attrib) if element.get("href", "").startswith("urn:pb:node:") else set()
