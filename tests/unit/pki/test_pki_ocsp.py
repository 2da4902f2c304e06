"""OCSP: our messages against another implementation, and every way in which a response can prove nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp as library

from pki_factory import NOW, ROLE, Minted, forge, shared_pki, with_extension
from plugpass.pki import assemble, der, ocsp, oids
from plugpass.pki.ocsp import CertStatus, OcspRejected, RevocationReason, SingleStatus
from plugpass.pki.profiles import PROFILES_ISO2
from plugpass.pki.reasons import Reason

PKI = shared_pki()
ISSUER = PKI[ROLE.CPO_SUB2]
LEAF = PKI.leaf(ROLE.SECC_LEAF)
DELEGATE = PKI.leaf(ROLE.OCSP_SIGNER)
WANTED = ocsp.cert_id(LEAF.certificate, ISSUER.certificate)
WEEK = timedelta(days=7)


def single(status: CertStatus = CertStatus.GOOD, at: datetime = NOW, **more: object) -> SingleStatus:
    return replace(
        SingleStatus(cert_id=WANTED, status=status, this_update=at, next_update=at + WEEK),
        **more,
    )


def response(*singles: SingleStatus, signer: Minted = ISSUER, at: datetime = NOW, nonce: bytes | None = None) -> bytes:
    return ocsp.build_response(singles or (single(),), signer.signer, signer.certificate, produced_at=at, nonce=nonce)


def judge(encoded: bytes, *, at: datetime = NOW, nonce: bytes | None = None) -> SingleStatus:
    return ocsp.verify_response(encoded, WANTED, ISSUER.certificate, at=at, nonce=nonce)


# --- against the library -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["SHA1", "SHA256", "SHA384", "SHA512"])
def test_our_request_is_what_the_library_builds(name: ocsp.HashName) -> None:
    wanted = ocsp.cert_id(LEAF.certificate, ISSUER.certificate, hash_algorithm=name)
    read = library.load_der_ocsp_request(ocsp.build_request([wanted], nonce=b"n" * 16))
    algorithm = getattr(hashes, name)()
    theirs = library.OCSPRequestBuilder().add_certificate(LEAF.certificate, ISSUER.certificate, algorithm).build()
    assert read.issuer_key_hash == theirs.issuer_key_hash == wanted.issuer_key_hash
    assert read.issuer_name_hash == theirs.issuer_name_hash == wanted.issuer_name_hash
    assert read.serial_number == LEAF.certificate.serial_number
    assert read.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce == b"n" * 16
    assert ocsp.parse_request(theirs.public_bytes(Encoding.DER)).cert_ids == (wanted,)


def test_a_request_for_several_certificates_round_trips() -> None:
    others = tuple(replace(WANTED, serial=serial) for serial in range(1, 5))
    assert ocsp.parse_request(ocsp.build_request(others, nonce=b"x" * 32)) == ocsp.OcspRequest(
        cert_ids=others, nonce=b"x" * 32
    )


@pytest.mark.parametrize("signer", [ISSUER, DELEGATE], ids=["issuer", "delegate"])
def test_the_library_reads_our_response(signer: Minted) -> None:
    read = library.load_der_ocsp_response(response(signer=signer, nonce=b"n" * 16))
    assert read.certificate_status is library.OCSPCertStatus.GOOD
    assert read.serial_number == LEAF.certificate.serial_number
    assert read.this_update_utc == NOW
    assert read.next_update_utc == NOW + WEEK
    key = signer.certificate.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    key.verify(read.signature, read.tbs_response_bytes, ec.ECDSA(hashes.SHA256()))


def test_we_read_the_library_s_response() -> None:
    built = (
        library.OCSPResponseBuilder()
        .add_response(
            LEAF.certificate,
            ISSUER.certificate,
            hashes.SHA1(),
            library.OCSPCertStatus.REVOKED,
            NOW,
            NOW + WEEK,
            NOW,
            x509.ReasonFlags.key_compromise,
        )
        .responder_id(library.OCSPResponderEncoding.HASH, DELEGATE.certificate)
        .certificates([DELEGATE.certificate])
        .sign(DELEGATE.signer.private_key, hashes.SHA256())
    )
    answer = judge(built.public_bytes(Encoding.DER))
    assert answer.status is CertStatus.REVOKED
    assert answer.revocation_reason is RevocationReason.keyCompromise
    assert answer.revoked_at == NOW


# --- what OCPP needs -----------------------------------------------------------------------------------------------


def test_hash_data_in_ocpp_s_spelling() -> None:
    data = ocsp.certificate_hash_data(LEAF.certificate, ISSUER.certificate)
    assert data.issuer_name_hash_hex == data.issuer_name_hash_hex.lower()
    assert len(data.issuer_name_hash_hex) == len(data.issuer_key_hash_hex) == 64
    assert data.serial_hex == f"{LEAF.certificate.serial_number:x}"
    assert (
        ocsp.CertId.from_hex(
            issuer_name_hash=data.issuer_name_hash_hex.upper(),
            issuer_key_hash=data.issuer_key_hash_hex,
            serial_number="0" + data.serial_hex.upper(),
        )
        == WANTED
    )
    with pytest.raises(ocsp.MalformedOcsp):
        ocsp.CertId.from_hex(issuer_name_hash="zz", issuer_key_hash="00", serial_number="1")


def test_ocsp_url() -> None:
    assert ocsp.ocsp_url(LEAF.certificate) == "http://ocsp.test/"
    assert ocsp.ocsp_url(PKI[ROLE.V2G_ROOT].certificate) is None
    assert ocsp.ocsp_url(PKI.leaf(ROLE.CPS_LEAF, ocsp_url="ldap://ocsp.test/").certificate) is None


# --- verdicts ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("signer", [ISSUER, DELEGATE], ids=["issuer", "delegate"])
@pytest.mark.parametrize("status", CertStatus)
def test_status_is_read_whoever_of_the_two_signs(signer: Minted, status: CertStatus) -> None:
    assert judge(response(single(status), signer=signer)).status is status


def test_revocation_time_and_reason_travel() -> None:
    told = single(CertStatus.REVOKED, revoked_at=NOW, revocation_reason=RevocationReason.cessationOfOperation)
    answer = judge(response(told))
    assert (answer.revoked_at, answer.revocation_reason) == (NOW, RevocationReason.cessationOfOperation)
    silent = judge(response(single(CertStatus.REVOKED, revoked_at=NOW)))
    assert silent.revocation_reason is RevocationReason.unspecified


def test_the_right_one_of_several_answers_is_taken() -> None:
    other = single(CertStatus.REVOKED, cert_id=replace(WANTED, serial=7))
    assert judge(response(other, single())).status is CertStatus.GOOD


def test_nonce() -> None:
    assert judge(response(nonce=b"n" * 16), nonce=b"n" * 16).status is CertStatus.GOOD
    for encoded in (response(), response(nonce=b"m" * 16)):
        with pytest.raises(OcspRejected, match="nonce"):
            judge(encoded, nonce=b"n" * 16)


def test_the_edges_of_freshness() -> None:
    minutes = timedelta(minutes=4)
    assert judge(response(), at=NOW - minutes).status is CertStatus.GOOD
    assert judge(response(), at=NOW + WEEK + minutes).status is CertStatus.GOOD


def signed_by_stranger() -> bytes:
    return response(signer=PKI[ROLE.MO_SUB2])


def signed_by_plain_leaf() -> bytes:
    return response(signer=PKI.leaf(ROLE.SECC_LEAF, "DE*PLU*E99"))


def signed_by_delegate_of_another_ca() -> bytes:
    return response(signer=PKI.leaf(ROLE.OCSP_SIGNER, issuer_role=ROLE.MO_SUB2))


def signed_by_expired_delegate() -> bytes:
    return response(signer=PKI.leaf(ROLE.OCSP_SIGNER, validity=timedelta(minutes=1)), at=NOW)


def signed_by_forged_delegate() -> bytes:
    """A delegate whose certificate bears the issuer's name and another key's signature."""
    stranger = PKI[ROLE.MO_SUB2]
    purposes = with_extension(assemble.extended_key_usage([oids.OCSP_SIGNING]))
    encoded, key = forge(
        PROFILES_ISO2[ROLE.OCSP_SIGNER],
        "OCSP 1",
        stranger,
        lambda tbs: replace(purposes(tbs), issuer=ISSUER.certificate.subject.public_bytes()),
    )
    return response(signer=Minted(certificate=x509.load_der_x509_certificate(encoded), signer=key))


def signed_by_delegate_that_may_not_sign() -> bytes:
    usage = with_extension(assemble.key_usage([assemble.KeyUsage.KEY_AGREEMENT]))
    purposes = with_extension(assemble.extended_key_usage([oids.OCSP_SIGNING]))
    encoded, key = forge(PROFILES_ISO2[ROLE.OCSP_SIGNER], "OCSP 1", ISSUER, lambda tbs: usage(purposes(tbs)))
    return response(signer=Minted(certificate=x509.load_der_x509_certificate(encoded), signer=key))


def unnamed_responder() -> bytes:
    return ocsp.build_response(
        [single()], DELEGATE.signer, DELEGATE.certificate, produced_at=NOW, include_responder=False
    )


def damaged() -> bytes:
    encoded = bytearray(ocsp.build_response([single()], ISSUER.signer, ISSUER.certificate, produced_at=NOW))
    at = encoded.index(der.generalized_time(NOW + WEEK)) + 5  # nextUpdate, year 2026 -> 2126
    encoded[at - 2] ^= 0x03
    return bytes(encoded)


def empty() -> bytes:
    return ocsp.build_response([], ISSUER.signer, ISSUER.certificate, produced_at=NOW)


def another_issuer() -> bytes:
    return response(single(cert_id=ocsp.cert_id(LEAF.certificate, PKI[ROLE.CPO_SUB1].certificate)))


BAD: dict[str, tuple[Callable[[], bytes], datetime, Reason]] = {
    "stranger": (signed_by_stranger, NOW, Reason.OCSP_SIGNER),
    "plain-leaf": (signed_by_plain_leaf, NOW, Reason.OCSP_SIGNER),
    "delegate-of-another-ca": (signed_by_delegate_of_another_ca, NOW, Reason.OCSP_SIGNER),
    "expired-delegate": (signed_by_expired_delegate, NOW + timedelta(hours=1), Reason.OCSP_SIGNER),
    "forged-delegate": (signed_by_forged_delegate, NOW, Reason.OCSP_SIGNER),
    "delegate-may-not-sign": (signed_by_delegate_that_may_not_sign, NOW, Reason.OCSP_SIGNER),
    "responder-not-included": (unnamed_responder, NOW, Reason.OCSP_SIGNER),
    "damaged": (damaged, NOW, Reason.OCSP_SIGNATURE),
    "another-serial": (lambda: response(single(cert_id=replace(WANTED, serial=1))), NOW, Reason.OCSP_MISMATCH),
    "another-issuer": (another_issuer, NOW, Reason.OCSP_MISMATCH),
    "no-answer": (empty, NOW, Reason.OCSP_MISMATCH),
    "next-update-passed": (response, NOW + WEEK + timedelta(minutes=6), Reason.OCSP_STALE),
    "older-than-a-week": (
        lambda: response(single(next_update=None)),
        NOW + WEEK + timedelta(minutes=6),
        Reason.OCSP_STALE,
    ),
    "a-month-old-with-long-next-update": (
        lambda: response(single(next_update=NOW + timedelta(days=60))),
        NOW + timedelta(days=30),
        Reason.OCSP_STALE,
    ),
    "from-the-future": (response, NOW - timedelta(minutes=6), Reason.OCSP_STALE),
    "try-later": (lambda: ocsp.error_response(ocsp.ResponseError.TRY_LATER), NOW, Reason.OCSP_REFUSED),
    "rubbish": (lambda: b"<html>", NOW, Reason.OCSP_MALFORMED),
    "empty": (lambda: b"", NOW, Reason.OCSP_MALFORMED),
}


@pytest.mark.parametrize("name", BAD)
def test_responses_that_prove_nothing(name: str) -> None:
    make, at, reason = BAD[name]
    with pytest.raises(OcspRejected) as caught:
        judge(make(), at=at)
    assert caught.value.reason is reason


@pytest.mark.parametrize("error", ocsp.ResponseError)
def test_error_responses_are_read_by_the_library(error: ocsp.ResponseError) -> None:
    assert library.load_der_ocsp_response(ocsp.error_response(error)).response_status.value == error


@pytest.mark.parametrize(
    "data",
    [b"", b"x", ocsp.build_request([]), ocsp.build_request([WANTED] * 17), ocsp.build_request([WANTED]) + b"\0"],
    ids=["empty", "rubbish", "nothing-asked", "too-much-asked", "trailing"],
)
def test_requests_that_cannot_be_answered(data: bytes) -> None:
    with pytest.raises(ocsp.MalformedOcsp):
        ocsp.parse_request(data)
