"""Fixtures of `plugpass pki`: a quiet process, and workspaces that are made once and copied."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from pki_cli import PASSPHRASE, Pki, run


@pytest.fixture(autouse=True)
def quiet_logs(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Commands configure logging for their own process; in tests nothing of that may stay."""
    monkeypatch.setattr("plugpass.cli.pki.reporting.configure_logs", lambda *_, **__: None)
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory(), cache_logger_on_first_use=False)
    yield
    structlog.reset_defaults()


@pytest.fixture(autouse=True)
def passphrases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLUGPASS_PKI_PASSPHRASE", PASSPHRASE)
    monkeypatch.delenv("PLUGPASS_EXPORT_PASSPHRASE", raising=False)


@pytest.fixture
def pki() -> Pki:
    return run


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with the whole ecosystem of ISO 15118-2, never changed."""
    folder = tmp_path_factory.mktemp("pki") / "ws"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PLUGPASS_PKI_PASSPHRASE", PASSPHRASE)
        patch.setattr("plugpass.cli.pki.reporting.configure_logs", lambda *_, **__: None)
        structlog.configure(logger_factory=structlog.ReturnLoggerFactory(), cache_logger_on_first_use=False)
        done = run("init", "--dir", folder, "--crl-url", "http://127.0.0.1:8888")
        structlog.reset_defaults()
    assert done.code == 0, done.err
    return folder


@pytest.fixture
def workspace(made: Path, tmp_path: Path) -> Path:
    """A copy of it, to be changed."""
    return Path(shutil.copytree(made, tmp_path / "ws"))
