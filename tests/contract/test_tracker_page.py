"""What people read about the trackers is what the code says."""

from contract import tracker_page


def test_the_page_states_what_the_code_states():
    assert tracker_page.page(anew=False) == tracker_page.PAGE.read_text(), "run `make tracker-table`"
