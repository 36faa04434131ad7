"""The command line. Every command that changes something calls the same use case as the page.

What is wrong is said in one line on standard error, with exit code 1 (2 for wrong usage); never with a traceback.
"""

import sys
from typing import Any, NoReturn

import psycopg
import typer
from psycopg_pool import PoolTimeout
from typer.core import TyperGroup

from keepstep.bootstrap import EmbeddedDatabaseError
from keepstep.cli import bulk, doctor, integrations, links, people, running, sealing, trackers
from keepstep.domain.errors import KeepstepError
from keepstep.ports.vault import VaultError
from keepstep.settings import SettingsError


class _Group(TyperGroup):
    """Every command's errors end here, however it is called."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except (SettingsError, EmbeddedDatabaseError, KeepstepError) as error:
            _fail(str(error))
        except VaultError as error:
            _fail(f"{error} See `keepstep doctor`.")
        except (psycopg.OperationalError, PoolTimeout) as error:
            first_line = str(error).strip().split("\n")[0]
            _fail(f"The database does not answer: {first_line}. Check KEEPSTEP_DATABASE_URL.")
        except psycopg.Error as error:
            _fail(f"The database refuses: {str(error).strip()} See `keepstep doctor`.")


def _fail(message: str) -> NoReturn:
    print(f"keepstep: {' '.join(message.split())}", file=sys.stderr)  # noqa: T201
    sys.exit(1)


app = typer.Typer(
    name="keepstep",
    cls=_Group,
    help="Keeps Productboard features and tracker tickets in step.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
for _part in (running, doctor, sealing, people, integrations, links, bulk, trackers):
    _part.add_to(app)


def main() -> None:
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)
