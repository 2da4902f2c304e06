"""`plugpass pki export`: certificates and keys in the forms that others read."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from plugpass.cli.pki.options import (
    DEFAULT_FOLDER,
    AsJson,
    Authority,
    By,
    ExportPassphraseFile,
    Folder,
    GenerationWord,
    PassphraseFile,
)
from plugpass.cli.pki.reporting import actor, print_json, reporting


class FormatWord(StrEnum):
    """Values of `--format`."""

    PEM = "pem"
    DER = "der"
    P12 = "p12"
    KEY = "key"
    JOSEV = "josev"
    EVEREST = "everest"


def export(
    out: Annotated[Path, typer.Option("--out", "-o", help="File to write; for josev and everest a new folder.")],
    format_: Annotated[
        FormatWord, typer.Option("--format", "-f", help="pem: chain; der: leaf; p12; key; josev, everest: folders.")
    ] = FormatWord.PEM,
    role: Annotated[str, typer.Option("--role", help="Which certificate: secc, contract, cpo-sub2, v2g-root...")] = "",
    name: Annotated[str, typer.Option("--name", help="Which of several leaves: its common name.")] = "",
    root: Annotated[
        str, typer.Option("--root", help="Give the chain up to this root: beginning of its SHA-256 fingerprint.")
    ] = "",
    generation: Annotated[
        GenerationWord, typer.Option("--generation", help="Which generation a folder is laid out with.")
    ] = GenerationWord.ISO2,
    authority: Authority = "",
    folder: Folder = DEFAULT_FOLDER,
    passphrase_file: PassphraseFile = None,
    export_passphrase_file: ExportPassphraseFile = None,
    by: By = "",
    as_json: AsJson = False,
) -> None:
    """Write certificates and keys out of the workspace; every key that leaves it is in the audit log.

    Keys are always encrypted, with the passphrase of --export-passphrase-file, PLUGPASS_EXPORT_PASSPHRASE or a prompt.
    Folder layouts keep that passphrase beside the keys; without one given, they get a random one.
    """
    with reporting(as_json):
        from plugpass.cli.pki import handover
        from plugpass.cli.pki.inputs import require_new
        from plugpass.cli.pki.workspace import opened, run
        from plugpass.pki.profiles import Generation

        require_new(out)

        async def work() -> dict[str, Any]:
            async with opened(folder, passphrase_file=passphrase_file, by=actor(by)) as workspace:
                if format_ in (FormatWord.JOSEV, FormatWord.EVEREST):
                    return await handover.export_layout(
                        workspace, format_.value, out, Generation(generation.value), authority, export_passphrase_file
                    )
                wish = handover.Wish(role=role, name=name, root=root, authority=authority)
                return await handover.export_one(workspace, format_.value, out, wish, export_passphrase_file)

        result = run(work())
        if as_json:
            print_json(result)
            return
        typer.echo(f"{result['files']} files: {out}" if "files" in result else f"{result['subject']}: {out}")
        for missing in result.get("missing", ()):
            typer.echo(f"  not there: {missing}")
