"""Key transport of ISO 15118-2 against known answers, and the installation response around it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from plugpass.errors import LocalError
from plugpass.exi import decode, encode
from plugpass.ids import EMAID
from plugpass.iso15118 import contract
from plugpass.iso15118.contract import KeyTransportError, SealedKey, open_iso2, seal_iso2
from plugpass.iso15118.messages import iso2
from plugpass.iso15118.signature import verify_installation
from plugpass.pki.keys import Curve, InvalidPublicKey, LocalSigner, generate, public_key_bits

VECTOR = json.loads((Path(__file__).parents[2] / "vectors" / "provisioning.json").read_text())["iso2_p256"]
RECEIVER, EPHEMERAL, CONTRACT = (
    LocalSigner.from_scalar(bytes.fromhex(VECTOR[f"{name}_private_scalar"]))
    for name in ("receiver", "ephemeral", "contract")
)
SEALED = SealedKey(
    encrypted_private_key=bytes.fromhex(VECTOR["ContractSignatureEncryptedPrivateKey"]),
    dh_public_key=bytes.fromhex(VECTOR["DHpublickey"]),
)


def with_octets(*, key: bytes | None = None, point: bytes | None = None) -> SealedKey:
    """SEALED with one part replaced."""
    return SealedKey(
        encrypted_private_key=SEALED.encrypted_private_key if key is None else key,
        dh_public_key=SEALED.dh_public_key if point is None else point,
    )


def test_sealing_gives_the_known_answer() -> None:
    iv = bytes.fromhex(VECTOR["iv"])
    sealed = seal_iso2(CONTRACT, RECEIVER.public_key, random=lambda size: iv[:size], ephemeral=lambda: EPHEMERAL)
    assert sealed == SEALED
    assert (len(sealed.encrypted_private_key), len(sealed.dh_public_key)) == (48, 65)


def test_opening_the_known_answer() -> None:
    assert open_iso2(SEALED, RECEIVER, CONTRACT.public_key).scalar == CONTRACT.scalar
    assert public_key_bits(CONTRACT.public_key).hex() == VECTOR["contract_public_point"]


def test_a_short_scalar_is_padded_to_two_blocks() -> None:
    small = LocalSigner.from_scalar(b"\x01")
    sealed = seal_iso2(small, RECEIVER.public_key, random=os.urandom)
    assert len(sealed.encrypted_private_key) == 48
    assert open_iso2(sealed, RECEIVER, small.public_key).scalar == bytes(31) + b"\x01"


def test_every_sealing_uses_a_fresh_ephemeral_key() -> None:
    first, second = (seal_iso2(CONTRACT, RECEIVER.public_key, random=os.urandom) for _ in range(2))
    assert first.dh_public_key != second.dh_public_key


@pytest.mark.parametrize(
    ("sealed", "problem"),
    [
        (with_octets(key=b""), "0 octets"),
        (with_octets(key=SEALED.encrypted_private_key + bytes(16)), "64 octets"),
        (with_octets(point=b""), "uncompressed point"),
        (with_octets(point=b"\x02" + SEALED.dh_public_key[1:33]), "uncompressed point"),
        (with_octets(point=b"\x00" * 65), "uncompressed point"),
        (with_octets(point=b"\x04" + bytes(64)), "not on the curve"),
        (with_octets(point=SEALED.dh_public_key[:-1] + b"\x00"), "not on the curve"),
        (with_octets(point=public_key_bits(RECEIVER.public_key)), "does not belong|no private key"),
    ],
)
def test_a_sealed_key_that_breaks_a_rule_is_refused(sealed: SealedKey, problem: str) -> None:
    with pytest.raises(KeyTransportError, match=problem):
        open_iso2(sealed, RECEIVER, CONTRACT.public_key)


def test_a_key_for_another_vehicle_or_certificate_is_refused() -> None:
    with pytest.raises(KeyTransportError):
        open_iso2(SEALED, EPHEMERAL, CONTRACT.public_key)
    with pytest.raises(KeyTransportError, match="does not belong"):
        open_iso2(SEALED, RECEIVER, RECEIVER.public_key)


@pytest.mark.parametrize("scalar", [bytes(32), b"\xff" * 32])
def test_a_scalar_out_of_range_is_refused(scalar: bytes) -> None:
    class Forged(LocalSigner):
        @property
        def scalar(self) -> bytes:
            return scalar

    private_key = CONTRACT.private_key
    assert isinstance(private_key, ec.EllipticCurvePrivateKey)
    sealed = seal_iso2(Forged(private_key), RECEIVER.public_key, random=os.urandom)
    with pytest.raises(KeyTransportError, match="no private key"):
        open_iso2(sealed, RECEIVER, CONTRACT.public_key)


@given(st.binary(max_size=64), st.binary(max_size=80))
def test_no_octets_open_by_chance_or_crash(key: bytes, point: bytes) -> None:
    with pytest.raises(KeyTransportError):
        open_iso2(SealedKey(encrypted_private_key=key, dh_public_key=point), RECEIVER, CONTRACT.public_key)


def test_other_curves_are_refused() -> None:
    with pytest.raises(InvalidPublicKey):
        seal_iso2(CONTRACT, generate(Curve.P521).public_key, random=os.urandom)
    with pytest.raises(LocalError):
        seal_iso2(generate(Curve.P521), RECEIVER.public_key, random=os.urandom)


def test_the_installation_response_verifies_and_opens_after_a_change_of_session() -> None:
    cps = generate()
    message = contract.build_installation_response(
        emaid=EMAID.create("DE", "PLU", "000000001"),
        contract_chain=(b"leaf", b"sub 2", b"sub 1"),
        sealed=SEALED,
        cps_chain=(b"cps", b"cps sub 2"),
        cps_signer=cps,
    )
    exi = contract.to_exi(contract.with_session_id(message, b"\x01" * 8))
    received, response = contract.read_installation_response(exi)
    assert received.header.session_id == b"\x01" * 8
    verify_installation(response, received.header.signature, cps.public_key)
    assert contract.chain_certificates(response.contract_signature_cert_chain) == (b"leaf", b"sub 2", b"sub 1")
    assert open_iso2(contract.sealed_key(response), RECEIVER, CONTRACT.public_key).scalar == CONTRACT.scalar


def test_a_failed_response_carries_its_code_and_nothing_to_trust() -> None:
    message = contract.failed_installation_response(iso2.ResponseCode.FAILED_NO_CERTIFICATE_AVAILABLE, b"\x07")
    received, response = contract.read_installation_response(contract.to_exi(message))
    assert response.response_code is iso2.ResponseCode.FAILED_NO_CERTIFICATE_AVAILABLE
    assert (received.header.session_id, received.header.signature) == (b"\x07", None)


def test_another_message_is_no_installation() -> None:
    header = iso2.MessageHeader(session_id=bytes(8))
    other = encode(
        "iso2",
        iso2.V2GMessage(
            header=header, body=iso2.Body(iso2.SessionStopReq(charging_session=iso2.ChargingSession.TERMINATE))
        ),
    )
    assert decode("iso2", other)
    with pytest.raises(contract.NotAnInstallation):
        contract.read_installation_request(other)
    with pytest.raises(contract.NotAnInstallation):
        contract.read_installation_response(other)
