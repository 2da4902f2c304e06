"""How the columns of both generations are made: what all roots, all Sub-CAs and all leaves have in common."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from plugpass.pki import oids
from plugpass.pki.keys import Curve
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

_U = KeyUsage
CA_USAGE: Final = KeyUsageRule(
    issue=frozenset({_U.KEY_CERT_SIGN, _U.CRL_SIGN}),
    required=frozenset({_U.KEY_CERT_SIGN}),
    accepted=frozenset({_U.KEY_CERT_SIGN, _U.CRL_SIGN, _U.DIGITAL_SIGNATURE, _U.NON_REPUDIATION}),
)
CERTIFYING_USAGE: Final = replace(CA_USAGE, issue=frozenset({_U.KEY_CERT_SIGN}))
_SIGNING: Final = frozenset({_U.DIGITAL_SIGNATURE})
_SIGNING_AND_AGREEING: Final = frozenset({_U.DIGITAL_SIGNATURE, _U.KEY_AGREEMENT})
SIGNING_USAGE: Final = KeyUsageRule(issue=_SIGNING, required=_SIGNING, accepted=_SIGNING)
SECC_USAGE: Final = KeyUsageRule(issue=_SIGNING, required=_SIGNING, accepted=_SIGNING_AND_AGREEING)
PROVISIONING_USAGE: Final = KeyUsageRule(  # both: [V2G2-822], [V2G20-822]
    issue=_SIGNING_AND_AGREEING, required=_SIGNING_AND_AGREEING, accepted=_SIGNING_AND_AGREEING
)
_FOUR_USAGES: Final = frozenset({_U.DIGITAL_SIGNATURE, _U.NON_REPUDIATION, _U.KEY_ENCIPHERMENT, _U.KEY_AGREEMENT})
_TWO_USAGES: Final = frozenset({_U.DIGITAL_SIGNATURE, _U.NON_REPUDIATION})

YEAR: Final = timedelta(days=365)
NO_DOMAIN: Final = DomainRule(issue=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """What every column of a generation's tables shares, and the makers of single columns."""

    generation: Generation
    max_size: int
    curves: frozenset[Curve]
    preferred_curve: Curve
    secc_domain: str
    server_auth: bool  #: serverAuth on the SECC leaf, where the switches leave it open
    emaid: Identifier
    switches: Switches

    def _base(self, role: CertificateRole, usage: KeyUsageRule, domain: DomainRule, validity: timedelta) -> Profile:
        return Profile(
            role=role,
            generation=self.generation,
            max_size=self.max_size,
            curves=self.curves,
            preferred_curve=self.preferred_curve,
            ca=True,
            self_signed=False,
            path_length=None,
            key_usage=usage,
            domain=domain,
            country=Cell.REQUIRED,
            identifier=Identifier.NAME,
            validity=validity,
            ski_method=self.switches.ski_method or 1,
            authority_key_identifier=self.switches.authority_key_identifier,
        )

    def root(self, role: CertificateRole, domain: str, *, status_urls: Cell) -> Profile:
        """A self-signed root without pathLenConstraint."""
        return replace(
            self._base(role, CA_USAGE, DomainRule(issue=domain), 40 * YEAR),
            self_signed=True,
            authority_information_access=status_urls,
            crl_distribution_points=status_urls,
        )

    def private_root(self) -> Profile:
        """The root of a private environment: it signs the SECC leaf itself and knows no OCSP [V2G2-868], [V2G2-872]."""
        return replace(
            self._base(CertificateRole.PE_ROOT, CERTIFYING_USAGE, NO_DOMAIN, 40 * YEAR),
            self_signed=True,
            authority_information_access=Cell.FORBIDDEN,
            crl_distribution_points=Cell.FORBIDDEN,
        )

    def cross(self) -> Profile:
        """A cross certificate: the subject and key of a root, signed by another root."""
        return self._base(CertificateRole.CROSS, CERTIFYING_USAGE, NO_DOMAIN, 10 * YEAR)

    def sub_ca(
        self,
        role: CertificateRole,
        domain: DomainRule,
        years: int,
        *,
        path_length: int,
        usage: KeyUsageRule = CA_USAGE,
    ) -> Profile:
        """A Sub-CA of the first (`path_length` 1) or second (0) tier."""
        length = path_length if self.switches.sub_ca_tiers == 2 else 0
        return replace(self._base(role, usage, domain, years * YEAR), path_length=length)

    def leaf(
        self,
        role: CertificateRole,
        usage: KeyUsageRule,
        domain: DomainRule,
        identifier: Identifier,
        validity: timedelta,
        *anchors: RootType,
    ) -> Profile:
        """An end entity certificate."""
        return replace(
            self._base(role, usage, domain, validity), ca=False, identifier=identifier, anchors=frozenset(anchors)
        )

    def role_domain(self, value: str, *, issue: bool = True) -> DomainRule:
        """The DC that says what a leaf is for: a condition of its validity [V2G2-925]."""
        return DomainRule(
            issue=value if issue else None,
            accepted=frozenset({value}) | self.switches.ecosystem_domains,
            required=True,
        )

    def authorities(self) -> tuple[Profile, ...]:
        """The roots and Sub-CAs that both generations have."""
        role = CertificateRole
        tiers = (
            (role.CPO_SUB1, role.CPO_SUB2, self.switches.cpo_sub_ca_domain, 4, 2),  # S5: the DC rule is about leaves
            (role.OEM_SUB1, role.OEM_SUB2, "OEM", 10, 8),
            (role.MO_SUB1, role.MO_SUB2, "MO", 10, 6),
            (role.CPS_SUB1, role.CPS_SUB2, "CPS", 4, 2),  # Annex F.3: below the V2G root
        )
        return (
            self.root(role.V2G_ROOT, "V2G", status_urls=Cell.FORBIDDEN),  # Annex F.1: DC=V2G
            self.root(role.OEM_ROOT, "OEM", status_urls=Cell.OPTIONAL),
            self.root(role.MO_ROOT, "MO", status_urls=Cell.OPTIONAL),
            self.private_root(),
            self.cross(),
            *(self.sub_ca(first, DomainRule(issue=dc), years, path_length=1) for first, _, dc, years, _ in tiers),
            *(self.sub_ca(second, DomainRule(issue=dc), years, path_length=0) for _, second, dc, _, years in tiers),
        )

    def leaves(self) -> tuple[Profile, ...]:
        """The leaves that both generations have."""
        secc = self._secc()
        return (
            secc,
            replace(
                secc,
                role=CertificateRole.PE_SECC,
                anchors=frozenset({RootType.PE}),
                authority_information_access=Cell.FORBIDDEN,  # [V2G2-872]
                crl_distribution_points=Cell.FORBIDDEN,
            ),
            self._provisioning(),
            self._contract(),
            self.leaf(
                CertificateRole.CPS_LEAF,
                SIGNING_USAGE,
                self.role_domain("CPS"),
                Identifier.NAME,
                timedelta(days=90),
                RootType.V2G,
            ),
            self._ocsp_signer(),
        )

    def _secc(self) -> Profile:
        chosen = self.switches.secc_server_auth
        agreeing = self.switches.secc_key_agreement and self.generation is Generation.ISO2  # no use in TLS 1.3
        return replace(
            self.leaf(
                CertificateRole.SECC_LEAF,
                replace(SECC_USAGE, issue=_SIGNING_AND_AGREEING if agreeing else _SIGNING),
                self.role_domain(self.secc_domain),  # [V2G2-925], Table B.5
                Identifier.STATION,
                timedelta(days=60),
                RootType.V2G,
                RootType.PE,
            ),
            extended_key_usage=frozenset({oids.SERVER_AUTH})
            if (self.server_auth if chosen is None else chosen)
            else frozenset(),
            extended_key_usage_accepted=frozenset({oids.SERVER_AUTH}),
            subject_alt_name=Cell.OPTIONAL,
        )

    def _provisioning(self) -> Profile:
        return replace(
            self.leaf(
                CertificateRole.OEM_PROVISIONING,
                PROVISIONING_USAGE,
                self.role_domain("OEM", issue=self.switches.leaf_domain),
                Identifier.PCID,
                4 * YEAR,
                RootType.OEM,
                RootType.V2G,
            ),
            country=Cell.OPTIONAL,
        )

    def _contract(self) -> Profile:
        usage = KeyUsageRule(
            issue=_FOUR_USAGES if self.switches.contract_four_usages else _TWO_USAGES,
            required=_SIGNING,
            accepted=_FOUR_USAGES,
        )
        domain = self.role_domain("MO", issue=self.switches.leaf_domain)
        return replace(
            self.leaf(CertificateRole.CONTRACT, usage, domain, self.emaid, 2 * YEAR, RootType.MO, RootType.V2G),
            country=Cell.OPTIONAL,
        )

    def _ocsp_signer(self) -> Profile:
        return replace(
            self.leaf(
                CertificateRole.OCSP_SIGNER,
                SIGNING_USAGE,
                NO_DOMAIN,
                Identifier.NAME,
                timedelta(days=90),
                RootType.V2G,
                RootType.MO,
                RootType.OEM,
            ),
            extended_key_usage=frozenset({oids.OCSP_SIGNING}),
            extended_key_usage_required=frozenset({oids.OCSP_SIGNING}),  # RFC 6960 §4.2.2.2
            extended_key_usage_accepted=frozenset({oids.OCSP_SIGNING}),
            ocsp_no_check=Cell.OPTIONAL,
        )
