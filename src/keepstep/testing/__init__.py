"""For authors of trackers: the contract that every adapter keeps, as tests to be subclassed. Needs pytest and httpx.

`docs/writing-a-tracker.md` leads through it; `keepstep.testing.tracker_world` is what an author fills in.
"""

import pytest

pytest.register_assert_rewrite("keepstep.testing.tracker_contract")
