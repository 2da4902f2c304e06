"""Options that several commands share, and the event loop they run on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

T = TypeVar("T")


class Level(StrEnum):
    """How much is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


LogLevel = Annotated[Level | None, typer.Option("--log-level", help="How much to log, to standard error.")]
ConfigFile = Annotated[Path | None, typer.Option("--config", "-c", help="TOML file; default ./plugpass.toml.")]
PassphraseFile = Annotated[
    Path | None,
    typer.Option(
        "--passphrase-file",
        envvar="PLUGPASS_PASSPHRASE_FILE",
        help="File whose first line is the passphrase of the private keys.",
    ),
]


def run_async(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` to its end, on uvloop where it is installed."""
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(work)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        from uvloop import new_event_loop
    except ImportError:
        return None
    return new_event_loop
