"""Contract data of ISO 15118-2: sealing the contract's private key for one vehicle, and the installation response.

Key transport is clause 7.9.2.4.3: an ephemeral Diffie-Hellman agreement with the receiver's certificate key, the
single-step key derivation of NIST SP 800-56A, and AES-128-CBC over the bare private scalar.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from plugpass.errors import PeerError
from plugpass.exi import decode, encode
from plugpass.ids import EMAID
from plugpass.iso15118.messages import iso2
from plugpass.iso15118.signature import require_p256, sign_installation
from plugpass.pki.keys import (
    Curve,
    InvalidPublicKey,
    LocalSigner,
    PublicKey,
    Signer,
    UnusableKey,
    generate,
    public_key_bits,
    public_key_info,
)

IV_SIZE: Final = 16
SCALAR_SIZE: Final = 32
POINT_SIZE: Final = 65
NO_SESSION: Final = bytes(8)
"""The SessionID of a response that waits in a pool; the one of the request takes its place on delivery."""

_OTHER_INFO: Final = b"\x01UV"
"""AlgorithmID 0x01, PartyU "U" (the secondary actor), PartyV "V" (the EVCC) [V2G2-818]."""

Random = Callable[[int], bytes]


class KeyTransportError(PeerError):
    """A sealed contract key does not open to the private key of the delivered contract certificate."""


class NotAnInstallation(PeerError):
    """Octets that should be a CertificateInstallation message of ISO 15118-2 are something else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedKey:
    """A contract private key that only the receiver can open. It may be stored and shown."""

    encrypted_private_key: bytes  #: 48 octets: initialisation vector, then the encrypted scalar
    dh_public_key: bytes  #: 65 octets: the sender's ephemeral point, uncompressed


# --- key transport --------------------------------------------------------------------------------------------------


def seal_iso2(
    contract_key: LocalSigner,
    receiver_public_key: PublicKey,
    *,
    random: Random,
    ephemeral: Callable[[], Signer] = generate,
) -> SealedKey:
    """Seal the contract key for the holder of the receiver key: the OEM provisioning certificate's on installation
    [V2G2-820], the old contract certificate's on update [V2G2-821].

    `ephemeral` makes a fresh P-256 key for this one use. Raises LocalError where a key of ours is not on P-256 and
    InvalidPublicKey where the receiver's is not.
    """
    sender = ephemeral()
    require_p256(contract_key.public_key)
    require_p256(sender.public_key)
    if not isinstance(receiver_public_key, ec.EllipticCurvePublicKey) or receiver_public_key.curve.name != Curve.P256:
        raise InvalidPublicKey("a contract key of ISO 15118-2 can be sealed for a P-256 key only")
    key = _derive(sender.exchange(receiver_public_key))
    iv = random(IV_SIZE)  # [V2G2-816]
    encryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    sealed = encryptor.update(contract_key.scalar) + encryptor.finalize()  # no padding: two whole blocks [V2G2-815]
    return SealedKey(encrypted_private_key=iv + sealed, dh_public_key=public_key_bits(sender.public_key))


def open_iso2(sealed: SealedKey, receiver: Signer, contract_public_key: PublicKey) -> LocalSigner:
    """The contract's private key, proven to belong to `contract_public_key` [V2G2-823].

    The cipher has no integrity of its own, so that check is the only thing between a wrong or forged blob and a
    useless contract. Raises KeyTransportError; which step failed is not told to the peer.
    """
    if len(sealed.encrypted_private_key) != IV_SIZE + SCALAR_SIZE:
        raise KeyTransportError(
            f"sealed contract key refused: {len(sealed.encrypted_private_key)} octets, ISO 15118-2 has exactly 48"
        )
    key = _derive(receiver.exchange(_point(sealed.dh_public_key)))
    iv, ciphertext = sealed.encrypted_private_key[:IV_SIZE], sealed.encrypted_private_key[IV_SIZE:]
    decryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).decryptor()
    scalar = decryptor.update(ciphertext) + decryptor.finalize()
    try:
        opened = LocalSigner.from_scalar(scalar)  # 0 < d < n
    except UnusableKey:
        raise KeyTransportError("sealed contract key refused: it opens to no private key of P-256") from None
    if public_key_info(opened.public_key) != public_key_info(contract_public_key):
        raise KeyTransportError("sealed contract key refused: it does not belong to the contract certificate")
    return opened


def _derive(z: bytes) -> bytes:
    """Single-step Concat KDF with SHA-256, one round, truncated to an AES-128 key [V2G2-818]."""
    return hashlib.sha256(b"\x00\x00\x00\x01" + z + _OTHER_INFO).digest()[:16]


def _point(encoded: bytes) -> ec.EllipticCurvePublicKey:
    """The sender's point; refused where it is compressed, at infinity or not on the curve [V2G2-819]."""
    if len(encoded) != POINT_SIZE or encoded[0] != 0x04:
        raise KeyTransportError("sealed contract key refused: DHpublickey is no uncompressed point of 65 octets")
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), encoded)
    except ValueError:
        raise KeyTransportError("sealed contract key refused: DHpublickey is not on the curve P-256") from None


# --- the installation response --------------------------------------------------------------------------------------


def build_installation_response(
    *,
    emaid: EMAID,
    contract_chain: Sequence[bytes],
    sealed: SealedKey,
    cps_chain: Sequence[bytes],
    cps_signer: Signer,
    session_id: bytes = NO_SESSION,
) -> iso2.V2GMessage:
    """The signed CertificateInstallationRes; chains are DER, leaf first, without a root."""
    response = iso2.CertificateInstallationRes(
        response_code=iso2.ResponseCode.OK,
        sa_provisioning_certificate_chain=certificate_chain(cps_chain),
        contract_signature_cert_chain=certificate_chain(contract_chain, element_id="id1"),
        contract_signature_encrypted_private_key=iso2.ContractSignatureEncryptedPrivateKey(
            id="id2", value=sealed.encrypted_private_key
        ),
        dh_public_key=iso2.DHPublicKey(id="id3", value=sealed.dh_public_key),
        emaid=iso2.EMAID(id="id4", value=str(emaid)),
    )
    header = iso2.MessageHeader(session_id=session_id, signature=sign_installation(response, cps_signer))
    return iso2.V2GMessage(header=header, body=iso2.Body(response))


def failed_installation_response(code: iso2.ResponseCode, session_id: bytes = NO_SESSION) -> iso2.V2GMessage:
    """A CertificateInstallationRes that carries nothing but a FAILED code.

    The schema requires the other elements; they are empty where their types allow it, and the eMAID is a filler that
    no provider can own. A vehicle must not read beyond the code.
    """
    empty = iso2.CertificateChain(certificate=b"")
    response = iso2.CertificateInstallationRes(
        response_code=code,
        sa_provisioning_certificate_chain=empty,
        contract_signature_cert_chain=dataclasses.replace(empty, id="id1"),
        contract_signature_encrypted_private_key=iso2.ContractSignatureEncryptedPrivateKey(id="id2", value=b""),
        dh_public_key=iso2.DHPublicKey(id="id3", value=b""),
        emaid=iso2.EMAID(id="id4", value="0" * 14),
    )
    return iso2.V2GMessage(header=iso2.MessageHeader(session_id=session_id), body=iso2.Body(response))


def certificate_chain(chain: Sequence[bytes], element_id: str | None = None) -> iso2.CertificateChain:
    """A certificate chain element of DER certificates, leaf first, without the root."""
    subs = iso2.SubCertificates(certificate=tuple(chain[1:])) if len(chain) > 1 else None
    return iso2.CertificateChain(id=element_id, certificate=chain[0], sub_certificates=subs)


def chain_certificates(chain: iso2.CertificateChain) -> tuple[bytes, ...]:
    """The DER certificates of a chain element, leaf first."""
    return (chain.certificate, *(() if chain.sub_certificates is None else chain.sub_certificates.certificate))


def sealed_key(response: iso2.CertificateInstallationRes | iso2.CertificateUpdateRes) -> SealedKey:
    """The sealed contract key of an installation response."""
    return SealedKey(
        encrypted_private_key=response.contract_signature_encrypted_private_key.value,
        dh_public_key=response.dh_public_key.value,
    )


def read_installation_response(exi: bytes) -> tuple[iso2.V2GMessage, iso2.CertificateInstallationRes]:
    """The message and its body. Raises ExiDecodeError, or NotAnInstallation where it is another message."""
    message = decode("iso2", exi)
    if isinstance(message, iso2.V2GMessage) and isinstance(message.body.element, iso2.CertificateInstallationRes):
        return message, message.body.element
    raise NotAnInstallation("expected a CertificateInstallationRes of ISO 15118-2")


def read_installation_request(exi: bytes) -> tuple[iso2.V2GMessage, iso2.CertificateInstallationReq]:
    """The message and its body. Raises ExiDecodeError, or NotAnInstallation where it is another message."""
    message = decode("iso2", exi)
    if isinstance(message, iso2.V2GMessage) and isinstance(message.body.element, iso2.CertificateInstallationReq):
        return message, message.body.element
    raise NotAnInstallation("expected a CertificateInstallationReq of ISO 15118-2")


def with_session_id(message: iso2.V2GMessage, session_id: bytes) -> iso2.V2GMessage:
    """The same message for another session: the header's SessionID is not signed, so the signature stays valid."""
    return dataclasses.replace(message, header=dataclasses.replace(message.header, session_id=session_id))


def to_exi(message: iso2.V2GMessage) -> bytes:
    """The message as it travels."""
    return encode("iso2", message)
