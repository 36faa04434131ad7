"""Feature descriptions and tickets as people write them: through the other side and back, nothing is lost."""

from pathlib import Path

import pytest

from keepstep.adapters.formats.adf import Adf
from keepstep.adapters.formats.jira_wiki import JiraWiki
from keepstep.adapters.formats.markdown import GITHUB, GITLAB, Markdown
from keepstep.adapters.formats.productboard_html import ProductboardHtml, lost_nodes
from keepstep.adapters.formats.textile import Textile
from keepstep.domain.document import carry_over, fresh, plain_text
from unit.text.subset import faults

SOURCELESS = {"57-references.md", "65-unclosed.md", "66-unclosed-comment.md"}
"""Blocks that lean on text elsewhere or are not closed are written anew."""
FOREIGN = {("55-alerts.md", GITHUB.name)}
"""GitLab's quote fences are empty quotes elsewhere."""

ALL = sorted((Path(__file__).parent / "corpus").iterdir())
CORPUS = [path for path in ALL if path.suffix in (".html", ".md")]
WIKI = {".textile": Textile(), ".wiki": JiraWiki()}
texts = pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
boards = pytest.mark.parametrize(
    "board", [ProductboardHtml(), ProductboardHtml(rich_2026_09=False)], ids=["rich", "plain"]
)
trackers = pytest.mark.parametrize(
    "tracker", [Markdown(GITLAB), Markdown(GITHUB)], ids=lambda text: text.name
)


def test_the_corpus_is_there():
    assert len(ALL) >= 60
    assert {path.suffix for path in ALL} == {".html", ".md", *WIKI}


@pytest.mark.parametrize("path", [path for path in ALL if path.suffix in WIKI], ids=lambda path: path.stem)
@boards
def test_wiki_markup_comes_back_from_productboard_byte_for_byte(path, board):
    own, text = WIKI[path.suffix], path.read_bytes().decode()
    document = own.read(text)
    visited = board.read(board.write(document))
    assert own.write(carry_over(visited, document, lambda one: board.read(board.write(one)))) == text


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
@pytest.mark.parametrize("other", [Textile(), JiraWiki(), Adf()], ids=lambda text: text.name)
def test_every_description_survives_every_tracker(path, other):
    """From Productboard into the tracker, an edit there, and back: words and embedded content stay."""
    board = ProductboardHtml()
    own = board if path.suffix == ".html" else WIKI.get(path.suffix, Markdown(GITLAB))
    document = board.read(board.write(own.read(path.read_bytes().decode())))
    html = board.write(document)
    there = other.write(document)
    assert other.write(fresh(other.read(there))) == there
    back = board.write(carry_over(other.read(there), document, lambda one: other.read(other.write(one))))
    assert back == html
    anew = other.read(other.write(fresh(document)))
    assert lost_nodes(document, anew) == []
    assert plain_text(anew).split() == plain_text(document).split()


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
