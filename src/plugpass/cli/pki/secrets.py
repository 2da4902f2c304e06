"""Passphrases: from a file, the environment or a prompt, never from the command line, where `ps` would show them."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import typer

from plugpass.errors import ConfigurationError
from plugpass.store.files import read_passphrase
from plugpass.store.layouts.output import write_private

KEYS_VARIABLE: Final = "PLUGPASS_PKI_PASSPHRASE"  #: opens the keys of a workspace
EXPORT_VARIABLE: Final = "PLUGPASS_EXPORT_PASSPHRASE"  #: protects keys that are exported, and opens files that are read

_OWN_FILE: Final = "passphrase"


def find_passphrase(file: Path | None, variable: str, *, purpose: str, confirm: bool = False) -> bytes:
    """The passphrase of `file`, of the environment variable, or from a prompt where there is a terminal.

    Raises ConfigurationError where there is none, or an empty one.
    """
    found = read_passphrase(file) if file else os.environb.get(variable.encode(), b"")
    if not found and file is None and sys.stdin.isatty():
        found = typer.prompt(f"Passphrase {purpose}", hide_input=True, confirmation_prompt=confirm, err=True).encode()
    if not found:
        where = f"{file} is empty" if file else "there is none and no terminal to ask on"
        raise ConfigurationError(
            f"a passphrase is needed {purpose}: {where}; name a file that holds it, or set {variable}"
        )
    return found


def workspace_passphrase(folder: Path, file: Path | None, *, create: bool) -> bytes:
    """The passphrase of a workspace: the one given, else the one that the workspace keeps for itself.

    With `create`, a workspace of a test ecosystem gets a random one in a file of its own, readable by the owner only,
    unless somebody gives one.
    """
    own = folder / _OWN_FILE
    if file is None and KEYS_VARIABLE not in os.environ:
        if own.exists():
            return read_passphrase(own)
        if create and not sys.stdin.isatty():
            made = secrets.token_urlsafe(32).encode()
            write_private(own, made)
            typer.echo(f"plugpass: no passphrase was given: a random one was written to {own}", err=True)
            return made
    return find_passphrase(file, KEYS_VARIABLE, purpose=f"for the private keys in {folder}", confirm=create)


def once(make: Callable[[], bytes]) -> Callable[[], bytes]:
    """`make`, asked at most once."""
    kept: list[bytes] = []

    def get() -> bytes:
        if not kept:
            kept.append(make())
        return kept[0]

    return get
