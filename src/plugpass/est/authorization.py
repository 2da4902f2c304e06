"""Who may enrol what: rights are bound to prefixes of identifiers, by owner (DESIGN decision 8)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from plugpass.est.messages import EstRefusal, Label
from plugpass.ids import EMAID, EVSEID, PCID, SECCID, InvalidIdentifier
from plugpass.pki.csr import Csr, evse_id_for
from plugpass.pki.profiles import CertificateRole, SanPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """An authenticated requester and its rights. Without any right it may do nothing."""

    name: str
    labels: frozenset[Label] = frozenset()  #: the CAs it may use
    #: operator or provider prefixes (5 characters, no separators), or a vehicle maker's WMI (3), upper case
    prefixes: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()  #: exact common names, for certificates that name a service (CPS)


def station_prefix(common_name: str) -> str:
    """The operator's 5 characters in an EVSEID or SECCID. Raises EstRefusal 400 where it is neither."""
    for kind in (SECCID, EVSEID):
        try:
            return kind.parse(common_name).operator_prefix
        except InvalidIdentifier:
            continue
    raise EstRefusal(400, f"the common name {common_name[:64]!a} is neither an EVSEID nor a SECCID")


_PREFIX: Final[Mapping[CertificateRole, Callable[[str], str]]] = MappingProxyType(
    {
        CertificateRole.SECC_LEAF: station_prefix,
        CertificateRole.CONTRACT: lambda name: EMAID.parse(name).provider_prefix,
        CertificateRole.OEM_PROVISIONING: lambda name: PCID.parse(name).wmi,
    }
)


def authorise(csr: Csr, role: CertificateRole, label: Label, identity: Identity, san: SanPolicy) -> EVSEID | None:
    """Whether `identity` may have a certificate of `role` for what `csr` names; gives the EVSE id to certify besides.

    Raises PeerError with `wire` 403 where the name, or an EVSE id in the SubjectAltName, is somebody else's, and 400
    where a name is not of the kind the role needs or the names disagree.
    """
    if label not in identity.labels:
        raise EstRefusal(403, f"account {identity.name} has no right to the CA {label}")
    if role not in _PREFIX:
        if csr.common_name not in identity.names:
            raise EstRefusal(403, f"account {identity.name} has no right to the name {csr.common_name[:64]!a}")
        return None
    prefix = _owner(csr, role)
    if prefix not in identity.prefixes:
        raise EstRefusal(403, f"account {identity.name} has no right to names of {prefix}")
    return certified_evse_id(csr, role, san)


def certified_evse_id(csr: Csr, role: CertificateRole, san: SanPolicy) -> EVSEID | None:
    """The EVSE id that goes into the SubjectAltName of a certificate of `role` (switch S10); None for none.

    It belongs to the operator that the common name belongs to. Raises PeerError (CsrRefused) where it does not, or
    where it disagrees with an EVSEID in the common name.
    """
    if role is not CertificateRole.SECC_LEAF:
        return None
    return evse_id_for(csr, san, operator_prefix=station_prefix(csr.common_name))


def _owner(csr: Csr, role: CertificateRole) -> str:
    try:
        return _PREFIX[role](csr.common_name)
    except InvalidIdentifier as error:
        raise EstRefusal(400, f"the common name is refused: {error}") from error
