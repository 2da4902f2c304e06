"""The command table: one line a command, one module behind it. Commands import what they need when they run."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Annotated

import typer

from plugpass import __version__
from plugpass.cli import doctor, inspection, lab, roles
from plugpass.errors import PlugpassError

app = typer.Typer(
    name="plugpass",
    help="The whole ISO 15118 Plug & Charge chain: PKI, EST, pools, provisioning, OCPP CSMS, station, vehicle.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)

COMMANDS: dict[str, Callable[..., None]] = {
    "lab": lab.command,
    "inspect": inspection.command,
    "station": roles.station,
    "vehicle": roles.vehicle,
    "doctor": doctor.command,
}
for _name, _command in COMMANDS.items():
    app.command(_name)(_command)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"plugpass {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """The whole ISO 15118 Plug & Charge chain in one package."""


def main() -> None:
    """Run the command line. Exit codes: 0 done, 1 the work failed, 2 unusable input, 130 interrupted."""
    try:
        app()
    except PlugpassError as error:
        print(f"plugpass: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
