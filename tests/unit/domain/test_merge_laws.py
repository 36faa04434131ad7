"""Laws of the merge, over generated descriptions and edits."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.domain.sides import BOARD, TICKET, carried_out, snapshot, some

from keepstep.domain.document import BulletList, CodeBlock, Document, Heading, ListItem, Paragraph, Text
from keepstep.domain.fields import Side
from keepstep.domain.text_merge import clash_text, merge_documents
from keepstep.domain.walk import block_text

WORDS = [
    "apple",
    "brook",
    "cloud",
    "delta",
    "ember",
    "field",
    "grove",
    "house",
    "island",
    "jewel",
    "kettle",
    "lemon",
]


@st.composite
def block(draw, mark):
    """`mark` is a word that no other block has."""
    words = " ".join([mark, *draw(st.lists(st.sampled_from(WORDS), min_size=3, max_size=6))])
    kind = draw(st.integers(0, 4))
    if kind == 1:
        return Heading(draw(st.integers(1, 2)), (Text(words),))
    if kind == 2:
        return CodeBlock(words.replace(" ", "\n"))
    if kind == 3:
        return BulletList(tuple(ListItem((Paragraph((Text(word),)),)) for word in words.split()))
    return Paragraph((Text(words),))


def with_word(old, word):
    """The same block with one word more at its end."""
    match old:
        case Heading(level, (Text(text),)):
            return Heading(level, (Text(f"{text} {word}"),))
        case CodeBlock(text):
            return CodeBlock(f"{text}\n{word}")
        case BulletList(items):
            return BulletList((*items, ListItem((Paragraph((Text(word),)),))))
        case Paragraph((Text(text),)):
            return Paragraph((Text(f"{text} {word}"),))


@st.composite
def edited(draw, blocks, name):
    """Someone's edits: words added, blocks deleted, put in and moved; and the words that were added."""
    now, added = list(blocks), []
    for number in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(now)))
        word = f"{name}{number}"
        match draw(st.sampled_from(("word", "delete", "insert", "move"))):
            case "word" if at < len(now):
                now[at] = with_word(now[at], word)
                added.append(word)
            case "delete" if at < len(now):
                added = [one for one in added if one not in block_text(now[at]).split()]
                del now[at]
            case "insert":
                now.insert(at, draw(block(word)))
                added.append(word)
            case "move" if at < len(now):
                now.insert(draw(st.integers(0, len(now) - 1)), now.pop(at))
            case _:
                pass
    return Document(tuple(now)), added


@st.composite
def cases(draw):
    base = Document(tuple(draw(block(f"base{at}")) for at in range(draw(st.integers(0, 6)))))
    return base, draw(edited(base.blocks, "mine")), draw(edited(base.blocks, "yours"))


def sides(base, feature, ticket):
    return (
        (snapshot(description=BOARD.write(base)), snapshot(description=TICKET.write(base))),
        (snapshot(description=BOARD.write(feature)), snapshot(description=TICKET.write(ticket))),
    )


def same(document):
    return document


def in_any_order(document):
    return Counter((type(each), tuple(sorted(block_text(each).split()))) for each in document.blocks)


def in_one_format(base, feature, ticket, winner):
    return merge_documents((base, base), (feature, ticket), winner, over_ticket=same, over_feature=same)


@some
@given(cases(), st.sampled_from(Side))
def test_afterwards_both_sides_say_the_same_and_nothing_is_left(case, newest):
    base, (feature, _), (ticket, _) = case
    before, now = sides(base, feature, ticket)
    once = carried_out(before, now, newest=newest)
    assert once.feature == BOARD.read(BOARD.write(once.ticket))
    after = (snapshot(description=once.html), snapshot(description=once.markdown))
    assert not carried_out(after, after).plan.writes
    # Even where the base could not be moved: the edits are the same on both sides now.
    assert not carried_out(before, after, newest=newest.other).plan.writes


@some
@given(cases(), st.sampled_from(Side))
def test_no_word_is_lost_silently(case, newest):
    base, (feature, mine), (ticket, yours) = case
    before, now = sides(base, feature, ticket)
    result = carried_out(before, now, newest=newest)
    journal = " ".join(result.losers)
    for word in (*mine, *yours):
        shown = [word in text for text in (result.html, result.markdown)]
        assert all(shown) or word in journal, word
        assert shown[0] == shown[1]


@some
@given(cases(), st.sampled_from(Side))
def test_no_word_comes_twice(case, newest):
    base, (feature, mine), (ticket, yours) = case
    before, now = sides(base, feature, ticket)
    result = carried_out(before, now, newest=newest)
    for text in (result.html, result.markdown):
        assert all(text.count(word) <= 1 for word in (*mine, *yours))


@some
@given(cases())
def test_undecided_each_side_keeps_its_own_words_and_none_comes_twice(case):
    base, (feature, mine), (ticket, yours) = case
    result = in_one_format(base, feature, ticket, None)
    for document, own in ((result.feature, mine), (result.ticket, yours)):
        words = Counter(" ".join(map(block_text, document.blocks)).split())
        assert all(words[word] == 1 for word in own)
        assert all(words[word] <= 1 for word in (*mine, *yours))


@some
@given(cases())
def test_the_edits_of_one_side_are_carried_over_as_they_are(case):
    base, (feature, _), (ticket, _) = case
    before, now = sides(base, feature, ticket)
    forth = carried_out(before, (now[0], before[1]))
    assert forth.html == now[0].description
    assert forth.ticket == TICKET.read(TICKET.write(feature))
    back = carried_out(before, (before[0], now[1]))
    assert back.markdown == now[1].description
    assert back.feature == BOARD.read(BOARD.write(ticket))


@some
@given(cases(), st.sampled_from([*Side, None]))
def test_swapped_sides_give_the_mirrored_outcome(case, winner):
    """But for the order of what both put into the same gap: there the feature's comes first."""
    base, (feature, _), (ticket, _) = case
    one = in_one_format(base, feature, ticket, winner)
    other = in_one_format(base, ticket, feature, winner.other if winner else None)
    assert in_any_order(one.feature) == in_any_order(other.ticket)
    assert in_any_order(one.ticket) == in_any_order(other.feature)
    mirrored = [(clash_text(clash.ticket), clash_text(clash.feature)) for clash in other.clashes]
    assert Counter((clash_text(clash.feature), clash_text(clash.ticket)) for clash in one.clashes) == Counter(
        mirrored
    )


@some
@given(cases())
def test_with_a_winner_every_block_of_the_winner_that_changed_stands(case):
    base, (feature, mine), (ticket, _) = case
    result = in_one_format(base, feature, ticket, Side.FEATURE)
    words = " ".join(map(block_text, result.ticket.blocks)).split()
    assert set(mine) <= set(words)
    assert result.feature == result.ticket


@some
@given(cases())
def test_without_edits_the_very_bytes_come_out(case):
    base, (feature, _), _ = case
    before, now = sides(base, feature, base)
    assert not carried_out(before, before).plan.writes
    same_edit = (now[0], snapshot(description=TICKET.write(feature)))
    result = carried_out(before, same_edit)
    assert (result.html, result.markdown) == tuple(one.description for one in same_edit)
