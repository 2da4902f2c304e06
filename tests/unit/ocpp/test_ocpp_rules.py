"""The rules of OCPP as tables: boot, hash data, contract verdicts, back-off."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from plugpass.ocpp.enums import (
    AuthorizationStatus as Token,
)
from plugpass.ocpp.enums import (
    AuthorizeCertificateStatus as Cert,
)
from plugpass.ocpp.enums import (
    GenericStatus,
    GetCertificateIdUse,
    HashAlgorithm,
    RegistrationStatus,
)
from plugpass.ocpp.frames import ErrorCode
from plugpass.ocpp.messages import (
    AuthorizeResponse,
    CertificateHashData,
    CertificateHashDataChain,
    HeartbeatResponse,
    IdTokenInfo,
    SignCertificateResponse,
)
from plugpass.ocpp.rules import (
    BackOff,
    ChainFinding,
    SigningRetry,
    boot_refusal,
    combine,
    contract_verdict,
    hash_key,
    installed_keys,
    outcome,
)


@pytest.mark.parametrize("boot", [None, RegistrationStatus.REJECTED, RegistrationStatus.PENDING])
def test_before_an_accepted_boot_only_the_boot_is_welcome(boot: RegistrationStatus | None) -> None:
    assert boot_refusal("BootNotification", boot) is None
    assert boot_refusal("Heartbeat", boot) is ErrorCode.SECURITY_ERROR
    assert boot_refusal("SignCertificate", boot) is ErrorCode.SECURITY_ERROR


def test_after_an_accepted_boot_everything_is_welcome() -> None:
    assert boot_refusal("Authorize", RegistrationStatus.ACCEPTED) is None


V, N, E, R = ChainFinding.VALID, ChainFinding.NOT_VERIFIABLE, ChainFinding.EXPIRED, ChainFinding.REVOKED


@pytest.mark.parametrize(
    ("chain", "token", "answer"),
    [
        # C07.FR.13
        (V, Token.BLOCKED, (Cert.CONTRACT_CANCELLED, Token.BLOCKED)),
        (V, Token.EXPIRED, (Cert.CONTRACT_CANCELLED, Token.EXPIRED)),
        (V, Token.INVALID, (Cert.CONTRACT_CANCELLED, Token.INVALID)),
        (V, Token.UNKNOWN, (Cert.CONTRACT_CANCELLED, Token.UNKNOWN)),
        # C07.FR.14
        (V, Token.ACCEPTED, (Cert.ACCEPTED, Token.ACCEPTED)),
        (V, Token.NO_CREDIT, (Cert.ACCEPTED, Token.NO_CREDIT)),
        (V, Token.CONCURRENT_TX, (Cert.ACCEPTED, Token.CONCURRENT_TX)),
        (V, Token.NOT_ALLOWED_TYPE_EVSE, (Cert.ACCEPTED, Token.NOT_ALLOWED_TYPE_EVSE)),
        (V, Token.NOT_AT_THIS_LOCATION, (Cert.ACCEPTED, Token.NOT_AT_THIS_LOCATION)),
        (V, Token.NOT_AT_THIS_TIME, (Cert.ACCEPTED, Token.NOT_AT_THIS_TIME)),
        # C07.FR.15, 16, 17: whatever the eMSP says
        (E, Token.ACCEPTED, (Cert.CERTIFICATE_EXPIRED, Token.EXPIRED)),
        (R, Token.ACCEPTED, (Cert.CERTIFICATE_REVOKED, Token.INVALID)),
        (N, Token.ACCEPTED, (Cert.CERT_CHAIN_ERROR, Token.INVALID)),
        (N, Token.BLOCKED, (Cert.CERT_CHAIN_ERROR, Token.INVALID)),
    ],
)
def test_the_verdicts_of_c07(chain: ChainFinding, token: Token, answer: tuple[Cert, Token]) -> None:
    assert contract_verdict(chain, token) == answer


def test_every_pair_of_inputs_has_one_verdict_and_only_one_lets_charge() -> None:
    accepted = [
        (chain, token)
        for chain in ChainFinding
        for token in Token
        if contract_verdict(chain, token) == (Cert.ACCEPTED, Token.ACCEPTED)
    ]
    assert accepted == [(V, Token.ACCEPTED)]
    assert not {contract_verdict(chain, token)[0] for chain in ChainFinding for token in Token} & {
        Cert.SIGNATURE_ERROR,
        Cert.NO_CERTIFICATE_AVAILABLE,
    }  # no answers of C07


@pytest.mark.parametrize(
    ("findings", "result"),
    [([], N), ([V], V), ([V, V], V), ([V, N], N), ([R, V], R), ([V, R], R), ([E, N], E), ([N, E, R], R)],
)
def test_findings_are_combined_and_never_overwritten(findings: list[ChainFinding], result: ChainFinding) -> None:
    assert combine(findings) is result


def data(name: str = "AB", key: str = "CD", serial: str = "00Ff") -> CertificateHashData:
    return CertificateHashData(
        hash_algorithm=HashAlgorithm.SHA256, issuer_name_hash=name, issuer_key_hash=key, serial_number=serial
    )


def test_hash_data_compare_without_case_and_leading_zeros() -> None:
    assert hash_key(data()) == hash_key(data("ab", "cd", "ff")) == ("SHA256", "ab", "cd", "ff")
    assert hash_key(data(serial="000")) == ("SHA256", "ab", "cd", "0")
    assert hash_key(data(serial="1")) != hash_key(data(serial="10"))


def test_installed_certificates_include_the_children() -> None:
    chain = CertificateHashDataChain(
        certificate_type=GetCertificateIdUse.V2G_CHAIN,
        certificate_hash_data=data(serial="1"),
        child_certificate_hash_data=(data(serial="2"), data(serial="3")),
    )
    assert {key[3] for key in installed_keys([chain])} == {"1", "2", "3"}
    assert installed_keys(None) == frozenset()


def test_a_signing_request_is_repeated_with_doubled_waits_and_then_no_more() -> None:
    retry = SigningRetry(wait_minimum=timedelta(seconds=10), repeat_times=2)
    waits = [retry.delay(attempt) for attempt in range(4)]
    assert waits == [timedelta(seconds=10), timedelta(seconds=20), timedelta(seconds=40), None]


def test_a_fleet_that_lost_its_csms_spreads_out() -> None:
    back_off = BackOff(wait_minimum=1.0, repeat_times=2, random_range=10.0)
    assert [back_off.delay(attempt, 0.0) for attempt in range(5)] == [1.0, 2.0, 4.0, 4.0, 4.0]
    assert back_off.delay(0, 0.5) == 6.0


def test_the_outcome_of_an_answer() -> None:
    assert outcome(SignCertificateResponse(status=GenericStatus.ACCEPTED)) == (True, "Accepted")
    assert outcome(SignCertificateResponse(status=GenericStatus.REJECTED)) == (False, "Rejected")
    assert outcome(HeartbeatResponse(current_time=datetime(2026, 6, 1, tzinfo=UTC))) == (True, "")
    refused = AuthorizeResponse(
        id_token_info=IdTokenInfo(status=Token.BLOCKED), certificate_status=Cert.CONTRACT_CANCELLED
    )
    assert outcome(refused) == (False, "ContractCancelled/Blocked")
