"""Arguments and options that several commands about integrations share."""

from typing import Annotated

import typer

Named = Annotated[str, typer.Argument(metavar="INTEGRATION", help="Its name, its id, or the id's beginning.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Wait = Annotated[float, typer.Option("--wait", min=0, help="Seconds to wait for the outcome.")]
