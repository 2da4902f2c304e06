"""The page on the codec is what the codec does."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_example_and_table_are_fresh() -> None:
    command = [sys.executable, ROOT / "tools" / "exi_page.py", "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_what_the_page_names_exists() -> None:
    text = (ROOT / "docs" / "exi.md").read_text(encoding="utf-8")
    for path in re.findall(r"`(tests/[^`]+)`", text):
        assert (ROOT / path).exists(), path
    for module in re.findall(r"^\| `([a-z`, _.]+)` \|", text.partition("```python")[0], re.MULTILINE):
        for name in re.split("[`, ]+", module):
            file = name if name.endswith(".c") else f"{name}.py"
            assert (ROOT / "src" / "plugpass" / "exi" / file).exists(), name
