"""`plugpass pki show`: what there is, as a tree with a bar for each validity."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from plugpass.cli.pki.options import DEFAULT_FOLDER, AsJson, At, Folder, InputPassphraseFile
from plugpass.cli.pki.reporting import console, moment, print_json, reporting

if TYPE_CHECKING:
    from datetime import datetime

    from rich.tree import Tree

    from plugpass.cli.pki.tree import Branch

_BAR = 20  #: characters


def show(
    files: Annotated[
        list[Path] | None, typer.Argument(help="Certificates or chains; default: everything in the workspace.")
    ] = None,
    folder: Folder = DEFAULT_FOLDER,
    at: At = "",
    revoked: Annotated[bool, typer.Option("--revoked", help="Revoked and expired ones as well.")] = False,
    passphrase_file: InputPassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Show certificates as a tree, each below the one that signed it, with how much of its life is over.

    Needs no passphrase for a workspace: certificates are public. [bold]--passphrase-file[/bold] opens PKCS#12 files.
    """
    with reporting(as_json):
        from plugpass.cli.pki.tree import branches_of_files, branches_of_workspace
        from plugpass.cli.pki.workspace import run
        from plugpass.net.clock import SystemClock

        now = moment(at, now=SystemClock().now())
        if files:
            branches = branches_of_files(files, passphrase_file)
        else:
            branches = run(branches_of_workspace(folder, now, everything=revoked))
        if as_json:
            print_json({"ok": True, "at": now.isoformat(), "certificates": [_as_dict(item, now) for item in branches]})
        else:
            _print(branches, now)


def _as_dict(branch: Branch, now: datetime) -> dict[str, Any]:
    from plugpass.cli.pki.verification import describe

    below = [_as_dict(item, now) for item in branch.below]
    return {
        **describe(branch.certificate),
        "label": branch.label,
        "status": branch.status(now),
        "used": round(branch.used(now), 3),
        "below": below,
    }


def _print(branches: tuple[Branch, ...], now: datetime) -> None:
    from rich.tree import Tree

    top = Tree(f"[dim]at {now:%Y-%m-%d %H:%M} UTC[/dim]", hide_root=False)
    for branch in branches:
        _grow(top, branch, now)
    console().print(top, no_wrap=True, overflow="ignore", crop=False)


def _grow(tree: Tree, branch: Branch, now: datetime) -> None:
    from rich.markup import escape

    colours = {"valid": "green", "due": "yellow", "expired": "red", "revoked": "red", "not yet valid": "cyan"}
    status = branch.status(now)
    filled = round(_BAR * min(max(branch.used(now), 0.0), 1.0))
    bar = f"[{colours[status]}]{'█' * filled}{'░' * (_BAR - filled)}[/{colours[status]}]"
    certificate = branch.certificate
    dates = f"{certificate.not_before:%Y-%m-%d}..{certificate.not_after:%Y-%m-%d}"
    label = f" [dim]{escape(branch.label)}[/dim]" if branch.label else ""
    name = escape(certificate.common_name or str(certificate.subject))
    below = tree.add(f"{bar} {dates} [bold]{name}[/bold]{label}{'' if status == 'valid' else f' {status}'}")
    for item in branch.below:
        _grow(below, item, now)
