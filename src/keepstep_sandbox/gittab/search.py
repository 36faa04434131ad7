"""Issue search as GitLab's PostgreSQL full text does it, with the traps that matter to a marker.

Words of 50 or more letters and digits are not indexed; text inside HTML tags and comments is not either; a word is
found by its beginning; all words must be there. A search outside Latin letters is a plain substring search. Not
copied: English word stems, so `exporting` is not found by `exported`. Source: GitLab's `pg_full_text_searchable.rb` and
trials on PostgreSQL 15.
"""

import re
from collections.abc import Collection
from functools import lru_cache

_LONG_WORD = re.compile(r"[A-Za-z0-9+/@]{50,}")
_TAG = re.compile(r"<!--.*?-->|</?[A-Za-z][^<>]*>", re.DOTALL)
_NOT_IN_QUERY = re.compile(r"[^a-zA-Z0-9 .@/\-_\"]")
_LATIN = re.compile(r"[\u0000-\u02FF\u1E00-\u1EFF\u2070-\u218F]*")
# PostgreSQL's parser takes a hyphen before digits for a sign: a bare UUID falls into pieces such as -1111.
_WORD = re.compile(r"[^\W\d_]\w*|-?\d+(?:\.\d+)?[^\W\d]*|_\w+")
# Not in the index and not asked for either; the common ones of PostgreSQL's English list.
_STOP_TEXT = (
    "a an and are as at be but by can do for from has have he her his i if in into is it its me my no not of on or our "
    "she so than that the their then there these they this to too was we were what when where which who will with you "
    "your"
)
_STOP_WORDS = frozenset(_STOP_TEXT.split())


def _words(text: str) -> tuple[str, ...]:
    return tuple(word for word in _WORD.findall(text.lower()) if word not in _STOP_WORDS)


@lru_cache(maxsize=20_000)
def indexed_words(text: str) -> frozenset[str]:
    """The words by which a text can be found."""
    return frozenset(_words(_TAG.sub(" ", _LONG_WORD.sub(" ", text))))


@lru_cache(maxsize=1_000)
def query_words(search: str) -> tuple[str, ...]:
    return _words(_NOT_IN_QUERY.sub(" ", _LONG_WORD.sub(" ", search)))


def found(search: str, texts: Collection[str]) -> bool:
    """True if the texts together hold all words of the search; a search without a word finds nothing."""
    if not _LATIN.fullmatch(search):
        wanted = search.lower()
        return any(wanted in text.lower() for text in texts)
    wanted_words = query_words(search)
    there = frozenset[str]().union(*(indexed_words(text) for text in texts))
    return bool(wanted_words) and all(any(word.startswith(w) for word in there) for w in wanted_words)
