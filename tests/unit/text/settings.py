"""How many examples the laws are tried on: the same each time, or as many new ones as `KEEPSTEP_TEXT_EXAMPLES` says."""

import os

from hypothesis import HealthCheck, settings

_ASKED_FOR = os.environ.get("KEEPSTEP_TEXT_EXAMPLES", "")
EXAMPLES = int(_ASKED_FOR or 60)
some = settings(
    max_examples=EXAMPLES,
    derandomize=not _ASKED_FOR,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
