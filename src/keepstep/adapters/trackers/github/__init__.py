"""GitHub's issues, by its REST API: github.com, GHE.com, and Enterprise Server.

Repositories are projects here, named by their ids. Statuses are the state with its reason, or labels.
"""

from collections.abc import Mapping

from keepstep.adapters.formats.markdown import GITHUB as DIALECT
from keepstep.adapters.formats.markdown import Markdown
from keepstep.adapters.http import HttpClient
from keepstep.adapters.trackers import SettingValues, TrackerAdapter
from keepstep.adapters.trackers.github.account import GitHubAccount
from keepstep.adapters.trackers.github.client import SERVICE, GitHubClient, api_root
from keepstep.adapters.trackers.github.defaults import ALL
from keepstep.adapters.trackers.github.notifications import GitHubNotifications
from keepstep.adapters.trackers.github.settings import SETTINGS, StatusRules
from keepstep.adapters.trackers.github.tickets import GitHubTickets
from keepstep.adapters.trackers.github.webhooks import GitHubWire
from keepstep.ports.tracker import (
    Capabilities,
    Channel,
    MarkerStrategy,
    RateLimit,
    Scope,
    Tracker,
    TrackerManifest,
)

_TEXT = Markdown(DIALECT)
_API_VERSION = "2022-11-28"
_HOW_TO = (
    "A fine-grained personal access token (Settings, Developer settings, Personal access tokens) for the repository, "
    "with the permissions Issues: read and write, and Metadata: read. With Webhooks: read and write as well, of "
    "somebody who is an admin of the repository, Keepstep makes the webhook by itself."
)
_HOOK_STEPS = (
    "Open the repository in GitHub, then Settings, Webhooks, Add webhook.",
    "Payload URL: {url}",
    "Content type: application/json.",
    "Secret: {secret}",
    "Keep SSL verification on. Choose to select individual events, and tick Issues alone. Press Add webhook.",
    "Change an issue of the repository, then check here.",
)

MANIFEST = TrackerManifest(
    kind="github",
    name="GitHub",
    summary="Issues of a repository on GitHub.com or on an Enterprise Server of your own.",
    project_word="repository",
    default_base_url="https://github.com",
    token_help=_HOW_TO,
    text_format=_TEXT.name,
    channel=Channel.WEBHOOK,
    capabilities=Capabilities(
        delete_events=True, follows_moves=True, labels=True, assignee=True, redelivers=True
    ),
    settings=SETTINGS,
    defaults=ALL,
    scopes=(
        Scope("Issues: read and write", "to read and write issues, their comments and labels"),
        Scope("Metadata: read", "to find the repository"),
        Scope("Webhooks: read and write", "to make the webhook; not needed where a person makes it"),
    ),
    marker=MarkerStrategy.LIST,
    limits=(
        RateLimit(5000, 3600),
        RateLimit(80, 60, writes_only=True),
        RateLimit(500, 3600, writes_only=True),
    ),
    hook_steps=_HOOK_STEPS,
    hook_signed=True,
    settle_seconds=60.0,
    title_limit=256,
    description_limit=65_536,
)
"""The list shows a new issue at once but for incidents, in which others have met minutes. The two limits of length are
not in the reference; they are what others have met."""


def _headers(token: str, _values: SettingValues) -> Mapping[str, str]:
    return {
        "Authorization": f"Bearer {token}",
        "Accept": "application/vnd.github+json",
        "X-GitHub-Api-Version": _API_VERSION,
    }


def _open(http: HttpClient, settings: SettingValues) -> Tracker:
    client = GitHubClient(http)
    rules = StatusRules.from_settings(settings)
    account = GitHubAccount(client, rules)
    return Tracker(
        manifest=MANIFEST,
        text=_TEXT,
        account=account,
        tickets=GitHubTickets(client, account, rules, _TEXT),
        notifications=GitHubNotifications(client),
    )


GITHUB = TrackerAdapter(
    manifest=MANIFEST,
    service=SERVICE,
    api_root=api_root,
    headers=_headers,
    open=_open,
    wire=GitHubWire(),
    package=__name__,
)
