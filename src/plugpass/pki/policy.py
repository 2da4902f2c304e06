"""What a path validator tolerates and demands beyond the profiles, as frozen values with names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from plugpass.errors import LocalError
from plugpass.pki.profiles import CertificateRole
from plugpass.pki.reasons import RULES, Reason


class RevocationMode(StrEnum):
    """Which certificates below the root need a good OCSP answer or a revocation list that does not name them."""

    OFF = "off"
    WHERE_OFFERED = "where-offered"  #: those that name a responder or a distribution point
    REQUIRED = "required"  #: all


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Decides what a finding means. Nothing is tolerated that `tolerated` does not name, reason by reason and role by
    role; a tolerance is reported in the verdict."""

    name: str
    tolerated: frozenset[tuple[Reason, CertificateRole]] = frozenset()
    clock_skew: timedelta = timedelta(minutes=5)
    revocation: RevocationMode = RevocationMode.WHERE_OFFERED
    soft_fail: frozenset[Reason] = frozenset()  #: reasons for not knowing the status that pass; empty: hard-fail
    ocsp_max_age: timedelta = timedelta(days=7)  # [V2G2-649], [V2G2-876]
    max_certificates: int | None = None  #: given at once; None: the leaf and what the message schema has room for
    max_octets: int = 16 * 1024  #: of all certificates together, before any cryptography
    max_sub_cas: int = 2  # [V2G2-009]


_LEAVES: Final = (
    CertificateRole.SECC_LEAF,
    CertificateRole.OEM_PROVISIONING,
    CertificateRole.VEHICLE_LEAF,
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

#: Reasons for not knowing a status that an attacker can bring about as easily as an outage can. A word that is wrong
#: (a forged, mismatched or unauthorised answer) is not among them, and "revoked" never is.
UNAVAILABLE: Final = frozenset({Reason.OCSP_MISSING, Reason.OCSP_STALE, Reason.OCSP_REFUSED, Reason.CRL_STALE})


def soft_failing(policy: Policy, reasons: frozenset[Reason] = UNAVAILABLE) -> Policy:
    """The policy, but an unknown revocation status passes for these reasons, each reported as tolerated.

    Raises LocalError where a reason is not about not knowing: "revoked" does not fail softly.
    """
    if hard := reasons - _MAY_FAIL_SOFTLY:
        raise LocalError(f"{', '.join(sorted(hard))} cannot fail softly; use of {', '.join(sorted(_MAY_FAIL_SOFTLY))}")
    return replace(policy, name=f"{policy.name}, soft-fail", soft_fail=reasons)


_MAY_FAIL_SOFTLY: Final = frozenset(reason for reason, rule in RULES.items() if rule.indeterminate)

POLICIES: Final[Mapping[str, Policy]] = MappingProxyType({policy.name: policy for policy in (ANNEX_F, FIELD)})
