"""Private keys behind a `Signer`, and the signature algorithms of the V2G world.

A private key never appears in a `repr`, an exception text or a log line. Whoever needs a signature or a key agreement
takes a `Signer`; a token (PKCS#11) implements the same three members as `LocalSigner`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol, TypeAlias

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from plugpass.errors import LocalError, PeerError
from plugpass.pki import der, oids

PublicKey: TypeAlias = ec.EllipticCurvePublicKey | ed448.Ed448PublicKey
PrivateKey: TypeAlias = ec.EllipticCurvePrivateKey | ed448.Ed448PrivateKey


class Curve(StrEnum):
    """Key types of the V2G profiles, by their names in OPCP: P-256 for ISO 15118-2, the others for ISO 15118-20."""

    P256 = "secp256r1"
    P521 = "secp521r1"
    ED448 = "ed448"


class UnusableKey(LocalError):
    """A private key of ours cannot be used the way it was asked for."""


class InvalidPublicKey(PeerError):
    """A public key is of no usable type or no point of its curve."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureAlgorithm:
    """How a key signs: its X.509 name, and the hash where the scheme takes one."""

    name: str
    oid: str
    digest: hashes.HashAlgorithm | None


_ALGORITHMS: Final = {
    algorithm.oid: algorithm
    for algorithm in (
        SignatureAlgorithm(name="ecdsa-with-SHA256", oid=oids.ECDSA_WITH_SHA256, digest=hashes.SHA256()),
        SignatureAlgorithm(name="ecdsa-with-SHA512", oid=oids.ECDSA_WITH_SHA512, digest=hashes.SHA512()),
        SignatureAlgorithm(name="Ed448", oid=oids.ED448, digest=None),
    )
}

ALGORITHM_OF_CURVE: Final = {
    Curve.P256: _ALGORITHMS[oids.ECDSA_WITH_SHA256],  # [V2G2-006]
    Curve.P521: _ALGORITHMS[oids.ECDSA_WITH_SHA512],  # [V2G20-2674]
    Curve.ED448: _ALGORITHMS[oids.ED448],  # [V2G20-2319]
}

_EC_CURVES: Final[dict[Curve, ec.EllipticCurve]] = {Curve.P256: ec.SECP256R1(), Curve.P521: ec.SECP521R1()}
_CURVE_OF_NAME: Final = {curve.name: key for key, curve in _EC_CURVES.items()}


def curve_of(key: object) -> Curve | None:
    """The curve of a public or private key, or None where no V2G profile knows it."""
    if isinstance(key, ec.EllipticCurvePublicKey | ec.EllipticCurvePrivateKey):
        return _CURVE_OF_NAME.get(key.curve.name)
    return Curve.ED448 if isinstance(key, ed448.Ed448PublicKey | ed448.Ed448PrivateKey) else None


def signature_algorithm(key: PublicKey) -> SignatureAlgorithm:
    """The one signature algorithm the profiles pair with this key. Raises InvalidPublicKey for other curves."""
    curve = curve_of(key)
    if curve is None:
        raise InvalidPublicKey("no V2G profile uses keys of this type; use P-256, P-521 or Ed448")
    return ALGORITHM_OF_CURVE[curve]


def algorithm_identifier(key: PublicKey) -> bytes:
    """The DER AlgorithmIdentifier of signatures made with this key; parameters are absent (RFC 5758, RFC 8410)."""
    return der.sequence(der.oid(signature_algorithm(key).oid))


def public_key_info(key: PublicKey) -> bytes:
    """DER SubjectPublicKeyInfo."""
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def public_key_bits(key: PublicKey) -> bytes:
    """The octets of the subjectPublicKey BIT STRING: what key identifiers are computed over."""
    reader = der.read_sequence(public_key_info(key))
    reader.next(der.SEQUENCE)
    return der.read_bit_string(reader.next())


def load_public_key(info: bytes) -> PublicKey:
    """The key of a DER SubjectPublicKeyInfo. Raises InvalidPublicKey: wrong type, broken, or no point of the curve."""
    try:
        key = serialization.load_der_public_key(info)
    except (ValueError, UnsupportedAlgorithm):
        raise InvalidPublicKey("the public key is unreadable or no point of its curve") from None
    if not isinstance(key, ec.EllipticCurvePublicKey | ed448.Ed448PublicKey):
        raise InvalidPublicKey("the public key is neither EC nor Ed448")
    return key


def verify(key: PublicKey, signature: bytes, data: bytes, *, algorithm: str | None = None) -> bool:
    """Whether `signature` (DER for ECDSA) over `data` was made with `key`.

    `algorithm` is the OID the document names; one that does not go with the key is a failure, not an error.
    """
    chosen = _ALGORITHMS.get(algorithm or "") if algorithm else signature_algorithm(key)
    if chosen is None:
        return False
    try:
        if isinstance(key, ec.EllipticCurvePublicKey) and chosen.digest is not None:
            key.verify(signature, data, ec.ECDSA(chosen.digest))
        elif isinstance(key, ed448.Ed448PublicKey) and chosen.digest is None:
            key.verify(signature, data)
        else:
            return False
    except InvalidSignature:
        return False
    return True


def raw_from_der(signature: bytes, *, size: int = 32) -> bytes:
    """ECDSA r || s, `size` octets each (32 for P-256, 66 for P-521), of a DER signature. Raises ValueError."""
    r, s = decode_dss_signature(signature)
    try:
        return r.to_bytes(size) + s.to_bytes(size)
    except OverflowError:
        raise ValueError(f"the signature does not fit into two integers of {size} octets") from None


def der_from_raw(raw: bytes) -> bytes:
    """The DER signature of ECDSA r || s. Raises ValueError where `raw` has no two equal halves."""
    if not raw or len(raw) % 2:
        raise ValueError(f"a raw ECDSA signature has two equal halves, this one has {len(raw)} octets")
    half = len(raw) // 2
    return encode_dss_signature(int.from_bytes(raw[:half]), int.from_bytes(raw[half:]))


class Signer(Protocol):
    """A private key that can be used and not seen."""

    @property
    def public_key(self) -> PublicKey:
        """The public half."""
        ...

    def sign(self, data: bytes) -> bytes:
        """A signature over `data` with the algorithm the profile pairs with the key: DER for ECDSA, raw for Ed448."""
        ...

    def exchange(self, peer_public_key: PublicKey) -> bytes:
        """Z of an elliptic-curve Diffie-Hellman agreement: the x coordinate, big endian, 32 octets for P-256."""
        ...


class LocalSigner:
    """A private key in this process's memory."""

    __slots__ = ("_key",)

    def __init__(self, private_key: PrivateKey) -> None:
        if curve_of(private_key) is None:
            raise UnusableKey("this private key is of no V2G curve; use P-256, P-521 or Ed448")
        self._key = private_key

    @classmethod
    def from_scalar(cls, scalar: bytes, curve: Curve = Curve.P256) -> LocalSigner:
        """The EC key with this private scalar (big endian). Raises UnusableKey where it is not in 1 .. n-1."""
        if curve not in _EC_CURVES:
            raise UnusableKey(f"{curve} keys have no scalar of this form")
        try:
            return cls(ec.derive_private_key(int.from_bytes(scalar), _EC_CURVES[curve]))
        except ValueError:
            raise UnusableKey("the private scalar is zero or not below the order of the curve") from None

    @classmethod
    def from_pem(cls, pem: bytes, passphrase: bytes) -> LocalSigner:
        """The key of an encrypted PKCS#8 PEM.

        Raises UnusableKey where the passphrase is wrong, the PEM is damaged, or the key is stored in the clear.
        """
        try:
            key = serialization.load_pem_private_key(pem, passphrase)
        except TypeError:
            raise UnusableKey("the private key is stored unencrypted; encrypt it before use") from None
        except (ValueError, UnsupportedAlgorithm):
            raise UnusableKey("the private key cannot be opened: wrong passphrase or damaged file") from None
        if not isinstance(key, ec.EllipticCurvePrivateKey | ed448.Ed448PrivateKey):
            raise UnusableKey("the private key is neither EC nor Ed448")
        return cls(key)

    def to_pem(self, passphrase: bytes) -> bytes:
        """Encrypted PKCS#8 PEM. Raises UnusableKey for an empty passphrase: keys are never at rest in the clear."""
        if not passphrase:
            raise UnusableKey("a private key needs a passphrase; none was given")
        return self._key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(passphrase),
        )

    @property
    def private_key(self) -> PrivateKey:
        """The key itself, for a TLS context. Handle with care."""
        return self._key

    @property
    def scalar(self) -> bytes:
        """The EC private scalar, big endian, zero padded to the curve's size: what a contract key is sealed as."""
        if not isinstance(self._key, ec.EllipticCurvePrivateKey):
            raise UnusableKey("only EC keys have a private scalar")
        return self._key.private_numbers().private_value.to_bytes((self._key.key_size + 7) // 8)

    @property
    def public_key(self) -> PublicKey:
        """The public half."""
        return self._key.public_key()

    def sign(self, data: bytes) -> bytes:
        """A signature over `data`: DER for ECDSA, raw for Ed448."""
        if isinstance(self._key, ed448.Ed448PrivateKey):
            return self._key.sign(data)
        digest = signature_algorithm(self._key.public_key()).digest
        if digest is None:
            raise UnusableKey("an EC key signs with a hash")
        return self._key.sign(data, ec.ECDSA(digest))

    def exchange(self, peer_public_key: PublicKey) -> bytes:
        """Z of ECDH with the peer's key. Raises UnusableKey where the two keys are of different curves."""
        if not (
            isinstance(self._key, ec.EllipticCurvePrivateKey)
            and isinstance(peer_public_key, ec.EllipticCurvePublicKey)
            and self._key.curve.name == peer_public_key.curve.name
        ):
            raise UnusableKey("key agreement needs two EC keys of the same curve")
        return self._key.exchange(ec.ECDH(), peer_public_key)

    def __repr__(self) -> str:
        return f"LocalSigner({curve_of(self._key)})"

    def __reduce__(self) -> str:
        raise UnusableKey("a private key is not pickled; store it with to_pem")


def generate(curve: Curve = Curve.P256) -> LocalSigner:
    """A fresh private key, from the cryptography library's own random generator."""
    if curve is Curve.ED448:
        return LocalSigner(ed448.Ed448PrivateKey.generate())
    return LocalSigner(ec.generate_private_key(_EC_CURVES[curve]))
