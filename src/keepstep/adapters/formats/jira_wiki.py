"""Jira's wiki markup, as Jira Data Center keeps its descriptions: `JiraWiki()`."""

import re
from collections.abc import Iterable, Sequence
from urllib.parse import quote

from keepstep.adapters.formats.jira_wiki_read import ACTING, NAME, JiraReader, is_address
from keepstep.adapters.formats.wiki_inline import SIGN_OF
from keepstep.adapters.formats.wiki_write import WikiWriter
from keepstep.domain.document import (
    Code,
    Document,
    Emphasis,
    Image,
    Inline,
    LineBreak,
    Link,
    Opaque,
    Strike,
    Strong,
    Text,
    Underline,
)
from keepstep.domain.inlines import inline_text, placeholder

_PUNCTUATION = re.compile(r"[!-/:-@\[-`{-~]")
_ENTITY = re.compile(r"&(?=#?\w+;)")
_BRACKET = re.compile(r"\\?([\[\]|])")
"""Between the brackets of a link a backslash does not keep one from ending it."""
_HREF = re.compile(r"[\[\]|]")
_PLAIN, _ESCAPED, _BRACED, _BARE = range(4)
"""Spellings: as it is; every sign escaped; besides, marks in braces, which count inside words; no marks at all."""


class JiraWiki(WikiWriter):
    name = NAME
    nested_quotes = False
    cares = 4
    rule = "----"

    def read(self, text: str) -> Document:
        return JiraReader().document(text)

    def code_block(self, text: str, language: str) -> str:
        if "{code}" not in text:
            return f"{{code{':' if language else ''}{language}}}\n{text}\n{{code}}"
        if "{noformat}" not in text:
            return f"{{noformat}}\n{text}\n{{noformat}}"
        return self.code_block(text.replace("{code}", "{ code}"), language)

    def quote(self, text: str) -> str:
        return f"{{quote}}\n{text}\n{{quote}}"

    def head_row(self, cells: Sequence[str]) -> str:
        return f"||{'||'.join(cell or ' ' for cell in cells)}||"

    def row(self, cells: Sequence[str]) -> str:
        return f"|{'|'.join(cell or ' ' for cell in cells)}|"

    def line(self, children: Iterable[Inline], care: int) -> str:
        return "".join(self._inline(child, care) for child in children)

    def _inline(self, inline: Inline, care: int) -> str:
        match inline:
            case Text():
                return _escaped(inline, care)
            case Strong() | Emphasis() | Underline() | Strike():
                inside = self.line(inline.children, care)
                return _marked(SIGN_OF[type(inline)], inside, care)
            case Code(text):
                words = _plain(text, _ESCAPED)
                return words if care == _BARE else f"{{{{{words}}}}}"
            case LineBreak():
                return "\n"
            case Link():
                return self._link(inline, care)
            case Image(src, alt):
                if care == _BARE:
                    return _escaped(Text(alt or src), _ESCAPED)
                return f"!{src}|alt={alt}!" if alt else f"!{src}!"
            case Opaque(label, format_name, content):
                own = format_name == self.name and content and care != _BARE
                return content if own else placeholder(label)

    def _link(self, link: Link, care: int) -> str:
        words = inline_text(link.children).replace("\n", " ")
        if words == link.href and is_address(words):
            return link.href if care == _PLAIN else f"[{link.href}]"
        inside = self.line(link.children, care) if care != _BARE else _plain(words, _ESCAPED)
        inside = inside.replace("\n", " ")
        inside = _BRACKET.sub(lambda found: f"&#{ord(found.group(1))};", inside)
        return f"[{inside}|{_HREF.sub(lambda found: quote(found.group()), link.href)}]"


def _marked(sign: str, inside: str, care: int) -> str:
    if care == _BARE:
        return inside
    around = f"{{{sign}}}" if care == _BRACED else sign
    return f"{around}{inside}{around}"


def _escaped(text: Text, care: int) -> str:
    """The text as Jira's markup; its live words act as they did, all others are shielded."""
    out: list[str] = []
    at = 0
    for found in ACTING.finditer(text.text):
        out.append(_plain(text.text[at : found.start()], care))
        word = found.group()
        out.append(word if word in text.live and care != _BARE else _plain(word, _ESCAPED))
        at = found.end()
    out.append(_plain(text.text[at:], care))
    return "".join(out)


def _plain(text: str, care: int) -> str:
    if care == _PLAIN:
        return _ENTITY.sub("&amp;", text).replace("\\", "&#92;")
    return _PUNCTUATION.sub(_shielded, text)


def _shielded(found: re.Match[str]) -> str:
    """A backslash before another one is a line break, and `&` is where an entity begins."""
    sign = found.group()
    return f"&#{ord(sign)};" if sign in "\\&" else f"\\{sign}"
