"""Outbound HTTP: time limits, turns, bounds, redaction, and from every outcome to an error of the ports.

`HttpClient` is all that an adapter needs: it sends a `Call` and gives a `Reply`, or raises one of
`keepstep.ports.errors` with a sentence for people. Which addresses may be called is decided in `address`,
what an answer means in `failures`.
"""

from keepstep.adapters.http.address import checked_base_url, checked_token
from keepstep.adapters.http.client import TOTAL_SECONDS, HttpClient, Reply, segment
from keepstep.adapters.http.service import Call, Problem, Service
from keepstep.adapters.http.turnstile import calling

__all__ = [
    "TOTAL_SECONDS",
    "Call",
    "HttpClient",
    "Problem",
    "Reply",
    "Service",
    "calling",
    "checked_base_url",
    "checked_token",
    "segment",
]
