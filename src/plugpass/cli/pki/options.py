"""Options that several commands share, and the words they take. Nothing heavy is imported here: help must be quick."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer

DEFAULT_FOLDER: Final = Path(".plugpass/pki")


class GenerationWord(StrEnum):
    """Values of `--generation`."""

    ISO2 = "iso2"
    ISO20 = "iso20"


class CurveWord(StrEnum):
    """Values of `--curve`."""

    P256 = "p256"
    P521 = "p521"
    ED448 = "ed448"


class RoleWord(StrEnum):
    """Leaf roles that are validated."""

    SECC = "secc"
    CONTRACT = "contract"
    OEM_PROVISIONING = "oem-provisioning"
    CPS = "cps"
    VEHICLE = "vehicle"


class IssuedWord(StrEnum):
    """Leaf roles that are issued."""

    SECC = "secc"
    CONTRACT = "contract"
    OEM_PROVISIONING = "oem-provisioning"
    CPS = "cps"
    VEHICLE = "vehicle"
    PE_SECC = "pe-secc"


class PolicyWord(StrEnum):
    """Values of `--policy`."""

    ANNEX_F = "annex-f"
    FIELD = "field"


class RootWord(StrEnum):
    """Root types."""

    V2G = "v2g"
    MO = "mo"
    OEM = "oem"
    PE = "pe"


Folder = Annotated[Path, typer.Option("--dir", "-d", help="The workspace: database, passphrase, written certificates.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]
PassphraseFile = Annotated[
    Path | None,
    typer.Option(
        "--passphrase-file",
        help="File with the passphrase of the workspace's keys; else PLUGPASS_PKI_PASSPHRASE or a prompt.",
    ),
]
ExportPassphraseFile = Annotated[
    Path | None,
    typer.Option(
        "--export-passphrase-file", help="File with the passphrase of written keys; else PLUGPASS_EXPORT_PASSPHRASE."
    ),
]
InputPassphraseFile = Annotated[
    Path | None,
    typer.Option(
        "--passphrase-file", help="File with the passphrase of PKCS#12 input; else PLUGPASS_EXPORT_PASSPHRASE."
    ),
]
Authority = Annotated[
    str, typer.Option("--authority", "-a", help="Which hierarchy of the workspace; default: the only one that fits.")
]
By = Annotated[str, typer.Option("--by", help="Who does this, for the audit log; default: your login name.")]
At = Annotated[str, typer.Option("--at", help="Time to judge at, ISO 8601 such as 2026-01-31T12:00:00Z; default: now.")]
Out = Annotated[Path | None, typer.Option("--out", "-o", help="File or folder to write to.")]
