"""Which CAs a hierarchy has, and which of them signs what (certificate profiles of ISO 15118-2 Annex F)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from plugpass.pki.profiles import CertificateRole

_Role = CertificateRole


class Hierarchy(StrEnum):
    """The trees that a Plug & Charge ecosystem consists of."""

    V2G = "v2g"
    OEM = "oem"
    MO = "mo"


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
    }
)

#: Which CA signs a leaf. A root never does [V2G2-867].
ISSUING_CA: Final[Mapping[CertificateRole, CertificateRole]] = MappingProxyType(
    {
        _Role.SECC_LEAF: _Role.CPO_SUB2,
        _Role.CPS_LEAF: _Role.CPS_SUB2,
        _Role.OEM_PROVISIONING: _Role.OEM_SUB2,
        _Role.CONTRACT: _Role.MO_SUB2,
    }
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
