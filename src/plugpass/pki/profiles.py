"""Certificate profiles as data (ISO 15118-2 Annex F): what each certificate type must, may and must not contain.

A profile is read by two sides: `issue` makes certificates from it, `lint` and `path` judge certificates by it. Points
on which public key infrastructures in the field disagree are named `Switches`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from plugpass.pki import oids
from plugpass.pki.keys import Curve


class CertificateRole(StrEnum):
    """Certificate types of the V2G hierarchies."""

    V2G_ROOT = "v2g-root"
    CPO_SUB1 = "cpo-sub1"
    CPO_SUB2 = "cpo-sub2"
    SECC_LEAF = "secc"
    OEM_ROOT = "oem-root"
    OEM_SUB1 = "oem-sub1"
    OEM_SUB2 = "oem-sub2"
    OEM_PROVISIONING = "oem-provisioning"
    MO_ROOT = "mo-root"
    MO_SUB1 = "mo-sub1"
    MO_SUB2 = "mo-sub2"
    CONTRACT = "contract"
    CPS_SUB1 = "cps-sub1"
    CPS_SUB2 = "cps-sub2"
    CPS_LEAF = "cps"
    OCSP_SIGNER = "ocsp-signer"


class RootType(StrEnum):
    """Kinds of trust anchors, by their names in the root certificate pools; PE is a private environment."""

    V2G = "V2G"
    MO = "MO"
    OEM = "OEM"
    PE = "PE"


class Generation(StrEnum):
    """Which part of the standard a profile belongs to."""

    ISO2 = "iso2"
    ISO20 = "iso20"


class KeyUsage(StrEnum):
    """KeyUsage bits by name; `KEY_USAGE_BITS` has their numbers (RFC 5280 §4.2.1.3)."""

    DIGITAL_SIGNATURE = "digitalSignature"
    NON_REPUDIATION = "nonRepudiation"
    KEY_ENCIPHERMENT = "keyEncipherment"
    DATA_ENCIPHERMENT = "dataEncipherment"
    KEY_AGREEMENT = "keyAgreement"
    KEY_CERT_SIGN = "keyCertSign"
    CRL_SIGN = "cRLSign"
    ENCIPHER_ONLY = "encipherOnly"
    DECIPHER_ONLY = "decipherOnly"


KEY_USAGE_BITS: Final = {usage: number for number, usage in enumerate(KeyUsage)}


class Cell(StrEnum):
    """What a profile table says about an extension or attribute."""

    REQUIRED = "required"
    OPTIONAL = "optional"
    FORBIDDEN = "forbidden"


class Identifier(StrEnum):
    """What the subject's common name must be."""

    NAME = "name"
    STATION = "EVSEID or SECCID"
    EMAID = "EMAID"
    PCID = "PCID"


class SanPolicy(StrEnum):
    """What an authority does with the SubjectAltName of a SECC request (switch S10)."""

    COPY = "copy"
    DROP = "drop"
    STRICT = "strict"


@dataclass(frozen=True, slots=True, kw_only=True)
class Switches:
    """Contested points of the profiles. Verifiers accept both sides where the defaults only say what is issued."""

    secc_key_agreement: bool = False  #: S1: keyAgreement on the -2 SECC leaf
    secc_server_auth: bool = False  #: S2: serverAuth on the SECC leaf
    contract_four_usages: bool = True  #: S3: contract KeyUsage with four bits, else digitalSignature + nonRepudiation
    vehicle_ca_crl_sign: bool = False  #: S4: cRLSign on -20 vehicle CAs; for the -20 profiles
    cpo_sub_ca_domain: str = "V2G"  #: S5: DC of the CPO Sub-CAs, "V2G" or "CPO"
    leaf_domain: bool = True  #: S6: DC on OEM and MO leaves
    ecosystem_domains: frozenset[str] = frozenset()  #: S7: further DC values that other ecosystems put on leaves
    ski_method: int = 1  #: S8: RFC 5280 §4.2.1.2 method 1 (20 octets) or 2 (8 octets)
    sub_ca_tiers: int = 2  #: S9: 1 or 2 Sub-CAs below the root
    san: SanPolicy = SanPolicy.COPY  #: S10: the EVSE id as SubjectAltName
    authority_key_identifier: bool = True  #: S11: issue the AKI; a missing one is always accepted
    csr_key_usage: bool = False  #: S12: honour KeyUsage wishes of a CSR within what the profile accepts
    amendment_1: bool = True  #: S13: Amendment 1 rules for vehicle certificates; for the -20 profiles
    tolerate_p256_in_iso20: bool = False  #: S14: P-256 chains in -20; for the -20 profiles


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyUsageRule:
    """KeyUsage: what is issued, what a verifier needs to see, and what it accepts besides."""

    issue: frozenset[KeyUsage]
    required: frozenset[KeyUsage]
    accepted: frozenset[KeyUsage]


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainRule:
    """The subject's domain component: what is issued (None: none), which values are accepted (None: any)."""

    issue: str | None
    accepted: frozenset[str] | None
    required: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One column of the profile tables."""

    role: CertificateRole
    generation: Generation
    max_size: int  #: octets of DER
    curves: frozenset[Curve]
    ca: bool
    self_signed: bool
    path_length: int | None  #: pathLenConstraint as issued; None: absent
    key_usage: KeyUsageRule
    domain: DomainRule
    country: Cell
    identifier: Identifier
    validity: timedelta
    ski_method: int = 1
    authority_key_identifier: bool = True
    extended_key_usage: frozenset[str] = frozenset()  #: OIDs as issued
    extended_key_usage_accepted: frozenset[str] = frozenset()  #: OIDs a verifier accepts; empty: no EKU at all
    authority_information_access: Cell = Cell.OPTIONAL
    crl_distribution_points: Cell = Cell.OPTIONAL
    subject_alt_name: Cell = Cell.FORBIDDEN
    ocsp_no_check: Cell = Cell.FORBIDDEN
    anchors: frozenset[RootType] = frozenset()  #: roots a chain that ends in this certificate may have


_ISO2_MAX_SIZE: Final = 800  # [V2G2-010]
_ISO2_CURVES: Final = frozenset({Curve.P256})  # [V2G2-006], [V2G2-007]

_U = KeyUsage
_CA_USAGE: Final = KeyUsageRule(
    issue=frozenset({_U.KEY_CERT_SIGN, _U.CRL_SIGN}),
    required=frozenset({_U.KEY_CERT_SIGN}),
    accepted=frozenset({_U.KEY_CERT_SIGN, _U.CRL_SIGN, _U.DIGITAL_SIGNATURE, _U.NON_REPUDIATION}),
)
_SIGNING_USAGE: Final = KeyUsageRule(
    issue=frozenset({_U.DIGITAL_SIGNATURE}),
    required=frozenset({_U.DIGITAL_SIGNATURE}),
    accepted=frozenset({_U.DIGITAL_SIGNATURE}),
)
_SECC_USAGE: Final = KeyUsageRule(
    issue=frozenset({_U.DIGITAL_SIGNATURE}),
    required=frozenset({_U.DIGITAL_SIGNATURE}),
    accepted=frozenset({_U.DIGITAL_SIGNATURE, _U.KEY_AGREEMENT}),
)
_PROVISIONING_USAGE: Final = KeyUsageRule(  # both: [V2G2-822]
    issue=frozenset({_U.DIGITAL_SIGNATURE, _U.KEY_AGREEMENT}),
    required=frozenset({_U.DIGITAL_SIGNATURE, _U.KEY_AGREEMENT}),
    accepted=frozenset({_U.DIGITAL_SIGNATURE, _U.KEY_AGREEMENT}),
)
_FOUR_USAGES: Final = frozenset({_U.DIGITAL_SIGNATURE, _U.NON_REPUDIATION, _U.KEY_ENCIPHERMENT, _U.KEY_AGREEMENT})
_TWO_USAGES: Final = frozenset({_U.DIGITAL_SIGNATURE, _U.NON_REPUDIATION})

_YEAR: Final = timedelta(days=365)


def _root(role: CertificateRole, domain: str, validity: timedelta, *, status_urls: Cell, switches: Switches) -> Profile:
    return Profile(
        role=role,
        generation=Generation.ISO2,
        max_size=_ISO2_MAX_SIZE,
        curves=_ISO2_CURVES,
        ca=True,
        self_signed=True,
        path_length=None,
        key_usage=_CA_USAGE,
        domain=DomainRule(issue=domain, accepted=None, required=False),
        country=Cell.REQUIRED,
        identifier=Identifier.NAME,
        validity=validity,
        ski_method=switches.ski_method,
        authority_key_identifier=switches.authority_key_identifier,
        authority_information_access=status_urls,
        crl_distribution_points=status_urls,
    )


def _sub_ca(role: CertificateRole, domain: str, years: int, *, path_length: int, switches: Switches) -> Profile:
    return Profile(
        role=role,
        generation=Generation.ISO2,
        max_size=_ISO2_MAX_SIZE,
        curves=_ISO2_CURVES,
        ca=True,
        self_signed=False,
        path_length=path_length if switches.sub_ca_tiers == 2 else 0,
        key_usage=_CA_USAGE,
        domain=DomainRule(issue=domain, accepted=None, required=False),  # S5: the DC rule is about leaves
        country=Cell.REQUIRED,
        identifier=Identifier.NAME,
        validity=years * _YEAR,
        ski_method=switches.ski_method,
        authority_key_identifier=switches.authority_key_identifier,
    )


def _leaf(
    role: CertificateRole,
    domain: DomainRule,
    usage: KeyUsageRule,
    identifier: Identifier,
    validity: timedelta,
    anchors: frozenset[RootType],
    switches: Switches,
    *,
    country: Cell = Cell.REQUIRED,
    issued_purposes: frozenset[str] = frozenset(),
    accepted_purposes: frozenset[str] = frozenset(),
    subject_alt_name: Cell = Cell.FORBIDDEN,
    ocsp_no_check: Cell = Cell.FORBIDDEN,
) -> Profile:
    return Profile(
        role=role,
        generation=Generation.ISO2,
        max_size=_ISO2_MAX_SIZE,
        curves=_ISO2_CURVES,
        ca=False,
        self_signed=False,
        path_length=None,
        key_usage=usage,
        domain=domain,
        country=country,
        identifier=identifier,
        validity=validity,
        ski_method=switches.ski_method,
        authority_key_identifier=switches.authority_key_identifier,
        extended_key_usage=issued_purposes,
        extended_key_usage_accepted=accepted_purposes,
        subject_alt_name=subject_alt_name,
        ocsp_no_check=ocsp_no_check,
        anchors=anchors,
    )


def _domain(value: str, switches: Switches, *, issue: bool = True) -> DomainRule:
    return DomainRule(
        issue=value if issue else None, accepted=frozenset({value}) | switches.ecosystem_domains, required=True
    )


def _authorities(switches: Switches) -> tuple[Profile, ...]:
    role, v2g = CertificateRole, "V2G"
    tiers = (
        (role.CPO_SUB1, role.CPO_SUB2, switches.cpo_sub_ca_domain, 4, 2),
        (role.OEM_SUB1, role.OEM_SUB2, "OEM", 10, 8),
        (role.MO_SUB1, role.MO_SUB2, "MO", 10, 6),
        (role.CPS_SUB1, role.CPS_SUB2, "CPS", 4, 2),  # Annex F.3: below the V2G root
    )
    return (
        _root(role.V2G_ROOT, v2g, 40 * _YEAR, status_urls=Cell.FORBIDDEN, switches=switches),  # Annex F.1: DC=V2G
        _root(role.OEM_ROOT, "OEM", 40 * _YEAR, status_urls=Cell.OPTIONAL, switches=switches),
        _root(role.MO_ROOT, "MO", 40 * _YEAR, status_urls=Cell.OPTIONAL, switches=switches),
        *(_sub_ca(first, domain, years, path_length=1, switches=switches) for first, _, domain, years, _ in tiers),
        *(_sub_ca(second, domain, years, path_length=0, switches=switches) for _, second, domain, _, years in tiers),
    )


def _leaves(switches: Switches) -> tuple[Profile, ...]:
    role, root = CertificateRole, RootType
    secc_usage = _PROVISIONING_USAGE.issue if switches.secc_key_agreement else _SECC_USAGE.issue
    contract_usage = _FOUR_USAGES if switches.contract_four_usages else _TWO_USAGES
    return (
        _leaf(
            role.SECC_LEAF,
            _domain("CPO", switches),  # [V2G2-925]
            KeyUsageRule(issue=secc_usage, required=_SECC_USAGE.required, accepted=_SECC_USAGE.accepted),
            Identifier.STATION,
            timedelta(days=60),
            frozenset({root.V2G, root.PE}),
            switches,
            issued_purposes=frozenset({oids.SERVER_AUTH}) if switches.secc_server_auth else frozenset(),
            accepted_purposes=frozenset({oids.SERVER_AUTH}),
            subject_alt_name=Cell.OPTIONAL,
        ),
        _leaf(
            role.OEM_PROVISIONING,
            _domain("OEM", switches, issue=switches.leaf_domain),
            _PROVISIONING_USAGE,
            Identifier.PCID,
            4 * _YEAR,
            frozenset({root.OEM, root.V2G}),
            switches,
            country=Cell.OPTIONAL,
        ),
        _leaf(
            role.CONTRACT,
            _domain("MO", switches, issue=switches.leaf_domain),
            KeyUsageRule(issue=contract_usage, required=frozenset({_U.DIGITAL_SIGNATURE}), accepted=_FOUR_USAGES),
            Identifier.EMAID,  # [V2G2-108]
            2 * _YEAR,
            frozenset({root.MO, root.V2G}),
            switches,
            country=Cell.OPTIONAL,
        ),
        _leaf(
            role.CPS_LEAF,
            _domain("CPS", switches),
            _SIGNING_USAGE,
            Identifier.NAME,
            timedelta(days=90),
            frozenset({root.V2G}),
            switches,
        ),
        _leaf(
            role.OCSP_SIGNER,
            DomainRule(issue=None, accepted=None, required=False),
            _SIGNING_USAGE,
            Identifier.NAME,
            timedelta(days=90),
            frozenset({root.V2G, root.MO, root.OEM}),
            switches,
            issued_purposes=frozenset({oids.OCSP_SIGNING}),
            accepted_purposes=frozenset({oids.OCSP_SIGNING}),
            ocsp_no_check=Cell.OPTIONAL,
        ),
    )


def profiles_iso2(switches: Switches | None = None) -> Mapping[CertificateRole, Profile]:
    """The ISO 15118-2 profiles with these switches; without any, the defaults of `PROFILES_ISO2`."""
    chosen = switches or Switches()
    return MappingProxyType({profile.role: profile for profile in (*_authorities(chosen), *_leaves(chosen))})


PROFILES_ISO2: Final = profiles_iso2()

ROOT_ROLE: Final = MappingProxyType(
    {
        RootType.V2G: CertificateRole.V2G_ROOT,
        RootType.MO: CertificateRole.MO_ROOT,
        RootType.OEM: CertificateRole.OEM_ROOT,
        RootType.PE: CertificateRole.OEM_ROOT,  # its columns are the same: the owner decides on status URLs
    }
)

SUB_CA_ROLES: Final[Mapping[CertificateRole, tuple[CertificateRole, CertificateRole]]] = MappingProxyType(
    {  #: leaf role: the Sub-CAs above it, nearest first
        CertificateRole.SECC_LEAF: (CertificateRole.CPO_SUB2, CertificateRole.CPO_SUB1),
        CertificateRole.OEM_PROVISIONING: (CertificateRole.OEM_SUB2, CertificateRole.OEM_SUB1),
        CertificateRole.CONTRACT: (CertificateRole.MO_SUB2, CertificateRole.MO_SUB1),
        CertificateRole.CPS_LEAF: (CertificateRole.CPS_SUB2, CertificateRole.CPS_SUB1),
        CertificateRole.OCSP_SIGNER: (CertificateRole.CPO_SUB2, CertificateRole.CPO_SUB1),
    }
)
