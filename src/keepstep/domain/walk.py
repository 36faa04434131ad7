"""Walking through blocks: their words, their runs of text, their links."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from keepstep.domain.inlines import flatten, inline_text, placeholder
from keepstep.domain.nodes import (
    Block,
    BulletList,
    CodeBlock,
    Emphasis,
    Heading,
    Inline,
    Link,
    OpaqueBlock,
    OrderedList,
    Paragraph,
    Quote,
    Rule,
    Strike,
    Strong,
    Table,
    Underline,
)


def block_text(block: Block) -> str:
    match block:
        case Paragraph() | Heading():
            return inline_text(block.children)
        case CodeBlock():
            return block.text
        case Quote():
            return "\n".join(map(block_text, block.blocks))
        case BulletList() | OrderedList():
            return "\n".join(block_text(inner) for item in block.items for inner in item.blocks)
        case Table():
            return "\n".join(" ".join(map(inline_text, row)) for row in (block.header, *block.rows))
        case Rule():
            return ""
        case OpaqueBlock():
            return placeholder(block.label)


def inlines_in(block: Block) -> Iterator[tuple[Inline, ...]]:
    """Every run of text in the block."""
    match block:
        case Paragraph() | Heading():
            yield block.children
        case Quote():
            for inner in block.blocks:
                yield from inlines_in(inner)
        case BulletList() | OrderedList():
            for item in block.items:
                for inner in item.blocks:
                    yield from inlines_in(inner)
        case Table():
            for row in (block.header, *block.rows):
                yield from row
        case CodeBlock() | Rule() | OpaqueBlock():
            return


def links_in(blocks: Iterable[Block]) -> Iterator[Link]:
    """Every link, without its text but where it stands for embedded content."""
    for block in blocks:
        for children in inlines_in(block):
            for run in flatten(children):
                if run.link is not None:
                    yield run.link
                if isinstance(run.leaf, Link):
                    yield run.leaf


def addresses_in(children: Iterable[Inline]) -> Iterator[str]:
    """Where the links in a run of text lead."""
    for child in children:
        match child:
            case Link():
                yield child.href
                yield from addresses_in(child.children)
            case Strong() | Emphasis() | Underline() | Strike():
                yield from addresses_in(child.children)
            case _:
                pass


def with_inlines(block: Block, change: Callable[[tuple[Inline, ...]], tuple[Inline, ...]]) -> Block:
    """The block with every run of text changed."""
    match block:
        case Paragraph() | Heading():
            return replace(block, children=change(block.children))
        case Quote():
            return replace(block, blocks=tuple(with_inlines(inner, change) for inner in block.blocks))
        case BulletList() | OrderedList():
            items = tuple(
                replace(item, blocks=tuple(with_inlines(inner, change) for inner in item.blocks))
                for item in block.items
            )
            return replace(block, items=items)
        case Table():
            header = tuple(map(change, block.header))
            return replace(block, header=header, rows=tuple(tuple(map(change, row)) for row in block.rows))
        case CodeBlock() | Rule() | OpaqueBlock():
            return block
