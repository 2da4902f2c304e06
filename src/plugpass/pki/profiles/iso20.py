"""The ISO 15118-20 tables (Annex B, with Amendment 1 for the vehicle certificates as a switch)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from plugpass.pki import oids
from plugpass.pki.keys import Curve
from plugpass.pki.profiles.columns import CA_USAGE, NO_DOMAIN, SIGNING_USAGE, YEAR, Columns
from plugpass.pki.profiles.model import (
    Cell,
    CertificateRole,
    DomainRule,
    Generation,
    Identifier,
    KeyUsage,
    KeyUsageRule,
    Profile,
    RootType,
    Switches,
)

_PREFERENCE: Final = (Curve.P521, Curve.ED448, Curve.P256)


def profiles_iso20(switches: Switches | None = None) -> Mapping[CertificateRole, Profile]:
    """The ISO 15118-20 profiles with these switches; without any, the defaults of `PROFILES_ISO20`."""
    chosen = switches or Switches()
    tolerated = {Curve.P256} if chosen.tolerate_p256_in_iso20 else set()
    curves = chosen.iso20_curves | tolerated
    columns = Columns(
        generation=Generation.ISO20,
        max_size=1600,
        curves=curves,  # [V2G20-2674], [V2G20-2319], [V2G20-2320]
        preferred_curve=next(curve for curve in _PREFERENCE if curve in curves),
        secc_domain="CSO",  # Table B.5
        server_auth=True,
        emaid=Identifier.LONG_EMAID,
        switches=chosen,
    )
    table = {profile.role: profile for profile in (*columns.authorities(), *columns.leaves(), *_vehicle(columns))}
    table[CertificateRole.CONTRACT] = _contract(table[CertificateRole.CONTRACT], chosen)
    return MappingProxyType(table)


def _contract(profile: Profile, switches: Switches) -> Profile:
    """The sealing of a contract key authenticates a key identifier of 8 octets [V2G20-3431], [V2G20-3432]."""
    return replace(profile, ski_method=switches.ski_method or 2, ski_lengths=frozenset({8}))


def _vehicle(columns: Columns) -> Iterator[Profile]:
    """The vehicle certificate and its Sub-CAs; they chain to an OEM or a V2G root [V2G20-2331]."""
    amended = columns.switches.amendment_1
    domain = DomainRule(issue="EV", suffix="EV", required=True) if amended else NO_DOMAIN
    for role, years, length in ((CertificateRole.VEHICLE_SUB1, 10, 1), (CertificateRole.VEHICLE_SUB2, 8, 0)):
        yield columns.sub_ca(role, domain, years, path_length=length, usage=_vehicle_ca_usage(columns.switches))
    attributes = {oids.COMMON_NAME, oids.ORGANIZATION}  # and nothing else [V2G20-2598]
    leaf = columns.leaf(
        CertificateRole.VEHICLE_LEAF,
        SIGNING_USAGE,
        domain,  # [V2G20-3073], [V2G20-3406]
        Identifier.EVCCID,
        4 * YEAR,
        RootType.OEM,
        RootType.V2G,
    )
    yield replace(
        leaf,
        country=Cell.FORBIDDEN,
        subject_attributes=frozenset(attributes | {oids.DOMAIN_COMPONENT} if amended else attributes),
        utf8_subject=True,  # [V2G20-3038]
        extended_key_usage=frozenset({oids.CLIENT_AUTH}),
        extended_key_usage_required=frozenset({oids.CLIENT_AUTH} if amended else ()),
        extended_key_usage_accepted=frozenset({oids.CLIENT_AUTH, oids.SERVER_AUTH}),
        extended_key_usage_critical=Cell.REQUIRED if amended else Cell.OPTIONAL,  # Tables B.13, B.14
        authority_information_access=Cell.REQUIRED,
        single_ocsp_url=True,
    )


def _vehicle_ca_usage(switches: Switches) -> KeyUsageRule:
    """cRLSign is read as forbidden under Amendment 1 by some (S4): not issued, accepted with a remark."""
    if switches.vehicle_ca_crl_sign or not switches.amendment_1:
        return CA_USAGE
    certifying = frozenset({KeyUsage.KEY_CERT_SIGN})
    return replace(CA_USAGE, issue=certifying, discouraged=frozenset({KeyUsage.CRL_SIGN}))
