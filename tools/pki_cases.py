#!/usr/bin/env python3
"""Write docs/pki-cases.md from the tables that the PKI tests run on; `--check` only fails if it is old."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "pki-cases.md"
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "unit" / "pki")]


def main() -> int:
    """0 where the page is (now) up to date."""
    from cases_page import page, summary

    text = page()
    if "--check" in sys.argv[1:]:
        current = PAGE.exists() and PAGE.read_text("utf-8") == text
        print("docs/pki-cases.md is up to date" if current else "docs/pki-cases.md is old: run tools/pki_cases.py")
        return 0 if current else 1
    PAGE.write_text(text, "utf-8")
    print(f"wrote docs/pki-cases.md ({summary()})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
