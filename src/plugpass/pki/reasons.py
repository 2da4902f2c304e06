"""Every rule of judging certificates and paths by name: clause, weight, and the answers the wires have for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final


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
    EKU_REQUIRED = "eku-required"
    EKU_FORBIDDEN = "eku-forbidden"
    SKI_MISSING = "ski-missing"
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


@dataclass(frozen=True, slots=True)
class Rule:
    """What is known about a reason."""

    clause: str
    severity: Severity = Severity.ERROR
    iso2: str = "FAILED_CertChainError"
    ocpp: str = "CertChainError"
    indeterminate: bool = False  #: nothing was proven wrong; something could not be found out


_R, _W, _N = Reason, Severity.WARNING, Severity.NOTICE
_EXPIRED: Final = ("FAILED_CertificateExpired", "CertificateExpired")  # C07.FR.15
_REVOKED: Final = ("FAILED_CertificateRevoked", "CertificateRevoked")  # C07.FR.16
_NONE: Final = ("FAILED_NoCertificateAvailable", "NoCertificateAvailable")

RULES: Final[Mapping[Reason, Rule]] = MappingProxyType(
    {
        _R.ENCODING: Rule("X.690 §10"),
        _R.SIZE: Rule("[V2G2-010]"),
        _R.VERSION: Rule("RFC 5280 §4.1.2.1"),
        _R.SERIAL: Rule("RFC 5280 §4.1.2.2"),
        _R.SIGNATURE_ALGORITHM: Rule("[V2G2-006]"),
        _R.SIGNATURE_ALGORITHM_MISMATCH: Rule("RFC 5280 §4.1.1.2"),
        _R.KEY_TYPE: Rule("[V2G2-007]"),
        _R.KEY_CURVE: Rule("[V2G2-007]"),
        _R.KEY_EXPLICIT_PARAMETERS: Rule("RFC 5480 §2.1.1"),
        _R.KEY_INVALID: Rule("RFC 5480 §2.2"),
        _R.SUBJECT_EMPTY: Rule("Annex F"),
        _R.CN_MISSING: Rule("Annex F"),
        _R.CN_AMBIGUOUS: Rule("Annex F"),
        _R.CN_CHARACTERS: Rule("Annex F"),
        _R.CN_SYNTAX: Rule("Annex F"),
        _R.DC_MISSING: Rule("[V2G2-925]"),
        _R.DC_WRONG: Rule("[V2G2-925]"),
        _R.DC_UNUSUAL: Rule("Annex F", _N),
        _R.ORGANIZATION_MISSING: Rule("Annex F", _W),
        _R.COUNTRY_MISSING: Rule("Annex F", _W),
        _R.EXTENSION_DUPLICATE: Rule("RFC 5280 §4.2"),
        _R.EXTENSION_MALFORMED: Rule("RFC 5280 §4.2"),
        _R.EXTENSION_CRITICAL: Rule("RFC 5280 §4.2"),
        _R.EXTENSION_FORBIDDEN: Rule("Annex F"),
        _R.EXTENSION_UNEXPECTED: Rule("Annex F", _W),
        _R.BC_MISSING: Rule("Annex F"),
        _R.BC_NOT_CRITICAL: Rule("Annex F"),
        _R.BC_EXPLICIT_DEFAULT: Rule("X.690 §11.5"),
        _R.BC_LEAF_IS_CA: Rule("RFC 5280 §4.2.1.9"),
        _R.BC_NOT_A_CA: Rule("RFC 5280 §4.2.1.9"),
        _R.BC_PATH_LENGTH_ON_LEAF: Rule("RFC 5280 §4.2.1.9"),
        _R.PATH_LENGTH_UNUSUAL: Rule("Annex F", _W),
        _R.KU_MISSING: Rule("Annex F"),
        _R.KU_NOT_CRITICAL: Rule("Annex F"),
        _R.KU_REQUIRED: Rule("Annex F, [V2G2-822]"),
        _R.KU_FORBIDDEN: Rule("Annex F"),
        _R.EKU_REQUIRED: Rule("RFC 6960 §4.2.2.2"),
        _R.EKU_FORBIDDEN: Rule("Annex F"),
        _R.SKI_MISSING: Rule("Annex F", _W),
        _R.AKI_MISSING: Rule("RFC 5280 §4.2.1.1", _N),
        _R.VALIDITY_ORDER: Rule("RFC 5280 §4.1.2.5"),
        _R.SELF_SIGNED: Rule("Annex F.1", _W),
        _R.NO_CERTIFICATE: Rule("RFC 5280 §6.1", Severity.ERROR, *_NONE),
        _R.TOO_MANY_CERTIFICATES: Rule("[V2G2-009]"),
        _R.TOO_MANY_OCTETS: Rule("[V2G2-010]"),
        _R.UNKNOWN_ROOT: Rule("RFC 5280 §6.1.1 (d)"),
        _R.WRONG_ROOT_TYPE: Rule("Annex F"),
        _R.INCOMPLETE_PATH: Rule("RFC 5280 §6.1"),
        _R.ROOT_ISSUES_LEAF: Rule("[V2G2-867]"),
        _R.TOO_DEEP: Rule("[V2G2-009]"),
        _R.SIGNATURE: Rule("RFC 5280 §6.1.3 (a)(1)"),
        _R.AKI_MISMATCH: Rule("RFC 5280 §4.2.1.1"),
        _R.PATH_LENGTH: Rule("RFC 5280 §6.1.4 (l, m)"),
        _R.KEY_REUSED: Rule("Annex F"),
        _R.EXPIRED: Rule("RFC 5280 §6.1.3 (a)(2)", Severity.ERROR, *_EXPIRED),
        _R.NOT_YET_VALID: Rule("RFC 5280 §6.1.3 (a)(2)"),
        _R.IDENTITY: Rule("[V2G2-108]"),
        _R.REVOKED: Rule("RFC 6960 §2.2", Severity.ERROR, *_REVOKED),
        _R.OCSP_MISSING: Rule("[V2G2-873], C07.FR.17", indeterminate=True),
        _R.OCSP_NOT_OFFERED: Rule("Annex F", _N),
        _R.OCSP_UNKNOWN: Rule("RFC 6960 §2.2, C07.FR.17"),
        _R.OCSP_STALE: Rule("[V2G2-649], [V2G2-876]"),
        _R.OCSP_MISMATCH: Rule("RFC 6960 §3.2 (1)"),
        _R.OCSP_SIGNER: Rule("RFC 6960 §4.2.2.2"),
        _R.OCSP_SIGNATURE: Rule("RFC 6960 §3.2 (2)"),
        _R.OCSP_MALFORMED: Rule("RFC 6960 §4.2.1"),
        _R.OCSP_REFUSED: Rule("RFC 6960 §4.2.1"),
    }
)

ISO2_RESPONSE_CODES: Final[Mapping[Reason, str]] = MappingProxyType(
    {reason: rule.iso2 for reason, rule in RULES.items()}
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
        return self.rule.clause

    def __str__(self) -> str:
        where = f"{self.subject}: " if self.subject else ""
        return f"{where}{self.text} [{self.reason}, {self.clause}]"
