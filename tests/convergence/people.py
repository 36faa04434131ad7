"""What people do to a text, on either side, as a person at an editor would; and what they may expect to see.

It knows both notations by a few patterns of its own and shares nothing with the readers and writers under test. Every
word is a token of its own (`w17`), so that each can be followed.
"""

import re
from dataclasses import dataclass
from html import unescape

from keepstep.domain.fields import Side

TOKEN = re.compile(r"(?<![a-z0-9])w\d+(?![a-z0-9])")
MARKER = re.compile(r"keepstep[0-9a-f]{32}")
_HTML_BLOCK = re.compile(r"<(p|h\d|ul|ol|pre|blockquote)\b[^>]*>.*?</\1>|<hr\s*/?>", re.DOTALL)
_FENCE = re.compile(r"^```.*?^```[^\S\n]*$", re.DOTALL | re.MULTILINE)
_RULE = re.compile(r"^\s*(?:-{3,}|\*{3,}|<hr\s*/?>)\s*$")

EDITS = (
    "reword",
    "more words",
    "new block",
    "struck block",
    "delete block",
    "swap blocks",
    "move block",
    "tick",
    "bold",
    "strike",
    "reformat",
    "drop footer",
    "move footer",
    "write below footer",
    "clear",
)


def tokens(text):
    return TOKEN.findall(text)


@dataclass(frozen=True)
class Hand:
    """One person's choices for one edit: where, and which words are new."""

    place: int
    other: int
    words: tuple[str, ...]


def edited(side: Side, text: str, edit: str, hand: Hand) -> str:
    """The text after the edit; the same text where the edit makes no sense."""
    blocks = split(side, text)
    own = [at for at, block in enumerate(blocks) if not is_footer(blocks, at)]
    match edit:
        case "reword" | "more words" | "bold" | "strike":
            return _at_a_word(side, text, blocks, own, edit, hand)
        case "new block" | "struck block":
            block = new_block(side, hand) if edit == "new block" else struck_block(side, hand)
            last = own[-1] + 1 if own else 0
            blocks.insert(min(hand.place % (len(own) + 1), last), block)
        case "delete block" if own:
            del blocks[own[hand.place % len(own)]]
        case "swap blocks" if len(own) > 1:
            one = hand.place % (len(own) - 1)
            blocks[own[one]], blocks[own[one + 1]] = blocks[own[one + 1]], blocks[own[one]]
        case "move block" if len(own) > 1:
            block = blocks.pop(own[hand.place % len(own)])
            blocks.insert(own[hand.other % len(own)], block)
        case "tick" if own:
            return _tick(side, text)
        case "reformat":
            return _reformatted(side, text)
        case "clear":
            blocks = [block for at, block in enumerate(blocks) if is_footer(blocks, at)]
        case "drop footer" | "move footer" | "write below footer":
            blocks = _with_footer_moved(side, blocks, edit, hand)
    return join(side, blocks)


def new_block(side: Side, hand: Hand) -> str:
    one, two, three = hand.words
    html = side is Side.FEATURE
    match hand.other % 5:
        case 0:
            return f"<p>{one} {two} {three}</p>" if html else f"{one} {two} {three}"
        case 1:
            return f"<h2>{one} {two}</h2>" if html else f"## {one} {two}"
        case 2:
            items = "".join(f"<li>{word}</li>" for word in hand.words)
            return f"<ul>{items}</ul>" if html else "\n".join(f"- {word}" for word in hand.words)
        case 3:
            boxes = "".join(f'<li data-checked="false"><p>{word}</p></li>' for word in hand.words)
            checklist = f'<ul data-type="checklist">{boxes}</ul>'
            return checklist if html else "\n".join(f"- [ ] {word}" for word in hand.words)
        case _:
            return f"<pre>{one}\n{two}</pre>" if html else f"```\n{one}\n{two}\n```"


def struck_block(side: Side, hand: Hand) -> str:
    """Of which the board stores less."""
    one, two, three = hand.words
    return f"<p>{one} <s>{two}</s> {three}</p>" if side is Side.FEATURE else f"{one} ~~{two}~~ {three}"


def _at_a_word(side, text, blocks, own, edit, hand):
    found = [
        match
        for match in TOKEN.finditer(text)
        if edit in ("reword", "more words") or _may_be_marked(text, match, blocks)
    ]
    if not found or not own:
        return text
    match = found[hand.place % len(found)]
    word, new = match.group(), hand.words[0]
    mark = {"bold": ("<b>", "</b>", "**"), "strike": ("<s>", "</s>", "~~")}.get(edit)
    if edit == "reword":
        put = new
    elif mark is None:
        put = f"{word} {new}"
    else:
        put = f"{mark[0]}{word}{mark[1]}" if side is Side.FEATURE else f"{mark[2]}{word}{mark[2]}"
    return text[: match.start()] + put + text[match.end() :]


def _may_be_marked(text, match, blocks):
    """Outside of code, and where nothing is marked yet."""
    block = next(each for each in blocks if match.group() in each)
    before, behind = text[: match.start()][-1:], text[match.end() :][:1]
    plain = before in ("", " ", "\n", ">") and behind in ("", " ", "\n", "<")
    return plain and not block.startswith(("<pre", "```")) and not re.search(r"[*_~]|<(?:b|s|strong)>", block)


def _tick(side, text):
    if side is Side.FEATURE:
        return text.replace('data-checked="false"', 'data-checked="true"', 1)
    return text.replace("[ ]", "[x]", 1)


def _reformatted(side, text):
    """Another notation for the same."""
    if side is Side.FEATURE:
        text = text.replace("<strong>", "<b>").replace("</strong>", "</b>")
        return re.sub(r"(</(?:p|h\d|ul)>)(?=<)", r"\1\n", text)
    text = re.sub(r"(?m)^- (?=\S)", "* ", text)
    return re.sub(r"\*\*(w\d+)\*\*", r"__\1__", text)


def _with_footer_moved(side, blocks, edit, hand):
    footer = [block for at, block in enumerate(blocks) if is_footer(blocks, at)]
    rest = [block for at, block in enumerate(blocks) if not is_footer(blocks, at)]
    if not footer or side is Side.FEATURE:
        return blocks
    match edit:
        case "drop footer":
            return rest
        case "move footer":
            return [*rest[: hand.place % (len(rest) + 1)], *footer, *rest[hand.place % (len(rest) + 1) :]]
    return [*blocks, new_block(side, hand)]


def split(side: Side, text: str) -> list[str]:
    """Top-level blocks, in order."""
    if side is Side.FEATURE:
        return [match.group() for match in _HTML_BLOCK.finditer(text)]
    parts, at = [], 0
    for fence in _FENCE.finditer(text):
        parts += [*re.split(r"\n\s*\n", text[at : fence.start()]), fence.group()]
        at = fence.end()
    parts += re.split(r"\n\s*\n", text[at:])
    return [part.strip("\n") for part in parts if part.strip() and part.strip() != "<!-- -->"]


def join(side: Side, blocks) -> str:
    """Lists that would grow together get a comment between them, as people's editors do."""
    if side is Side.FEATURE:
        return "".join(blocks)
    out = ""
    for at, block in enumerate(blocks):
        lists = at and _is_list(blocks[at - 1]) and _is_list(block)
        out += ("\n\n<!-- -->\n\n" if lists else "\n\n" if at else "") + block
    return out


def _is_list(block):
    return bool(re.match(r"[-*] ", block))


def is_footer(blocks, at):
    """Ours: what holds a marker, and the rule right before it."""
    if MARKER.search(blocks[at]):
        return True
    return bool(_RULE.match(blocks[at])) and at + 1 < len(blocks) and bool(MARKER.search(blocks[at + 1]))


def seen(side: Side, text: str) -> list[str]:
    """What a reader sees, line by line, in one notation for both sides; footers and strikethrough left out."""
    blocks = split(side, text)
    kept = [block for at, block in enumerate(blocks) if not is_footer(blocks, at)]
    lines = [
        line for block in kept for line in (_html_lines(block) if side is Side.FEATURE else _lines(block))
    ]
    # Whether the blank between two bold words is bold, nobody sees.
    return [
        line for line in (re.sub(r"\s+", " ", each).strip().replace("* *", " ") for each in lines) if line
    ]


def _html_lines(block):
    if block.startswith("<hr"):
        return ["---"]
    if block.startswith("<pre"):
        return [f"    {line}" for line in _plain(block).split("\n") if line.strip()]
    if block.startswith("<ul"):
        items = re.findall(r"<li([^>]*)>(.*?)</li>", block, re.DOTALL)
        return [f"- {_box(attributes)}{_plain(inner)}" for attributes, inner in items]
    return [("# " if block.startswith("<h") else "") + _plain(block)]


def _box(attributes):
    found = re.search(r'data-checked="(true|false)"', attributes)
    return "" if found is None else "[x] " if found.group(1) == "true" else "[ ] "


def _plain(html):
    html = re.sub(r"</?(?:b|strong)>", "*", html)
    return unescape(re.sub(r"<[^>]+>", "", html))


def _lines(block):
    if _RULE.match(block):
        return ["---"]
    if block.startswith("```"):
        return [f"    {line}" for line in block.split("\n")[1:-1] if line.strip()]
    text = re.sub(r"~~(.*?)~~", r"\1", block)
    text = re.sub(r"(?:\*\*|__)(.*?)(?:\*\*|__)", r"*\1*", text)
    text = re.sub(r"\\(?=[^\w\s])", "", text)
    out = []
    for line in text.split("\n"):
        item = re.match(r"\s*[-*] (.*)", line)
        heading = re.match(r"#+ (.*)", line)
        out.append(f"- {item.group(1)}" if item else f"# {heading.group(1)}" if heading else line)
    return out
