"""A certificate authority of our own: one hierarchy with its ledger and its OCSP responder."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from functools import partial
from hashlib import sha256
from typing import Final

import structlog

from plugpass.clock import Clock
from plugpass.errors import LocalError
from plugpass.est.authorization import certified_evse_id
from plugpass.ids import EVSEID
from plugpass.pki import oids
from plugpass.pki.certificate import parse
from plugpass.pki.csr import Csr, CsrRefused, key_usage_for, parse_csr
from plugpass.pki.der import MalformedDer
from plugpass.pki.issue import ProfileViolation, RandomBytes
from plugpass.pki.keys import generate, public_key_info
from plugpass.pki.names import subject
from plugpass.pki.ocsp import RevocationReason
from plugpass.pki.profiles import Cell, CertificateRole, Generation, Profile, Switches, profiles
from plugpass.ports.audit import AuditLog, Ceremony, NullAudit
from plugpass.ports.issuing import CertificateLedger, CertificateRecord, IssuedChain
from plugpass.ports.keys import KeyStore
from plugpass.providers.local_ca.chains import ChainToRoot, chains_of
from plugpass.providers.local_ca.hierarchy import NewKey, NewSigner, Operator, open_hierarchy, retired_cas
from plugpass.providers.local_ca.lists import CRL_VALIDITY, revoked_by, sign_crl
from plugpass.providers.local_ca.plan import (
    AUTHORITY_ROLES,
    ISSUING_CA,
    CaPlan,
    Hierarchy,
    lineage,
    plans_of,
)
from plugpass.providers.local_ca.registrar import PERSONAL_ROLES, IssuingCa, Order, Registrar
from plugpass.providers.local_ca.renewal import Renewal, Rollover
from plugpass.providers.local_ca.responder import RESPONSE_VALIDITY
from plugpass.providers.local_ca.status import Responders

log = structlog.get_logger(__name__)

SAME_REQUEST_WINDOW: Final = timedelta(minutes=10)  #: in which an identical request gets the same certificate

Admission = Callable[[Csr, CertificateRole, str], None]


def admit_all(csr: Csr, role: CertificateRole, owner: str) -> None:
    """The default admission: whoever can call the authority directly has been authorised by the caller."""


class LocalCertificateAuthority:
    """`plugpass.ports.issuing.CertificateAuthority` with keys in a key store.

    The profile decides what is certified, whatever a request wishes; from the request come the common name, O and C,
    the key, and for a SECC the EVSE id (switch S10). Create it with `open`.
    """

    def __init__(
        self,
        hierarchy: Hierarchy,
        cas: Mapping[CertificateRole, IssuingCa],
        *,
        generation: Generation,
        plans: tuple[CaPlan, ...],
        operator: Operator,
        keys: KeyStore,
        registrar: Registrar,
        retired: tuple[IssuingCa, ...],
        responders: Responders,
        renewal: Renewal,
        ledger: CertificateLedger,
        audit: AuditLog,
        clock: Clock,
        switches: Switches,
        admit: Admission,
        same_request_window: timedelta,
    ) -> None:
        self.hierarchy = hierarchy
        self.generation = generation
        self._renewal = renewal
        self._cas = cas
        self._plans = plans
        self._operator = operator
        self._keys = keys
        self._registrar = registrar
        self._retired = retired
        self._responders = responders
        self._ledger = ledger
        self._audit = audit
        self._clock = clock
        self._switches = switches
        self._admit = admit
        self._window = same_request_window
        self._issuing = asyncio.Lock()
        self._changing = asyncio.Lock()

    @classmethod
    async def open(
        cls,
        hierarchy: Hierarchy,
        *,
        keys: KeyStore,
        ledger: CertificateLedger,
        clock: Clock,
        random: RandomBytes,
        ocsp_base_url: str,
        crl_base_url: str | None = None,
        generation: Generation = Generation.ISO2,
        operator: Operator | None = None,
        switches: Switches | None = None,
        lives: Mapping[CertificateRole, timedelta] | None = None,
        admit: Admission = admit_all,
        same_request_window: timedelta = SAME_REQUEST_WINDOW,
        response_validity: timedelta = RESPONSE_VALIDITY,
        new_key: NewKey | None = None,
        new_ca_key: NewSigner | None = None,
        audit: AuditLog | None = None,
    ) -> LocalCertificateAuthority:
        """The hierarchy of the key store, or a new one.

        `ocsp_base_url` is where `/ocsp/...` of this authority is served; it is written into every certificate and
        must not change afterwards; `crl_base_url` likewise for `/crl/...`, None for certificates without a
        distribution point. `lives` overrides the profiles' validity periods by role. `admit` may refuse a request
        (raise PeerError) before it is signed. `new_key` makes all keys (default: of the generation's first curve),
        `new_ca_key` those of CAs by their name in the key store, for instance in a token. Raises
        ConfigurationError where the stored hierarchy has another OCSP address.
        """
        who, chosen, log_book = operator or Operator(), switches or Switches(), audit or NullAudit()
        plans = plans_of(hierarchy, generation, tiers=chosen.sub_ca_tiers)
        table = _with_lives(profiles(generation, chosen), lives or {})
        make = new_key or partial(generate, table[plans[0].role].preferred_curve)
        make_ca_key: NewSigner = new_ca_key or (lambda _: make())
        registrar = Registrar(
            ledger=ledger,
            clock=clock,
            random=random,
            profiles=table,
            ocsp_base_url=ocsp_base_url,
            crl_base_url=crl_base_url,
        )
        cas = await open_hierarchy(
            plans, operator=who, keys=keys, registrar=registrar, new_ca_key=make_ca_key, audit=log_book
        )
        renewal = Renewal(plans, cas, operator=who, keys=keys, registrar=registrar, audit=log_book, new_key=make_ca_key)

        retired = await retired_cas(keys, cas)
        responders = Responders(
            cas,
            retired,
            operator=who,
            keys=keys,
            ledger=ledger,
            registrar=registrar,
            clock=clock,
            validity=response_validity,
            new_key=make,
        )
        return cls(
            hierarchy,
            cas,
            generation=generation,
            plans=plans,
            operator=who,
            keys=keys,
            registrar=registrar,
            retired=retired,
            responders=responders,
            renewal=renewal,
            ledger=ledger,
            audit=log_book,
            clock=clock,
            switches=chosen,
            admit=admit,
            same_request_window=same_request_window,
        )

    @property
    def root(self) -> bytes:
        """The root certificate, DER."""
        return self._cas[self._plans[0].role].credential.chain[0]

    @property
    def sub_cas(self) -> tuple[bytes, ...]:
        """All CA certificates below the root, DER."""
        return tuple(ca.credential.chain[0] for ca in self._cas.values() if ca.credential.chain[0] != self.root)

    @property
    def leaf_roles(self) -> tuple[CertificateRole, ...]:
        """What this authority issues."""
        return tuple(role for role, ca in ISSUING_CA.items() if ca in self._cas)

    @property
    def certificates(self) -> Mapping[CertificateRole, bytes]:
        """Every CA certificate by its role, DER, root first."""
        return {role: ca.credential.chain[0] for role, ca in self._cas.items()}

    def issuer_of(self, certificate: bytes) -> bytes:
        """The CA certificate of this hierarchy that signed the DER `certificate`. Raises LocalError where none did."""
        issuer = parse(certificate).issuer.key
        for ca in self.certificates.values():
            if parse(ca).subject.key == issuer:
                return ca
        raise LocalError(f"{parse(certificate).subject} was not issued by the {self.hierarchy} authority")

    async def issue(self, csr: bytes, role: CertificateRole) -> IssuedChain:
        """The chain for the PKCS#10 `csr` (DER, PEM or base64), for a caller that is the authority's own party."""
        return await self.issue_for(csr, role, owner="")

    async def issue_for(self, csr: bytes, role: CertificateRole, *, owner: str) -> IssuedChain:
        """The chain for `csr`, on behalf of the authenticated requester `owner`.

        Raises CsrRefused (PeerError) where the request cannot be granted, and LocalError where the CA cannot sign.
        """
        ca = self._issuing_ca(role)
        request = parse_csr(csr, curves=self._registrar.profile(role).curves)
        evse_id = certified_evse_id(request, role, self._switches.san)
        self._admit(request, role, owner)
        digest = _digest(request, role, owner, evse_id, ca)
        async with self._issuing:  # two identical requests at once get one certificate
            leaf = await self._issued_before(digest) or await self._sign(request, role, owner, evse_id, digest, ca)
        return IssuedChain(certificates=(leaf, *ca.credential.chain))

    async def ca_certificates(self, role: CertificateRole) -> tuple[bytes, ...]:
        """The CA certificates above `role`, DER: issuing CA first, root last."""
        issuing = self._issuing_ca(role).role
        return tuple(self._cas[each].credential.chain[0] for each in lineage(self._plans, issuing))

    async def record_of(self, certificate: bytes) -> CertificateRecord | None:
        """The record of the DER `certificate` where this authority signed it; None for every other certificate."""
        try:
            parsed = parse(certificate)
        except MalformedDer:
            return None
        for ca in self.cas:
            if ca.certificate.subject.key == parsed.issuer.key:
                record = await self._ledger.find(ca.key_id, parsed.serial)
                if record is not None and record.certificate == certificate:
                    return record
        return None

    async def revoke(self, certificate: bytes, reason: str) -> bool:
        """Revoke the DER `certificate` now; False where it is not of this authority.

        Raises LocalError where `reason` is no RFC 5280 reason name.
        """
        if reason not in RevocationReason.__members__:
            raise LocalError(
                f"{reason!r} is no revocation reason: use one of {', '.join(RevocationReason.__members__)}"
            )
        record = await self.record_of(certificate)
        if record is None:
            return False
        details = {"role": record.role.value, "serial": f"{record.serial:x}", "reason": reason}
        await self._audit.append(Ceremony.REVOKED, _audit_name(record), details)
        await self._ledger.revoke(record.issuer_key_id, record.serial, self._clock.now(), reason)
        self._responders.forget(record.issuer_key_id, record.serial)
        log.info("ca.revoked", role=record.role.value, serial=f"{record.serial:x}", reason=reason)
        return True

    async def respond_ocsp(self, request: bytes) -> bytes:
        """The signed DER OCSPResponse for every CA of the hierarchy; a bad request gets OCSP's own error response."""
        return await self._responders.respond(request)

    # lists and alternatives --------------------------------------------------------------------------------------

    @property
    def cas(self) -> tuple[IssuingCa, ...]:
        """Every CA with its own key: those in use, root first, then those that were replaced."""
        return (*self._cas.values(), *self._retired)

    async def crl(self, ca: CertificateRole | IssuingCa, *, validity: timedelta = CRL_VALIDITY) -> bytes:
        """A fresh DER CRL, complete, with all that was revoked under the key of the CA in use, or of one of `cas`.

        Raises LocalError where the hierarchy has no such CA, or it may not sign CRLs.
        """
        issuer = ca if isinstance(ca, IssuingCa) else self._ca(ca)
        entries = revoked_by(issuer, await self._ledger.all())
        signed = sign_crl(issuer, entries, now=self._clock.now(), validity=validity)
        details = {"role": issuer.role.value, "entries": str(len(entries)), "sha256": sha256(signed).hexdigest()}
        await self._audit.append(Ceremony.CRL_SIGNED, str(issuer.certificate.subject), details)
        return signed

    async def chains(self, leaf: bytes) -> tuple[ChainToRoot, ...]:
        """Every chain of the DER `leaf`, shortest first: after a roll-over there is one to each root."""
        authorities = [record.certificate for record in await self._ledger.all() if record.role in AUTHORITY_ROLES]
        return chains_of(leaf, authorities)

    # ceremonies ----------------------------------------------------------------------------------------------------

    async def renew_ca(self, role: CertificateRole, *, new_key: bool = False) -> bytes:
        """A new certificate for the CA `role`, DER: for its key, or for a new one (Sub-CAs only).

        Raises LocalError where there is no such CA, or where a root is to get a new key: roll it over instead.
        """
        async with self._changing:
            certificate = await (self._renewal.rekey(role) if new_key else self._renewal.renew(role))
            await self._look_for_retired()
            return certificate

    async def cross_sign(self, other_root: bytes) -> bytes:
        """This root's certificate for the name and key of another root, DER. Raises LocalError."""
        async with self._changing:
            return await self._renewal.cross_sign(other_root)

    async def prepare_rollover(self) -> Rollover:
        """A new root beside this one, cross-signed both ways; asking again gives the same. Raises LocalError."""
        async with self._changing:
            return await self._renewal.prepare_rollover()

    async def activate_rollover(self) -> tuple[bytes, ...]:
        """Issue below the prepared root from now on; the certificates that are new, DER. Raises LocalError."""
        async with self._changing:
            fresh = await self._renewal.activate_rollover()
            await self._look_for_retired()
            return fresh

    async def _look_for_retired(self) -> None:
        self._retired = await retired_cas(self._keys, self._cas)
        self._responders.retire(self._retired)

    def _ca(self, role: CertificateRole) -> IssuingCa:
        ca = self._cas.get(role)
        if ca is None:
            raise LocalError(f"the {self.hierarchy} authority has no CA {role}; it has {', '.join(self._cas)}")
        return ca

    def _issuing_ca(self, role: CertificateRole) -> IssuingCa:
        ca = self._cas.get(ISSUING_CA.get(role, role))
        if ca is None or role not in ISSUING_CA:
            raise CsrRefused(f"the {self.hierarchy} authority does not issue {role} certificates", wire="404")
        return ca

    async def _issued_before(self, digest: str) -> bytes | None:
        record = await self._ledger.find_request(digest)
        if record is None or not timedelta(0) <= self._clock.now() - record.issued_at <= self._window:
            return None
        log.info("ca.issued_again", role=record.role.value, owner=record.owner, serial=f"{record.serial:x}")
        return record.certificate

    async def _sign(
        self, csr: Csr, role: CertificateRole, owner: str, evse_id: EVSEID | None, digest: str, ca: IssuingCa
    ) -> bytes:
        profile = self._registrar.profile(role)
        organization = next(iter(csr.subject.values(oids.ORGANIZATION)), self._operator.organization)
        default_country = self._operator.country if profile.country is Cell.REQUIRED else None
        country = next(iter(csr.subject.values(oids.COUNTRY)), default_country)
        try:
            order = Order(
                role=role,
                subject=subject(profile, csr.common_name, organization, country),
                public_key=csr.public_key,
                owner=owner,
                evse_id=evse_id,
                key_usage=key_usage_for(csr, profile, honour=self._switches.csr_key_usage),  # S12
                request_digest=digest,
            )
            return await self._registrar.sign(order, ca)
        except (ProfileViolation, ValueError) as error:  # ValueError: a name attribute of an impossible length
            raise CsrRefused(f"the request cannot be granted: {error}") from error


def _audit_name(record: CertificateRecord) -> str:
    """Drivers and vehicles are told apart by the serial number, not by name."""
    return record.role.value if record.role in PERSONAL_ROLES else record.subject


def _with_lives(
    table: Mapping[CertificateRole, Profile], lives: Mapping[CertificateRole, timedelta]
) -> Mapping[CertificateRole, Profile]:
    return {role: replace(profile, validity=lives.get(role, profile.validity)) for role, profile in table.items()}


def _digest(csr: Csr, role: CertificateRole, owner: str, evse_id: EVSEID | None, ca: IssuingCa) -> str:
    parts = (
        ca.key_id.encode(),
        role.encode(),
        owner.encode(),
        public_key_info(csr.public_key),
        csr.subject.encoded,
        evse_id.normalised.encode() if evse_id else b"",
    )
    return sha256(b"".join(len(part).to_bytes(4) + part for part in parts)).hexdigest()
