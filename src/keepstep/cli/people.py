"""Commands about people who may log in, and tokens for the API.

Passwords are never taken as an argument, which every user of the machine can read in the list of processes.
"""

import sys
from typing import Annotated

import typer

from keepstep.app.people import NewPerson
from keepstep.bootstrap import Runtime
from keepstep.cli.opening import run
from keepstep.cli.printing import note, say, say_data, say_table
from keepstep.domain.errors import InvalidInputError

admin = typer.Typer(no_args_is_help=True, help="People who may log in, and tokens for the API.")

Name = Annotated[str, typer.Argument(help="The login name.")]
PasswordStdin = Annotated[
    bool,
    typer.Option("--password-stdin", help="Read the password from standard input instead of making one."),
]


def add_to(app: typer.Typer) -> None:
    app.add_typer(admin, name="admin")


@admin.command()
def create(name: Name, *, password_stdin: PasswordStdin = False) -> None:
    """Make a person who may log in. Without --password-stdin a password is made and shown once."""
    password = _read_password() if password_stdin else None
    made = run(lambda runtime: runtime.people.create_admin(name, password))
    note(f"{made.person.name} can log in now.")
    _show(made, given=password_stdin)


@admin.command("reset-password")
def reset_password(name: Name, *, password_stdin: PasswordStdin = False) -> None:
    """Give a person a new password; ends that person's sessions."""
    password = _read_password() if password_stdin else None
    made = run(lambda runtime: runtime.people.reset_password(name, password))
    note(f"{made.person.name} has a new password.")
    _show(made, given=password_stdin)


def _show(made: NewPerson, *, given: bool) -> None:
    if not given:
        note("The password, shown this once:")
        say(made.password)


def _read_password() -> str:
    return sys.stdin.readline().rstrip("\r\n")


@admin.command()
def token(
    name: Name,
    *,
    purpose: Annotated[str, typer.Option("--for", help="What the token is for.")] = "command line",
) -> None:
    """Make a token for the API, in the name of this person. It is printed alone, and only now."""

    async def make(runtime: Runtime) -> str:
        wanted = name.strip().lower()
        person = next((each for each in await runtime.people.list_people() if each.name == wanted), None)
        if person is None:
            raise InvalidInputError("name", f"Nobody is called {name!r}. See `keepstep admin list`.")
        return (await runtime.people.create_token(person, purpose)).secret

    secret = run(make)
    note("The token, shown this once:")
    say(secret)


@admin.command("list")
def list_people(
    *, as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list.")] = False
) -> None:
    """List the people who may log in."""
    found = run(lambda runtime: runtime.people.list_people())
    if as_json:
        say_data(
            [
                {"name": each.name, "created_at": each.created_at.isoformat(), "disabled": each.disabled}
                for each in found
            ]
        )
        return
    rows = [(each.name, f"{each.created_at:%Y-%m-%d}", "disabled" if each.disabled else "") for each in found]
    say_table(("NAME", "SINCE", ""), rows, flexible=(0,))
