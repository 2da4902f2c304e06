"""The documentation of the bad chains is what the tests run on."""

from __future__ import annotations

from pathlib import Path

from cases_page import page, summary

PAGE = Path(__file__).parents[3] / "docs" / "pki-cases.md"


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text("utf-8") == page(), "run: python tools/pki_cases.py"


def test_every_world_has_at_least_sixty_cases() -> None:
    assert all(int(part.rpartition(" ")[2]) >= 60 for part in summary().split(", "))
