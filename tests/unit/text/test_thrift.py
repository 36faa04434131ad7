"""What is not needed is not read: a parse costs more than everything else in a plan."""

import pytest

from keepstep.adapters.formats.markdown import GITLAB, Markdown
from keepstep.adapters.formats.productboard_html import ProductboardHtml
from keepstep.adapters.formats.remembered import Remembered, remembered
from keepstep.domain.document import Paragraph, Text
from keepstep.domain.fields import Field, Side, Snapshot
from keepstep.domain.link import Base
from keepstep.domain.plan import make_plan
from keepstep.domain.policy import StatusMap, SyncPolicy
from keepstep.domain.rules import DescriptionRule, field_rules

HTML = "<p>First words.</p><p>Second words.</p><ul><li>one</li><li>two</li></ul>"
MARKDOWN = "First words.\n\nSecond words.\n\n- one\n- two\n"


class Counted:
    """Counts the readings of whole descriptions."""

    def __init__(self, text):
        self.text = text
        self.whole = []

    def read(self, text):
        if "one" in text and "two" in text:
            self.whole.append(text)
        return self.text.read(text)

    def write(self, document):
        return self.text.write(document)


def planned(feature=HTML, ticket=MARKDOWN):
    sides = Counted(ProductboardHtml()), Counted(Markdown(GITLAB))
    rule = DescriptionRule(*sides, (), "keepstep" + "0" * 32)
    base = Base(Snapshot("a", HTML, None), Snapshot("a", MARKDOWN, None))
    now = Base(Snapshot("a", feature, None), Snapshot("a", ticket, None))
    plan = make_plan(field_rules(StatusMap(), rule, 255), SyncPolicy(), base, now)
    return plan, [one.whole for one in sides]


def test_nothing_new_reads_nothing():
    plan, read = planned()
    assert not plan.writes
    assert read == [[], []]


def test_another_notation_reads_that_side_alone():
    feature = HTML.replace("<p>Second", "<p> Second")
    plan, read = planned(feature=feature)
    assert not plan.writes
    assert sorted(read[0]) == sorted([HTML, feature])
    assert read[1] == []


@pytest.mark.parametrize("side", list(Side))
def test_an_edit_reads_its_side_twice_and_the_target_once(side):
    feature, ticket = HTML, MARKDOWN
    if side is Side.FEATURE:
        feature = HTML.replace("Second", "Other")
    else:
        ticket = MARKDOWN.replace("Second", "Other")
    plan, read = planned(feature, ticket)
    (write,) = plan.writes
    assert (write.field, write.target) == (Field.DESCRIPTION, side.other)
    assert write.value == (MARKDOWN if side is Side.FEATURE else HTML).replace("Second", "Other")
    changed, target = (read[0], read[1]) if side is Side.FEATURE else (read[1], read[0])
    assert len(changed) == 2
    assert len(target) == 1


def test_edits_on_both_sides_read_each_side_twice():
    _, read = planned(HTML.replace("First", "Very first"), MARKDOWN.replace("Second", "Other"))
    assert [len(whole) for whole in read] == [2, 2]


@pytest.mark.parametrize(
    ("text", "one", "other"),
    [
        (Markdown(GITLAB), "see [a]\n", "see [a]\n\n[a]: http://x.example\n"),
        (Markdown(GITLAB), "    code\n", "- item\n\n    code\n"),
        (Markdown(GITLAB), "```\ncode", "```\ncode\n```"),
        (ProductboardHtml(), "<p>a</p>", "<blockquote><p>a</p></blockquote>"),
        (ProductboardHtml(), "<p>a</p>", "<ul><p>a</p></ul>"),
        (ProductboardHtml(), "<p title='x'>a</p>", "<p title='x>a</p>"),
    ],
)
def test_what_is_remembered_never_changes_what_is_read(text, one, other):
    alone = []
    for source in (one, other):
        remembered.forget()
        alone.append(text.read(source))
    for first, second in ((one, other), (other, one)):
        remembered.forget()
        text.read(first)
        assert text.read(second) == alone[[one, other].index(second)]


def test_memory_is_bounded_and_keeps_what_was_used_last():
    memory = Remembered(most=10)
    blocks = {name: Paragraph((Text(name),)) for name in ("aaaa", "bbbb", "cccc")}
    memory.put(("f", "p", "aaaa"), blocks["aaaa"])
    memory.put(("f", "p", "bbbb"), blocks["bbbb"])
    assert memory.get(("f", "p", "aaaa")) == blocks["aaaa"]
    memory.put(("f", "p", "cccc"), blocks["cccc"])
    assert memory.get(("f", "p", "bbbb")) is None
    assert memory.get(("f", "p", "aaaa")) == blocks["aaaa"]
    memory.put(("f", "p", "x" * 60_000), blocks["aaaa"])
    assert memory.get(("f", "p", "x" * 60_000)) is None
