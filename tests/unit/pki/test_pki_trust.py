"""Trust anchors, names and lint where paths do not reach."""

from __future__ import annotations

import pytest

from pki_factory import NOW, ROLE, forge, shared_pki, with_extension
from plugpass.pki import certificate, der, oids
from plugpass.pki.certificate import Extension
from plugpass.pki.der import MalformedDer
from plugpass.pki.lint import lint
from plugpass.pki.names import build_name, parse_name, subject
from plugpass.pki.profiles import PROFILES_ISO2, RootType
from plugpass.pki.reasons import Finding, Reason, Severity
from plugpass.pki.trust import TrustAnchors, UnusableTrustAnchor


def test_anchors_by_type_and_fingerprint() -> None:
    pki = shared_pki()
    anchors = pki.anchors
    assert len(anchors) == 3
    assert anchors.of_type(RootType.MO) == (pki[ROLE.MO_ROOT].der,)
    assert set(anchors.of_type(RootType.MO, RootType.OEM)) == {pki[ROLE.MO_ROOT].der, pki[ROLE.OEM_ROOT].der}
    assert anchors.adding(RootType.MO, pki[ROLE.MO_ROOT].certificate) is anchors
    fingerprint = certificate.parse(pki[ROLE.MO_ROOT].der).fingerprint
    assert anchors.without(fingerprint.upper()).of_type(RootType.MO) == ()
    issuers = anchors.issuers_of(certificate.parse(pki[ROLE.MO_SUB1].der))
    assert [anchor.certificate.encoded for anchor in issuers] == [pki[ROLE.MO_ROOT].der]


def test_one_root_may_be_trusted_as_two_types() -> None:
    root = shared_pki()[ROLE.V2G_ROOT].der
    assert len(TrustAnchors.of(v2g=[root], mo=[root])) == 2


def test_unusable_anchors() -> None:
    with pytest.raises(UnusableTrustAnchor, match="cannot be read"):
        TrustAnchors.of(v2g=[b"rubbish"])
    with pytest.raises(UnusableTrustAnchor, match="no CA certificate"):
        TrustAnchors.of(mo=[shared_pki().leaf(ROLE.CONTRACT).der])


def test_names() -> None:
    name = build_name(common_name="A  b", organization="O", country=None, domain="MO")
    read = parse_name(name.public_bytes())
    assert str(read) == "CN=A  b, O=O, DC=MO"
    assert read.key == parse_name(subject_bytes("a B")).key
    assert read.common_name == "A  b"
    with pytest.raises(MalformedDer, match="empty"):
        parse_name(b"\x30\x02\x31\x00")


def subject_bytes(common_name: str) -> bytes:
    return subject(PROFILES_ISO2[ROLE.CONTRACT], common_name, "o").public_bytes()


def test_names_in_messages_are_one_printable_line() -> None:
    name = build_name(common_name="evil\nline", organization="O", country=None, domain=None)
    assert str(parse_name(name.public_bytes())) == "CN=evil\\nline, O=O"


def test_lint_of_rubbish_is_a_finding() -> None:
    (finding,) = lint(b"rubbish", PROFILES_ISO2[ROLE.CONTRACT])
    assert finding.reason is Reason.ENCODING
    assert finding.clause == "X.690 §10"


def test_lint_puts_errors_first_and_speaks_plainly() -> None:
    encoded, _ = forge(PROFILES_ISO2[ROLE.OEM_PROVISIONING], "WPLUG000000000017A", shared_pki()[ROLE.OEM_SUB2])
    findings = lint(encoded, PROFILES_ISO2[ROLE.SECC_LEAF])
    assert [finding.severity for finding in findings] == sorted(
        (finding.severity for finding in findings), key=list(Severity).index
    )
    assert {finding.reason for finding in findings} == {Reason.CN_SYNTAX, Reason.DC_WRONG}
    assert str(findings[0]).startswith("CN=WPLUG000000000017A")
    assert str(Finding(reason=Reason.SIZE, text="big")) == "big [size, [V2G2-010]]"


def test_certificates_compare_by_their_encoding_and_print_without_bytes() -> None:
    leaf = shared_pki().leaf(ROLE.CONTRACT)
    one, two = certificate.as_certificate(leaf.certificate), certificate.parse(leaf.der)
    assert one == two == certificate.as_certificate(one)
    assert certificate.der_of(one) == certificate.der_of(leaf.certificate) == leaf.der
    assert repr(one).startswith("Certificate(CN=DEPLUC12345678Q")
    assert one.not_before < NOW < one.not_after


def test_oversized_certificates_are_not_looked_at() -> None:
    with pytest.raises(MalformedDer, match="above the limit"):
        certificate.parse(bytes(certificate.MAX_CERTIFICATE_BYTES + 1))


# --- extensions whose content is none ------------------------------------------------------------------------------

URI = der.context(6, constructed=False)
NOT_ASCII = der.element(URI, b"http://\xff/")


@pytest.mark.parametrize(
    ("oid", "content"),
    [
        (oids.BASIC_CONSTRAINTS, der.sequence(der.boolean(True), der.integer(-1))),
        (oids.KEY_USAGE, der.named_bits(frozenset({12}))),
        (oids.EXTENDED_KEY_USAGE, der.sequence()),
        (oids.SUBJECT_KEY_IDENTIFIER, der.null()),
        (oids.AUTHORITY_KEY_IDENTIFIER, der.null()),
        (oids.SUBJECT_ALT_NAME, der.sequence()),
        (oids.SUBJECT_ALT_NAME, der.sequence(NOT_ASCII)),
        (oids.AUTHORITY_INFORMATION_ACCESS, der.sequence(der.sequence(der.oid(oids.ACCESS_OCSP), NOT_ASCII))),
        (oids.CRL_DISTRIBUTION_POINTS, der.null()),
    ],
)
def test_unreadable_extensions_are_named(oid: str, content: bytes) -> None:
    """Never raised: the certificate is taken apart, and the judge says which extension is wrong."""
    broken = with_extension(Extension(oid, oid in (oids.BASIC_CONSTRAINTS, oids.KEY_USAGE), content))
    encoded, _ = forge(PROFILES_ISO2[ROLE.SECC_LEAF], "DE*PLU*E1", shared_pki()[ROLE.CPO_SUB2], broken)
    assert certificate.parse(encoded).extensions.malformed == (oid,)
    findings = lint(encoded, PROFILES_ISO2[ROLE.SECC_LEAF])
    assert Reason.EXTENSION_MALFORMED in {finding.reason for finding in findings}


def test_other_forms_of_addresses_are_passed_over() -> None:
    relative = der.sequence(der.sequence(der.explicit(0, der.element(der.context(1), b""))))
    pointless = der.sequence(der.sequence())
    for content in (relative, pointless):
        broken = with_extension(Extension(oids.CRL_DISTRIBUTION_POINTS, False, content))
        encoded, _ = forge(PROFILES_ISO2[ROLE.SECC_LEAF], "DE*PLU*E1", shared_pki()[ROLE.CPO_SUB2], broken)
        assert certificate.parse(encoded).extensions.crl_urls == ()
