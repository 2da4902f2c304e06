"""`plugpass pki crl`, `ocsp serve`, `renew-ca`, `cross-sign`, `rollover`: what keeps a hierarchy going."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Annotated, Any

import typer

from plugpass.cli.pki.options import DEFAULT_FOLDER, AsJson, Authority, By, Folder, Out, PassphraseFile
from plugpass.cli.pki.reporting import actor, print_json, reporting

ocsp_app = typer.Typer(help="The OCSP responder of the workspace.", no_args_is_help=True)
rollover_app = typer.Typer(
    help="Replace a root in stages: prepare, activate, and retire the old one when all have learned the new one.",
    no_args_is_help=True,
)


def crl(
    ca: Annotated[str, typer.Argument(help="Role of the CA, such as cpo-sub2; default: all that may sign lists.")] = "",
    days: Annotated[int, typer.Option("--days", help="Until the next list.", min=1, max=90)] = 7,
    pem: Annotated[bool, typer.Option("--pem", help="With --out: PEM instead of DER.")] = False,
    out: Out = None,
    folder: Folder = DEFAULT_FOLDER,
    authority: Authority = "",
    passphrase_file: PassphraseFile = None,
    by: By = "",
    as_json: AsJson = False,
) -> None:
    """Sign revocation lists anew, into crl/ of the workspace, and one of them into [bold]--out[/bold] as well."""
    with reporting(as_json):
        from datetime import timedelta

        from plugpass.cli.pki.lists import sign_lists
        from plugpass.cli.pki.workspace import opened, run
        from plugpass.errors import LocalError
        from plugpass.pki.crl import crl_pem
        from plugpass.store.layouts import write_file

        async def work() -> None:
            async with opened(folder, passphrase_file=passphrase_file, by=actor(by)) as workspace:
                plans = (workspace.named(authority),) if authority else workspace.plan.authorities
                written = await sign_lists(workspace, plans, ca=ca, validity=timedelta(days=days))
                if not written:
                    raise LocalError(f"no CA in the role {ca}: name one such as cpo-sub2, or none for all")
                if out is not None:
                    if len(written) != 1:
                        raise LocalError(f"--out takes one list, these are {len(written)}: name CA and --authority")
                    signed = written[0].path.read_bytes()
                    write_file(out, crl_pem(signed).encode() if pem else signed)
            if as_json:
                lists = [
                    {"file": str(item.path), "authority": item.authority, "ca": item.ca, "entries": item.entries}
                    for item in written
                ]
                print_json({"ok": True, "lists": lists})
                return
            for item in written:
                typer.echo(f"{item.path}: {item.issuer}, {item.entries} entries")

        run(work())


@ocsp_app.command("serve")
def serve(
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", help="TCP port; 0 takes any.", min=0, max=65535)] = 8888,
    folder: Folder = DEFAULT_FOLDER,
    passphrase_file: PassphraseFile = None,
    by: By = "",
    log_level: Annotated[str, typer.Option("--log-level", help="debug, info, warning or error.")] = "info",
) -> None:
    """Answer OCSP requests about everything the workspace issued, and serve its CRLs, until Ctrl-C.

    Serve it where --ocsp-url of [bold]pki init[/bold] says: that address is in the certificates.
    """
    with reporting(False):
        from plugpass.cli.logs import configure_logs
        from plugpass.cli.pki.workspace import opened, run

        configure_logs(log_level)

        async def work() -> None:
            async with opened(folder, passphrase_file=passphrase_file, by=actor(by)) as workspace:
                await _serve(workspace, host, port)

        with contextlib.suppress(KeyboardInterrupt):
            run(work())


async def _serve(workspace: Any, host: str, port: int) -> None:
    from fastapi import FastAPI

    from plugpass.cli.pki.lists import fetch_list
    from plugpass.net.crl_http import crl_router
    from plugpass.net.http_server import HttpServer
    from plugpass.net.ocsp_http import first_responsible, ocsp_router

    responders = [(await workspace.authority(plan)).respond_ocsp for plan in workspace.plan.authorities]
    app = FastAPI(title="plugpass status", docs_url=None, redoc_url=None, openapi_url=None)
    app.include_router(ocsp_router(first_responsible(*responders), clock=workspace.clock, actor="ca"))

    async def fetch(name: str) -> bytes | None:
        found: bytes | None = await fetch_list(workspace, name)
        return found

    app.include_router(crl_router(fetch))
    async with HttpServer(app, host=host, port=port) as server:
        typer.echo(f"OCSP responder for {len(responders)} authorities at {server.url}; Ctrl-C ends it")
        await asyncio.Event().wait()


def renew_ca(
    role: Annotated[str, typer.Argument(help="Role of the CA, such as cpo-sub2 or v2g-root.")],
    new_key: Annotated[
        bool, typer.Option("--new-key", help="A new key under the same name; not for roots, which roll over.")
    ] = False,
    folder: Folder = DEFAULT_FOLDER,
    authority: Authority = "",
    passphrase_file: PassphraseFile = None,
    by: By = "",
    as_json: AsJson = False,
) -> None:
    """Renew the certificate of a CA before it expires. With the same key, everything below it stays valid."""
    with reporting(as_json):
        from plugpass.cli.pki.ceremonies import authority_with, renew
        from plugpass.cli.pki.workspace import opened, run

        async def work() -> dict[str, Any]:
            async with opened(folder, passphrase_file=passphrase_file, by=actor(by)) as workspace:
                return await renew(workspace, authority_with(workspace, role, authority), role, new_key=new_key)

        _show(run(work()), as_json=as_json)


def cross_sign(
    issuer: Annotated[str, typer.Option("--from", help="Authority whose root signs.")],
    subject: Annotated[str, typer.Option("--to", help="Authority whose root is certified, or a file with a root.")],
    folder: Folder = DEFAULT_FOLDER,
    passphrase_file: PassphraseFile = None,
    by: By = "",
    as_json: AsJson = False,
) -> None:
    """Certify another root: whoever trusts the one root can then follow chains of the other."""
    with reporting(as_json):
        from plugpass.cli.pki.ceremonies import cross_certify
        from plugpass.cli.pki.workspace import opened, run

        async def work() -> dict[str, Any]:
            async with opened(folder, passphrase_file=passphrase_file, by=actor(by)) as workspace:
                return await cross_certify(workspace, workspace.named(issuer), subject)

        _show(run(work()), as_json=as_json)


@rollover_app.command("prepare")
def rollover_prepare(
    folder: Folder = DEFAULT_FOLDER,
    authority: Authority = "",
    passphrase_file: PassphraseFile = None,
    by: By = "",
    as_json: AsJson = False,
) -> None:
    """Make the next root with its cross certificates and stage it in the trust store; nothing is issued below it."""
    _rollover("prepare", folder, authority, passphrase_file, by, as_json)


@rollover_app.command("activate")
def rollover_activate(
    folder: Folder = DEFAULT_FOLDER,
    authority: Authority = "",
    passphrase_file: PassphraseFile = None,
    by: By = "",
    as_json: AsJson = False,
) -> None:
    """Make the prepared root the root: Sub-CAs keep their keys and get certificates from it. Both roots are trusted."""
    _rollover("activate", folder, authority, passphrase_file, by, as_json)


@rollover_app.command("retire")
def rollover_retire(
    folder: Folder = DEFAULT_FOLDER,
    authority: Authority = "",
    passphrase_file: PassphraseFile = None,
    by: By = "",
    as_json: AsJson = False,
) -> None:
    """Begin to remove the old roots from trust: they become retiring in the trust store."""
    _rollover("retire", folder, authority, passphrase_file, by, as_json)


def _rollover(stage: str, folder: Path, authority: str, passphrase_file: Path | None, by: str, as_json: bool) -> None:
    with reporting(as_json):
        from plugpass.cli.pki.ceremonies import ROLLOVER_STAGES
        from plugpass.cli.pki.workspace import opened, run
        from plugpass.providers.local_ca import Hierarchy

        async def work() -> dict[str, Any]:
            async with opened(folder, passphrase_file=passphrase_file, by=actor(by)) as workspace:
                plan = workspace.choose(authority, hierarchy=None if authority else Hierarchy.V2G)
                return await ROLLOVER_STAGES[stage](workspace, plan)

        _show(run(work()), as_json=as_json)


def _show(result: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(result)
        return
    for name, value in result.items():
        if name != "ok":
            typer.echo(f"{name}: {', '.join(value) if isinstance(value, list) else value}")
