"""`plugpass lab`: the complete chain on loopback."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from plugpass.cli.options import ConfigFile, LogLevel, PassphraseFile, run_async
from plugpass.lab.settings import Fault


def command(
    directory: Annotated[
        Path | None,
        typer.Option("--dir", "-d", help="Where the parties keep their state; a second run resumes from it."),
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="Leave after the run instead of staying up.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one machine-readable report and leave.")] = False,
    fault: Annotated[
        Fault | None, typer.Option("--fault", help="Break one thing on purpose, to see that the chain notices.")
    ] = None,
    config: ConfigFile = None,
    passphrase_file: PassphraseFile = None,
    log_level: LogLevel = None,
) -> None:
    """Run the whole Plug & Charge chain: PKI, pools, contract, CSMS, station, vehicle, renewal, refusals.

    All parties run in this process and meet only over their real wires on loopback: HTTPS, WebSocket, SDP, TLS, V2GTP
    and EXI. State goes to [bold]--dir[/bold] (default .plugpass/lab), private keys encrypted.

    On a terminal the lab stays up after the run until Ctrl-C; with --once, --json, or when the output is no terminal
    it leaves. Exit code 0 when every step passed, 1 when one failed, 2 when it could not start.
    """
    from plugpass.cli.lab_view import LabView
    from plugpass.cli.logs import configure_logs
    from plugpass.cli.settings import load_settings
    from plugpass.lab.run import run_lab

    settings = load_settings(config)
    configure_logs(log_level or settings.log.level, json_lines=settings.log.json_lines)
    chosen = settings.lab if directory is None else settings.lab.model_copy(update={"dir": directory})
    stay = sys.stdout.isatty() and not once and not as_json
    started = time.monotonic()
    with LabView(enabled=not as_json) as view:
        report = run_async(
            run_lab(
                chosen,
                on_step=view.step,
                on_done=view.summary,
                stay=stay,
                fault=fault,
                passphrase_file=passphrase_file,
            )
        )
    if as_json:
        print(json.dumps(report.to_dict(seconds=time.monotonic() - started), indent=2))
    for step in report.failed:
        print(f"plugpass: step {step.id} failed: {step.actor}: {step.title}: {step.detail}", file=sys.stderr)
    if not report.ok:
        raise typer.Exit(1)
