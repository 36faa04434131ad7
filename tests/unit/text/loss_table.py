"""The loss tables of `docs/text.md`, made by sending each construct from one format through another and back.

`make text-table` writes them between two marks of that page; a test holds the page against what they say today.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from keepstep.adapters.formats.adf import Adf
from keepstep.adapters.formats.jira_wiki import JiraWiki
from keepstep.adapters.formats.markdown import GITHUB, GITLAB, Markdown
from keepstep.adapters.formats.productboard_html import ProductboardHtml
from keepstep.adapters.formats.textile import Textile
from keepstep.adapters.trackers.linear.text import LinearMarkdown
from keepstep.domain.document import Document, OpaqueBlock, carry_over, fresh
from keepstep.ports.text import TextFormat

PAGE = Path(__file__).parents[3] / "docs" / "text.md"
BEGIN, END = "<!-- made by `make text-table` from here -->", "<!-- to here -->"
BOARD = ProductboardHtml()
TRACKERS = {
    "Markdown, GitLab": Markdown(GITLAB),
    "Markdown, GitHub": Markdown(GITHUB),
    "Markdown, Linear": LinearMarkdown(),
    "ADF": Adf(),
    "Textile": Textile(),
    "Jira wiki": JiraWiki(),
}
_LONGEST = 64

FROM_BOARD = {
    "heading 1": "<h1>Goal</h1>",
    "heading 2": "<h2>Goal</h2>",
    "bold": "<p>a <b>word</b></p>",
    "italics": "<p>a <i>word</i></p>",
    "underline": "<p>a <u>word</u></p>",
    "strikethrough": "<p>a <s>word</s></p>",
    "bold inside a word": "<p>key<b>board</b></p>",
    "inline code": "<p>a <code>word</code></p>",
    "link": '<p>a <a href="https://example.org/x">word</a></p>',
    "bare address": '<p><a href="https://example.org/x">https://example.org/x</a></p>',
    "embedded content": '<p>by <a href="urn:pb:node:mention/7">@Jane</a></p>',
    "list": "<ul><li>one</li><li>two</li></ul>",
    "nested list": "<ul><li>one<ul><li>two</li></ul></li></ul>",
    "numbered list": "<ol><li>one</li><li>two</li></ol>",
    "two paragraphs in an item": "<ul><li><p>one</p><p>two</p></li></ul>",
    "checklist": '<ul data-type="checklist"><li data-checked="true">one</li></ul>',
    "table": "<table><thead><tr><th>A</th></tr></thead><tbody><tr><td>1</td></tr></tbody></table>",
    "quote": "<blockquote><p>said</p></blockquote>",
    "code block": "<pre>x = 1</pre>",
    "code block with language": '<pre data-language="python"><code>x = 1</code></pre>',
    "rule": "<hr/>",
    "signs in text": "<p>2 * 3 * 4, a_b, [x], #1 and @jane</p>",
    "unknown element": "<x-card>words</x-card>",
}
_MARKDOWN = {
    "heading 3": "### Goal",
    "hard line break": "one\\\ntwo",
    "image": "![a picture](https://example.org/x.png)",
    "link with title": '[word](https://example.org/x "note")',
    "list that begins with 3": "3. one\n4. two",
    "task": "- [x] one",
    "aligned table": "| A | B |\n|:--|--:|\n| 1 | 2 |",
    "HTML block": "<details><summary>More</summary>\n\nwords\n\n</details>",
    "mention": "ask @jane",
    "reference": "see #12",
    "nested quote": "> one\n>\n> > two",
    "code block in an item": "- one\n\n  ```\n  x = 1\n  ```",
}
FROM_TRACKER: dict[str, dict[str, str]] = {
    "Markdown, GitLab": _MARKDOWN | {"contents mark": "[[_TOC_]]", "footnote": "a word[^1]\n\n[^1]: note"},
    "Markdown, Linear": _MARKDOWN,
    "Markdown, GitHub": _MARKDOWN | {"alert": "> [!NOTE]\n> words"},
    "ADF": {
        "panel": '{"type":"panel","attrs":{"panelType":"info"},"content":[{"type":"paragraph","content":[{"type":"text","text":"words"}]}]}',  # noqa: E501
        "mention": '{"type":"paragraph","content":[{"type":"mention","attrs":{"id":"1","text":"@Jane"}}]}',
        "emoji": '{"type":"paragraph","content":[{"type":"emoji","attrs":{"shortName":":smile:","text":"😄"}}]}',
        "coloured text": '{"type":"paragraph","content":[{"type":"text","text":"red","marks":[{"type":"textColor","attrs":{"color":"#ff0000"}}]}]}',  # noqa: E501
        "heading 3": '{"type":"heading","attrs":{"level":3},"content":[{"type":"text","text":"Goal"}]}',
        "hard line break": '{"type":"paragraph","content":[{"type":"text","text":"one"},{"type":"hardBreak"},{"type":"text","text":"two"}]}',  # noqa: E501
    },
    "Textile": {
        "heading 3": "h3. Goal",
        "line break": "one\ntwo",
        "image": "!https://example.org/x.png(a picture)!",
        "macro": "{{toc}}",
        "wiki link": "see [[Page]]",
        "mention": "ask @jane",
        "reference": "see #12",
        "coloured text": "%{color:red}words%",
        "line ends CR LF": "one\r\n\r\ntwo",
    },
    "Jira wiki": {
        "heading 3": "h3. Goal",
        "line break": "one\ntwo",
        "image": "!https://example.org/x.png|alt=a picture!",
        "panel": "{panel:title=x}\nwords\n{panel}",
        "mention": "ask [~jdoe]",
        "coloured text": "{color:red}words{color}",
        "attachment": "[^file.pdf]",
    },
}


def tables() -> str:
    parts = [
        "From Productboard into the tracker. *kept*: read there as the same; otherwise what stands there instead.",
        "\n".join(_from_board()),
        (
            "From the tracker into Productboard. Every one of them came back byte for byte when its block was left\n"
            "alone, unless *rewritten* stands beside it. *placeholder*: `⟦panel words 73087a19⟧` or the like."
        ),
        "\n".join(_from_trackers()),
    ]
    return "\n\n".join(parts)


def _from_board() -> Iterator[str]:
    yield f"| construct | {' | '.join(TRACKERS)} |"
    yield f"|---{'|---' * len(TRACKERS)}|"
    for name, html in FROM_BOARD.items():
        document = BOARD.read(html)
        yield f"| {name} | {' | '.join(_fate(document, there) for there in TRACKERS.values())} |"


def _from_trackers() -> Iterator[str]:
    yield "| in | construct | in Productboard |"
    yield "|---|---|---|"
    for tracker, constructs in FROM_TRACKER.items():
        text = TRACKERS[tracker]
        for name, source in constructs.items():
            whole = f'{{"version":1,"type":"doc","content":[{source}]}}' if tracker == "ADF" else source
            document = text.read(whole)
            visited = BOARD.read(BOARD.write(document))
            back = text.write(carry_over(visited, document, lambda one: BOARD.read(BOARD.write(one))))
            note = "" if back == whole else ", rewritten"
            yield f"| {tracker} | {name} | {_fate(document, BOARD)}{note} |"


def _fate(document: Document, other: TextFormat) -> str:
    written = other.write(document)
    if other.read(written) == fresh(document):
        holds = any(isinstance(block, OpaqueBlock) for block in document.blocks)
        return "placeholder" if holds else "kept"
    shown = " ".join(_words(written, other).split()).replace("|", "\\|").replace("`", "'")
    return f"`{shown if len(shown) <= _LONGEST else shown[: _LONGEST - 1] + '…'}`"


def _words(written: str, other: TextFormat) -> str:
    """Of JSON only what tells something."""
    if other.name != "adf":
        return written
    return ", ".join(re.findall(r'"(?:type|text|level|start)":"?([^",}]+)', written)[1:])


def page() -> str:
    """The page as it should be."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{tables()}\n\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(page())
    sys.stdout.write(f"{PAGE.name}: {len(FROM_BOARD)} + {sum(map(len, FROM_TRACKER.values()))} constructs\n")
