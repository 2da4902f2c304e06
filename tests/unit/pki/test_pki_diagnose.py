"""What is told about files, bundles, keys, and certificates that come without a word."""

from __future__ import annotations

import re
from itertools import permutations

import pytest
from chain_tools import ISO2, ISO20_BOTH, WORLDS, World, authority, flip_signature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import pkcs12

from pki_factory import ISSUER_OF, ROLE, shared_pki
from plugpass.pki import der, oids
from plugpass.pki.bundle import pem
from plugpass.pki.crl import crl_pem
from plugpass.pki.csr import create_csr
from plugpass.pki.diagnose import Oddity, UnusableInput, arrange, holds_private_key, key_report, read_chain
from plugpass.pki.guess import guess, guesses, is_clear
from plugpass.pki.keys import Curve, generate, public_key_info
from plugpass.pki.profiles import CertificateRole, Generation

PKI = shared_pki()
LEAF = PKI.leaf(ROLE.SECC_LEAF)
ROOT = PKI[ROLE.V2G_ROOT].der


def key_pem() -> bytes:
    return generate().to_pem(b"secret")


def csr_pem() -> bytes:
    encoded = create_csr(generate(), common_name="DE*PLU*E1", organization="O")
    import base64

    return (
        b"-----BEGIN CERTIFICATE REQUEST-----\n" + base64.b64encode(encoded) + b"\n-----END CERTIFICATE REQUEST-----\n"
    )


def p12() -> bytes:
    return pkcs12.serialize_key_and_certificates(
        b"leaf", LEAF.signer.private_key, LEAF.certificate, None, serialization.BestAvailableEncryption(b"secret")
    )


def public_pem() -> bytes:
    return generate().public_key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "empty"),
        (b"  \n", "empty"),
        (b"rubbish!", "no certificates: not base64"),
        (bytes(10_000_000), "10,000,000 octets"),
        (key_pem(), "private key, not a certificate"),
        (csr_pem(), "certificate request"),
        (crl_pem(PKI.crl(ROLE.CPO_SUB2)).encode(), "revocation list"),
        (public_pem(), "public key"),
        (p12(), "PKCS#12 container"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA", "no certificates: a PEM block has no matching END"),
        (b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n", "certificate 1 of the file cannot be read"),
        (b"\x30\x80\x00\x00", "neither PEM nor DER"),
    ],
)
def test_files_without_certificates_are_named_for_what_they_are(data: bytes, text: str) -> None:
    with pytest.raises(UnusableInput, match=text) as caught:
        read_chain(data)
    assert "\n" not in str(caught.value)


def test_certificates_beside_a_key_are_read_and_the_key_is_noticed() -> None:
    data = pem(LEAF.chain).encode() + key_pem()
    assert [item.encoded for item in read_chain(data)] == list(LEAF.chain)
    assert holds_private_key(data)
    assert not holds_private_key(pem(LEAF.chain).encode())


# --- chains --------------------------------------------------------------------------------------------------------


def test_a_chain_as_it_should_be_has_no_remarks() -> None:
    arranged = arrange(LEAF.chain, max_size=800)
    assert arranged.remarks == arranged.strangers == ()
    assert arranged.next_issuer == arranged.chain[-1].issuer


def test_every_other_order_is_told_with_the_right_one() -> None:
    for order in permutations(LEAF.chain):
        arranged = arrange(order)
        assert [item.encoded for item in arranged.chain] == list(LEAF.chain)
        assert {item.oddity for item in arranged.remarks} == (set() if order == LEAF.chain else {Oddity.ORDER})
    text = arrange(tuple(reversed(LEAF.chain))).remarks[0].text
    assert text.endswith("which is: DE*PLU*E45B*78C, Test CPO-SUB2, Test CPO-SUB1")


def test_other_oddities() -> None:
    stranger = PKI[ROLE.MO_SUB2].der
    second = PKI.leaf(ROLE.SECC_LEAF, "DE*PLU*E2").der
    bundle = (*LEAF.chain, ROOT, ROOT, stranger, second)
    arranged = arrange(bundle, max_size=400)
    assert {item.oddity for item in arranged.remarks} == {
        Oddity.DUPLICATE,
        Oddity.ROOT_INCLUDED,
        Oddity.STRANGER,
        Oddity.SEVERAL_LEAVES,
        Oddity.OVERSIZE,
    }
    assert {item.encoded for item in arranged.strangers} == {stranger, second}
    gap = arrange((LEAF.der, PKI[ROLE.CPO_SUB1].der))
    assert [item.oddity for item in gap.remarks] == [Oddity.GAP, Oddity.STRANGER][::-1]
    broken = arrange((flip_signature(LEAF.der), *LEAF.chain[1:]))
    assert [item.oddity for item in broken.remarks] == [Oddity.BROKEN_LINK]
    assert all("\n" not in item.text for item in arranged.remarks)


def test_a_bundle_of_cas_is_arranged_too() -> None:
    arranged = arrange((ROOT, PKI[ROLE.CPO_SUB1].der, PKI[ROLE.CPO_SUB2].der))
    assert [item.common_name for item in arranged.chain] == ["Test CPO-SUB2", "Test CPO-SUB1", "Test V2G-ROOT"]
    assert [item.encoded for item in arrange((ROOT,)).chain] == [ROOT]
    loop = [authority(ISO2, ROLE.CPO_SUB2, PKI[ROLE.CPO_SUB1], name=name).der for name in ("A", "B")]
    assert len(arrange(loop).chain) == 1


@pytest.mark.parametrize("count", [0, 65])
def test_nothing_and_too_much(count: int) -> None:
    with pytest.raises(UnusableInput):
        arrange([LEAF.der] * count)


# --- keys ----------------------------------------------------------------------------------------------------------


def info(key: object) -> bytes:
    return key.public_key().public_bytes(  # type: ignore[attr-defined]  # several key classes without a common base
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


@pytest.mark.parametrize(("curve", "strength"), [(Curve.P256, 128), (Curve.P521, 256), (Curve.ED448, 224)])
def test_keys_of_the_profiles(curve: Curve, strength: int) -> None:
    report = key_report(public_key_info(generate(curve).public_key))
    assert (report.curve, report.strength, report.problem) == (curve, strength, "")


@pytest.mark.parametrize(
    ("encoded", "problem"),
    [
        (info(rsa.generate_private_key(65537, 1024)), "RSA and 1024 bits are weak"),
        (info(rsa.generate_private_key(65537, 2048)), "no V2G profile uses RSA$"),
        (info(ec.generate_private_key(ec.SECP384R1())), "secp384r1 keys"),
        (info(ed25519.Ed25519PrivateKey.generate()), "ed25519 keys"),
        (info(dsa.generate_private_key(1024)), "1.2.840.10040.4.1 keys"),
        (
            der.sequence(der.sequence(der.oid(oids.EC_PUBLIC_KEY), der.sequence()), der.bit_string(b"\x04")),
            "explicit EC parameters",
        ),
    ],
    ids=["RSA 1024", "RSA 2048", "P-384", "Ed25519", "DSA", "explicit parameters"],
)
def test_keys_of_no_profile(encoded: bytes, problem: str) -> None:
    report = key_report(encoded)
    assert report.curve is None
    assert re.search(problem, report.problem)


# --- guessing ------------------------------------------------------------------------------------------------------

ISSUED = [role for role in ISSUER_OF if ISSUER_OF[role] is not role]


@pytest.mark.parametrize("world", WORLDS, ids=lambda world: world.name)
def test_what_we_issue_is_recognised(world: World) -> None:
    for role, minted in world.pki.authorities.items():
        best = guess(minted.der)
        assert (best.role, best.generation) == (role, world.generation)
    leaves = [ROLE.SECC_LEAF, ROLE.OEM_PROVISIONING, ROLE.CONTRACT, ROLE.CPS_LEAF, ROLE.OCSP_SIGNER]
    for role in leaves + ([ROLE.VEHICLE_LEAF] if world in ISO20_BOTH else []):
        candidates = guesses(world.pki.leaf(role).der)
        assert candidates[0].role is role
        assert is_clear(candidates)
        assert candidates[0].because


def test_a_generation_may_be_asked_for() -> None:
    assert {item.generation for item in guesses(LEAF.der)} == {Generation.ISO2}
    assert {item.generation for item in guesses(LEAF.der, Generation.ISO20)} == {Generation.ISO20}
    assert len(guesses(LEAF.der)) == len(set(CertificateRole)) - 3  # -2 has no vehicle certificates
