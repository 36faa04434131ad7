"""Redmine 5 and later, by its REST API: numbered issues, no webhook API, a status that may be refused without a word.

Facts: Redmine's REST pages, its source, and a real Redmine 5.0.4 that the tests run.
"""

from collections.abc import Mapping

from keepstep.adapters.http import HttpClient
from keepstep.adapters.trackers import SettingValues, TrackerAdapter
from keepstep.adapters.trackers.redmine.account import RedmineAccount
from keepstep.adapters.trackers.redmine.client import SERVICE, RedmineClient, api_root
from keepstep.adapters.trackers.redmine.fields import DEFAULTS, SETTINGS, text_of
from keepstep.adapters.trackers.redmine.tickets import RedmineTickets
from keepstep.adapters.trackers.redmine.webhooks import RedmineWire
from keepstep.ports.tracker import (
    Capabilities,
    Channel,
    MarkerStrategy,
    Scope,
    Tracker,
    TrackerManifest,
)

_SETTLE_SECONDS = 12.0
"""Redmine finds a new issue at once; what takes time is a request that still runs after we gave it up at 10 s."""

_KEY_HELP = (
    "The API access key of a user (My account, on the right). The key has all rights of that user, so make one for "
    "Keepstep. An admin has to switch on Administration, Settings, API, Enable REST web service."
)

MANIFEST = TrackerManifest(
    kind="redmine",
    name="Redmine",
    summary="Issues of a Redmine project, from Redmine 5 on.",
    project_word="project",
    default_base_url="https://redmine.example.com",
    token_help=_KEY_HELP,
    text_format="textile or Markdown, by the setting",
    channel=Channel.WEBHOOK_BY_HAND,
    capabilities=Capabilities(delete_events=True, follows_moves=True, assignee=True),
    settings=SETTINGS,
    defaults=DEFAULTS,
    scopes=(
        Scope("View issues", "to read them, of the user's role in the project"),
        Scope("Add issues", "to make tickets"),
        Scope("Edit issues", "to keep them in step; which statuses may be set is the workflow's decision"),
        Scope("Add notes", "to say why a ticket is no longer in step"),
    ),
    marker=MarkerStrategy.CUSTOM_FIELD,
    hook_steps=(
        "Redmine 7 and later only: earlier ones call nobody, and their changes go on being found by looking.",
        "An admin switches on Administration, Settings, API, Enable webhooks, and gives a role the right Use webhooks.",
        "As a user with that role open My account, Webhooks, New webhook.",
        "URL: {url}",
        "Secret: {secret}",
        "Choose the project and the events Issue created, Issue updated and Issue deleted. Save.",
        "Change an issue there, then check here.",
    ),
    hook_signed=True,
    settle_seconds=_SETTLE_SECONDS,
    title_limit=255,
)


def _headers(token: str, _: SettingValues) -> Mapping[str, str]:
    return {"X-Redmine-API-Key": token}


def _open(http: HttpClient, settings: SettingValues) -> Tracker:
    client, text = RedmineClient(http), text_of(settings)
    return Tracker(
        manifest=MANIFEST,
        text=text,
        account=RedmineAccount(client),
        tickets=RedmineTickets(client, settings, text),
        notifications=None,
    )


REDMINE = TrackerAdapter(
    manifest=MANIFEST,
    service=SERVICE,
    api_root=api_root,
    headers=_headers,
    open=_open,
    wire=RedmineWire(),
    package=__name__,
)
