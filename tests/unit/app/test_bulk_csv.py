"""Reading a CSV of pairs: what spreadsheets write is taken, and each error names its line and column."""

import pytest

from keepstep.app.bulk_csv import decoded, read_pairs
from keepstep.domain.errors import InvalidInputError

ONE, TWO = "0f000000-0000-4000-8000-000000000001", "0f000000-0000-4000-8000-000000000002"


@pytest.mark.parametrize(
    "text",
    [
        f"{ONE},#7\n{TWO},https://git.example/8\n",
        f"feature,ticket\n{ONE},#7\n\n{TWO},https://git.example/8",
        f"\ufeffFeature;Ticket\r\n{ONE};#7\r\n{TWO};https://git.example/8\r\n",
        f"ticket\tnotes\tfeature\n#7\tx\t{ONE}\nhttps://git.example/8\t\t{TWO}\n",
        f'feature,ticket\n"https://app.example/{ONE}"," #7 "\n{TWO.upper()},https://git.example/8\n',
    ],
)
def test_what_spreadsheets_write_is_read(text):
    pairs = read_pairs(text)
    assert [(each.feature, each.ticket) for each in pairs] == [(ONE, "#7"), (TWO, "https://git.example/8")]


def test_a_pair_knows_its_line():
    assert [each.line for each in read_pairs(f"feature,ticket\n\n{ONE},1\n{TWO},2")] == [3, 4]


@pytest.mark.parametrize(
    ("text", "tells"),
    [
        ("", ["The file is empty"]),
        ("feature,ticket\n", ["no line below the header"]),
        (f"feature,issue\n{ONE},7", ["Line 1: the header has no column “ticket”"]),
        ("nonsense,7", ["Line 1, column feature: “nonsense” is neither"]),
        (f"{ONE},", ["Line 1, column ticket: it is empty"]),
        (f"{ONE}", ["Line 1, column ticket: it is empty"]),
        (
            f"{ONE},1\n{ONE},2\n{TWO},1",
            ["Line 2, column feature: it stands in line 1", "Line 3, column ticket"],
        ),
        (f'{ONE},"open', ["Line 1: it cannot be read as CSV"]),
        (f"x,1\n{ONE},\n,2", ["Line 1, column feature", "Line 2, column ticket", "Line 3, column feature"]),
    ],
)
def test_every_error_names_its_line_and_column(text, tells):
    with pytest.raises(InvalidInputError) as caught:
        read_pairs(text)
    assert caught.value.field == "csv"
    assert all(each in str(caught.value) for each in tells), str(caught.value)


def test_many_errors_are_cut():
    with pytest.raises(InvalidInputError, match="And 5 more"):
        read_pairs("\n".join(f"bad{number},{number}" for number in range(25)))


def test_a_file_in_another_encoding_is_told_with_its_line():
    assert decoded("\ufeffa,b".encode()) == "a,b"
    with pytest.raises(InvalidInputError, match="Line 2: it is not UTF-8"):
        decoded(b"a,b\nna\xefve,1")
