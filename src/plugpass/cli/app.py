"""The command table: one line a command, one module behind it. Commands import what they need when they run."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Annotated

import typer

from plugpass import __version__
from plugpass.cli import decode, doctor, encode, inspection, lab, roles
from plugpass.cli.pki import pki_app
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
    "decode": decode.command,
    "encode": encode.command,
    "station": roles.station,
    "vehicle": roles.vehicle,
    "doctor": doctor.command,
}
for _name, _command in COMMANDS.items():
    app.command(_name)(_command)
app.add_typer(pki_app, name="pki")


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


def run() -> None:
    """Run the command line; what plugpass refuses on purpose is one line and exit code 2."""
    try:
        app()
    except PlugpassError as error:
        print(f"plugpass: {error}", file=sys.stderr)
        sys.exit(2)
