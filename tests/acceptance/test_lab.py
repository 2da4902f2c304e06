"""`plugpass lab`: the complete chain in one command, resumed by a second run, failing loudly when a step fails."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

#: What a resumed lab has already: the vehicle is published, the station has its roots and its leaf.
DONE_ONCE = {
    (2, "PUT /v1/oem/provCerts"),
    (4, "InstallCertificate"),
    (4, "TriggerMessage"),
    (4, "SignCertificate"),
    (4, "simpleenroll"),
    (4, "CertificateSigned"),
}
LAB = [sys.executable, "-m", "plugpass", "lab"]


def run_lab(directory: Path, *arguments: str, expect: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [*LAB, "--dir", str(directory), *arguments],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
        cwd=directory.parent,
    )
    assert done.returncode == expect, f"exit {done.returncode}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done


def report_of(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def steps_of(report: dict[str, Any], group: int) -> list[dict[str, Any]]:
    return [step for step in report["steps"] if step["group"] == group]


@pytest.fixture(scope="module")
def two_runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any], dict[str, Any]]:
    """A first run, and a second one on the same directory."""
    directory = tmp_path_factory.mktemp("lab") / "state"
    first = report_of(run_lab(directory, "--once", "--json"))
    return directory, first, report_of(run_lab(directory, "--once", "--json"))


def test_the_report_has_all_eight_groups_and_every_step_passed(two_runs: tuple[Path, Any, Any]) -> None:
    _, first, _ = two_runs
    assert first["ok"] is True
    assert {step["group"] for step in first["steps"]} == set(range(1, 9))
    assert len(first["steps"]) >= 30
    for step in first["steps"]:
        assert step["ok"] is True, step
        assert {"id", "group", "actor", "title", "ok", "ms", "detail"} <= step.keys()
    assert len({step["id"] for step in first["steps"]}) == len(first["steps"])


@pytest.mark.parametrize(
    ("group", "title"),
    [
        (1, "V2G Root"),
        (1, "CPO Sub-CA 2"),
        (1, "OEM Sub-CA 2"),
        (1, "MO Sub-CA 2"),
        (1, "CPS leaf"),
        (1, "OCSP"),
        (2, "PUT /v1/oem/provCerts"),
        (3, "GET /v1/oem/provCerts"),
        (3, "PUT /v1/cps/contractData/signed"),
        (3, "PUT /v1/ccp/signedContractData"),
        (4, "BootNotification"),
        (4, "InstallCertificate"),
        (4, "GetInstalledCertificateIds"),
        (4, "TriggerMessage"),
        (4, "SignCertificate"),
        (4, "simpleenroll"),
        (4, "CertificateSigned"),
        (5, "SDP"),
        (5, "TLS"),
        (5, "supportedAppProtocolReq"),
        (5, "SessionSetupReq"),
        (5, "ServiceDiscoveryReq"),
        (5, "ServiceDetailReq"),
        (5, "PaymentServiceSelectionReq"),
        (5, "CertificateInstallationReq"),
        (5, "Get15118EVCertificate"),
        (5, "POST /v1/ccp/signedContractData"),
        (5, "PaymentDetailsReq"),
        (5, "AuthorizationReq"),
        (5, "Authorize"),
        (5, "OCSP"),
        (5, "ChargeParameterDiscoveryReq"),
        (5, "PowerDeliveryReq"),
        (5, "ChargingStatusReq"),
        (5, "MeteringReceiptReq"),
        (5, "SessionStopReq"),
        (5, "TransactionEvent"),
        (6, "PaymentDetailsReq"),
        (7, "SignCertificate"),
        (7, "CertificateInstallationReq"),
        (8, "PaymentDetailsReq"),
    ],
)
def test_a_step_of_the_issue_is_there(two_runs: tuple[Path, Any, Any], group: int, title: str) -> None:
    _, first, second = two_runs
    assert any(title in step["title"] for step in steps_of(first, group)), f"{title} is missing in group {group}"
    if (group, title) not in DONE_ONCE:
        assert any(title in step["title"] for step in steps_of(second, group)), f"{title} is missing in a second run"


def test_the_second_plug_in_needs_no_installation(two_runs: tuple[Path, Any, Any]) -> None:
    for report in two_runs[1:]:
        assert not any("CertificateInstallation" in step["title"] for step in steps_of(report, 6))


def test_a_second_run_resumes_instead_of_starting_over(two_runs: tuple[Path, Any, Any]) -> None:
    _, first, second = two_runs
    assert first["resumed"] is False
    assert second["resumed"] is True
    assert second["ok"] is True

    def roots(report: dict[str, Any]) -> list[str]:
        return [step["detail"] for step in steps_of(report, 1) if "Root" in step["title"]]

    assert roots(first) == roots(second), "the roots of the first run are the roots of the second"


def test_no_private_key_is_stored_in_clear(two_runs: tuple[Path, Any, Any]) -> None:
    directory, _, _ = two_runs
    for file in directory.rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            assert b"BEGIN PRIVATE KEY" not in content
            assert b"BEGIN EC PRIVATE KEY" not in content
    assert (directory / "passphrase").stat().st_mode & 0o077 == 0


def test_every_party_has_a_database_of_its_own(two_runs: tuple[Path, Any, Any]) -> None:
    directory, _, _ = two_runs
    parties = {file.parent.name for file in directory.glob("*/state.db")}
    assert parties >= {"v2g-ca", "oem", "pools", "cps", "emsp", "csms", "station", "vehicle"}
    with sqlite3.connect(directory / "csms" / "state.db") as database:
        assert database.execute("select count(*) from alembic_version").fetchone() == (1,)
    database.close()


def test_a_failing_step_is_named_and_the_exit_code_is_one(tmp_path: Path) -> None:
    done = run_lab(tmp_path / "lab", "--once", "--json", "--fault", "tampered-contract", expect=1)
    report = report_of(done)
    assert report["ok"] is False
    failed = [step for step in report["steps"] if not step["ok"]]
    assert failed
    for step in failed:
        assert f"step {step['id']} failed" in done.stderr
    assert not any("TransactionEvent" in step["title"] for step in report["steps"]), "nobody charges on it"


def test_the_live_view_shows_every_group_and_a_summary(tmp_path: Path) -> None:
    done = run_lab(tmp_path / "lab")
    for text in ("1. Public key infrastructure", "8. Refusals", "The chain is complete", "✓"):
        assert text in done.stdout
    assert "✗" not in done.stdout


def test_two_labs_on_one_directory_are_refused(tmp_path: Path) -> None:
    import fcntl

    directory = tmp_path / "lab"
    directory.mkdir()
    with (directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = run_lab(directory, "--once", expect=2)
    assert "another lab is running" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_wrong_flag_and_a_wrong_directory_get_one_line(tmp_path: Path) -> None:
    assert "No such option" in run_lab(tmp_path / "lab", "--onec", expect=2).stderr
    (tmp_path / "file").write_text("not a directory")
    done = run_lab(tmp_path / "file", "--once", expect=2)
    assert "Traceback" not in done.stderr
    assert str(tmp_path / "file") in done.stderr


def test_a_broken_configuration_names_the_setting(tmp_path: Path) -> None:
    config = tmp_path / "plugpass.toml"
    config.write_text("[lab]\noperator = 'toolong'\n")
    done = run_lab(tmp_path / "lab", "--once", "--config", str(config), expect=2)
    assert "lab.operator" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("setting", "value", "complaint"),
    [
        ("EVSE_ID", "garbage", "no EVSEID"),
        ("EVSE_ID", "DE*ABC*E1", "belongs to the operator DEABC"),
        ("PCID", "WPP", "pcid"),
        ("STATION", "CS ÄÖ", "station"),
    ],
)
def test_settings_that_do_not_fit_are_refused_before_anything_starts(
    tmp_path: Path, setting: str, value: str, complaint: str
) -> None:
    done = subprocess.run(
        [*LAB, "--dir", str(tmp_path / "lab"), "--once"],
        env=os.environ | {f"PLUGPASS_LAB__{setting}": value},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert complaint in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "lab").exists()


def test_another_operator_works_and_stays_with_its_directory(tmp_path: Path) -> None:
    (tmp_path / "plugpass.toml").write_text("[lab]\noperator = 'DEABC'\n")
    (tmp_path / "secret").write_text("a passphrase of one's own\n")
    run_lab(tmp_path / "lab", "--once", "--passphrase-file", str(tmp_path / "secret"))
    assert not (tmp_path / "lab" / "passphrase").exists()
    (tmp_path / "plugpass.toml").unlink()
    done = run_lab(tmp_path / "lab", "--once", "--passphrase-file", str(tmp_path / "secret"), expect=2)
    assert "was made with operator = 'DEABC'" in done.stderr


@pytest.mark.parametrize("mark", ["2.05", "4.07", "5.30", "7.11", "7.60", "8.01"])
def test_a_lab_that_is_killed_resumes(tmp_path: Path, mark: str) -> None:
    process = subprocess.Popen(
        [*LAB, "--dir", str(tmp_path / "lab")],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    with process.stdout:
        for line in process.stdout:
            if f" {mark} " in line:
                process.kill()
                break
    assert process.wait(timeout=20) == -signal.SIGKILL
    report = report_of(run_lab(tmp_path / "lab", "--json"))
    assert report["ok"]
    assert report["resumed"]


def test_ctrl_c_ends_the_lab_in_an_orderly_way(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*LAB, "--dir", str(tmp_path / "lab"), "--log-level", "info"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("4."):
            break
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "Traceback" not in errors
    run_lab(tmp_path / "lab", "--once")
