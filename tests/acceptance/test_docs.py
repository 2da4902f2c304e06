"""Documentation that is generated is fresh, links lead somewhere, and the README claims only what a test proves."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

from plugpass.cli.settings import load_settings
from plugpass.lab.settings import LabSettings

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_generated_pages_are_fresh_and_links_lead_somewhere() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / "docs.py", "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_every_claim_of_the_readme_names_tests_that_exist() -> None:
    rows = [line for line in README.splitlines() if line.startswith("| ") and "`tests/" in line]
    assert len(rows) >= 10
    for row in rows:
        for path in re.findall(r"`(tests/[^`]+)`", row):
            assert (ROOT / path).exists(), f"README names {path}, which does not exist: {row}"


def test_the_readme_lists_every_command() -> None:
    from plugpass.cli.app import COMMANDS

    for name in COMMANDS:
        assert f"`plugpass {name}" in README


def test_the_example_configuration_shows_the_defaults() -> None:
    example = ROOT / "examples" / "plugpass.toml"
    values = tomllib.loads(example.read_text(encoding="utf-8"))
    assert values["lab"].keys() == LabSettings.model_fields.keys()
    assert load_settings(example).lab == LabSettings()


def test_no_index_address_and_no_machine_path_is_in_the_requirements() -> None:
    for file in (ROOT / "requirements").glob("*.txt"):
        text = file.read_text(encoding="utf-8")
        assert "://" not in text
        assert "--index" not in text
        assert "--hash=sha256:" in text
