"""Revocation lists: made, read by others, read from others, and not believed without reason."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from chain_tools import DAY, ISO2, WORLDS, World, authority, flip_signature
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from pki_factory import NOW, ROLE, Minted, forge, shared_pki, with_extension
from plugpass.pki import assemble, crl, der, oids
from plugpass.pki.certificate import Extension
from plugpass.pki.crl import CrlRejected, MalformedCrl, RevokedCertificate, parse_crl, verify_crl
from plugpass.pki.keys import algorithm_identifier
from plugpass.pki.ocsp import RevocationReason
from plugpass.pki.reasons import Reason

PKI = shared_pki()
CA = PKI[ROLE.CPO_SUB2]


def entry(serial: int, reason: RevocationReason | None = None) -> RevokedCertificate:
    return RevokedCertificate(serial=serial, revoked_at=NOW - DAY, reason=reason)


def made(*entries: RevokedCertificate, ca: Minted = CA, number: int = 5) -> bytes:
    return crl.build_crl(
        entries, ca.certificate, ca.signer, number=number, this_update=NOW, next_update=NOW + timedelta(days=7)
    )


@pytest.mark.parametrize("world", WORLDS, ids=lambda world: world.name)
def test_our_lists_are_read_by_the_library(world: World) -> None:
    ca = world.pki[ROLE.CPO_SUB2]
    reason = RevocationReason.keyCompromise
    read = x509.load_der_x509_crl(
        made(entry(77, reason), entry(9), entry(1 << 127, RevocationReason.unspecified), ca=ca)
    )
    assert read.is_signature_valid(ca.signer.public_key)
    assert read.issuer == ca.certificate.subject
    assert (read.last_update_utc, read.next_update_utc) == (NOW, NOW + timedelta(days=7))
    assert read.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number == 5
    identifier = ca.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    wanted = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)
    assert read.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value == wanted
    assert [item.serial_number for item in read] == [9, 77, 1 << 127]
    revoked = read.get_revoked_certificate_by_serial_number(77)
    assert revoked is not None
    assert revoked.extensions.get_extension_for_class(x509.CRLReason).value.reason is x509.ReasonFlags.key_compromise
    plain = read.get_revoked_certificate_by_serial_number(1 << 127)
    assert plain is not None
    assert len(plain.extensions) == 0  # "unspecified" is left out


def test_a_list_comes_back_as_it_went() -> None:
    entries = (entry(3), entry(4, RevocationReason.superseded))
    for encoded in (made(*entries), crl.crl_pem(made(*entries)).encode()):
        read = verify_crl(encoded, CA.certificate, at=NOW)
        assert dict(read.revoked) == {item.serial: item for item in entries}
        assert (read.number, read.this_update, read.scope) == (5, NOW, "")
        assert repr(read).endswith("number 5, 2 entries)")
    assert dict(parse_crl(made()).revoked) == {}


def test_lists_of_the_library_are_read_too() -> None:
    key = CA.signer.private_key
    built = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(CA.certificate.subject)
        .last_update(NOW)
        .next_update(NOW + DAY)
        .add_revoked_certificate(
            x509.RevokedCertificateBuilder()
            .serial_number(42)
            .revocation_date(NOW)
            .add_extension(x509.InvalidityDate(NOW.replace(tzinfo=None)), critical=False)
            .build()
        )
        .sign(key, hashes.SHA256())
    )
    leaf = PKI.leaf(ROLE.SECC_LEAF)
    read = verify_crl(built.public_bytes(serialization.Encoding.DER), CA.certificate, at=NOW)
    assert list(read.revoked) == [42]
    assert read.number is None
    assert read.entry(leaf.certificate) is None


def custom(*extensions: Extension, next_update: bool = True, inner: bytes | None = None, version: int = 1) -> bytes:
    algorithm = algorithm_identifier(CA.signer.public_key)
    body = der.sequence(
        der.integer(version),
        inner or algorithm,
        CA.certificate.subject.public_bytes(),
        der.time(NOW),
        der.time(NOW + DAY) if next_update else b"",
        der.explicit(0, assemble.extensions(extensions)) if extensions else b"",
    )
    return assemble.signed(body, algorithm, CA.signer.sign(body))


@pytest.mark.parametrize(
    ("encoded", "reason", "text"),
    [
        (b"", Reason.CRL_MALFORMED, "cannot be read"),
        (b"rubbish", Reason.CRL_MALFORMED, "cannot be read"),
        (made() + b"\x00", Reason.CRL_MALFORMED, "cannot be read"),
        (custom(inner=der.sequence(der.oid(oids.ED448))), Reason.CRL_MALFORMED, "algorithm differ"),
        (flip_signature(made()), Reason.CRL_SIGNATURE, "does not verify"),
        (PKI.crl(ROLE.MO_SUB2), Reason.CRL_ISSUER, "is issued by"),
        (custom(version=2), Reason.CRL_MALFORMED, "unknown version"),
        (custom(next_update=False), Reason.CRL_STALE, "when the next one comes"),
        (custom(Extension(oids.DELTA_CRL_INDICATOR, True, der.integer(1))), Reason.CRL_SCOPE, "a delta"),
        (
            custom(Extension(oids.ISSUING_DISTRIBUTION_POINT, True, der.sequence())),
            Reason.CRL_SCOPE,
            "indirect or partitioned",
        ),
        (custom(Extension("1.2.3.4", True, der.null())), Reason.CRL_SCOPE, "unknown critical extension 1.2.3.4"),
        (
            custom(*[Extension(oids.CRL_NUMBER, False, der.integer(1))] * 2),
            Reason.CRL_MALFORMED,
            "occurs twice",
        ),
        (der.sequence(bytes(crl.MAX_CRL_BYTES)), Reason.CRL_MALFORMED, "above the limit"),
        (bytes(2 * crl.MAX_CRL_BYTES + 1), Reason.CRL_MALFORMED, "more than a revocation list needs"),
    ],
)
def test_what_is_not_believed(encoded: bytes, reason: Reason, text: str) -> None:
    with pytest.raises(CrlRejected, match=text) as caught:
        verify_crl(encoded, CA.certificate, at=NOW)
    assert caught.value.reason is reason


def test_freshness_has_the_clock_skew() -> None:
    encoded, end = made(), NOW + timedelta(days=7)
    for at, ok in (
        (NOW - timedelta(minutes=5), True),
        (NOW - timedelta(minutes=6), False),
        (end + timedelta(minutes=4), True),
        (end + timedelta(minutes=5), False),
    ):
        if ok:
            assert verify_crl(encoded, CA.certificate, at=at)
        else:
            with pytest.raises(CrlRejected):
                verify_crl(encoded, CA.certificate, at=at)


def test_other_key_of_the_same_name_and_ca_without_crl_sign() -> None:
    with pytest.raises(CrlRejected, match="another key"):
        verify_crl(made(ca=Minted(certificate=CA.certificate, signer=PKI[ROLE.MO_SUB2].signer)), renamed(), at=NOW)
    with pytest.raises(CrlRejected, match="may not sign lists"):
        vehicle_ca = WORLDS[1].pki[ROLE.VEHICLE_SUB2]
        verify_crl(made(ca=vehicle_ca), vehicle_ca.certificate, at=NOW)


def test_a_ca_whose_key_is_none_proves_nothing() -> None:
    broken = with_extension(assemble.subject_key_identifier(bytes(20)))
    point_of_no_curve = der.bit_string(b"\x04" + bytes(64))
    info = der.sequence(der.sequence(der.oid(oids.EC_PUBLIC_KEY), der.oid(oids.SECP256R1)), point_of_no_curve)
    encoded, _ = forge(
        ISO2.profiles[ROLE.CPO_SUB2], "Test CPO-SUB2", PKI[ROLE.CPO_SUB1], lambda tbs: broken(replace(tbs, key=info))
    )
    with pytest.raises(CrlRejected) as caught:
        verify_crl(custom(), encoded, at=NOW)
    assert caught.value.reason is Reason.CRL_SIGNATURE


def renamed() -> bytes:
    """A CA with the name of ours and another key."""
    return authority(ISO2, ROLE.CPO_SUB2, PKI[ROLE.CPO_SUB1], name="Test CPO-SUB2").der


def test_a_malformed_list_is_a_peer_error_with_a_reason() -> None:
    with pytest.raises(MalformedCrl, match="cannot be read: truncated"):
        parse_crl(b"\x30\x01")
