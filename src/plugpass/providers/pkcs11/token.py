"""A PKCS#11 token that is open for work: it makes keys that never leave it, and survives being gone for a while."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

import pkcs11
import structlog
from cryptography.hazmat.primitives.asymmetric import ec, ed448
from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass
from pkcs11.types import Object, Session

from plugpass.errors import ConfigurationError, LocalError, Unavailable
from plugpass.pki import der, oids
from plugpass.pki.issue import RandomBytes
from plugpass.pki.keys import Curve, PublicKey, UnusableKey, verify
from plugpass.providers.pkcs11.library import REFUSALS, Library, library, refused_login, text_of
from plugpass.providers.pkcs11.signer import TokenSigner

log = structlog.get_logger(__name__)

T = TypeVar("T")

KEY_LABEL: Final = "plugpass"  #: of every key; the certificates beside it have the name
KEY_ID_OCTETS: Final = 20  #: of CKA_ID


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """How a token calls the keys of a curve."""

    key_type: KeyType
    parameters: bytes  #: CKA_EC_PARAMS: the curve's OID, DER
    point_octets: int
    load: Callable[[bytes], PublicKey]
    needs: frozenset[Mechanism]


def _ec_kind(oid: str, curve: ec.EllipticCurve) -> _Kind:
    return _Kind(
        key_type=KeyType.EC,
        parameters=der.oid(oid),
        point_octets=1 + 2 * ((curve.key_size + 7) // 8),
        load=partial(ec.EllipticCurvePublicKey.from_encoded_point, curve),
        needs=frozenset({Mechanism.EC_KEY_PAIR_GEN, Mechanism.ECDSA}),
    )


_KINDS: Final = {
    Curve.P256: _ec_kind("1.2.840.10045.3.1.7", ec.SECP256R1()),
    Curve.P521: _ec_kind("1.3.132.0.35", ec.SECP521R1()),
    Curve.ED448: _Kind(
        key_type=KeyType.EC_EDWARDS,
        parameters=der.oid(oids.ED448),
        point_octets=57,
        load=ed448.Ed448PublicKey.from_public_bytes,
        needs=frozenset({Mechanism.EC_EDWARDS_KEY_PAIR_GEN, Mechanism.EDDSA}),
    ),
}
_PROBE: Final = b"plugpass: a new key proves that it signs what its public half verifies"


class TokenRefused(LocalError):
    """The token is there and does not do what it was asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenSettings:
    """Where a token is and how it opens."""

    module: Path  #: the PKCS#11 library (.so) of the token's maker
    label: str
    pin: str = field(repr=False)  #: from a prompt, a file or the environment; never from the command line


class Token:
    """An open token. Calls block until the token has answered; they may come from any thread.

    A token that has gone (pulled out, its service stopped, its sessions ended) is looked for again at the next use:
    while it is not there, that use raises Unavailable.
    """

    def __init__(self, settings: TokenSettings, *, random: RandomBytes) -> None:
        """Open the token. `random` makes the names of new keys, not the keys.

        Raises ConfigurationError where there is no such library or token, TokenRefused where the PIN is refused, and
        Unavailable where the token fails.
        """
        self._settings = settings
        self._random = random
        self._library: Library = library(settings.module)
        self._session: Session | None = None
        self._epoch = 0
        self._refusal: str | None = None
        with self._library.lock:
            if self._library.find(settings.label) is None:
                raise ConfigurationError(
                    f"{settings.module} has no token {settings.label!r}: initialise it with the token's own tool, "
                    "or correct the label"
                )
            self._session = self._log_in()

    @property
    def label(self) -> str:
        """The token's label."""
        return self._settings.label

    def generate(self, curve: Curve, *, agreement: bool = False) -> TokenSigner:
        """A new key, made in the token and not extractable; with `agreement` it also does ECDH.

        Raises UnusableKey where the token cannot make a key of this curve, or makes one that is not what it says.
        """
        key_id, kind = self._random(KEY_ID_OCTETS), _KINDS[curve]
        missing = self.run(lambda session: kind.needs - session.token.slot.get_mechanisms())
        if missing:
            raise UnusableKey(self._unable(curve, f"it lacks {', '.join(sorted(item.name for item in missing))}"))
        try:
            public_key = self.run(lambda session: _generate(session, key_id, kind, agreement))
        except TokenRefused as error:
            raise UnusableKey(self._unable(curve, str(error))) from error
        signer = TokenSigner(self.run, key_id, public_key)
        if not verify(signer.public_key, signer.sign(_PROBE), _PROBE):
            self.destroy(key_id)
            raise UnusableKey(self._unable(curve, "the signatures of the one it made do not verify; it was deleted"))
        log.info("token.key_generated", token=self.label, curve=curve.value, key_id=key_id.hex())
        return signer

    def signer(self, key_id: bytes) -> TokenSigner:
        """The key with this CKA_ID. Raises UnusableKey where the token has none."""
        public_key = self.run(lambda session: _public_key(session, key_id))
        if public_key is None:
            raise UnusableKey(
                f"token {self.label!r} has no key {key_id.hex()}: was it deleted, or is it another token?"
            )
        return TokenSigner(self.run, key_id, public_key)

    def destroy(self, key_id: bytes) -> None:
        """Delete a key for good; unknown ones are fine."""
        self.run(lambda session: destroy_key(session, key_id))

    def key_ids(self) -> tuple[bytes, ...]:
        """The CKA_IDs of all keys that plugpass made, sorted."""
        wanted = {Attribute.CLASS: ObjectClass.PRIVATE_KEY, Attribute.LABEL: KEY_LABEL}
        return self.run(lambda session: tuple(sorted(bytes(key[Attribute.ID]) for key in session.get_objects(wanted))))

    def close(self) -> None:
        """Log out. A token that is used afterwards opens again."""
        with self._library.lock:
            self._drop_session()

    def run(self, operation: Callable[[Session], T]) -> T:
        """What `operation` gives in a session that is logged in; once more in a new one where that had ended.

        Raises TokenRefused where the token says no, and Unavailable where it is not there.
        """
        with self._library.lock:
            try:
                if self._session is not None and self._epoch == self._library.epoch:
                    return operation(self._session)
            except REFUSALS as error:
                raise TokenRefused(f"token {self.label!r} refused: {text_of(error)}") from error
            except pkcs11.PKCS11Error as error:
                log.warning("token.session_lost", token=self.label, cause=text_of(error))
            self._drop_session()
            self._session = self._log_in()
            try:
                return operation(self._session)
            except REFUSALS as error:
                raise TokenRefused(f"token {self.label!r} refused: {text_of(error)}") from error
            except pkcs11.PKCS11Error as error:
                self._drop_session()
                raise self._gone(text_of(error)) from error

    def _log_in(self) -> Session:
        """A new session. A PIN that was refused once is not tried again by itself."""
        if self._refusal is not None:
            raise TokenRefused(self._refusal)
        try:
            found = self._library.find(self.label)
            if found is None:
                raise self._gone("the library does not see it")
            self._epoch = self._library.epoch
            return found.open(rw=True, user_pin=self._settings.pin)
        except pkcs11.exceptions.UserAlreadyLoggedIn as error:
            raise TokenRefused(
                f"this process has token {self.label!r} open already: share that Token object"
            ) from error
        except pkcs11.PKCS11Error as error:
            why = refused_login(error)
            if why is None:
                raise self._gone(text_of(error)) from error
            self._refusal = f"token {self.label!r} cannot be opened: {why}"
            log.error("token.login_refused", token=self.label, cause=type(error).__name__)
            raise TokenRefused(self._refusal) from error

    def _gone(self, cause: str) -> Unavailable:
        log.error("token.unavailable", token=self.label, cause=cause)
        return Unavailable(f"token {self.label!r} is not available ({cause}): connect it, and try again")

    def _drop_session(self) -> None:
        session, self._session = self._session, None
        if session is not None and self._epoch == self._library.epoch:
            try:
                session.close()
            except pkcs11.PKCS11Error as error:  # it is of no use either way
                log.info("token.session_not_closed", token=self.label, cause=text_of(error))

    def _unable(self, curve: Curve, why: str) -> str:
        others = [other.value for other in _KINDS if other is not curve]
        return (
            f"token {self.label!r} cannot hold {curve} keys: {why}; "
            f"use {' or '.join(others)} where the profile allows it, or keep this key in the file key store"
        )


def _generate(session: Session, key_id: bytes, kind: _Kind, agreement: bool) -> PublicKey:
    curve = {Attribute.EC_PARAMS: kind.parameters}
    parameters = session.create_domain_parameters(kind.key_type, curve, local=True)
    public, private = parameters.generate_keypair(
        id=key_id,
        label=KEY_LABEL,
        store=True,
        public_template={Attribute.VERIFY: True},
        private_template={
            Attribute.PRIVATE: True,
            Attribute.SENSITIVE: True,
            Attribute.EXTRACTABLE: False,
            Attribute.SIGN: True,
            Attribute.DERIVE: agreement,
        },
    )
    if private[Attribute.EXTRACTABLE] or not private[Attribute.SENSITIVE]:
        private.destroy()
        public.destroy()
        raise UnusableKey("the token would let the private key out: the key was deleted")
    return _read_public_key(public)


def _public_key(session: Session, key_id: bytes) -> PublicKey | None:
    found = list(session.get_objects({Attribute.CLASS: ObjectClass.PUBLIC_KEY, Attribute.ID: key_id}))
    return _read_public_key(found[0]) if found else None


def _read_public_key(key: Object) -> PublicKey:
    parameters = bytes(key[Attribute.EC_PARAMS])
    kind = next((kind for kind in _KINDS.values() if kind.parameters == parameters), None)
    if kind is None:
        raise UnusableKey("the key in the token is of no V2G curve; use P-256, P-521 or Ed448")
    point = bytes(key[Attribute.EC_POINT])
    if len(point) != kind.point_octets:  # PKCS#11 has it in an OCTET STRING, some tokens bare
        point = der.parse(point, der.OCTET_STRING).content
    return kind.load(point)


def destroy_key(session: Session, key_id: bytes) -> None:
    """Delete both halves of a key; unknown ones are fine."""
    for kind in (ObjectClass.PRIVATE_KEY, ObjectClass.PUBLIC_KEY):
        for key in list(session.get_objects({Attribute.CLASS: kind, Attribute.ID: key_id})):
            key.destroy()
    log.info("token.key_destroyed", token=session.token.label, key_id=key_id.hex())
