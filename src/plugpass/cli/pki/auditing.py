"""`plugpass pki audit`: the log of key ceremonies, and whether anybody has touched it."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from plugpass.cli.pki.options import DEFAULT_FOLDER, AsJson, Folder
from plugpass.cli.pki.reporting import REFUSED, print_json, reporting

audit_app = typer.Typer(help="The log of key ceremonies, chained by hashes.", no_args_is_help=True)


@audit_app.command("list")
def list_(folder: Folder = DEFAULT_FOLDER, as_json: AsJson = False) -> None:
    """Show every entry: what was done, to what, by whom, when."""
    with reporting(as_json):
        from plugpass.cli.pki.workspace import opened, run
        from plugpass.ports.audit import AuditEntry

        async def work() -> tuple[AuditEntry, ...]:
            async with opened(folder, passphrase_file=None, by="") as workspace:
                return await workspace.audit.entries()

        entries = run(work())
        if as_json:
            print_json({"ok": True, "entries": [_as_dict(entry) for entry in entries]})
            return
        for entry in entries:
            details = " ".join(f"{name}={value}" for name, value in entry.details.items())
            when = f"{entry.at:%Y-%m-%d %H:%M:%S}"
            typer.echo(f"{entry.sequence:>4} {when} {entry.actor} {entry.action} {entry.subject} {details}")


@audit_app.command("verify")
def verify(
    head: Annotated[
        str, typer.Option("--head", help="A digest noted earlier: the log must still contain that entry.")
    ] = "",
    folder: Folder = DEFAULT_FOLDER,
    as_json: AsJson = False,
) -> None:
    """Follow the chain of hashes from the first entry. Note the head it prints: only that shows a cut-off end.

    Exit code 1 when the chain is broken.
    """
    with reporting(as_json):
        from plugpass.cli.pki.workspace import opened, run
        from plugpass.store.audit import AuditReport

        async def work() -> AuditReport:
            async with opened(folder, passphrase_file=None, by="") as workspace:
                return await workspace.audit.verify(expected_head=head or None)

        report = run(work())
        if as_json:
            print_json({"ok": report.ok, "reason": report.problem, "entries": report.entries, "head": report.head})
        elif report.ok:
            typer.echo(f"{report.entries} entries, unbroken; head {report.head}")
        else:
            typer.echo(f"plugpass: the audit log is broken: {report.problem}", err=True)
    if not report.ok:
        raise typer.Exit(REFUSED)


def _as_dict(entry: Any) -> dict[str, Any]:
    return {
        "sequence": entry.sequence,
        "at": entry.at.isoformat(),
        "actor": entry.actor,
        "action": entry.action,
        "subject": entry.subject,
        "details": dict(entry.details),
        "digest": entry.digest,
    }
