"""What every use case is given: the ports and the few settings that rules depend on."""

from dataclasses import dataclass, field
from datetime import timedelta

from keepstep.domain.fight import Fight
from keepstep.domain.guard import Guard
from keepstep.ports.alerts import NO_ALERTS, AlertSender
from keepstep.ports.clock import Clock
from keepstep.ports.jobs import Jobs
from keepstep.ports.locks import Locks
from keepstep.ports.outside import Outside
from keepstep.ports.pages import LinkPages
from keepstep.ports.signals import Signals
from keepstep.ports.storage import Storage
from keepstep.ports.vault import Vault


@dataclass(frozen=True, slots=True)
class Rules:
    """The settings that use cases decide by."""

    public_url: str
    push_wait: float = 3.5
    """Seconds that the answer to a click may wait for the outcome; Productboard gives up at 5."""
    push_limit: timedelta = timedelta(minutes=15)
    """A push that does not succeed gives up after this time."""
    poll_every: timedelta = timedelta(minutes=5)
    poll_overlap: timedelta = timedelta(minutes=10)
    look_up_every: timedelta = timedelta(days=1)
    """How often every linked item is looked up by id: finds deletions that nobody announces."""
    look_after_every: timedelta = timedelta(minutes=10)
    """How often column and webhooks are looked at, and put right."""
    look_again_after: timedelta = timedelta(minutes=15)
    """Between the first look that finds something gone and the second one."""
    attempts: int = 12
    """A sync that fails so often is set aside."""
    first_retry: timedelta = timedelta(seconds=2)
    longest_retry: timedelta = timedelta(minutes=10)
    burst_pause: timedelta = timedelta(seconds=1)
    """Between two machine-woken syncs of one Link."""
    click_settles: timedelta = timedelta(seconds=1)
    """After our answer to a click: until Productboard has surely applied it."""
    click_dies: timedelta = timedelta(seconds=6)
    """After a click came: by then, unanswered, it has timed out at Productboard, whose limit is 5 s."""
    settle_scale: float = 1.0
    """Scales the trackers' settle times, for demos and tests."""
    journal_days: int = 90
    inbox_days: int = 7
    fight: Fight = field(default_factory=lambda: Fight(flips=0))
    guard: Guard = field(default_factory=Guard)
    alert_every: timedelta = timedelta(hours=1)
    """Of one kind and one integration no second alert is sent sooner."""
    silent_after: timedelta = timedelta(hours=1)
    """So long may the looks find changes that no notification told of, before somebody is told."""


@dataclass(frozen=True, slots=True)
class Context:
    storage: Storage
    jobs: Jobs
    locks: Locks
    signals: Signals
    vault: Vault
    clock: Clock
    outside: Outside
    pages: LinkPages
    rules: Rules
    alerts: AlertSender = NO_ALERTS
