"""GitHub in memory, opened by our adapter."""

from contextlib import asynccontextmanager
from dataclasses import replace

from contract.github_cloud import ADMIN, Fault, GitHubCloud
from keepstep.adapters.outside import OutsideWorld
from keepstep.adapters.trackers.github import GITHUB

HOOK = "https://keepstep.example/hooks/tracker/x"
SECRET = "our-secret-of-256-bits"
PROJECT = "101"
LABELS = {"status_by": "labels", "status_labels": ("doing", "review")}


class _World:
    def __init__(self, cloud, outside, base):
        self.cloud, self.outside, self.base = cloud, outside, base

    def open(self, token=ADMIN, settings=None):
        return self.outside.open_tracker("github", self.base, token, settings or {})

    def fail(self, match, status=0, body=None, **rule):
        self.cloud.faults.append(Fault(match, status, body or {}, **rule))

    def asked(self, since=0, method=""):
        return [each for each in self.cloud.asked[since:] if each.startswith(method)]


@asynccontextmanager
async def github_world(base="https://github.com", root="https://api.github.com", spec="github-issues"):
    cloud = GitHubCloud(root, spec)
    outside = OutsideWorld(allow_private=False, transport=cloud)
    # GitHub's own pace would take most of the time; what it is has a test.
    quick = replace(GITHUB, service=replace(GITHUB.service, limits=()))
    outside._trackers = {**outside._trackers, "github": quick}
    yield _World(cloud, outside, base)
    await outside.aclose()
