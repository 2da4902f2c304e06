"""The vocabulary of the profile tables: roles, cells, rules, switches, and the profile itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final

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
    VEHICLE_SUB1 = "vehicle-sub1"  #: -20 only, below an OEM or a V2G root
    VEHICLE_SUB2 = "vehicle-sub2"
    VEHICLE_LEAF = "vehicle"  #: -20 only: the TLS client certificate of the car
    MO_ROOT = "mo-root"
    MO_SUB1 = "mo-sub1"
    MO_SUB2 = "mo-sub2"
    CONTRACT = "contract"
    CPS_SUB1 = "cps-sub1"
    CPS_SUB2 = "cps-sub2"
    CPS_LEAF = "cps"
    OCSP_SIGNER = "ocsp-signer"
    PE_ROOT = "pe-root"
    PE_SECC = "pe-secc"  #: a SECC leaf directly below a private root
    CROSS = "cross"  #: a root of one hierarchy, certified by a root of another


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
    LONG_EMAID = "EMAID (-20)"  #: the instance has 9 to 28 characters instead of 9
    PCID = "PCID"
    EVCCID = "EVCCID"


class SanPolicy(StrEnum):
    """What an authority does with the SubjectAltName of a SECC request (switch S10)."""

    COPY = "copy"
    DROP = "drop"
    STRICT = "strict"


@dataclass(frozen=True, slots=True, kw_only=True)
class Switches:
    """Contested points of the profiles. Verifiers accept both sides where the defaults only say what is issued.

    None stands for the default of the generation.
    """

    secc_key_agreement: bool = False  #: S1: keyAgreement on the -2 SECC leaf
    secc_server_auth: bool | None = None  #: S2: serverAuth on the SECC leaf; off in -2, on in -20
    contract_four_usages: bool = True  #: S3: contract KeyUsage with four bits, else digitalSignature + nonRepudiation
    vehicle_ca_crl_sign: bool = False  #: S4: cRLSign on -20 vehicle CAs; a verifier warns where it is off
    cpo_sub_ca_domain: str = "V2G"  #: S5: DC of the CPO Sub-CAs, "V2G" or "CPO"
    leaf_domain: bool = True  #: S6: DC on OEM and MO leaves
    ecosystem_domains: frozenset[str] = frozenset()  #: S7: further DC values that other ecosystems put on leaves
    ski_method: int | None = None  #: S8: RFC 5280 §4.2.1.2 method 1 (20 octets) or 2 (8); 1, but 2 for -20 contracts
    sub_ca_tiers: int = 2  #: S9: 1 or 2 Sub-CAs below the root
    san: SanPolicy = SanPolicy.COPY  #: S10: the EVSE id as SubjectAltName
    authority_key_identifier: bool = True  #: S11: issue the AKI; a missing one is always accepted
    csr_key_usage: bool = False  #: S12: honour KeyUsage wishes of a CSR within what the profile accepts
    amendment_1: bool = True  #: S13: Amendment 1 rules for -20 vehicle certificates, else the form of 2022
    tolerate_p256_in_iso20: bool = False  #: S14: accept P-256 in -20 (never issued unless asked for by the key)
    iso20_curves: frozenset[Curve] = frozenset({Curve.P521, Curve.ED448})  #: [V2G20-2320]: the -20 algorithms in use


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyUsageRule:
    """KeyUsage: what is issued, what a verifier needs to see, what it accepts besides, and what of that it remarks."""

    issue: frozenset[KeyUsage]
    required: frozenset[KeyUsage]
    accepted: frozenset[KeyUsage]
    discouraged: frozenset[KeyUsage] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainRule:
    """The subject's domain component: what is issued (None: none), and what a verifier takes.

    With `accepted` or `suffix` the value must be one of these or end in that; with neither any value will do.
    """

    issue: str | None
    accepted: frozenset[str] | None = None
    suffix: str | None = None
    required: bool = False

    @property
    def any_value(self) -> bool:
        """Whether the verifier does not care."""
        return self.accepted is None and self.suffix is None

    @property
    def wanted(self) -> str:
        """What the verifier wants to see, in words."""
        return f"a value ending in {self.suffix}" if self.suffix else " or ".join(sorted(self.accepted or ("any",)))

    def accepts(self, value: str) -> bool:
        """Whether a verifier takes this value."""
        if self.suffix is not None and value.endswith(self.suffix):
            return True
        return self.any_value or value in (self.accepted or ())


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One column of the profile tables."""

    role: CertificateRole
    generation: Generation
    max_size: int  #: octets of DER
    curves: frozenset[Curve]
    preferred_curve: Curve  #: for a new key where nobody asks for another
    ca: bool
    self_signed: bool
    path_length: int | None  #: pathLenConstraint as issued; None: absent
    key_usage: KeyUsageRule
    domain: DomainRule
    country: Cell
    identifier: Identifier
    validity: timedelta
    subject_attributes: frozenset[str] | None = None  #: OIDs, each at most once; None: whatever is there
    utf8_subject: bool = False  #: CN, O and OU must be UTF8String
    ski_method: int = 1
    ski_lengths: frozenset[int] = frozenset({8, 20})  #: octets of the SubjectKeyIdentifier
    authority_key_identifier: bool = True
    extended_key_usage: frozenset[str] = frozenset()  #: OIDs as issued
    extended_key_usage_required: frozenset[str] = frozenset()  #: OIDs a verifier needs to see
    extended_key_usage_accepted: frozenset[str] = frozenset()  #: OIDs a verifier accepts; empty: no EKU at all
    extended_key_usage_critical: Cell = Cell.FORBIDDEN
    authority_information_access: Cell = Cell.OPTIONAL
    single_ocsp_url: bool = False  #: exactly one OCSP responder with an http or https URL
    crl_distribution_points: Cell = Cell.OPTIONAL
    subject_alt_name: Cell = Cell.FORBIDDEN
    ocsp_no_check: Cell = Cell.FORBIDDEN
    anchors: frozenset[RootType] = frozenset()  #: roots a chain that ends in this certificate may have


ROOT_ROLE: Final = MappingProxyType(
    {
        RootType.V2G: CertificateRole.V2G_ROOT,
        RootType.MO: CertificateRole.MO_ROOT,
        RootType.OEM: CertificateRole.OEM_ROOT,
        RootType.PE: CertificateRole.PE_ROOT,
    }
)

SUB_CA_ROLES: Final[Mapping[CertificateRole, tuple[CertificateRole, CertificateRole]]] = MappingProxyType(
    {  #: leaf role: the Sub-CAs above it, nearest first
        CertificateRole.SECC_LEAF: (CertificateRole.CPO_SUB2, CertificateRole.CPO_SUB1),
        CertificateRole.OEM_PROVISIONING: (CertificateRole.OEM_SUB2, CertificateRole.OEM_SUB1),
        CertificateRole.VEHICLE_LEAF: (CertificateRole.VEHICLE_SUB2, CertificateRole.VEHICLE_SUB1),
        CertificateRole.CONTRACT: (CertificateRole.MO_SUB2, CertificateRole.MO_SUB1),
        CertificateRole.CPS_LEAF: (CertificateRole.CPS_SUB2, CertificateRole.CPS_SUB1),
        CertificateRole.OCSP_SIGNER: (CertificateRole.CPO_SUB2, CertificateRole.CPO_SUB1),
    }
)
