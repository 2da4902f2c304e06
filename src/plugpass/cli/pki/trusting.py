"""`plugpass pki trust`: which roots are trusted, where they came from, how far they are rolled out, who lacks them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from plugpass.cli.pki.options import DEFAULT_FOLDER, AsJson, By, Folder, RootWord
from plugpass.cli.pki.reporting import REFUSED, actor, print_json, reporting

trust_app = typer.Typer(help="The trust store: import roots, roll them out, take them back.", no_args_is_help=True)

Fingerprint = Annotated[str, typer.Argument(help="SHA-256 fingerprint of the root, or its beginning.")]
Type = Annotated[RootWord | None, typer.Option("--type", help="Root type.")]
Reach = Annotated[int, typer.Option("--reach", help="Percent of the stations that are meant so far.", min=0, max=100)]


@trust_app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="PEM, DER or PKCS#7 bundle; root list of OPCP or OPNC (JSON).")],
    root_type: Annotated[
        RootWord | None, typer.Option("--type", help="Type of the roots in a bundle; pool lists say it themselves.")
    ] = None,
    market: Annotated[str, typer.Option("--market", help="For this market only, such as EU.")] = "",
    origin: Annotated[str, typer.Option("--origin", help="Where the file came from; default: its name.")] = "",
    signer: Annotated[
        Path | None, typer.Option("--signer", help="The file is a signed list (CMS): by this certificate.")
    ] = None,
    staged: Annotated[bool, typer.Option("--staged", help="Roll out first; trust it when it is activated.")] = False,
    folder: Folder = DEFAULT_FOLDER,
    by: By = "",
    as_json: AsJson = False,
) -> None:
    """Take roots into the trust store. What is no usable root is named and left out.

    Exit code 1 when nothing in the file was usable.
    """
    with reporting(as_json):
        from plugpass.cli.pki.roots import ImportWish, import_roots
        from plugpass.cli.pki.workspace import opened, run

        wish = ImportWish(
            file=file,
            root_type=root_type.value if root_type else "",
            market=market.upper(),
            origin=origin,
            signer=signer,
            staged=staged,
        )

        async def work() -> dict[str, Any]:
            async with opened(folder, passphrase_file=None, by=actor(by)) as workspace:
                return await import_roots(workspace, wish)

        result = run(work())
        if as_json:
            print_json(result)
        else:
            for item in result["added"]:
                typer.echo(f"added {item['type']} {item['sha256'][:16]} {item['subject']}")
            for item in result["known"]:
                typer.echo(f"known already: {item['type']} {item['sha256'][:16]} {item['subject']}")
            for item in result["refused"]:
                typer.echo(f"left out: {item['item']}: {item['problem']}", err=True)
    if not result["ok"]:
        raise typer.Exit(REFUSED)


@trust_app.command("list")
def list_(folder: Folder = DEFAULT_FOLDER, as_json: AsJson = False) -> None:
    """Show every root with its stage, source, market, and who added it when."""
    with reporting(as_json):
        from plugpass.cli.pki.roots import describe_entry
        from plugpass.cli.pki.workspace import opened, run

        async def work() -> list[dict[str, Any]]:
            async with opened(folder, passphrase_file=None, by="") as workspace:
                return [describe_entry(entry) for entry in await workspace.trust.load()]

        roots = run(work())
        if as_json:
            print_json({"ok": True, "roots": roots})
            return
        for root in roots:
            reach = "" if root["reach"] == 100 else f" {root['reach']} %"
            market = root["market"] or "every market"
            typer.echo(f"{root['sha256'][:16]} {root['type']:<4} {root['stage']}{reach:<6} {root['subject']}")
            typer.echo(
                f"{'':16} {market}, {root['source']} {root['origin']}, by {root['added_by']} on {root['added_at'][:10]}"
            )


def _move(
    stage: str, fingerprint: str, root_type: RootWord | None, reach: int, folder: Path, by: str, as_json: bool
) -> None:
    with reporting(as_json):
        from plugpass.cli.pki.roots import describe_entry
        from plugpass.cli.pki.workspace import opened, run
        from plugpass.pki.profiles import RootType
        from plugpass.pki.trust_store import Stage

        wanted = RootType(root_type.value.upper()) if root_type else None

        async def work() -> dict[str, Any]:
            async with opened(folder, passphrase_file=None, by=actor(by)) as workspace:
                now = workspace.clock.now()
                entry = await workspace.trust.move(
                    fingerprint, Stage(stage), by=workspace.by, at=now, reach=reach, root_type=wanted
                )
                return describe_entry(entry)

        root = run(work())
        if as_json:
            print_json({"ok": True, **root})
        else:
            typer.echo(f"{root['subject']} is {root['stage']} (reach {root['reach']} %)")


@trust_app.command("stage")
def stage(
    fingerprint: Fingerprint,
    root_type: Type = None,
    reach: Reach = 100,
    folder: Folder = DEFAULT_FOLDER,
    by: By = "",
    as_json: AsJson = False,
) -> None:
    """Roll a root out to this part of the stations, without trusting it yet."""
    _move("staged", fingerprint, root_type, reach, folder, by, as_json)


@trust_app.command("activate")
def activate(
    fingerprint: Fingerprint,
    root_type: Type = None,
    folder: Folder = DEFAULT_FOLDER,
    by: By = "",
    as_json: AsJson = False,
) -> None:
    """Trust a root, on every station."""
    _move("active", fingerprint, root_type, 100, folder, by, as_json)


@trust_app.command("retire")
def retire(
    fingerprint: Fingerprint,
    root_type: Type = None,
    reach: Reach = 100,
    folder: Folder = DEFAULT_FOLDER,
    by: By = "",
    as_json: AsJson = False,
) -> None:
    """Take a root off this part of the stations, while decisions still trust it."""
    _move("retiring", fingerprint, root_type, reach, folder, by, as_json)


@trust_app.command("remove")
def remove(
    fingerprint: Fingerprint,
    root_type: Type = None,
    folder: Folder = DEFAULT_FOLDER,
    by: By = "",
    as_json: AsJson = False,
) -> None:
    """Trust a root no more. It stays on record."""
    _move("removed", fingerprint, root_type, 100, folder, by, as_json)


@trust_app.command("lacking")
def lacking(
    csms: Annotated[Path, typer.Option("--csms", help="SQLite database of the CSMS.")],
    fingerprint: Annotated[str, typer.Argument(help="The root; default: every root each station should have.")] = "",
    folder: Folder = DEFAULT_FOLDER,
    as_json: AsJson = False,
) -> None:
    """Say which stations lack a root, according to what the CSMS recorded. What it does not prove counts as lacking.

    Exit code 1 when a station lacks one.
    """
    with reporting(as_json):
        from plugpass.cli.pki.roots import stations_without
        from plugpass.cli.pki.workspace import opened, run

        async def work() -> dict[str, Any]:
            async with opened(folder, passphrase_file=None, by="") as workspace:
                return await stations_without(workspace, csms, fingerprint)

        result = run(work())
        if as_json:
            print_json(result)
        else:
            for station, roots in result["lacking"].items():
                typer.echo(f"{station}: {'; '.join(roots)}")
            typer.echo(f"{len(result['lacking'])} of {result['stations']} stations lack a root")
    if not result["ok"]:
        raise typer.Exit(REFUSED)
