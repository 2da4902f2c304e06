"""The lab's directory: what it keeps, and what it says when it cannot be used."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from plugpass.errors import ConfigurationError
from plugpass.lab.directory import SERVICES, LabDirectory


def test_a_new_directory_is_private_and_has_a_port_for_every_service(tmp_path: Path) -> None:
    lab = LabDirectory(tmp_path / "lab")
    assert not lab.resumed
    assert lab.state.ports.keys() == set(SERVICES)
    assert len(set(lab.state.ports.values())) == len(SERVICES)
    assert lab.path.stat().st_mode & 0o077 == 0
    assert (lab.path / "lab.json").stat().st_mode & 0o077 == 0


def test_clock_ports_and_passphrase_survive(tmp_path: Path) -> None:
    first = LabDirectory(tmp_path)
    secret = first.passphrase()
    first.save(clock_offset=timedelta(days=41))
    second = LabDirectory(tmp_path)
    assert second.resumed
    assert second.state.ports == first.state.ports
    assert second.state.clock_offset_s == timedelta(days=41).total_seconds()
    assert second.passphrase() == secret
    assert len(secret) >= 32


def test_one_lab_at_a_time(tmp_path: Path) -> None:
    lab = LabDirectory(tmp_path)
    with (
        lab.locked(),
        pytest.raises(ConfigurationError, match="another lab is running"),
        LabDirectory(tmp_path).locked(),
    ):
        pass
    with LabDirectory(tmp_path).locked():
        pass


@pytest.mark.parametrize("content", ["", "{}", '{"ports": 3}', "not json"])
def test_a_broken_state_file_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "lab.json").write_text(content)
    with pytest.raises(ConfigurationError, match="not the state of a lab"):
        LabDirectory(tmp_path)


def test_a_file_in_its_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "lab").write_text("")
    with pytest.raises(ConfigurationError, match="choose another directory"):
        LabDirectory(tmp_path / "lab")
