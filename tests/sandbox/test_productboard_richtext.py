"""Which rich text the Productboard emulator takes and which it refuses."""

import pytest

from keepstep_sandbox.productboard.richtext import RichTextError, check_rich_text, node_anchors
from sandbox.productboard_desk import FEATURE, open_desk

TAKEN = [
    "",
    "<p></p>",
    "<h1>A</h1><h2>B</h2><p><b>b</b><i>i</i><u>u</u><s>s</s><code>c</code></p>",
    "<p>5 &lt; 6 &amp; 7 &gt; 6 &quot;q&quot; &apos;a&apos; &#8211; &#x2013;</p>",
    '<p><a href="https://a.example/?x=1&amp;y=2">link</a></p>',
    "<p><a href='https://a.example/'>single quotes</a></p>",
    '<p><img src="https://a.example/i.png" title="A"/></p>',
    '<img src="https://a.example/i.png"/>',
    "<ul><li>a<ul><li>b</li></ul></li></ul><ol><li><p>c</p></li></ol>",
    "<blockquote><p>q</p></blockquote><hr/><pre>x = 1\n  y</pre>",
    "<p>\n  text\n</p>\n<p>white space between blocks</p>",
    '<p><a href="urn:pb:node:1">@Ada</a></p>',
    '<a href="urn:pb:node:2">embed</a>',
]
TAKEN_SINCE_2026_09 = [
    "<table><thead><tr><th>H</th></tr></thead><tbody><tr><td><p>1</p></td><td><b>2</b></td></tr></tbody></table>",
    '<ul data-type="checklist"><li data-checked="true"><p>done</p></li><li data-checked="false"><p>open</p></li></ul>',
    '<pre data-language="python"><code>x = 1</code></pre>',
]
REFUSED = [
    "plain text",
    "<p>a</p> and text",
    "<strong>a</strong>",
    "<p><em>a</em></p>",
    "<div>a</div>",
    "<p><span>a</span></p>",
    "<h3>a</h3>",
    "<p>a<br/>b</p>",
    "<script>alert(1)</script>",
    "<p>a",
    "<p>a</b></p>",
    "<p><b>a</p></b>",
    "</p>",
    "<hr>",
    "<p>a & b</p>",
    "<p>a &nbsp; b</p>",
    "<p>a > b</p>",
    "<p>a < b</p>",
    '<p class="x">a</p>',
    '<p><a href="x" target="_blank">a</a></p>',
    "<p><a href=x>a</a></p>",
    '<p><a href="https://a.example/?x=1&y=2">a</a></p>',
    '<p><a href="x" href="y">a</a></p>',
    '<p><img src="x" alt="y"/></p>',
    "<p><p>a</p></p>",
    "<p><ul><li>a</li></ul></p>",
    "<ul>a</ul>",
    "<ul><p>a</p></ul>",
    "<li>a</li>",
    "<b>a</b>",
    "<P>a</P>",
    "<!-- a --><p>b</p>",
    '<table class="x"><tbody><tr><td>1</td></tr></tbody></table>',
    "<table><tr><td>1</td></tr></table>",
    '<ul data-type="bullets"><li>a</li></ul>',
    '<ul data-type="checklist"><li data-checked="maybe"><p>a</p></li></ul>',
]


@pytest.mark.parametrize("text", TAKEN)
@pytest.mark.parametrize("since_2026_09", [True, False])
def test_taken(text, since_2026_09):
    check_rich_text(text, since_2026_09=since_2026_09)


@pytest.mark.parametrize("text", TAKEN_SINCE_2026_09)
def test_newer_content_is_taken_when_switched_on(text):
    check_rich_text(text)
    with pytest.raises(RichTextError, match="not supported"):
        check_rich_text(text, since_2026_09=False)


@pytest.mark.parametrize("text", REFUSED)
def test_refused(text):
    with pytest.raises(RichTextError):
        check_rich_text(text)


def test_node_anchors_in_order():
    text = (
        '<p><a href="urn:pb:node:b">b</a> <a href="https://a.example">x</a></p><a href="urn:pb:node:a">a</a>'
    )
    assert node_anchors(text) == ["urn:pb:node:b", "urn:pb:node:a"]


async def test_the_api_refuses_with_400_and_keeps_what_it_takes():
    async with open_desk() as desk:
        for text in [*TAKEN, *TAKEN_SINCE_2026_09]:
            await desk.patch({"description": text})
            assert (await desk.entity())["fields"].get("description", "") == text
        refused = await desk.patch({"description": "<p><em>a</em></p>"}, status=400)
        assert refused["errors"][0]["code"] == "request.invalid"
        assert refused["errors"][0]["source"] == {"pointer": "/data/fields/description"}
        await desk.call("POST", "/_sandbox/seed", {"rich_text_2026_09": False})
        await desk.patch({"description": TAKEN_SINCE_2026_09[0]}, FEATURE, status=400)
        await desk.patch({"description": {"value": "<p>wrapped</p>"}})
        assert (await desk.entity())["fields"]["description"] == "<p>wrapped</p>"
