"""Atlassian's document format, by construct; what we write is held against the vendor's schema."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from jsonschema import Draft4Validator

from keepstep.adapters.formats.adf import Adf
from keepstep.adapters.formats.productboard_html import ProductboardHtml
from keepstep.domain.document import carry_over, fresh, normalise, plain_text
from unit.text.documents import documents
from unit.text.settings import some

adf = Adf()
board = ProductboardHtml()
SCHEMA = Path(__file__).parents[4] / "shared" / "openapi" / "jira-cloud" / "adf-v1-full.schema.json"
PANEL = {
    "type": "panel",
    "attrs": {"panelType": "warning"},
    "content": [{"type": "paragraph", "content": [{"type": "text", "text": "Deploy first"}]}],
}
MENTION = {"type": "mention", "attrs": {"id": "712020:9f", "text": "@Jane Doe", "accessLevel": ""}}


def doc(*content):
    return json.dumps({"version": 1, "type": "doc", "content": list(content)}, separators=(",", ":"))


def paragraph(*content):
    return {
        "type": "paragraph",
        "content": [{"type": "text", "text": x} if isinstance(x, str) else x for x in content],
    }


def text(words, *marks):
    return {
        "type": "text",
        "text": words,
        "marks": [mark if isinstance(mark, dict) else {"type": mark} for mark in marks],
    }


@pytest.fixture(scope="module")
def schema():
    if not SCHEMA.exists():
        pytest.skip("the vendor's schema is not beside this checkout")
    return Draft4Validator(json.loads(SCHEMA.read_text()))


@some
@given(document=documents)
def test_it_reads_back_what_it_says_is_shown(document):
    written = adf.write(document)
    assert adf.read(written) == adf.shown(document)
    assert adf.write(fresh(adf.read(written))) == written


def test_everything_written_is_valid_by_the_vendors_schema(schema):
    @some
    @given(document=documents)
    def check(document):
        assert list(schema.iter_errors(json.loads(adf.write(document)))) == []

    check()
    assert list(schema.iter_errors({"type": "doc", "content": []})), "the schema refuses nothing"


@pytest.mark.parametrize(
    ("content", "html"),
    [
        ([paragraph("a ", text("b", "strong"), text("c", "em", "strong"))], "<p>a <b>b<i>c</i></b></p>"),
        ([paragraph(text("x", "code"))], "<p><code>x</code></p>"),
        ([paragraph("a", {"type": "hardBreak"}, "b")], "<p>a</p><p>b</p>"),
        (
            [paragraph(text("here", {"type": "link", "attrs": {"href": "https://x.example"}}))],
            '<p><a href="https://x.example">here</a></p>',
        ),
        ([{"type": "heading", "attrs": {"level": 3}, "content": [text("h")]}], "<h2>h</h2>"),
        ([{"type": "rule"}], "<hr/>"),
        (
            [
                {
                    "type": "codeBlock",
                    "attrs": {"language": "python"},
                    "content": [{"type": "text", "text": "a\n b"}],
                }
            ],
            '<pre data-language="python"><code>a\n b</code></pre>',
        ),
        (
            [
                {
                    "type": "taskList",
                    "attrs": {"localId": "1"},
                    "content": [
                        {
                            "type": "taskItem",
                            "attrs": {"localId": "2", "state": "DONE"},
                            "content": [text("a")],
                        },
                        {
                            "type": "taskList",
                            "attrs": {"localId": "3"},
                            "content": [
                                {
                                    "type": "taskItem",
                                    "attrs": {"localId": "4", "state": "TODO"},
                                    "content": [text("b")],
                                }
                            ],
                        },
                    ],
                }
            ],
            (
                '<ul data-type="checklist"><li data-checked="true"><p>a</p><ul data-type="checklist">'
                '<li data-checked="false"><p>b</p></li></ul></li></ul>'
            ),
        ),
        (
            [
                {
                    "type": "table",
                    "content": [
                        {
                            "type": "tableRow",
                            "content": [{"type": "tableHeader", "content": [paragraph("a")]}],
                        },
                        {"type": "tableRow", "content": [{"type": "tableCell", "content": [paragraph("1")]}]},
                    ],
                }
            ],
            "<table><thead><tr><th>a</th></tr></thead><tbody><tr><td>1</td></tr></tbody></table>",
        ),
        ([paragraph({"type": "emoji", "attrs": {"shortName": ":smile:", "text": "😄"}})], "<p>😄</p>"),
        (
            [paragraph({"type": "inlineCard", "attrs": {"url": "https://x.example/1"}})],
            '<p><a href="https://x.example/1">https://x.example/1</a></p>',
        ),
    ],
)
def test_constructs_are_shown_in_productboard(content, html):
    assert board.write(adf.read(doc(*content))) == html


@pytest.mark.parametrize(
    ("node", "words"),
    [
        (PANEL, "panel Deploy first"),
        (paragraph(MENTION), "mention Jane Doe"),
        (
            paragraph({"type": "status", "attrs": {"text": "IN PROGRESS", "color": "blue"}}),
            "status IN PROGRESS",
        ),
        (paragraph({"type": "date", "attrs": {"timestamp": "1795392000000"}}), "date 2026-11-23"),
        (
            {
                "type": "mediaSingle",
                "attrs": {"layout": "center"},
                "content": [{"type": "media", "attrs": {"type": "file", "id": "1", "collection": "c"}}],
            },
            "mediaSingle",
        ),
        ({"type": "expand", "attrs": {"title": "More"}, "content": [paragraph("x")]}, "expand More"),
        (
            {
                "type": "table",
                "content": [
                    {
                        "type": "tableRow",
                        "content": [
                            {"type": "tableCell", "attrs": {"colspan": 2}, "content": [paragraph("a")]}
                        ],
                    }
                ],
            },
            "table a",
        ),
    ],
)
def test_what_is_jiras_own_shows_as_a_placeholder_and_comes_back(node, words, schema):
    original = doc(paragraph("Before"), node, paragraph("After"))
    assert list(schema.iter_errors(json.loads(original))) == []
    document = adf.read(original)
    html = board.write(document)
    assert f"⟦{words} " in html
    back = carry_over(board.read(html.replace("Before", "Edited")), document)
    assert adf.write(back) == original.replace("Before", "Edited")
    unbound = adf.write(fresh(back))
    assert json.loads(unbound)["content"][1] == node
    assert list(schema.iter_errors(json.loads(unbound))) == []


def test_a_mention_survives_an_edit_of_its_line():
    original = doc(paragraph("Ask ", MENTION, " first"))
    document = adf.read(original)
    edited = board.read(board.write(document).replace("first", "last"))
    assert adf.write(carry_over(edited, document)) == original.replace("first", "last")


@pytest.mark.parametrize(
    "original",
    [
        '{"type":"doc","version":1,"content":[]}',
        '{\n  "version": 1,\n  "type": "doc",\n  "content": [\n    {"type": "rule"},\n    {"type": "rule"}\n  ]\n}',
        '{"content":[{"type":"paragraph","content":[{"type":"text","text":"a\\u00e4"}]}],"version":1,"type":"doc"}',
        doc(paragraph(), paragraph("a"), paragraph()),
    ],
)
def test_an_untouched_document_keeps_its_spelling(original):
    written = adf.write(adf.read(original))
    assert written == original or json.loads(written) == {"version": 1, "type": "doc", "content": []}


def test_taking_away_either_end_leaves_a_document():
    line = '{"type":"paragraph","content":[{"type":"text","text":"a"}]}'
    original = f'{{"content":[{{"type":"rule"}},{line}],"type":"doc","version":1}}'
    document = adf.read(original)
    for left in (document.blocks[:1], document.blocks[1:], ()):
        written = json.loads(adf.write(type(document)(left)))
        assert (written["type"], written["version"], len(written["content"])) == ("doc", 1, len(left))


@pytest.mark.parametrize(
    "source",
    [
        "", "plain words", "two\r\nlines\n\nand more", "{", "[]", "null", '{"type":"doc"}',
        '{"type":"doc","content":1}',
        '{"type":"doc","content":[1,null,{"type":7},{"type":"paragraph","content":[[],{"type":"text"}]}]}',
        '{"type":"doc","content":[{"type":"heading","attrs":[],"content":[{"type":"text","text":"a","marks":[1]}]}]}',
        "[" * 100_000, '{"type":"doc","content":' + "[" * 100_000, "1" * 10_000,
        doc({"type": "table", "content": []}), doc({"type": "date", "attrs": {"timestamp": "9" * 400}}),
        doc(json.loads('{"type":"blockquote","content":[' * 60 + "]}" * 60)),
    ],
)  # fmt: skip
def test_anything_is_read(source):
    document = adf.read(source)
    assert normalise(document) == document
    assert adf.read(adf.write(document)) == document


def test_plain_text_of_a_webhook_is_read_as_such():
    assert plain_text(adf.read("One\r\nline\r\n\r\nTwo")) == "One\nline\nTwo"


def test_equal_tasks_get_different_ids_and_the_same_ones_again():
    tasks = board.read(
        '<ul data-type="checklist"><li data-checked="false">a</li><li data-checked="false">a</li></ul>'
    )
    first = json.loads(adf.write(fresh(tasks)))["content"][0]
    ids = [item["attrs"]["localId"] for item in first["content"]]
    assert len(set(ids)) == 2
    assert adf.write(fresh(tasks)) == adf.write(fresh(tasks))
