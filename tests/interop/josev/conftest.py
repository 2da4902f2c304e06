"""Fixtures for sessions with Josev: skip with the missing thing named, install and mint once for a test run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from interop.josev import peer
from interop.josev.namespaces import Cable, cable


@pytest.fixture(scope="session")
def josev() -> peer.Installation:
    """Josev, installed."""
    if missing := peer.missing_tools():
        pytest.skip(f"sessions with Josev need {missing}")
    return peer.install()


@pytest.fixture(scope="session")
def josev_pki(josev: peer.Installation, tmp_path_factory: pytest.TempPathFactory) -> peer.JosevPki:
    """Its PKI, minted now."""
    return peer.mint_pki(josev, tmp_path_factory.mktemp("josev") / "pki")


@pytest.fixture
def wire(josev: peer.Installation) -> Iterator[Cable]:
    """A cable for one test."""
    with cable() as ends:
        yield ends
