"""Creating a hierarchy, or finding it again: a creation that was interrupted goes on where it stopped."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from plugpass.errors import ConfigurationError
from plugpass.pki.certificate import Certificate, parse
from plugpass.pki.keys import LocalSigner, Signer, generate
from plugpass.pki.names import subject
from plugpass.pki.profiles import CertificateRole
from plugpass.ports.audit import AuditLog, Ceremony, NullAudit
from plugpass.ports.keys import Credential, KeyStore
from plugpass.providers.local_ca.plan import CaPlan
from plugpass.providers.local_ca.registrar import IssuingCa, Order, Registrar

NewKey = Callable[[], LocalSigner]
NewSigner = Callable[[str], Signer]  #: a key for the CA of this name in the key store; may stay in a token

_CURRENT = "ca:"
_RETIRED = "old-ca:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """Who runs the CAs: O and C of their subjects, and of leaves whose request names none."""

    organization: str = "plugpass"
    country: str = "DE"
    label: str = ""  #: tells hierarchies of one operator apart, in the common names: a market, a generation

    def ca_name(self, plan_name: str) -> str:
        """The common name of a CA."""
        return " ".join(part for part in (self.organization, self.label, plan_name) if part)


def key_name(role: CertificateRole) -> str:
    """The name of a CA's credential in the key store."""
    return f"{_CURRENT}{role}"


def retired_name(role: CertificateRole, number: int) -> str:
    """The name of a CA's credential that was replaced by one with another key; the first one has number 1."""
    return f"{_RETIRED}{role}@{number}"


async def open_hierarchy(
    plans: tuple[CaPlan, ...],
    *,
    operator: Operator,
    keys: KeyStore,
    registrar: Registrar,
    new_key: NewKey = generate,
    new_ca_key: NewSigner | None = None,
    audit: AuditLog | None = None,
) -> dict[CertificateRole, IssuingCa]:
    """All CAs of `plans`, created where the key store does not have them yet.

    Raises ConfigurationError where the stored CAs point to another OCSP address than the registrar's: certificates
    that were issued would then have no reachable status, and every check of them would fail.
    """
    log, make = audit or NullAudit(), new_ca_key or (lambda _: new_key())
    cas: dict[CertificateRole, IssuingCa] = {}
    for plan in plans:
        issuer = cas[plan.issuer] if plan.issuer else None
        stored = await keys.get(key_name(plan.role))
        if stored is None:
            stored = await _create(plan, issuer, operator, registrar, make(key_name(plan.role)))
            await record_ca(log, Ceremony.CA_CREATED, plan.role, parse(stored.chain[0]))
            await keys.put(key_name(plan.role), stored)
        elif issuer is not None:
            _check_ocsp_url(stored, registrar.ocsp_url(issuer.role))
        cas[plan.role] = IssuingCa(role=plan.role, credential=refreshed(stored, cas))
    return cas


async def retired_cas(keys: KeyStore, current: Mapping[CertificateRole, IssuingCa]) -> tuple[IssuingCa, ...]:
    """The CAs that were replaced by ones with another key, oldest first of each role: they still answer for leaves."""
    found: list[IssuingCa] = []
    for name in await keys.names(_RETIRED):
        role = CertificateRole(name.removeprefix(_RETIRED).partition("@")[0])
        credential = await keys.get(name)
        if credential is not None and role in current:
            ca = IssuingCa(role=role, credential=credential)
            if ca.key_id != current[role].key_id:  # a change that was interrupted leaves the current one here as well
                found.append(ca)
    return tuple(found)


def refreshed(stored: Credential, cas: Mapping[CertificateRole, IssuingCa]) -> Credential:
    """The credential with the newest certificate of each CA above it: a renewal with the same key replaces it."""
    newest = {_identity(ca.certificate): ca.credential.chain[0] for ca in cas.values()}
    above = tuple(newest.get(_identity(parse(der)), der) for der in stored.chain[1:])
    return Credential(chain=(stored.chain[0], *above), signer=stored.signer)


def _identity(certificate: Certificate) -> tuple[object, bytes]:
    return certificate.subject.key, certificate.key.encoded


async def record_ca(audit: AuditLog, action: Ceremony, role: CertificateRole, certificate: Certificate) -> None:
    """Write down what was done to a CA, before anybody can use the result."""
    details = {
        "role": role.value,
        "serial": f"{certificate.serial:x}",
        "sha256": certificate.fingerprint,
        "issuer": str(certificate.issuer),
        "not_after": certificate.not_after.isoformat(),
    }
    await audit.append(action, str(certificate.subject), details)


async def _create(
    plan: CaPlan, issuer: IssuingCa | None, operator: Operator, registrar: Registrar, signer: Signer
) -> Credential:
    name = subject(registrar.profile(plan.role), operator.ca_name(plan.name), operator.organization, operator.country)
    if issuer is None:
        return Credential(chain=(await registrar.sign_root(plan.role, name, signer),), signer=signer)
    order = Order(role=plan.role, subject=name, public_key=signer.public_key)
    return Credential(chain=(await registrar.sign(order, issuer), *chain_above(issuer, registrar)), signer=signer)


def chain_above(issuer: IssuingCa, registrar: Registrar) -> tuple[bytes, ...]:
    """What follows a certificate that `issuer` signs, in a chain without the root."""
    return issuer.credential.chain if not registrar.profile(issuer.role).self_signed else ()


def _check_ocsp_url(stored: Credential, expected: str) -> None:
    certificate = parse(stored.chain[0])
    urls = certificate.extensions.ocsp_urls
    if expected not in urls:
        raise ConfigurationError(
            f"{certificate.subject} was created with its OCSP responder at {', '.join(urls) or 'no address'}, "
            f"not {expected}: serve it at the old address, or create a new hierarchy"
        )
