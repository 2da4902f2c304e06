"""Each refusal and each broken session leaves one log line that names the cause, and no secret."""

from __future__ import annotations

from typing import Any

from charging_pair import Pair, Station, contract, evcc_config, oem, payment_details, secc_config
from structlog.testing import capture_logs

from plugpass.iso15118.iso2.flow import Phase


def warnings(lines: list[Any]) -> list[Any]:
    return [line for line in lines if line["log_level"] == "warning"]


def test_garbage_leaves_one_line() -> None:
    station = Station().reach(Phase.SERVICE_DISCOVERY)
    with capture_logs() as lines:
        station.secc.receive(b"GET / HTTP/1.1\r\n", station.now)
        station.secc.receive(b"more", station.now)
        station.secc.receive(b"", station.now)
    (line,) = warnings(lines)
    assert line["event"] == "session_ended"
    assert line["role"] == "secc"
    assert "V2GTP" in line["reason"]


def test_a_refusal_leaves_one_line_with_its_code() -> None:
    station = Station().reach(Phase.PAYMENT_DETAILS)
    with capture_logs() as lines:
        station.ask(payment_details(text="DEPLUC99999999"))
    (line,) = warnings(lines)
    assert line["event"] == "request_refused"
    assert line["request"] == "PaymentDetailsReq"
    assert line["response_code"] == "FAILED_CertChainError"
    assert line["reason"]


def test_a_good_session_is_quiet() -> None:
    with capture_logs() as lines:
        Pair(evcc_config=evcc_config(contract=None), secc_config=secc_config(receipt_every=3)).run()
    assert warnings(lines) == []


def test_no_key_material_and_no_challenge_in_events() -> None:
    pair = Pair(evcc_config=evcc_config(contract=None)).run()
    shown = repr(pair.station) + repr(pair.vehicle)
    secrets = [oem().signer.scalar, contract().signer.scalar]  # type: ignore[attr-defined]  # LocalSigner in tests
    assert not any(secret.hex() in shown or repr(secret)[2:-1] in shown for secret in secrets)
