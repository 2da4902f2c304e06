"""A private key in a token, as a `plugpass.pki.keys.Signer`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from pkcs11 import KDF, Attribute, KeyType, Mechanism, ObjectClass
from pkcs11.types import DeriveMixin, Object, Session

from plugpass.pki.keys import PublicKey, UnusableKey, curve_of, der_from_raw, public_key_bits, signature_algorithm

RunInSession: TypeAlias = Callable[[Callable[[Session], bytes]], bytes]


class TokenSigner:
    """`plugpass.pki.keys.Signer` whose private key never leaves its token. Calls block until the token has answered.

    Each raises Unavailable while the token is gone, and UnusableKey where it has no such key.
    """

    __slots__ = ("_handle", "_public_key", "_run", "key_id")

    def __init__(self, run: RunInSession, key_id: bytes, public_key: PublicKey) -> None:
        """`run` gives an operation a session; `key_id` is the CKA_ID."""
        self.key_id = key_id
        self._run = run
        self._public_key = public_key
        self._handle: tuple[Session, Object] | None = None

    @property
    def public_key(self) -> PublicKey:
        """The public half."""
        return self._public_key

    def sign(self, data: bytes) -> bytes:
        """A signature over `data`: DER for ECDSA, whose hash is made here; raw for Ed448."""
        digest = signature_algorithm(self._public_key).digest
        if digest is None:
            pure = (False, None)  # RFC 8410: Ed448 without prehash and context
            return self._run(
                lambda session: self._key(session).sign(data, mechanism=Mechanism.EDDSA, mechanism_param=pure)
            )
        hashing = hashes.Hash(digest)
        hashing.update(data)
        hashed = hashing.finalize()
        return der_from_raw(self._run(lambda session: self._key(session).sign(hashed, mechanism=Mechanism.ECDSA)))

    def exchange(self, peer_public_key: PublicKey) -> bytes:
        """Z of ECDH with the peer's key, computed in the token.

        Raises UnusableKey where the curves differ, and where the key was not made for agreement.
        """
        own = self._public_key
        if not (isinstance(own, ec.EllipticCurvePublicKey) and curve_of(own) == curve_of(peer_public_key)):
            raise UnusableKey("key agreement needs two EC keys of the same curve")
        octets, point = (own.key_size + 7) // 8, public_key_bits(peer_public_key)

        def derive(session: Session) -> bytes:
            key = self._key(session)
            if not isinstance(key, DeriveMixin):
                raise UnusableKey(f"the key {self.key_id.hex()} was made to sign, not for key agreement")
            secret = key.derive_key(
                KeyType.GENERIC_SECRET,
                octets * 8,
                mechanism=Mechanism.ECDH1_DERIVE,
                mechanism_param=(KDF.NULL, None, point),
                template={Attribute.SENSITIVE: False, Attribute.EXTRACTABLE: True},
            )
            value = bytes(secret[Attribute.VALUE])
            secret.destroy()
            return value

        return self._run(derive)

    def _key(self, session: Session) -> Any:
        """The key's handle in this session; what it can do is mixed into its class by its attributes."""
        known = self._handle
        if known is not None and known[0] is session:
            return known[1]
        wanted = {Attribute.CLASS: ObjectClass.PRIVATE_KEY, Attribute.ID: self.key_id}
        found = list(session.get_objects(wanted))
        if not found:
            raise UnusableKey(f"the token has no key {self.key_id.hex()}: was it deleted, or is it another token?")
        self._handle = (session, found[0])
        return found[0]

    def __repr__(self) -> str:
        return f"TokenSigner({curve_of(self._public_key)}, {self.key_id.hex()})"

    def __reduce__(self) -> str:
        raise UnusableKey("a key in a token is not pickled; find it again by its key id")
