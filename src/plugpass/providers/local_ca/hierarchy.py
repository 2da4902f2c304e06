"""Creating a hierarchy, or finding it again: a creation that was interrupted goes on where it stopped."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from plugpass.errors import ConfigurationError
from plugpass.pki.certificate import parse
from plugpass.pki.keys import LocalSigner, generate
from plugpass.pki.names import subject
from plugpass.pki.profiles import CertificateRole
from plugpass.ports.keys import Credential, KeyStore
from plugpass.providers.local_ca.plan import CaPlan
from plugpass.providers.local_ca.registrar import IssuingCa, Order, Registrar

NewKey = Callable[[], LocalSigner]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """Who runs the CAs: O and C of their subjects, and of leaves whose request names none."""

    organization: str = "plugpass"
    country: str = "DE"


def key_name(role: CertificateRole) -> str:
    """The name of a CA's credential in the key store."""
    return f"ca:{role}"


async def open_hierarchy(
    plans: tuple[CaPlan, ...], *, operator: Operator, keys: KeyStore, registrar: Registrar, new_key: NewKey = generate
) -> Mapping[CertificateRole, IssuingCa]:
    """All CAs of `plans`, created where the key store does not have them yet.

    Raises ConfigurationError where the stored CAs point to another OCSP address than the registrar's: certificates
    that were issued would then have no reachable status, and every check of them would fail.
    """
    cas: dict[CertificateRole, IssuingCa] = {}
    for plan in plans:
        issuer = cas[plan.issuer] if plan.issuer else None
        stored = await keys.get(key_name(plan.role))
        if stored is None:
            stored = await _create(plan, issuer, operator, registrar, new_key())
            await keys.put(key_name(plan.role), stored)
        elif issuer is not None:
            _check_ocsp_url(stored, registrar.ocsp_url(issuer.role))
        cas[plan.role] = IssuingCa(role=plan.role, credential=stored)
    return cas


async def _create(
    plan: CaPlan, issuer: IssuingCa | None, operator: Operator, registrar: Registrar, signer: LocalSigner
) -> Credential:
    name = subject(
        registrar.profile(plan.role), f"{operator.organization} {plan.name}", operator.organization, operator.country
    )
    if issuer is None:
        return Credential(chain=(await registrar.sign_root(plan.role, name, signer),), signer=signer)
    order = Order(role=plan.role, subject=name, public_key=signer.public_key)
    above = issuer.credential.chain if not registrar.profile(issuer.role).self_signed else ()
    return Credential(chain=(await registrar.sign(order, issuer), *above), signer=signer)


def _check_ocsp_url(stored: Credential, expected: str) -> None:
    certificate = parse(stored.chain[0])
    urls = certificate.extensions.ocsp_urls
    if expected not in urls:
        raise ConfigurationError(
            f"{certificate.subject} was created with its OCSP responder at {', '.join(urls) or 'no address'}, "
            f"not {expected}: serve it at the old address, or create a new hierarchy"
        )
