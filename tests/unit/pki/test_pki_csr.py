"""Certificate requests: ours are readable by others, foreign ones are held to proof of possession and profile."""

from __future__ import annotations

import base64

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from plugpass.ids import EVSEID
from plugpass.pki import bundle, csr
from plugpass.pki.keys import Curve, generate, public_key_info
from plugpass.pki.profiles import PROFILES_ISO2, CertificateRole, KeyUsage, SanPolicy

EVSE = EVSEID.parse("DE*PLU*E45B*78C")


def ours(evse_id: EVSEID | None = EVSE, common_name: str = "DEPLUE45B78C", **more: str) -> bytes:
    return csr.create_csr(
        generate(),
        common_name=common_name,
        organization="Plugpass",
        country="DE",
        domain="CPO",
        evse_id=evse_id,
        **more,
    )


def foreign(
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | None = None,
    *names: x509.GeneralName,
    common_names: tuple[str, ...] = ("DEPLUE45B78C",),
    digest: hashes.HashAlgorithm | None = None,
) -> bytes:
    builder = x509.CertificateSigningRequestBuilder().subject_name(
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name) for name in common_names])
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    signed = builder.sign(key or ec.generate_private_key(ec.SECP256R1()), digest or hashes.SHA256())
    return signed.public_bytes(Encoding.DER)


def test_our_requests_are_valid_for_cryptography() -> None:
    request = x509.load_der_x509_csr(ours())
    assert request.is_signature_valid
    usage = request.extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical
    assert usage.value.digital_signature
    names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == [EVSE.uri]


def test_round_trip() -> None:
    signer = generate()
    encoded = csr.create_csr(
        signer, common_name="DEPLUE1", organization="O", evse_id=EVSE, challenge_password="dGxzLXVuaXF1ZQ=="
    )
    read = csr.parse_csr(encoded)
    assert read.common_name == "DEPLUE1"
    assert public_key_info(read.public_key) == public_key_info(signer.public_key)
    assert read.challenge_password == "dGxzLXVuaXF1ZQ=="
    assert read.extensions.key_usage == {KeyUsage.DIGITAL_SIGNATURE}
    assert read.has_san


def test_all_spellings_of_a_request_are_read() -> None:
    encoded = ours()
    line = base64.b64encode(encoded)
    wrapped = b"\r\n".join(line[at : at + 64] for at in range(0, len(line), 64))
    pem = bundle.pem_block(encoded, "CERTIFICATE REQUEST")
    for spelling in (encoded, line, line + b"\n", wrapped, pem, pem.encode(), pem.replace(" REQ", " REQ").encode()):
        assert csr.parse_csr(spelling).encoded == encoded
    assert csr.parse_csr(bundle.pem_block(encoded, "NEW CERTIFICATE REQUEST")).encoded == encoded


def test_requests_without_extensions_are_read() -> None:
    read = csr.parse_csr(foreign())
    assert not read.has_san
    assert read.challenge_password is None


@pytest.mark.parametrize(
    ("request_", "problem"),
    [
        (b"", "no PKCS#10"),
        (b"rubbish!", "no PKCS#10"),
        (b"\x30\x03\x02\x01\x00", "no PKCS#10"),
        (ours()[:-10], "no PKCS#10"),
        (ours() + b"\x00", "no PKCS#10"),
        (foreign(ec.generate_private_key(ec.SECP384R1())), "this authority signs secp256r1"),
        (foreign(rsa.generate_private_key(65537, 2048)), "type rsa_encryption"),
        (foreign(digest=hashes.SHA384()), "does not verify"),
        (foreign(common_names=()), "exactly one common name"),
        (foreign(common_names=("A", "B")), "exactly one common name"),
    ],
    ids=["empty", "rubbish", "other-der", "cut", "trailing", "p384", "rsa", "sha384", "no-cn", "two-cns"],
)
def test_refusals(request_: bytes, problem: str) -> None:
    with pytest.raises(csr.CsrRefused, match=problem) as caught:
        csr.parse_csr(request_)
    assert caught.value.wire == "400"


def test_size_is_bounded_before_anything_is_read() -> None:
    with pytest.raises(csr.CsrRefused) as caught:
        csr.parse_csr(b"0" * 100_000)
    assert caught.value.wire == "413"


def test_proof_of_possession() -> None:
    encoded = bytearray(ours())
    encoded[-1] ^= 1
    with pytest.raises(csr.CsrRefused, match="does not verify"):
        csr.parse_csr(bytes(encoded))


def test_other_curves_where_the_authority_allows_them() -> None:
    encoded = csr.create_csr(generate(Curve.P521), common_name="A", organization="O")
    assert csr.parse_csr(encoded, curves=[Curve.P521]).common_name == "A"
    with pytest.raises(csr.CsrRefused):
        csr.parse_csr(encoded)


# --- switch S10 ----------------------------------------------------------------------------------------------------

URI = x509.UniformResourceIdentifier


def chosen(request: bytes, policy: SanPolicy = SanPolicy.COPY, operator: str = "DEPLU") -> EVSEID | None:
    return csr.evse_id_for(csr.parse_csr(request), policy, operator_prefix=operator)


def test_copy_takes_the_evse_id() -> None:
    assert chosen(ours()) == EVSE
    assert chosen(ours(), operator="deplu") == EVSE
    assert chosen(ours(None)) is None


def test_copy_takes_the_san_of_a_seccid_request_too() -> None:
    assert chosen(ours(common_name="DE-PLU-S-00003C4D557878675645330967543476-2")) == EVSE


def test_copy_drops_other_names() -> None:
    request = foreign(None, x509.DNSName("charger.test"), URI("https://charger.test"), URI(EVSE.uri))
    assert chosen(request) == EVSE
    assert chosen(foreign(None, x509.DNSName("charger.test"))) is None


def test_drop_ignores_everything() -> None:
    assert chosen(ours(), SanPolicy.DROP, "FRXXX") is None


def test_strict_refuses_any_san() -> None:
    assert chosen(ours(None), SanPolicy.STRICT) is None
    with pytest.raises(csr.CsrRefused, match="no request with a SubjectAltName"):
        chosen(ours(), SanPolicy.STRICT)


@pytest.mark.parametrize(
    ("request_", "operator", "wire"),
    [
        (ours(), "FRABC", "403"),
        (ours(common_name="DE-PLU-S-00003C4D557878675645330967543476-2"), "FRABC", "403"),
        (ours(common_name="DEPLUE99"), "DEPLU", "400"),
        (foreign(None, URI("urn:evseid:rubbish")), "DEPLU", "400"),
        (foreign(None, URI(EVSE.uri), URI("urn:evseid:DE*PLU*E2")), "DEPLU", "400"),
    ],
    ids=["other-operator", "other-operator-seccid", "cn-differs", "no-evseid", "two"],
)
def test_copy_refusals(request_: bytes, operator: str, wire: str) -> None:
    with pytest.raises(csr.CsrRefused) as caught:
        chosen(request_, operator=operator)
    assert caught.value.wire == wire


def test_key_usage_wishes_count_only_when_switched_on() -> None:
    profile = PROFILES_ISO2[CertificateRole.SECC_LEAF]
    encoded = csr.create_csr(
        generate(),
        common_name="A",
        organization="O",
        key_usage=[KeyUsage.KEY_AGREEMENT, KeyUsage.KEY_CERT_SIGN],
    )
    read = csr.parse_csr(encoded)
    assert csr.key_usage_for(read, profile, honour=False) == {KeyUsage.DIGITAL_SIGNATURE}
    assert csr.key_usage_for(read, profile, honour=True) == {KeyUsage.DIGITAL_SIGNATURE, KeyUsage.KEY_AGREEMENT}
