"""Every rule of judging certificates and paths by name: clause, weight, and the answers the wires have for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from plugpass.pki.profiles import Generation


class Severity(StrEnum):
    """How much a finding weighs: an error refuses, a warning is never issued but accepted, a notice is only said."""

    ERROR = "error"
    WARNING = "warning"
    NOTICE = "notice"


class Reason(StrEnum):
    """Machine-readable rule ids."""

    # encoding
    ENCODING = "encoding"
    SIZE = "size"
    VERSION = "version"
    SERIAL = "serial"
    # algorithms and keys
    SIGNATURE_ALGORITHM = "signature-algorithm"
    SIGNATURE_ALGORITHM_MISMATCH = "signature-algorithm-mismatch"
    KEY_TYPE = "key-type"
    KEY_CURVE = "key-curve"
    KEY_EXPLICIT_PARAMETERS = "key-explicit-parameters"
    KEY_INVALID = "key-invalid"
    # subject
    SUBJECT_EMPTY = "subject-empty"
    SUBJECT_ATTRIBUTE = "subject-attribute"
    SUBJECT_STRING_TYPE = "subject-string-type"
    CN_MISSING = "cn-missing"
    CN_AMBIGUOUS = "cn-ambiguous"
    CN_CHARACTERS = "cn-characters"
    CN_SYNTAX = "cn-syntax"
    DC_MISSING = "dc-missing"
    DC_WRONG = "dc-wrong"
    DC_UNUSUAL = "dc-unusual"
    ORGANIZATION_MISSING = "organization-missing"
    COUNTRY_MISSING = "country-missing"
    # extensions
    EXTENSION_DUPLICATE = "extension-duplicate"
    EXTENSION_MALFORMED = "extension-malformed"
    EXTENSION_CRITICAL = "extension-critical"
    EXTENSION_FORBIDDEN = "extension-forbidden"
    EXTENSION_UNEXPECTED = "extension-unexpected"
    EXTENSION_MISSING = "extension-missing"
    EXTENSION_OCSP_URL = "extension-ocsp-url"
    BC_MISSING = "bc-missing"
    BC_NOT_CRITICAL = "bc-not-critical"
    BC_EXPLICIT_DEFAULT = "bc-explicit-default"
    BC_LEAF_IS_CA = "bc-leaf-is-ca"
    BC_NOT_A_CA = "bc-not-a-ca"
    BC_PATH_LENGTH_ON_LEAF = "bc-path-length-on-leaf"
    PATH_LENGTH_UNUSUAL = "path-length-unusual"
    KU_MISSING = "ku-missing"
    KU_NOT_CRITICAL = "ku-not-critical"
    KU_REQUIRED = "ku-required"
    KU_FORBIDDEN = "ku-forbidden"
    KU_UNUSUAL = "ku-unusual"
    EKU_REQUIRED = "eku-required"
    EKU_FORBIDDEN = "eku-forbidden"
    EKU_NOT_CRITICAL = "eku-not-critical"
    SKI_MISSING = "ski-missing"
    SKI_LENGTH = "ski-length"
    AKI_MISSING = "aki-missing"
    VALIDITY_ORDER = "validity-order"
    SELF_SIGNED = "self-signed"
    # path
    NO_CERTIFICATE = "no-certificate"
    TOO_MANY_CERTIFICATES = "too-many-certificates"
    TOO_MANY_OCTETS = "too-many-octets"
    UNKNOWN_ROOT = "unknown-root"
    WRONG_ROOT_TYPE = "wrong-root-type"
    INCOMPLETE_PATH = "incomplete-path"
    ROOT_ISSUES_LEAF = "root-issues-leaf"
    TOO_DEEP = "too-deep"
    SIGNATURE = "signature"
    AKI_MISMATCH = "aki-mismatch"
    PATH_LENGTH = "path-length"
    KEY_REUSED = "key-reused"
    EXPIRED = "expired"
    NOT_YET_VALID = "not-yet-valid"
    IDENTITY = "identity"
    # revocation
    REVOKED = "revoked"
    OCSP_MISSING = "ocsp-missing"
    OCSP_NOT_OFFERED = "ocsp-not-offered"
    OCSP_UNKNOWN = "ocsp-unknown"
    OCSP_STALE = "ocsp-stale"
    OCSP_MISMATCH = "ocsp-mismatch"
    OCSP_SIGNER = "ocsp-signer"
    OCSP_SIGNATURE = "ocsp-signature"
    OCSP_MALFORMED = "ocsp-malformed"
    OCSP_REFUSED = "ocsp-refused"
    CRL_STALE = "crl-stale"
    CRL_ISSUER = "crl-issuer"
    CRL_SIGNATURE = "crl-signature"
    CRL_SCOPE = "crl-scope"
    CRL_MALFORMED = "crl-malformed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What the wires answer for a reason: response codes of -2 and -20, certificateStatus of OCPP."""

    iso2: str = "FAILED_CertChainError"
    iso20: str = "WARNING_CertificateValidationError"
    ocpp: str = "CertChainError"


@dataclass(frozen=True, slots=True)
class Rule:
    """What is known about a reason."""

    clause: str  #: in ISO 15118-2, or in a standard both parts build on
    iso20_clause: str = ""  #: in ISO 15118-20, where it has one of its own
    severity: Severity = Severity.ERROR
    answers: Answers = Answers()
    indeterminate: bool = False  #: nothing was proven wrong; something could not be found out

    @property
    def iso2(self) -> str:
        """The ISO 15118-2 response code."""
        return self.answers.iso2

    @property
    def iso20(self) -> str:
        """The ISO 15118-20 response code."""
        return self.answers.iso20

    @property
    def ocpp(self) -> str:
        """The OCPP certificateStatus."""
        return self.answers.ocpp

    def clause_of(self, generation: Generation) -> str:
        """Where the rule is written, for one part of the standard."""
        return self.clause if generation is Generation.ISO2 else self.iso20_clause or self.clause


_R, _W, _N = Reason, Severity.WARNING, Severity.NOTICE
_EXPIRED: Final = Answers(  # C07.FR.15
    iso2="FAILED_CertificateExpired", iso20="WARNING_CertificateExpired", ocpp="CertificateExpired"
)
_NOT_YET: Final = Answers(iso20="WARNING_CertificateNotYetValid")
_REVOKED: Final = Answers(  # C07.FR.16
    iso2="FAILED_CertificateRevoked", iso20="WARNING_CertificateRevoked", ocpp="CertificateRevoked"
)
_NONE: Final = Answers(
    iso2="FAILED_NoCertificateAvailable", iso20="WARNING_NoCertificateAvailable", ocpp="NoCertificateAvailable"
)


def _annex(severity: Severity = Severity.ERROR, *, iso2: str = "Annex F", iso20: str = "Annex B") -> Rule:
    """A rule of the profile tables."""
    return Rule(iso2, iso20, severity)


RULES: Final[Mapping[Reason, Rule]] = MappingProxyType(
    {
        _R.ENCODING: Rule("X.690 §10"),
        _R.SIZE: Rule("[V2G2-010]", "certificateType of V2G_CI_CommonTypes"),
        _R.VERSION: Rule("RFC 5280 §4.1.2.1"),
        _R.SERIAL: Rule("RFC 5280 §4.1.2.2"),
        _R.SIGNATURE_ALGORITHM: Rule("[V2G2-006]", "[V2G20-2674], [V2G20-2319]"),
        _R.SIGNATURE_ALGORITHM_MISMATCH: Rule("RFC 5280 §4.1.1.2"),
        _R.KEY_TYPE: Rule("[V2G2-007]", "[V2G20-2674], [V2G20-2319]"),
        _R.KEY_CURVE: Rule("[V2G2-007]", "[V2G20-2674], [V2G20-2319], [V2G20-2320]"),
        _R.KEY_EXPLICIT_PARAMETERS: Rule("RFC 5480 §2.1.1"),
        _R.KEY_INVALID: Rule("RFC 5480 §2.2"),
        _R.SUBJECT_EMPTY: _annex(),
        _R.SUBJECT_ATTRIBUTE: _annex(iso20="[V2G20-2598], [V2G20-3073]"),
        _R.SUBJECT_STRING_TYPE: _annex(_W, iso20="[V2G20-3038]"),
        _R.CN_MISSING: _annex(),
        _R.CN_AMBIGUOUS: _annex(),
        _R.CN_CHARACTERS: _annex(),
        _R.CN_SYNTAX: _annex(),
        _R.DC_MISSING: Rule("[V2G2-925]", "Annex B, [V2G20-3073]"),
        _R.DC_WRONG: Rule("[V2G2-925]", "Annex B, [V2G20-3406]"),
        _R.DC_UNUSUAL: _annex(_N),
        _R.ORGANIZATION_MISSING: _annex(_W),
        _R.COUNTRY_MISSING: _annex(_W),
        _R.EXTENSION_DUPLICATE: Rule("RFC 5280 §4.2"),
        _R.EXTENSION_MALFORMED: Rule("RFC 5280 §4.2"),
        _R.EXTENSION_CRITICAL: Rule("RFC 5280 §4.2"),
        _R.EXTENSION_FORBIDDEN: _annex(),
        _R.EXTENSION_UNEXPECTED: _annex(_W),
        _R.EXTENSION_MISSING: _annex(),
        _R.EXTENSION_OCSP_URL: _annex(),
        _R.BC_MISSING: _annex(),
        _R.BC_NOT_CRITICAL: _annex(),
        _R.BC_EXPLICIT_DEFAULT: Rule("X.690 §11.5"),
        _R.BC_LEAF_IS_CA: Rule("RFC 5280 §4.2.1.9"),
        _R.BC_NOT_A_CA: Rule("RFC 5280 §4.2.1.9"),
        _R.BC_PATH_LENGTH_ON_LEAF: Rule("RFC 5280 §4.2.1.9"),
        _R.PATH_LENGTH_UNUSUAL: _annex(_W),
        _R.KU_MISSING: _annex(),
        _R.KU_NOT_CRITICAL: _annex(),
        _R.KU_REQUIRED: _annex(iso2="Annex F, [V2G2-822]", iso20="Annex B, [V2G20-822]"),
        _R.KU_FORBIDDEN: _annex(),
        _R.KU_UNUSUAL: _annex(_W, iso20="Tables B.13, B.14"),
        _R.EKU_REQUIRED: Rule("RFC 6960 §4.2.2.2", "RFC 6960 §4.2.2.2, Tables B.13, B.14"),
        _R.EKU_FORBIDDEN: _annex(),
        _R.EKU_NOT_CRITICAL: _annex(iso20="Tables B.13, B.14"),
        _R.SKI_MISSING: _annex(_W),
        _R.SKI_LENGTH: _annex(_W, iso20="[V2G20-3431], [V2G20-3432]"),
        _R.AKI_MISSING: Rule("RFC 5280 §4.2.1.1", severity=_N),
        _R.VALIDITY_ORDER: Rule("RFC 5280 §4.1.2.5"),
        _R.SELF_SIGNED: _annex(_W, iso2="Annex F.1"),
        _R.NO_CERTIFICATE: Rule("RFC 5280 §6.1", answers=_NONE),
        _R.TOO_MANY_CERTIFICATES: Rule("[V2G2-009]", "Annex B"),
        _R.TOO_MANY_OCTETS: Rule("[V2G2-010]", "certificateType of V2G_CI_CommonTypes"),
        _R.UNKNOWN_ROOT: Rule("RFC 5280 §6.1.1 (d)"),
        _R.WRONG_ROOT_TYPE: _annex(iso20="Annex B, [V2G20-2331], [V2G20-2333]"),
        _R.INCOMPLETE_PATH: Rule("RFC 5280 §6.1"),
        _R.ROOT_ISSUES_LEAF: Rule("[V2G2-867]", "Annex B"),
        _R.TOO_DEEP: Rule("[V2G2-009]", "Annex B"),
        _R.SIGNATURE: Rule("RFC 5280 §6.1.3 (a)(1)"),
        _R.AKI_MISMATCH: Rule("RFC 5280 §4.2.1.1"),
        _R.PATH_LENGTH: Rule("RFC 5280 §6.1.4 (l, m)"),
        _R.KEY_REUSED: _annex(),
        _R.EXPIRED: Rule("RFC 5280 §6.1.3 (a)(2)", answers=_EXPIRED),
        _R.NOT_YET_VALID: Rule("RFC 5280 §6.1.3 (a)(2)", answers=_NOT_YET),
        _R.IDENTITY: Rule("[V2G2-108]", "Annex B"),
        _R.REVOKED: Rule("RFC 6960 §2.2, RFC 5280 §6.3", answers=_REVOKED),
        _R.OCSP_MISSING: Rule("[V2G2-873], C07.FR.17", "[V2G20-1240], [V2G20-2409]", indeterminate=True),
        _R.OCSP_NOT_OFFERED: _annex(_N),
        _R.OCSP_UNKNOWN: Rule("RFC 6960 §2.2, C07.FR.17"),
        _R.OCSP_STALE: Rule("[V2G2-649], [V2G2-876]", "[V2G20-1021]", indeterminate=True),
        _R.OCSP_MISMATCH: Rule("RFC 6960 §3.2 (1)"),
        _R.OCSP_SIGNER: Rule("RFC 6960 §4.2.2.2"),
        _R.OCSP_SIGNATURE: Rule("RFC 6960 §3.2 (2)"),
        _R.OCSP_MALFORMED: Rule("RFC 6960 §4.2.1"),
        _R.OCSP_REFUSED: Rule("RFC 6960 §4.2.1", indeterminate=True),
        _R.CRL_STALE: Rule("RFC 5280 §6.3.3 (a)(1)", indeterminate=True),
        _R.CRL_ISSUER: Rule("RFC 5280 §6.3.3 (b)(1), (f)"),
        _R.CRL_SIGNATURE: Rule("RFC 5280 §6.3.3 (g)"),
        _R.CRL_SCOPE: Rule("RFC 5280 §5.2.5, §5.3.3", indeterminate=True),
        _R.CRL_MALFORMED: Rule("RFC 5280 §5.1"),
    }
)

ISO2_RESPONSE_CODES: Final[Mapping[Reason, str]] = MappingProxyType(
    {reason: rule.iso2 for reason, rule in RULES.items()}
)
ISO20_RESPONSE_CODES: Final[Mapping[Reason, str]] = MappingProxyType(
    {reason: rule.iso20 for reason, rule in RULES.items()}
)
OCPP_CERTIFICATE_STATUS: Final[Mapping[Reason, str]] = MappingProxyType(
    {reason: rule.ocpp for reason, rule in RULES.items()}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One rule that one certificate (or the path as a whole, subject "") does not keep."""

    reason: Reason
    text: str
    subject: str = ""  #: the certificate meant, as a name
    generation: Generation = Generation.ISO2  #: which part of the standard it was judged by

    @property
    def rule(self) -> Rule:
        """Clause, severity and wire answers."""
        return RULES[self.reason]

    @property
    def severity(self) -> Severity:
        """How much it weighs."""
        return self.rule.severity

    @property
    def clause(self) -> str:
        """Where the rule is written."""
        return self.rule.clause_of(self.generation)

    def __str__(self) -> str:
        where = f"{self.subject}: " if self.subject else ""
        return f"{where}{self.text} [{self.reason}, {self.clause}]"
