"""`plugpass pki` run in this process, for tests of the command line."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from typer.testing import CliRunner

from plugpass.cli.app import app

PASSPHRASE = "correct horse battery"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a command said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        return json.loads(self.out)  # type: ignore[no-any-return]  # every command prints an object


class Pki(Protocol):
    """Runs `plugpass pki ...`."""

    def __call__(self, *arguments: str | Path) -> Result: ...


def run(*arguments: str | Path) -> Result:
    """One command; an exception that is no exit is a failure of the test."""
    done = CliRunner().invoke(app, ["pki", *map(str, arguments)])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return Result(code=done.exit_code, out=done.stdout, err=done.stderr)
