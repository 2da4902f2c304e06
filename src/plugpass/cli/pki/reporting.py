"""What every command says at its end: text for people or one JSON object, one line for an error, an exit code."""

from __future__ import annotations

import getpass
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import typer

from plugpass.cli.logs import configure_logs
from plugpass.errors import LocalError, PeerError, PlugpassError

if TYPE_CHECKING:
    from rich.console import Console

REFUSED: Final = 1  #: the work was done and the answer is no
UNUSABLE: Final = 2  #: the work could not be done


@contextmanager
def reporting(as_json: bool, *, refusals: tuple[type[PeerError], ...] = ()) -> Iterator[None]:
    """Turn errors into one line (or one JSON object) and an exit code: 1 for `refusals`, 2 for everything else."""
    configure_logs("error")
    try:
        yield
    except PlugpassError as error:
        if as_json:
            print_json({"ok": False, "reason": str(error)})
        typer.echo(f"plugpass: {error}", err=True)
        raise typer.Exit(REFUSED if isinstance(error, refusals) else UNUSABLE) from None


def console() -> Console:
    """For text that is laid out: as wide as the terminal, and wide where the output goes into a file or a pipe."""
    from rich.console import Console

    return Console(highlight=False, width=None if sys.stdout.isatty() else 200)


def print_json(result: Mapping[str, Any]) -> None:
    """The machine-readable result."""
    print(json.dumps(result, indent=2, ensure_ascii=False))


def moment(text: str, *, now: datetime, option: str = "--at") -> datetime:
    """The time an option names, `now` where it is empty. Raises LocalError."""
    if not text:
        return now
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        raise LocalError(f"{option} {text} is no ISO 8601 time, such as 2026-01-31T12:00:00Z") from None
    return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)


def actor(given: str) -> str:
    """Who does it: as given, or the login name."""
    if given:
        return given
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return "unknown"
