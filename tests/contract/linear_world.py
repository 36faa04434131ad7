"""Linear in memory, opened by our adapter."""

from contextlib import asynccontextmanager

from contract.linear_cloud import ADMIN, Fault, LinearCloud
from keepstep.adapters.outside import OutsideWorld

URL = "https://api.linear.app"
HOOK = "https://keepstep.example/hooks/tracker/x"
SECRET = "our-secret-of-256-bits"


class _World:
    def __init__(self, cloud, outside):
        self.cloud, self.outside = cloud, outside
        self.team = cloud.eng["id"]

    def open(self, key=ADMIN, base=URL):
        return self.outside.open_tracker("linear", base, key, {})

    def fail(self, operation="", **rule):
        self.cloud.faults.append(Fault(operation, **rule))

    def asked(self, since=0):
        """The names of what was asked."""
        return [operation for operation, _ in self.cloud.asked[since:]]


@asynccontextmanager
async def linear_world(**more):
    cloud = LinearCloud()
    outside = OutsideWorld(allow_private=False, transport=cloud, **more)
    yield _World(cloud, outside)
    await outside.aclose()
