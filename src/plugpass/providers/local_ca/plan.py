"""Which CAs a hierarchy has, and which of them signs what (ISO 15118-2 Annex F, ISO 15118-20 Annex B)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from plugpass.pki.profiles import CertificateRole, Generation

_Role = CertificateRole


class Hierarchy(StrEnum):
    """The trees that a Plug & Charge ecosystem consists of."""

    V2G = "v2g"
    OEM = "oem"
    MO = "mo"
    PE = "pe"  #: a private environment: a root that signs its stations itself [V2G2-868]


@dataclass(frozen=True, slots=True, kw_only=True)
class CaPlan:
    """One CA of a hierarchy; `issuer` is None for the root."""

    role: CertificateRole
    issuer: CertificateRole | None
    name: str  #: its common name behind the organization; subjects within a hierarchy are all different


#: Parents before children: a hierarchy is created in this order.
PLANS: Final[Mapping[Hierarchy, tuple[CaPlan, ...]]] = MappingProxyType(
    {
        Hierarchy.V2G: (
            CaPlan(role=_Role.V2G_ROOT, issuer=None, name="V2G Root CA"),
            CaPlan(role=_Role.CPO_SUB1, issuer=_Role.V2G_ROOT, name="CPO Sub1 CA"),
            CaPlan(role=_Role.CPO_SUB2, issuer=_Role.CPO_SUB1, name="CPO Sub2 CA"),
            CaPlan(role=_Role.CPS_SUB1, issuer=_Role.V2G_ROOT, name="CPS Sub1 CA"),  # Annex F.3: below the V2G root
            CaPlan(role=_Role.CPS_SUB2, issuer=_Role.CPS_SUB1, name="CPS Sub2 CA"),
        ),
        Hierarchy.OEM: (
            CaPlan(role=_Role.OEM_ROOT, issuer=None, name="OEM Root CA"),
            CaPlan(role=_Role.OEM_SUB1, issuer=_Role.OEM_ROOT, name="OEM Sub1 CA"),
            CaPlan(role=_Role.OEM_SUB2, issuer=_Role.OEM_SUB1, name="OEM Sub2 CA"),
        ),
        Hierarchy.MO: (
            CaPlan(role=_Role.MO_ROOT, issuer=None, name="MO Root CA"),
            CaPlan(role=_Role.MO_SUB1, issuer=_Role.MO_ROOT, name="MO Sub1 CA"),
            CaPlan(role=_Role.MO_SUB2, issuer=_Role.MO_SUB1, name="MO Sub2 CA"),
        ),
        Hierarchy.PE: (CaPlan(role=_Role.PE_ROOT, issuer=None, name="Private Root CA"),),
    }
)

#: Vehicles have certificates of their own in ISO 15118-20 only, below the OEM root [V2G20-2331].
_VEHICLE_CAS: Final = (
    CaPlan(role=_Role.VEHICLE_SUB1, issuer=_Role.OEM_ROOT, name="Vehicle Sub1 CA"),
    CaPlan(role=_Role.VEHICLE_SUB2, issuer=_Role.VEHICLE_SUB1, name="Vehicle Sub2 CA"),
)

#: Which CA signs a leaf. A root never does [V2G2-867], except a private one [V2G2-868].
ISSUING_CA: Final[Mapping[CertificateRole, CertificateRole]] = MappingProxyType(
    {
        _Role.SECC_LEAF: _Role.CPO_SUB2,
        _Role.CPS_LEAF: _Role.CPS_SUB2,
        _Role.OEM_PROVISIONING: _Role.OEM_SUB2,
        _Role.VEHICLE_LEAF: _Role.VEHICLE_SUB2,
        _Role.CONTRACT: _Role.MO_SUB2,
        _Role.PE_SECC: _Role.PE_ROOT,
    }
)

#: The roles of certificates that other certificates can hang below.
AUTHORITY_ROLES: Final = frozenset(
    {plan.role for plans in (*PLANS.values(), _VEHICLE_CAS) for plan in plans} | {_Role.CROSS}
)


def plans_of(hierarchy: Hierarchy, generation: Generation, *, tiers: int = 2) -> tuple[CaPlan, ...]:
    """The CAs of a hierarchy in a generation; with one tier (switch S9) the issuing CAs hang below the root."""
    plans = PLANS[hierarchy]
    if hierarchy is Hierarchy.OEM and generation is Generation.ISO20:
        plans += _VEHICLE_CAS
    if tiers == 2:
        return plans
    issuer_of = {plan.role: plan.issuer for plan in plans}
    issuing = set(ISSUING_CA.values())
    return tuple(
        replace(plan, issuer=issuer_of[plan.issuer]) if plan.issuer and issuer_of[plan.issuer] else plan
        for plan in plans
        if plan.issuer is None or plan.role in issuing
    )


def lineage(plans: tuple[CaPlan, ...], role: CertificateRole) -> tuple[CertificateRole, ...]:
    """The CA `role` and all above it, root last."""
    issuer_of = {plan.role: plan.issuer for plan in plans}
    path: list[CertificateRole] = []
    current: CertificateRole | None = role
    while current is not None:
        path.append(current)
        current = issuer_of[current]
    return tuple(path)
