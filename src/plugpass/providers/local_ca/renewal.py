"""Renewing CAs: a new certificate for the same key, a new key under the same name, and the roll-over of a root.

Every operation is idempotent in its steps, so that one that was interrupted is finished by running it again, and it
is written into the audit log before its result is stored.

A roll-over has three stages, so that both roots can be trusted while stations and vehicles learn the new one:

* `prepare`: the new root exists, and a pair of cross certificates with the old one (RFC 4210 §4.4);
* `activate`: the new root is the root; the Sub-CAs keep keys and names and get certificates from it;
* the removal of the old root from trust stores, which is a matter of `plugpass.store.trust`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from plugpass.errors import LocalError
from plugpass.pki.certificate import Certificate, parse
from plugpass.pki.names import subject
from plugpass.pki.profiles import CertificateRole
from plugpass.ports.audit import AuditLog, Ceremony
from plugpass.ports.keys import Credential, KeyStore
from plugpass.providers.local_ca.chains import is_issuer
from plugpass.providers.local_ca.hierarchy import (
    NewSigner,
    Operator,
    chain_above,
    key_name,
    record_ca,
    refreshed,
    retired_name,
)
from plugpass.providers.local_ca.plan import CaPlan
from plugpass.providers.local_ca.registrar import CROSS_ROLE, IssuingCa, Order, Registrar, name_of

_NEXT_ROOT: Final = "next-root"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollover:
    """A root that is being replaced. All DER."""

    old: bytes
    new: bytes
    new_with_old: bytes  #: the new root's key, certified by the old root: for those who trust the old one only
    old_with_new: bytes  #: the old root's key, certified by the new root: for those who trust the new one only


class Renewal:
    """Changes the CAs of one hierarchy; `cas` is the authority's own table and is kept up to date."""

    def __init__(
        self,
        plans: tuple[CaPlan, ...],
        cas: dict[CertificateRole, IssuingCa],
        *,
        operator: Operator,
        keys: KeyStore,
        registrar: Registrar,
        audit: AuditLog,
        new_key: NewSigner,
    ) -> None:
        self._plans = plans
        self._cas = cas
        self._operator = operator
        self._keys = keys
        self._registrar = registrar
        self._audit = audit
        self._new_key = new_key

    async def renew(self, role: CertificateRole) -> bytes:
        """A new certificate for the CA `role`, same key and name: everything below stays valid. DER."""
        current = self._ca(role)
        credential = await self._certified_anew(current)
        await record_ca(self._audit, Ceremony.CA_RENEWED, role, parse(credential.chain[0]))
        await self._store(role, credential)
        return credential.chain[0]

    async def rekey(self, role: CertificateRole) -> bytes:
        """A new key under the same name for the Sub-CA `role`; the old one goes on answering for its leaves. DER.

        Raises LocalError for a root: what it signed would hang in the air; a root rolls over.
        """
        current, issuer = self._ca(role), self._issuer_of(role)
        if issuer is None:
            raise LocalError(f"{role} is a root: replace it by a roll-over, so that both are trusted for a while")
        number = await self._next_number(role)
        await self._retire(current)
        signer = self._new_key(f"{key_name(role)}@{number}")
        order = Order(role=role, subject=name_of(current.certificate), public_key=signer.public_key)
        certificate = await self._registrar.sign(order, issuer)
        await record_ca(self._audit, Ceremony.CA_REKEYED, role, parse(certificate))
        await self._store(role, Credential(chain=(certificate, *chain_above(issuer, self._registrar)), signer=signer))
        return certificate

    async def cross_sign(self, other: bytes) -> bytes:
        """A certificate of this hierarchy's root for the name and key of the root `other`, DER.

        Whoever trusts this root can then follow chains that end in the other one. Raises LocalError where `other` is
        no root, or this one.
        """
        return await self._cross(self._root, parse(other))

    async def prepare_rollover(self) -> Rollover:
        """The new root beside the current one, with their cross certificates; nothing is issued below it yet."""
        current = self._root
        stored = await self._keys.get(_NEXT_ROOT)
        if stored is None or stored.chain[0] == current.credential.chain[0]:
            stored = await self._new_root(current)
            await self._keys.put(_NEXT_ROOT, stored)
        upcoming = IssuingCa(role=current.role, credential=stored)
        return Rollover(
            old=current.credential.chain[0],
            new=stored.chain[0],
            new_with_old=await self._cross(current, upcoming.certificate),
            old_with_new=await self._cross(upcoming, current.certificate),
        )

    async def activate_rollover(self) -> tuple[bytes, ...]:
        """Make the prepared root the root, and certify the CAs below it anew. All CA certificates that are new, DER.

        Raises LocalError where none was prepared.
        """
        stored = await self._keys.get(_NEXT_ROOT)
        if stored is None:
            raise LocalError("no new root is prepared: prepare the roll-over first, and let the root be trusted")
        current, upcoming = self._root, IssuingCa(role=self._root.role, credential=stored)
        if current.key_id != upcoming.key_id:
            await self._retire(current)
            await record_ca(self._audit, Ceremony.ROLLOVER, upcoming.role, upcoming.certificate)
            await self._store(upcoming.role, stored)
        fresh = [await self._below(plan) for plan in self._plans if plan.issuer is upcoming.role]
        await self._keys.delete(_NEXT_ROOT)
        return (stored.chain[0], *(certificate for certificate in fresh if certificate))

    # steps -------------------------------------------------------------------------------------------------------

    @property
    def _root(self) -> IssuingCa:
        return self._ca(self._plans[0].role)

    def _ca(self, role: CertificateRole) -> IssuingCa:
        if role not in self._cas:
            raise LocalError(f"there is no CA {role} here; there are {', '.join(self._cas)}")
        return self._cas[role]

    def _issuer_of(self, role: CertificateRole) -> IssuingCa | None:
        above = next(plan.issuer for plan in self._plans if plan.role is role)
        return self._cas[above] if above else None

    async def _certified_anew(self, ca: IssuingCa) -> Credential:
        issuer, name = self._issuer_of(ca.role), name_of(ca.certificate)
        if issuer is None:
            root = await self._registrar.sign_root(ca.role, name, ca.credential.signer)
            return Credential(chain=(root,), signer=ca.credential.signer)
        order = Order(role=ca.role, subject=name, public_key=ca.credential.signer.public_key)
        chain = (await self._registrar.sign(order, issuer), *chain_above(issuer, self._registrar))
        return Credential(chain=chain, signer=ca.credential.signer)

    async def _below(self, plan: CaPlan) -> bytes | None:
        """A certificate from the new root for a CA that does not have one yet."""
        ca = self._cas[plan.role]
        if is_issuer(self._root.certificate, ca.certificate):
            return None
        return await self.renew(plan.role)

    async def _new_root(self, current: IssuingCa) -> Credential:
        plan, number = self._plans[0], await self._next_number(current.role)
        operator, signer = self._operator, self._new_key(f"{key_name(plan.role)}@{number}")
        common_name = f"{operator.ca_name(plan.name)} G{number}"
        name = subject(self._registrar.profile(plan.role), common_name, operator.organization, operator.country)
        root = await self._registrar.sign_root(plan.role, name, signer)
        await record_ca(self._audit, Ceremony.CA_CREATED, plan.role, parse(root))
        return Credential(chain=(root,), signer=signer)

    async def _cross(self, issuer: IssuingCa, other: Certificate) -> bytes:
        constraints = other.extensions.basic_constraints
        if not other.self_issued or constraints is None or not constraints.ca:
            raise LocalError(f"{other.subject} is no root: cross certificates are for roots")
        if other.key.encoded == issuer.certificate.key.encoded:
            raise LocalError(f"{other.subject} has the key of the root that would sign it: there is nothing to cross")
        known = await self._registrar.cross_certificate(issuer, other)
        if known is not None:
            return known
        certificate = await self._registrar.sign_cross(issuer, other)
        await record_ca(self._audit, Ceremony.CROSS_SIGNED, CROSS_ROLE, parse(certificate))
        return certificate

    async def _next_number(self, role: CertificateRole) -> int:
        """The generation the next key of this CA will be: 2 for its first successor."""
        return 2 + len([name for name in await self._keys.names("old-ca:") if name.startswith(f"old-ca:{role}@")])

    async def _retire(self, ca: IssuingCa) -> None:
        number = 1
        while (kept := await self._keys.get(retired_name(ca.role, number))) is not None:
            if kept.chain[0] == ca.credential.chain[0]:
                return
            number += 1
        await self._keys.put(retired_name(ca.role, number), ca.credential)

    async def _store(self, role: CertificateRole, credential: Credential) -> None:
        await self._keys.put(key_name(role), credential)
        self._cas[role] = IssuingCa(role=role, credential=credential)
        for below, ca in self._cas.items():  # their chains show the newest certificates
            self._cas[below] = IssuingCa(role=below, credential=refreshed(ca.credential, self._cas))
