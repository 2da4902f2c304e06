"""What a path validator tolerates and demands beyond the profiles, as frozen values with names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from plugpass.pki.profiles import CertificateRole
from plugpass.pki.reasons import Reason


class RevocationMode(StrEnum):
    """Which certificates below the root need a good OCSP answer."""

    OFF = "off"
    WHERE_OFFERED = "where-offered"  #: those that name a responder
    REQUIRED = "required"  #: all


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Decides what a finding means. Nothing is tolerated that `tolerated` does not name, reason by reason and role by
    role; a tolerance is reported in the verdict."""

    name: str
    tolerated: frozenset[tuple[Reason, CertificateRole]] = frozenset()
    clock_skew: timedelta = timedelta(minutes=5)
    revocation: RevocationMode = RevocationMode.WHERE_OFFERED
    ocsp_max_age: timedelta = timedelta(days=7)  # [V2G2-649], [V2G2-876]
    max_certificates: int = 5  #: leaf and the 4 SubCertificates of the message schema
    max_octets: int = 16 * 1024  #: of all certificates together, before any cryptography
    max_sub_cas: int = 2  # [V2G2-009]


_LEAVES: Final = (
    CertificateRole.SECC_LEAF,
    CertificateRole.OEM_PROVISIONING,
    CertificateRole.CONTRACT,
    CertificateRole.CPS_LEAF,
    CertificateRole.OCSP_SIGNER,
)
_FIELD_TOLERANCES: Final[Mapping[Reason, tuple[CertificateRole, ...]]] = MappingProxyType(
    {
        Reason.KU_MISSING: _LEAVES,
        Reason.BC_MISSING: _LEAVES,
        Reason.KU_NOT_CRITICAL: tuple(CertificateRole),
        Reason.BC_NOT_CRITICAL: tuple(CertificateRole),
        Reason.BC_EXPLICIT_DEFAULT: tuple(CertificateRole),
        Reason.DC_MISSING: (CertificateRole.CONTRACT, CertificateRole.OEM_PROVISIONING),
    }
)

ANNEX_F: Final = Policy(name="annex-f")  #: every profile rule: issuing, lint, and the command line's default

FIELD: Final = Policy(  #: what operators' certificates in use look like: the default of the charging roles
    name="field",
    tolerated=frozenset((reason, role) for reason, roles in _FIELD_TOLERANCES.items() for role in roles),
)

POLICIES: Final[Mapping[str, Policy]] = MappingProxyType({policy.name: policy for policy in (ANNEX_F, FIELD)})
