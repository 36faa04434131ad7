"""What becomes of the edits of two people, block by block and inside a block."""

from collections import Counter

import pytest
from tests.unit.domain.sides import BOARD, TICKET, carried_out, html_of, merged, snapshot

from keepstep.domain.document import Document
from keepstep.domain.fields import Field, Side
from keepstep.domain.policy import ConflictRule, Direction
from keepstep.domain.text_merge import merge_documents

BASE = "First one here.\n\nSecond one here.\n\nThird one here.\n"
MARKS = ("<<<<", "====", ">>>>", "||||")


@pytest.mark.parametrize(
    ("base", "feature", "ticket", "both"),
    [
        pytest.param(
            BASE,
            BASE.replace("First", "Very first"),
            BASE.replace("Third", "Last"),
            "Very first one here.\n\nSecond one here.\n\nLast one here.\n",
            id="two paragraphs",
        ),
        pytest.param(
            "alpha beta gamma delta epsilon\n",
            "ALPHA beta gamma delta epsilon\n",
            "alpha beta gamma delta EPSILON\n",
            "ALPHA beta gamma delta EPSILON\n",
            id="words of one paragraph",
        ),
        pytest.param(
            "- [ ] write\n- [ ] send\n",
            "- [ ] write the letter\n- [ ] send\n",
            "- [x] write\n- [ ] send\n",
            "- [x] write the letter\n- [ ] send\n",
            id="a ticked box and its words",
        ),
        pytest.param(
            "- [ ] write\n- [ ] send\n",
            "- [x] write\n- [ ] send\n",
            "- [ ] write\n- [x] send\n",
            "- [x] write\n- [x] send\n",
            id="two boxes",
        ),
        pytest.param(
            "- one apple\n- two pears\n- three plums\n",
            "- one apple\n- two pears\n- three plums\n- four nuts\n",
            "- one red apple\n- two pears\n- three plums\n",
            "- one red apple\n- two pears\n- three plums\n- four nuts\n",
            id="items",
        ),
        pytest.param(
            "| a | b |\n| --- | --- |\n| 1 | one |\n| 2 | two |\n",
            "| a | b |\n| --- | --- |\n| 1 | ONE |\n| 2 | two |\n",
            "| a | b |\n| --- | --- |\n| 1 | one |\n| 2 | two |\n| 3 | three |\n",
            "| a | b |\n| --- | --- |\n| 1 | ONE |\n| 2 | two |\n| 3 | three |\n",
            id="table rows",
        ),
        pytest.param(
            "| a | b |\n| --- | --- |\n| 1 | one |\n",
            "| a | b |\n| --- | --- |\n| 10 | one |\n",
            "| a | b |\n| --- | --- |\n| 1 | uno |\n",
            "| a | b |\n| --- | --- |\n| 10 | uno |\n",
            id="cells of one row",
        ),
        pytest.param(
            "```python\na = 1\nb = 2\nc = 3\n```\n",
            "```python\na = 10\nb = 2\nc = 3\n```\n",
            "```python\na = 1\nb = 2\nc = 30\n```\n",
            "```python\na = 10\nb = 2\nc = 30\n```\n",
            id="code lines",
        ),
        pytest.param(
            "> one two\n>\n> three four\n",
            "> one two too\n>\n> three four\n",
            "> one two\n>\n> three four for\n",
            "> one two too\n>\n> three four for\n",
            id="inside a quote",
        ),
        pytest.param(
            "## A heading of words\n",
            "## The heading of words\n",
            "### A heading of words\n",
            "### The heading of words\n",
            id="a heading's words and its depth",
        ),
        pytest.param(
            BASE,
            "First one here.\n\nThird one here.\n",
            BASE.replace("Third", "Last"),
            "First one here.\n\nLast one here.\n",
            id="one deleted, another changed",
        ),
        pytest.param(BASE, *[BASE.replace("one", "1")] * 3, id="the same edit"),
    ],
)  # fmt: skip
def test_both_edits_survive(base, feature, ticket, both):
    result = merged(base, feature, ticket, rule=ConflictRule.ASK)
    assert not result.plan.undecided
    assert not result.losers
    assert result.markdown.rstrip() == both.rstrip()
    assert result.feature == BOARD.read(html_of(both))


@pytest.mark.parametrize("rule", list(ConflictRule))
def test_a_place_both_changed_goes_by_the_rule(rule):
    feature, ticket = BASE.replace("Second one", "Mine"), BASE.replace("Second one", "Yours")
    result = merged(BASE, feature, ticket, rule=rule, newest=Side.TICKET)
    if rule is ConflictRule.ASK:
        assert set(result.plan.undecided) == {Field.DESCRIPTION}
        assert not result.plan.writes
        return
    won = feature if rule is ConflictRule.PRODUCTBOARD else ticket
    lost = "Yours" if rule is ConflictRule.PRODUCTBOARD else "Mine"
    assert result.markdown.rstrip() == won.rstrip()
    assert result.feature == BOARD.read(html_of(won))
    assert any(lost in loser for loser in result.losers)
    assert all(write.reason for write in result.plan.writes)


@pytest.mark.parametrize(
    ("base", "feature", "ticket"),
    [
        ("One two three\n", "Quite another line\n", "Or that\n"),
        ("One two three\n", "One other end\n", "Three\n"),
        ("```\na\nb\nc\n```\n", "```\na\nx\ny\nc\n```\n", "```\na\nz\n```\n"),
    ],
)
def test_two_ways_to_say_it_are_not_put_side_by_side(base, feature, ticket):
    assert merged(base, feature, ticket, rule=ConflictRule.ASK).plan.undecided
    result = merged(base, feature, ticket, rule=ConflictRule.TRACKER)
    assert result.markdown == ticket


def test_moved_and_edited_alike_by_both_comes_once():
    both = "Second one edited here.\n\nThird one here.\n\nFirst one here.\n"
    result = merged(BASE, both, both)
    assert not result.plan.writes
    more = both.replace("Third", "Put in.\n\nThird")
    html = merged(BASE, both, more).html
    assert [html.count(word) for word in ("First", "Second", "Third", "Put in")] == [1, 1, 1, 1]


@pytest.mark.parametrize("rule", list(ConflictRule))
def test_no_conflict_marks_get_into_a_text(rule):
    result = merged(BASE, BASE.replace("Second", "A"), BASE.replace("Second", "B"), rule=rule)
    assert not any(mark in text for mark in MARKS for text in (result.html, result.markdown))


@pytest.mark.parametrize("winner", list(Side))
def test_only_the_place_in_conflict_is_overruled(winner):
    feature = BASE.replace("Second one", "Mine").replace("First", "Very first")
    ticket = BASE.replace("Second one", "Yours").replace("Third", "Last")
    result = merged(BASE, feature, ticket, newest=winner)
    wanted = (
        f"Very first one here.\n\n{'Mine' if winner is Side.FEATURE else 'Yours'} here.\n\nLast one here.\n"
    )
    assert result.markdown.rstrip() == wanted.rstrip()
    assert result.feature == BOARD.read(html_of(wanted))


@pytest.mark.parametrize("winner", list(Side))
@pytest.mark.parametrize("mover", list(Side))
def test_moved_here_and_edited_there_never_comes_twice(winner, mover):
    moved = "Second one here.\n\nThird one here.\n\nFirst one here.\n"
    edited = BASE.replace("First one", "First but edited one")
    feature, ticket = (moved, edited) if mover is Side.FEATURE else (edited, moved)
    result = merged(BASE, feature, ticket, newest=winner)
    assert result.ticket == TICKET.read(result.markdown)
    for text in (result.html, result.markdown):
        assert text.count("First") == 1
        assert text.count("Second") == text.count("Third") == 1
    assert ("edited" in result.markdown) == (winner is not mover)


def test_moved_by_both_comes_once():
    result = merged(
        BASE,
        "Second one here.\n\nThird one here.\n\nFirst one here.\n",
        "Second one here.\n\nFirst one here.\n\nThird one here.\n",
    )
    assert result.markdown.count("First") == result.html.count("First") == 1
    assert result.feature == BOARD.read(html_of(result.markdown))


def test_moved_and_edited_by_one_and_moved_by_the_other_comes_once():
    result = merged(
        BASE,
        "Second one here.\n\nThird one here.\n\nFirst edited one here.\n",
        "Second one here.\n\nFirst one here.\n\nThird one here.\n",
        rule=ConflictRule.ASK,
    )
    assert result.markdown.count("First") == result.html.count("First") == 1
    assert "edited" in result.markdown


@pytest.mark.parametrize("winner", list(Side))
def test_moved_and_edited_by_both_in_two_ways_goes_by_the_rule(winner):
    feature = "Second one here.\n\nThird one here.\n\nFirst mine one here.\n"
    ticket = "Second one here.\n\nFirst yours one here.\n\nThird one here.\n"
    assert merged(BASE, feature, ticket, rule=ConflictRule.ASK).plan.undecided
    result = merged(BASE, feature, ticket, newest=winner)
    assert result.markdown.count("First") == result.html.count("First") == 1
    word, other = ("mine", "yours") if winner is Side.FEATURE else ("yours", "mine")
    assert word in result.markdown
    assert any(other in loser for loser in result.losers)


@pytest.mark.parametrize("winner", list(Side))
@pytest.mark.parametrize("mover", list(Side))
def test_deleted_here_and_moved_and_edited_there_goes_by_the_rule(winner, mover):
    moved, deleted = (
        "Second one here.\n\nThird one here.\n\nFirst edited one here.\n",
        "Second one here.\n\nThird one here.\n",
    )
    feature, ticket = (moved, deleted) if mover is Side.FEATURE else (deleted, moved)
    assert merged(BASE, feature, ticket, rule=ConflictRule.ASK).plan.undecided
    result = merged(BASE, feature, ticket, newest=winner)
    shown = "edited" in result.markdown
    assert shown == ("edited" in result.html) == (winner is mover)
    assert shown or any("edited" in loser for loser in result.losers)


MOVED = "Second one here.\n\nThird one here.\n\nFirst one here.\n"


@pytest.mark.parametrize("mover", list(Side))
@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            MOVED.replace("First", "First mine"),
            "Second one here.\n\nFirst yours one here.\n\nThird one here.\n",
        ),
        (MOVED, BASE.replace("First", "First edited")),
        (MOVED.replace("First", "First mine"), BASE.replace("First", "First edited")),
        (MOVED.replace("First", "First mine"), "Second one here.\n\nThird one here.\n"),
    ],
    ids=[
        "moved and edited by both",
        "moved, edited",
        "moved and edited, edited",
        "moved and edited, deleted",
    ],
)
def test_until_a_person_decides_each_side_keeps_what_it_has(one, other, mover):
    feature, ticket = (
        TICKET.read(text) for text in ((one, other) if mover is Side.FEATURE else (other, one))
    )
    put_in = TICKET.read("Put in there.\n").blocks
    base = TICKET.read(BASE)
    result = merge_documents(
        (base, base),
        (feature, Document(ticket.blocks + put_in)),
        None,
        over_ticket=lambda document: document,
        over_feature=lambda document: document,
    )
    assert result.clashes
    assert result.ticket.blocks == ticket.blocks + put_in
    assert Counter(result.feature.blocks) == Counter(feature.blocks + put_in)


@pytest.mark.parametrize("winner", list(Side))
def test_deleted_here_and_edited_there_goes_by_the_rule(winner):
    result = merged(
        BASE, "First one here.\n\nThird one here.\n", BASE.replace("Second", "Other"), newest=winner
    )
    shown = "Other" in result.markdown
    assert shown == ("Other" in result.html) == (winner is Side.TICKET)
    assert shown or any("Other" in loser for loser in result.losers)


@pytest.mark.parametrize(
    ("direction", "html_changes", "markdown_changes"),
    [
        (Direction.BOTH, True, True),
        (Direction.TO_TICKET, False, True),
        (Direction.TO_FEATURE, True, False),
        (Direction.ONCE, False, False),
        (Direction.OFF, False, False),
    ],
)
def test_a_direction_is_kept(direction, html_changes, markdown_changes):
    feature, ticket = BASE.replace("First", "Very first"), BASE.replace("Third", "Last")
    result = merged(BASE, feature, ticket, direction=direction)
    assert (result.html != html_of(feature), result.markdown != ticket) == (html_changes, markdown_changes)
    if not result.plan.writes:
        assert [note.field for note in result.plan.notes] == [Field.DESCRIPTION]
        assert result.plan.notes[0].reason


@pytest.mark.parametrize("side", list(Side))
def test_against_the_direction_nothing_is_written_and_why_is_told(side):
    changed = BASE.replace("First", "Very first")
    feature, ticket = (changed, BASE) if side is Side.FEATURE else (BASE, changed)
    direction = Direction.TO_FEATURE if side is Side.FEATURE else Direction.TO_TICKET
    result = merged(BASE, feature, ticket, direction=direction)
    assert not result.plan.writes
    assert "stays there" in result.plan.notes[0].reason


ODD = (
    "Head\n====\n\n\n__Bold__ and *italics*  and `code`.\n\n* starred\n* list\n\n\n```\ncode\n```\n"
    "Words right behind.\n\n1) one\n2) two\n\n***\nEnd here\n"
)
ODD_HTML = (
    "<h1>Head</h1>\n<p><strong>Bold</strong> and <em>italics</em> and <code>code</code>.</p>"
    "<ul>\n<li><p>starred</p></li><li>list</li></ul> <pre>code</pre><p>Words right behind.</p>"
    "<ol><li>one</li><li>two</li></ol><hr><p>End here</p>"
)


def changed_bytes(before, after):
    """What stands between the common start and the common end."""
    start = next(
        (at for at, (a, b) in enumerate(zip(before, after, strict=False)) if a != b),
        min(map(len, (before, after))),
    )
    end = next(
        (
            at
            for at, (a, b) in enumerate(zip(before[start:][::-1], after[start:][::-1], strict=False))
            if a != b
        ),
        min(len(before), len(after)) - start,
    )
    return before[start : len(before) - end], after[start : len(after) - end]


@pytest.mark.parametrize(
    ("old", "new"), [("italics", "slanted"), ("starred", "marked"), ("right behind", "close behind"), ("End", "Stop")]
)  # fmt: skip
@pytest.mark.parametrize("side", list(Side))
def test_one_word_changes_one_block_on_the_other_side(side, old, new):
    before = (snapshot(description=ODD_HTML), snapshot(description=ODD))
    feature, ticket = ODD_HTML, ODD
    if side is Side.FEATURE:
        feature = ODD_HTML.replace(old, new)
    else:
        ticket = ODD.replace(old, new)
    result = carried_out(before, (snapshot(description=feature), snapshot(description=ticket)))
    (write,) = result.plan.writes
    assert write.target is side.other
    blocks = TICKET.read(ODD).blocks if side is Side.FEATURE else BOARD.read(ODD_HTML).blocks
    sources = [block.source.text for block in blocks]
    (at,) = [at for at, text in enumerate(sources) if old in text]
    target = ODD if side is Side.FEATURE else ODD_HTML
    gone, _ = changed_bytes(target, write.value)
    assert gone.strip() in sources[at]
    assert all(text in write.value for place, text in enumerate(sources) if place != at)
    assert new in write.value


def test_another_spelling_is_written_to_nobody():
    before = (snapshot(description=ODD_HTML), snapshot(description=ODD))
    now = (
        snapshot(description=ODD_HTML.replace("strong>", "b>").replace("<hr>", "<hr />")),
        snapshot(description=ODD.replace("__", "**").replace("* starred\n* ", "- starred\n- ")),
    )
    result = carried_out(before, now)
    assert not result.plan.writes
    assert result.plan.base.feature == now[0]


def test_embedded_content_nobody_deleted_is_never_dropped():
    anchor = '<p>See <a href="urn:pb:node:embed/9">Board</a></p>'
    before = (snapshot(description=f"<p>One</p>{anchor}"), snapshot(description="One\n"))
    now = (before[0], snapshot(description="One and more\n"))
    result = carried_out(before, now)
    assert all("urn:pb:node:embed/9" in write.value for write in result.plan.writes)
    if not result.plan.writes:
        assert set(result.plan.endangered) == {Field.DESCRIPTION}
        target, _, what = result.plan.endangered[Field.DESCRIPTION]
        assert target is Side.FEATURE
        assert "embedded" in what


def test_embedded_content_deleted_by_a_person_goes():
    ticket = "One\n\nSee [Board](urn:pb:node:embed/9)\n"
    html = '<p>One</p><p>See <a href="urn:pb:node:embed/9">Board</a></p>'
    before = (snapshot(description=html), snapshot(description=ticket))
    result = carried_out(before, (before[0], snapshot(description="One\n")))
    assert not result.plan.endangered
    assert result.html == "<p>One</p>"


def test_embedded_content_keeps_its_bytes_when_words_beside_it_change():
    anchor = '<a class="x" href="urn:pb:node:embed/9">Board</a>'
    html = f"<p>One {anchor} two</p>"
    before = (
        snapshot(description=html),
        snapshot(description="One [Board](urn:pb:node:embed/9) two\n"),
    )
    result = carried_out(
        before, (before[0], snapshot(description="One [Board](urn:pb:node:embed/9) three\n"))
    )
    assert result.html == f"<p>One {anchor} three</p>"


@pytest.mark.parametrize(
    ("base", "feature", "ticket"),
    [
        pytest.param("## Same words\n", "### Same words\n", "# Same words\n", id="level of a heading"),
        pytest.param("```\na = 1\n```\n", "```python\na = 1\n```\n", "```ruby\na = 1\n```\n", id="language"),
        pytest.param("1. one\n2. two\n", "3. one\n4. two\n", "7. one\n8. two\n", id="first number"),
        pytest.param(
            "| a |\n| --- |\n| 1 |\n",
            "| a |\n| :--- |\n| 1 |\n",
            "| a |\n| ---: |\n| 1 |\n",
            id="alignment of a column",
        ),
    ],
)
def test_one_attribute_that_both_changed_differently_is_decided_by_the_rule(base, feature, ticket):
    one, other = TICKET.read(feature), TICKET.read(ticket)
    for winner in (None, *Side):
        result = merge_documents(
            (TICKET.read(base), TICKET.read(base)),
            (one, other),
            winner,
            over_ticket=lambda document: document,
            over_feature=lambda document: document,
        )
        assert len(result.clashes) == 1
        expected = {None: (one, other), Side.FEATURE: (one, one), Side.TICKET: (other, other)}[winner]
        assert (result.feature, result.ticket) == expected
    only = merge_documents(
        (TICKET.read(base), TICKET.read(base)),
        (one, TICKET.read(base)),
        None,
        over_ticket=lambda document: document,
        over_feature=lambda document: document,
    )
    assert not only.clashes
    assert only.ticket == one
