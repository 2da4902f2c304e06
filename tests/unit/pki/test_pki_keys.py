"""Signers: what they compute, and that they never show what they hold."""

from __future__ import annotations

import pickle

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa
from hypothesis import given
from hypothesis import strategies as st

from plugpass.errors import LocalError
from plugpass.pki.keys import (
    Curve,
    InvalidPublicKey,
    LocalSigner,
    UnusableKey,
    curve_of,
    der_from_raw,
    generate,
    load_public_key,
    public_key_bits,
    public_key_info,
    raw_from_der,
    verify,
)

PASSPHRASE = b"correct horse"


@pytest.mark.parametrize("curve", Curve)
def test_sign_and_verify(curve: Curve) -> None:
    signer, other = generate(curve), generate(curve)
    signature = signer.sign(b"data")
    assert verify(signer.public_key, signature, b"data")
    assert not verify(signer.public_key, signature, b"datA")
    assert not verify(other.public_key, signature, b"data")
    assert not verify(signer.public_key, b"rubbish", b"data")
    assert curve_of(signer.public_key) is curve


def test_an_algorithm_that_does_not_go_with_the_key_is_a_failure() -> None:
    ecdsa, edwards = generate(), generate(Curve.ED448)
    assert not verify(ecdsa.public_key, ecdsa.sign(b"d"), b"d", algorithm="1.3.101.113")
    assert not verify(edwards.public_key, edwards.sign(b"d"), b"d", algorithm="1.2.840.10045.4.3.2")
    assert not verify(ecdsa.public_key, ecdsa.sign(b"d"), b"d", algorithm="1.2.840.10045.4.1")


@pytest.mark.parametrize("curve", [Curve.P256, Curve.P521])
def test_raw_signatures(curve: Curve) -> None:
    signer, size = generate(curve), 32 if curve is Curve.P256 else 66
    raw = raw_from_der(signer.sign(b"data"), size=size)
    assert len(raw) == 2 * size
    assert verify(signer.public_key, der_from_raw(raw), b"data")


@given(st.binary(min_size=64, max_size=64))
def test_raw_and_der_are_the_same_two_integers(raw: bytes) -> None:
    assert raw_from_der(der_from_raw(raw)) == raw


def test_raw_signature_refusals() -> None:
    with pytest.raises(ValueError, match="two equal halves"):
        der_from_raw(b"123")
    with pytest.raises(ValueError, match="two equal halves"):
        der_from_raw(b"")
    with pytest.raises(ValueError, match="does not fit"):
        raw_from_der(generate(Curve.P521).sign(b"d"), size=32)


def test_key_agreement_is_symmetric_and_refuses_mixed_curves() -> None:
    one, two = generate(), generate()
    assert one.exchange(two.public_key) == two.exchange(one.public_key)
    assert len(one.exchange(two.public_key)) == 32
    for other in (generate(Curve.P521), generate(Curve.ED448)):
        with pytest.raises(UnusableKey, match="same curve"):
            one.exchange(other.public_key)


def test_scalars() -> None:
    signer = LocalSigner.from_scalar(bytes(31) + b"\x01")
    assert signer.scalar == bytes(31) + b"\x01"
    assert public_key_bits(signer.public_key)[:1] == b"\x04"
    assert len(generate(Curve.P521).scalar) == 66
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    for bad in (bytes(32), order.to_bytes(32), b"\xff" * 32):
        with pytest.raises(UnusableKey, match="zero or not below"):
            LocalSigner.from_scalar(bad)
    with pytest.raises(UnusableKey):
        LocalSigner.from_scalar(bytes(57), Curve.ED448)
    with pytest.raises(UnusableKey):
        _ = generate(Curve.ED448).scalar


@pytest.mark.parametrize("curve", Curve)
def test_pem_round_trip_is_encrypted(curve: Curve) -> None:
    signer = generate(curve)
    pem = signer.to_pem(PASSPHRASE)
    assert b"BEGIN ENCRYPTED PRIVATE KEY" in pem
    assert public_key_info(LocalSigner.from_pem(pem, PASSPHRASE).public_key) == public_key_info(signer.public_key)


def test_pem_refusals_are_local_errors_without_secrets() -> None:
    pem = generate().to_pem(PASSPHRASE)
    with pytest.raises(LocalError, match="wrong passphrase or damaged") as wrong:
        LocalSigner.from_pem(pem, b"tr0ub4dor")
    assert "tr0ub4dor" not in str(wrong.value)
    with pytest.raises(LocalError, match="wrong passphrase or damaged"):
        LocalSigner.from_pem(b"rubbish", PASSPHRASE)
    with pytest.raises(LocalError, match="needs a passphrase"):
        generate().to_pem(b"")
    clear = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with pytest.raises(LocalError, match="unencrypted"):
        LocalSigner.from_pem(clear, PASSPHRASE)


def test_foreign_keys_are_refused() -> None:
    pem = rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(PASSPHRASE),
    )
    with pytest.raises(UnusableKey, match="neither EC nor Ed448"):
        LocalSigner.from_pem(pem, PASSPHRASE)
    with pytest.raises(UnusableKey, match="no V2G curve"):
        LocalSigner(ec.generate_private_key(ec.SECP384R1()))
    with pytest.raises(InvalidPublicKey):
        load_public_key(b"rubbish")


def test_a_signer_shows_nothing() -> None:
    signer = generate()
    assert repr(signer) == "LocalSigner(secp256r1)"
    assert signer.scalar.hex() not in repr(vars(type(signer)))
    with pytest.raises(UnusableKey, match="not pickled"):
        pickle.dumps(signer)


def test_signer_wraps_an_existing_key() -> None:
    key = ed448.Ed448PrivateKey.generate()
    assert LocalSigner(key).private_key is key
