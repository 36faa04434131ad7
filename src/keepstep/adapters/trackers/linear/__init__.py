"""Linear, by its GraphQL API, with a personal API key.

Teams are projects here, workflow states are statuses, and an issue's id is made of its Link's marker.
"""

from collections.abc import Mapping

from keepstep.adapters.http import HttpClient
from keepstep.adapters.trackers import SettingValues, TrackerAdapter
from keepstep.adapters.trackers.linear.account import LinearAccount
from keepstep.adapters.trackers.linear.client import SERVICE, LinearClient, api_root
from keepstep.adapters.trackers.linear.defaults import ALL
from keepstep.adapters.trackers.linear.notifications import LinearNotifications
from keepstep.adapters.trackers.linear.text import LinearMarkdown
from keepstep.adapters.trackers.linear.tickets import LinearTickets
from keepstep.adapters.trackers.linear.webhooks import LinearWire
from keepstep.ports.tracker import (
    Capabilities,
    Channel,
    MarkerStrategy,
    RateLimit,
    Scope,
    Tracker,
    TrackerManifest,
)

_TEXT = LinearMarkdown()
_OAUTH = "lin_oauth_"
_KEY_HELP = (
    "A personal API key (Settings, Security & access, Personal API keys) with the rights Read and Write for the team. "
    "With Admin as well, made by an admin of the workspace, Keepstep makes the webhook by itself."
)
_HOOK_STEPS = (
    "The page for webhooks in Linear makes a secret of its own, so a request has to do it.",
    "As an admin of the workspace, make a personal API key with the rights Read and Admin.",
    "With it in the header Authorization, send the mutation webhookCreate to https://api.linear.app/graphql.",
    'Its input: label "Keepstep", resourceTypes ["Issue"], teamId with the id of the team, and what follows.',
    "url: {url}",
    "secret: {secret}",
    "Delete that key, change an issue of the team, then check here.",
)

MANIFEST = TrackerManifest(
    kind="linear",
    name="Linear",
    summary="Issues of a Linear team.",
    project_word="team",
    default_base_url="https://api.linear.app",
    token_help=_KEY_HELP,
    text_format=_TEXT.name,
    channel=Channel.WEBHOOK,
    capabilities=Capabilities(
        delete_events=True, restore=True, follows_moves=True, labels=True, assignee=True
    ),
    defaults=ALL,
    scopes=(
        Scope("Read", "to read issues, teams, labels and workflow states"),
        Scope("Write", "to create and change issues, their comments and attachments"),
        Scope("Admin", "to make the webhook; not needed where an admin makes it by hand"),
    ),
    marker=MarkerStrategy.OWN_ID,
    limits=(RateLimit(5000, 3600),),
    hook_steps=_HOOK_STEPS,
    hook_signed=True,
    settle_seconds=12.0,
    title_limit=255,
    description_limit=250_000,
)
"""The two limits of length are not documented; they are what others have met. What settles is a request that still runs
after we gave it up at 10 s."""


def _headers(token: str, _values: SettingValues) -> Mapping[str, str]:
    """An API key stands alone; only OAuth's tokens are bearers."""
    return {"Authorization": f"Bearer {token}" if token.startswith(_OAUTH) else token}


def _open(http: HttpClient, _settings: SettingValues) -> Tracker:
    client = LinearClient(http)
    return Tracker(
        manifest=MANIFEST,
        text=_TEXT,
        account=LinearAccount(client),
        tickets=LinearTickets(client, _TEXT),
        notifications=LinearNotifications(client),
    )


LINEAR = TrackerAdapter(
    manifest=MANIFEST,
    service=SERVICE,
    api_root=api_root,
    headers=_headers,
    open=_open,
    wire=LinearWire(),
    package=__name__,
)
