"""The tables that people read are those of this code."""

from unit.text import loss_table


def test_the_page_says_what_is_so():
    assert loss_table.page() == loss_table.PAGE.read_text(), "run `make text-table`"


def test_the_table_tells_kept_from_changed_and_placeholder():
    found = loss_table.tables()
    rows = {line.split(" | ")[0].strip("| "): line for line in found.splitlines() if line.startswith("| ")}
    assert rows["bold"].count("kept") == len(loss_table.TRACKERS)
    assert "kept" not in rows["embedded content"].replace("kept", "", len(loss_table.TRACKERS))
    assert rows["unknown element"].count("placeholder") == len(loss_table.TRACKERS)
    assert "kept" not in rows["two paragraphs in an item"].split(" | ")[-2]
