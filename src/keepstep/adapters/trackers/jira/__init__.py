"""Jira Cloud by REST v3, with descriptions in Atlassian's document format.

Facts: the vendor's OpenAPI description and pages; never yet a site of Atlassian's own.
"""

from base64 import b64encode
from collections.abc import Mapping

from keepstep.adapters.formats.adf import Adf
from keepstep.adapters.http import HttpClient
from keepstep.adapters.trackers import SettingValues, TrackerAdapter, chosen_one
from keepstep.adapters.trackers.jira.account import JiraAccount
from keepstep.adapters.trackers.jira.client import SERVICE, JiraClient, api_root
from keepstep.adapters.trackers.jira.fields import DEFAULTS, EMAIL, SETTINGS
from keepstep.adapters.trackers.jira.notifications import JiraNotifications
from keepstep.adapters.trackers.jira.steps import Steps
from keepstep.adapters.trackers.jira.tickets import JiraTickets
from keepstep.adapters.trackers.jira.webhooks import JiraWire
from keepstep.adapters.trackers.jira.workflow import Workflows
from keepstep.ports.tracker import Capabilities, Channel, MarkerStrategy, Scope, Tracker, TrackerManifest

_TEXT = Adf()
_WORKFLOWS = Workflows()

MANIFEST = TrackerManifest(
    kind="jira",
    name="Jira Cloud",
    summary="Issues of a Jira project at atlassian.net.",
    project_word="project",
    default_base_url="https://your-site.atlassian.net",
    token_help=(  # noqa: S106 - words, no token
        "An API token of an Atlassian account (id.atlassian.com, Security, API tokens) and the e-mail address of that "
        "account. It has the account's rights and lasts a year at most. One with scopes is used with the address "
        "https://api.atlassian.com/ex/jira/ and the id of the site."
    ),
    text_format=_TEXT.name,
    channel=Channel.WEBHOOK,
    capabilities=Capabilities(delete_events=True, follows_moves=True, labels=True, assignee=True),
    settings=SETTINGS,
    defaults=DEFAULTS,
    account=(EMAIL,),
    scopes=(
        Scope("read:jira-work", "to read issues, where the token has scopes"),
        Scope("write:jira-work", "to write them, their comments, labels and links"),
        Scope("read:jira-user", "to tell whose token it is, and to offer people as assignees"),
        Scope("Administer Jira", "to make the webhook; without it a person makes it"),
    ),
    marker=MarkerStrategy.LABEL,
    hook_steps=(
        "An administrator opens Jira's settings, System, WebHooks, Create a WebHook.",
        "URL: {url}",
        "Secret: {secret}",
        "Issue related events: enter project = and the project's key; tick created, updated and deleted. Save.",
        "Change an issue there, then check here.",
    ),
    hook_signed=True,
    # A new issue becomes findable with the index, which follows within seconds, seldom later.
    settle_seconds=30.0,
    title_limit=255,
    description_limit=32_767,
)


def _headers(token: str, values: SettingValues) -> Mapping[str, str]:
    pair = f"{chosen_one(values, EMAIL.name)}:{token}"
    return {"Authorization": f"Basic {b64encode(pair.encode()).decode('ascii')}"}


def _open(http: HttpClient, settings: SettingValues) -> Tracker:
    client = JiraClient(http)
    steps = Steps(client, settings, _WORKFLOWS)
    return Tracker(
        manifest=MANIFEST,
        text=_TEXT,
        account=JiraAccount(client, steps),
        tickets=JiraTickets(client, steps),
        notifications=JiraNotifications(client),
    )


JIRA = TrackerAdapter(
    manifest=MANIFEST,
    service=SERVICE,
    api_root=api_root,
    headers=_headers,
    open=_open,
    wire=JiraWire(),
    package=__name__,
)
