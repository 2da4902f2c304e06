"""The command line as a new user meets it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest


def plugpass(*arguments: str, stdin: str | None = None, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "plugpass", *arguments],
        capture_output=True,
        text=True,
        input=stdin,
        timeout=60,
        check=False,
        cwd=cwd,
    )


def test_without_arguments_the_help_is_shown() -> None:
    done = plugpass()
    for command in ("lab", "inspect", "station", "vehicle", "doctor"):
        assert command in done.stdout + done.stderr


def test_the_version() -> None:
    from plugpass import __version__

    assert plugpass("--version").stdout.strip() == f"plugpass {__version__}"


@pytest.mark.parametrize("command", ["lab", "inspect", "station", "vehicle", "doctor"])
def test_every_command_explains_itself(command: str) -> None:
    done = plugpass(command, "--help")
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) > 8


def test_doctor_says_what_this_installation_can_do() -> None:
    done = plugpass("doctor", "--json")
    assert done.returncode == 0, done.stdout
    findings = {finding["name"]: finding for finding in json.loads(done.stdout)}
    assert findings["EXI engine"]["ok"]
    assert "Python" in findings


def test_an_unknown_command_gets_one_line_and_exit_code_two() -> None:
    done = plugpass("plugg")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
