"""Feature descriptions and tickets as people write them: through the other side and back, nothing is lost."""

from pathlib import Path

import pytest

from keepstep.adapters.formats.markdown import GITHUB, GITLAB, Markdown
from keepstep.adapters.formats.productboard_html import ProductboardHtml, lost_nodes
from keepstep.domain.document import carry_over, fresh, plain_text
from unit.text.subset import faults

CORPUS = sorted((Path(__file__).parent / "corpus").iterdir())
SOURCELESS = {"57-references.md", "65-unclosed.md", "66-unclosed-comment.md"}
"""Blocks that lean on text elsewhere or are not closed are written anew."""
FOREIGN = {("55-alerts.md", GITHUB.name)}
"""GitLab's quote fences are empty quotes elsewhere."""

texts = pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
boards = pytest.mark.parametrize(
    "board", [ProductboardHtml(), ProductboardHtml(rich_2026_09=False)], ids=["rich", "plain"]
)
trackers = pytest.mark.parametrize(
    "tracker", [Markdown(GITLAB), Markdown(GITHUB)], ids=lambda text: text.name
)


def test_the_corpus_is_there():
    assert len(CORPUS) >= 30
    assert {path.suffix for path in CORPUS} == {".html", ".md"}


def sides(path, board, tracker):
    return (board, tracker) if path.suffix == ".html" else (tracker, board)


@texts
@boards
@trackers
def test_it_comes_back_from_the_other_side_byte_for_byte(path, board, tracker):
    own, other = sides(path, board, tracker)
    text = path.read_bytes().decode()
    document = own.read(text)
    visited = other.read(other.write(document))
    back = own.write(carry_over(visited, document, lambda one: other.read(other.write(one))))
    if path.name in SOURCELESS or (path.name, own.name) in FOREIGN:
        assert own.read(back) == document
    else:
        assert back == text


@texts
@boards
@trackers
def test_without_any_memory_the_second_round_changes_nothing(path, board, tracker):
    document = fresh(sides(path, board, tracker)[0].read(path.read_bytes().decode()))
    html = board.write(document)
    markdown = tracker.write(board.read(html))
    again = board.write(tracker.read(markdown))
    assert again == html or "urn:pb:node" in html
    assert tracker.write(board.read(again)) == markdown
    assert lost_nodes(board.read(html), board.read(again)) == []
    assert plain_text(board.read(again)).split() == plain_text(board.read(html)).split()


@texts
@boards
def test_productboard_is_sent_its_subset_only(path, board):
    reader = board if path.suffix == ".html" else Markdown(GITLAB)
    assert faults(board.write(fresh(reader.read(path.read_bytes().decode()))), rich=board.rich_2026_09) == []
