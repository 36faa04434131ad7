"""The environment (`KEEPSTEP_*`, and a `.env`) to one frozen object.

A wrong setting is said in one line that names it.
"""

from datetime import timedelta
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class SettingsError(Exception):
    """One line: which setting, what is wrong with it, what is expected."""


class Settings(BaseSettings):
    """Every field is documented in `docs/settings.md`; a test keeps the two together."""

    model_config = SettingsConfigDict(env_prefix="KEEPSTEP_", env_file=".env", extra="ignore", frozen=True)

    database_url: str = ""
    """Any PostgreSQL from 14 on; empty: the embedded one, in DATA_DIR."""
    data_dir: Path = Path("data")
    public_url: str = "http://127.0.0.1:8080"
    """Where Productboard and the tracker reach /hooks/ and /l/."""
    host: str = "127.0.0.1"
    port: int = Field(8080, ge=1, le=65535)
    secret_keys: str = Field("", repr=False)
    """Comma-separated `id:base64 of 32 bytes`; the first seals, all open. Empty: a key file in DATA_DIR."""
    pg_bindir: Path | None = None
    push_wait: float = Field(3.5, ge=0, le=4.5)
    push_limit: timedelta = Field(timedelta(minutes=15), ge=timedelta(seconds=1))
    poll_every: timedelta = Field(timedelta(minutes=5), ge=timedelta(seconds=1))
    look_up_every: timedelta = Field(timedelta(days=1), ge=timedelta(seconds=1))
    look_again_after: timedelta = Field(timedelta(minutes=15), ge=timedelta(seconds=1))
    attempts: int = Field(12, ge=1, le=100)
    first_retry: timedelta = Field(timedelta(seconds=2), gt=timedelta())
    longest_retry: timedelta = Field(timedelta(minutes=10), gt=timedelta())
    settle_scale: float = Field(1.0, ge=0, le=10)
    journal_days: int = Field(90, ge=1)
    inbox_days: int = Field(7, ge=1)
    """Notices that were handled, and clicks, are kept so long, for questions."""
    guard_links: int = Field(5, ge=0)
    """So many Links, or `guard_percent` of an integration if that is more, may be detached by themselves in an hour."""
    guard_percent: int = Field(10, ge=0, le=100)
    fight_flips: int = Field(4, ge=0, le=100)
    """A field that we write so often to and fro within `fight_within` is left alone; 0: never."""
    fight_within: timedelta = Field(timedelta(minutes=10), gt=timedelta())
    alert_urls: str = Field("", repr=False)
    """Where alerts go: addresses of Apprise, separated by blanks. They may contain passwords."""
    call_share: int = Field(100, ge=10, le=100)
    """Percent of what each token may call that Keepstep uses; the rest is for other programs with the same token."""
    concurrency: int = Field(16, ge=1, le=64)
    dead_after: float = Field(30.0, ge=7)
    """Seconds without a sign of life after which a worker's jobs are taken over."""
    allow_private: bool = True
    """Trackers and Productboard may have private or loopback addresses: self-managed trackers live behind firewalls."""
    productboard_rich_text: Literal["2026-09", "2026-05"] = "2026-09"
    """Whether tables, checklists and code languages are written to Productboard."""
    log_format: Literal["console", "json"] = "console"
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @field_validator(
        "push_limit",
        "poll_every",
        "look_up_every",
        "look_again_after",
        "first_retry",
        "longest_retry",
        "fight_within",
        mode="before",
    )
    @classmethod
    def _seconds(cls, value: object) -> object:
        """A bare number means seconds."""
        return float(value) if isinstance(value, str) and value.replace(".", "", 1).isdigit() else value

    @field_validator("public_url")
    @classmethod
    def _address(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise ValueError("expected an address such as https://keepstep.example.com")
        return value.rstrip("/")

    @field_validator("database_url")
    @classmethod
    def _dsn(cls, value: str) -> str:
        if value and not value.startswith(("postgresql://", "postgres://")):
            raise ValueError(
                "expected postgresql://user:password@host/database, or nothing for the embedded one"
            )
        return value

    @property
    def secure_cookies(self) -> bool:
        return self.public_url.startswith("https://")


def load_settings(**given: Any) -> Settings:
    """`given` comes before the environment. Raises SettingsError."""
    try:
        return Settings(**given)
    except ValidationError as error:
        first = error.errors()[0]
        name = "_".join(str(part) for part in first["loc"]).upper()
        message = str(first["msg"]).removeprefix("Value error, ")
        raise SettingsError(f"KEEPSTEP_{name} is wrong: {message}.") from None
