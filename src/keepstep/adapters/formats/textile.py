"""Textile as Redmine speaks it: `Textile()`.

How far an entity such as `&#42;` keeps a sign from acting follows from RedCloth 3's rules; see `textile_read`.
"""

import re
from collections.abc import Iterable, Sequence

from keepstep.adapters.formats.textile_read import ACTING, NAME, TextileReader, is_address
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
_END_OF_CODE = re.compile(r"</(?=(?:pre|code)>)", re.IGNORECASE)
_EDGE = "\x00"
"""The edge of a link, while a line is being put together; no text holds this character."""
_GLUED = re.compile(rf"(?<=[^\s{_EDGE}]){_EDGE}+(?=[^\s{_EDGE}])")
_PLAIN, _QUOTED, _ESCAPED, _BARE = range(4)
"""Spellings: as it is; addresses as links with words; every sign an entity; besides, no marks, spaces around links."""


class Textile(WikiWriter):
    name = NAME
    nested_quotes = True
    cares = 4
    rule = "---"

    def read(self, text: str) -> Document:
        return TextileReader().document(text)

    def code_block(self, text: str, language: str) -> str:
        shielded = _END_OF_CODE.sub("< /", text)
        if language:
            return f'<pre><code class="{language}">\n{shielded}\n</code></pre>'
        return f"<pre>\n{shielded}\n</pre>"

    def quote(self, text: str) -> str:
        return "\n".join(f"> {line}" if line else ">" for line in text.split("\n"))

    def head_row(self, cells: Sequence[str]) -> str:
        return self.row([f"_. {cell}" for cell in cells])

    def row(self, cells: Sequence[str]) -> str:
        return f"|{'|'.join(cell or ' ' for cell in cells)}|"

    def line(self, children: Iterable[Inline], care: int) -> str:
        text = self._line(children, care)
        if care == _BARE:
            text = _GLUED.sub(" ", text)
        return text.replace(_EDGE, "")

    def _line(self, children: Iterable[Inline], care: int) -> str:
        return "".join(self._inline(child, care) for child in children)

    def _inline(self, inline: Inline, care: int) -> str:
        match inline:
            case Text():
                return _escaped(inline, care)
            case Strong() | Emphasis() | Underline() | Strike():
                inside = self._line(inline.children, care)
                sign = SIGN_OF[type(inline)]
                return inside if care == _BARE else f"{sign}{inside}{sign}"
            case Code(text):
                return self._code(text, care)
            case LineBreak():
                return "\n"
            case Link():
                return f"{_EDGE}{self._link(inline, care)}{_EDGE}"
            case Image(src, alt):
                return self._image(src, alt, care)
            case Opaque(label, format_name, content):
                own = format_name == self.name and content and care != _BARE
                return content if own else placeholder(label)

    @staticmethod
    def _code(text: str, care: int) -> str:
        if care == _BARE:
            return _escaped(Text(text), _ESCAPED)
        return f"<code>{text}</code>" if care > _QUOTED or "@" in text else f"@{text}@"

    @staticmethod
    def _image(src: str, alt: str, care: int) -> str:
        if care == _BARE:
            return _escaped(Text(alt or src), _ESCAPED)
        return f"!{src}({alt})!" if alt else f"!{src}!"

    def _link(self, link: Link, care: int) -> str:
        words = inline_text(link.children).replace("\n", " ")
        if words == link.href and not link.is_node and care == _PLAIN:
            return link.href
        inside = _escaped(Text(words), _ESCAPED) if care else self._line(link.children, care)
        inside = inside.replace("\n", " ")
        if care == _BARE and not is_address(link.href):
            return inside
        return f'"{inside}":{link.href}'


def _escaped(text: Text, care: int) -> str:
    """The text as Textile; its live words act as they did, all others are shielded."""
    out: list[str] = []
    at = 0
    for found in ACTING.finditer(text.text):
        out.append(_plain(text.text[at : found.start()], care))
        word = found.group()
        shielded = f"&#{ord(word[0])};{_plain(word[1:], care)}"
        out.append(word if word in text.live and care != _BARE else shielded)
        at = found.end()
    out.append(_plain(text.text[at:], care))
    return "".join(out)


def _plain(text: str, care: int) -> str:
    if care in (_PLAIN, _QUOTED):
        return _ENTITY.sub("&amp;", text)
    return _PUNCTUATION.sub(lambda found: f"&#{ord(found.group())};", text)
