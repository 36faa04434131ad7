"""The whole main job as a person does it, in a real browser, on the service's pages and on both emulators' boards."""

import shutil
import time

import pytest

from browser import configuring, managing, stepping
from browser.stage import SCREENS, set_stage

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
CHAPTERS = (
    configuring.log_in,
    configuring.configure,
    stepping.push,
    stepping.link_existing,
    stepping.edit_on_both_boards,
    stepping.decide_conflicts,
    stepping.part,
    managing.be_told_of_trouble,
    managing.replace_a_token,
    managing.change_settings,
    managing.meet_people,
    managing.delete_an_integration,
)
LOOKS = 38

pytestmark = [
    pytest.mark.browser,
    pytest.mark.acceptance,
    pytest.mark.timeout(480),
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium found: install Debian's package chromium"),
]


def test_from_the_login_to_the_end_of_an_integration():
    with set_stage(str(CHROMIUM)) as stage:
        for chapter in CHAPTERS:
            began = time.monotonic()
            chapter(stage)
            print(f"{chapter.__name__}: {time.monotonic() - began:.1f} s")
        assert stage.problems == []
        assert stage.looks == LOOKS
        assert stage.rules > 10 * 2 * LOOKS
        assert len(list(SCREENS.glob("*-390.png"))) == LOOKS
