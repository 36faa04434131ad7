"""GitLab, and GitTab, the emulator that ships with Keepstep and speaks a true subset of GitLab's REST v4.

Both are one code: they differ in their default address, in how fast they may be asked, and in that GitTab tells when an
issue is deleted, which GitLab does not.
"""

from keepstep.adapters.formats.markdown import Markdown
from keepstep.adapters.http import HttpClient, Service
from keepstep.adapters.trackers import SettingValues, TrackerAdapter
from keepstep.adapters.trackers.gitlab.account import GitLabAccount
from keepstep.adapters.trackers.gitlab.client import GitLabClient, api_root, service
from keepstep.adapters.trackers.gitlab.notifications import GitLabNotifications
from keepstep.adapters.trackers.gitlab.secrets import hook_token
from keepstep.adapters.trackers.gitlab.settings import NEW_TICKET_LABELS, STATUS_LABELS, StatusRules
from keepstep.adapters.trackers.gitlab.tickets import GitLabTickets
from keepstep.adapters.trackers.gitlab.webhooks import GitLabWire
from keepstep.domain.calls import CREATES, Limit
from keepstep.ports.tracker import Capabilities, Channel, RateLimit, Scope, Tracker, TrackerManifest

_TEXT = Markdown()
_SCOPES = (
    Scope("api", "to read and write issues, their comments and labels"),
    Scope("role Maintainer", "to make the webhook; Reporter is enough where a person makes it"),
)
_HOOK_STEPS = (
    "Open the project in GitLab, then Settings, Webhooks, Add new webhook.",
    "URL: {url}",
    "Secret token: {secret}",
    "Trigger: Issues events and Confidential issues events, nothing else. Keep SSL verification on. Save.",
    "Press Test, Issues events, then check here.",
)
_TITLE_LIMIT = 255
_DESCRIPTION_LIMIT = 1_048_576
_SETTLE_SECONDS = 12.0
"""Search sees a new issue with its commit; what takes time is a request that still runs after we gave it up at 10 s."""


def _manifest(
    kind: str,
    name: str,
    summary: str,
    default_base_url: str,
    token_help: str,
    *,
    delete_events: bool,
    limits: tuple[RateLimit, ...],
) -> TrackerManifest:
    return TrackerManifest(
        kind=kind,
        name=name,
        summary=summary,
        project_word="project",
        default_base_url=default_base_url,
        token_help=token_help,
        text_format=_TEXT.name,
        channel=Channel.WEBHOOK,
        capabilities=Capabilities(delete_events=delete_events, follows_moves=True, labels=True),
        scopes=_SCOPES,
        limits=limits,
        settings=(STATUS_LABELS,),
        defaults=(NEW_TICKET_LABELS,),
        hook_steps=_HOOK_STEPS,
        settle_seconds=_SETTLE_SECONDS,
        title_limit=_TITLE_LIMIT,
        description_limit=_DESCRIPTION_LIMIT,
    )


def _adapter(manifest: TrackerManifest, rate: Service) -> TrackerAdapter:
    def open_tracker(http: HttpClient, settings: SettingValues) -> Tracker:
        client = GitLabClient(http)
        rules = StatusRules.from_settings(settings)
        return Tracker(
            manifest=manifest,
            text=_TEXT,
            account=GitLabAccount(client, rules),
            tickets=GitLabTickets(client, rules, _TEXT),
            notifications=GitLabNotifications(client),
        )

    return TrackerAdapter(
        manifest=manifest,
        service=rate,
        api_root=api_root,
        # All kinds of tokens, OAuth's too, are taken as bearers; and httpx hides this header in reprs.
        headers=lambda token, _: {"Authorization": f"Bearer {token}"},
        open=open_tracker,
        wire=GitLabWire(delete_events=manifest.capabilities.delete_events),
        entered_secret=hook_token,
        package=__name__,
    )


GITLAB = _adapter(
    _manifest(
        "gitlab",
        "GitLab",
        "Issues of a GitLab project, on GitLab.com or on a server of your own.",
        "https://gitlab.com",
        "A project access token (Settings, Access tokens) with the scope api and the role Maintainer, which GitLab "
        "demands for webhooks. A group or personal access token with the same rights works too.",
        delete_events=False,
        limits=(RateLimit(2000, 60),),
    ),
    service(
        "GitLab",
        Limit("minute", calls=1900, seconds=60, burst=300),
        Limit("creations", calls=180, seconds=60, burst=40, costs=CREATES),
    ),
)
"""GitLab.com allows about 2,000 requests a minute and user. How many new issues and notes is a setting of each server;
one that allows fewer answers with the time to wait."""

GITTAB = _adapter(
    _manifest(
        "gittab",
        "GitTab",
        "The tracker that comes with Keepstep, for trying things out.",
        "http://127.0.0.1:8082",
        "In the demo the token is demo-gittab-token.",
        delete_events=True,
        limits=(),
    ),
    service(
        "GitTab",
        Limit("second", calls=240, seconds=1, burst=40),
        Limit("minute", calls=6000, seconds=60, burst=1500),
    ),
)
