"""The REST API under `/api/v4`: one module per kind of thing, `endpoint.py` for what all of them need."""

from keepstep_sandbox.gittab.api.account import ACCOUNT
from keepstep_sandbox.gittab.api.endpoint import Api
from keepstep_sandbox.gittab.api.hooks import HOOKS
from keepstep_sandbox.gittab.api.issues import ISSUES
from keepstep_sandbox.gittab.api.labels import LABELS
from keepstep_sandbox.gittab.api.notes import NOTES
from keepstep_sandbox.gittab.api.projects import PROJECTS
from keepstep_sandbox.gittab.emulator import GitTab


def build_api(gittab: GitTab) -> Api:
    return Api(gittab, [*ACCOUNT, *PROJECTS, *LABELS, *ISSUES, *NOTES, *HOOKS])
