"""Reading a CSV of pairs: a feature and a ticket a line, as spreadsheets write it."""

import csv
import io
from collections.abc import Iterator, Sequence

from keepstep.app.addresses import feature_id_in
from keepstep.domain.bulk import CsvPair
from keepstep.domain.errors import InvalidInputError

_MOST_LINES = 10_000
_TOLD = 20
_COLUMNS = ("feature", "ticket")


def decoded(content: bytes) -> str:
    """Raises InvalidInputError (csv)."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InvalidInputError(
            "csv", f"Line {line}: it is not UTF-8. Save the file as “CSV UTF-8” and send it again."
        ) from error


def read_pairs(text: str) -> tuple[CsvPair, ...]:
    """Columns `feature` and `ticket`, in any order, other columns aside; without a header, the first two.

    Separated by commas, semicolons or tabs. Raises InvalidInputError (csv), which names lines and columns.
    """
    rows = [(line, row) for line, row in _rows(text) if any(cell.strip() for cell in row)]
    if not rows:
        raise InvalidInputError("csv", "The file is empty. Expected: a line for each pair, “feature,ticket”.")
    if len(rows) > _MOST_LINES:
        raise InvalidInputError("csv", f"{len(rows)} lines are too many: at most {_MOST_LINES} at a time.")
    columns, rows = _columns(rows)
    pairs, wrong = list[CsvPair](), list[str]()
    seen: dict[tuple[str, str], int] = {}
    for line, row in rows:
        try:
            pair = _pair(line, row, columns)
            _refuse_twice(pair, seen)
            pairs.append(pair)
        except InvalidInputError as error:
            wrong.append(f"Line {line}, column {error.field}: {error}")
    if wrong:
        more = f" And {len(wrong) - _TOLD} more." if len(wrong) > _TOLD else ""
        raise InvalidInputError("csv", " ".join(wrong[:_TOLD]) + more)
    if not pairs:
        raise InvalidInputError("csv", "There is no line below the header.")
    return tuple(pairs)


def _rows(text: str) -> Iterator[tuple[int, list[str]]]:
    text = text.removeprefix("\ufeff")
    first = text.lstrip("\r\n").split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        for row in reader:
            yield reader.line_num, row
    except csv.Error as error:
        raise InvalidInputError(
            "csv", f"Line {reader.line_num}: it cannot be read as CSV ({error})."
        ) from error


def _columns(
    rows: list[tuple[int, list[str]]],
) -> tuple[tuple[int, int], list[tuple[int, list[str]]]]:
    heads = [cell.strip().casefold() for cell in rows[0][1]]
    if all(name in heads for name in _COLUMNS):
        return (heads.index("feature"), heads.index("ticket")), rows[1:]
    if any(name in heads for name in _COLUMNS):
        missing = next(name for name in _COLUMNS if name not in heads)
        raise InvalidInputError("csv", f"Line {rows[0][0]}: the header has no column “{missing}”.")
    return (0, 1), rows


def _pair(line: int, row: Sequence[str], columns: tuple[int, int]) -> CsvPair:
    """Raises InvalidInputError, whose field is the column."""
    feature, ticket = (row[at].strip() if at < len(row) else "" for at in columns)
    if not feature:
        raise InvalidInputError("feature", "it is empty; expected the feature's id or address.")
    if not ticket:
        raise InvalidInputError("ticket", "it is empty; expected the ticket's key or address.")
    try:
        return CsvPair(line, feature_id_in(feature), ticket)
    except InvalidInputError:
        raise InvalidInputError(
            "feature", f"“{feature[:60]}” is neither a feature's id nor an address that holds one."
        ) from None


def _refuse_twice(pair: CsvPair, seen: dict[tuple[str, str], int]) -> None:
    for column, value in (("feature", pair.feature), ("ticket", pair.ticket.casefold())):
        before = seen.setdefault((column, value), pair.line)
        if before != pair.line:
            raise InvalidInputError(column, f"it stands in line {before} already.")
