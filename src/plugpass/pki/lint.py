"""Judging one certificate against its profile, before it is signed and when it comes from somewhere else.

Each rule is one small function that yields what it finds; `lint` runs them all. Nothing here knows the time, an issuer
or a path: that is `path`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from plugpass.ids import InvalidIdentifier
from plugpass.pki import identity, oids
from plugpass.pki.certificate import Certificate, CertificateLike, as_certificate, public_key
from plugpass.pki.der import MalformedDer
from plugpass.pki.keys import ALGORITHM_OF_CURVE, InvalidPublicKey
from plugpass.pki.profiles import Cell, Profile
from plugpass.pki.reasons import Finding, Reason, Severity

Findings = Iterator[tuple[Reason, str]]

_MAX_SERIAL_OCTETS: Final = 20  # RFC 5280 §4.1.2.2
_MAX_CN_CHARACTERS: Final = 64  # RFC 5280 appendix A, ub-common-name


def lint(certificate: CertificateLike, profile: Profile) -> tuple[Finding, ...]:
    """Everything in which the certificate departs from the profile, errors first; empty for a perfect one."""
    try:
        parsed = as_certificate(certificate)
    except MalformedDer as error:
        return (Finding(reason=Reason.ENCODING, text=str(error)),)
    subject = str(parsed.subject)
    findings = [
        Finding(reason=reason, text=text, subject=subject) for rule in _RULES for reason, text in rule(parsed, profile)
    ]
    order = list(Severity)
    return tuple(sorted(findings, key=lambda finding: order.index(finding.severity)))


def _form(certificate: Certificate, profile: Profile) -> Findings:
    if (size := len(certificate.encoded)) > profile.max_size:
        yield Reason.SIZE, f"{size} octets, at most {profile.max_size} are allowed"
    if certificate.version != 3:
        yield Reason.VERSION, f"X.509 version {certificate.version}, must be 3"
    if certificate.serial <= 0 or certificate.serial_octets > _MAX_SERIAL_OCTETS:
        yield Reason.SERIAL, f"the serial number must be positive and have at most {_MAX_SERIAL_OCTETS} octets"
    if certificate.not_after <= certificate.not_before:
        yield Reason.VALIDITY_ORDER, "notAfter is not later than notBefore"


def _key(certificate: Certificate, profile: Profile) -> Findings:
    key = certificate.key
    if not key.named_curve:
        yield Reason.KEY_EXPLICIT_PARAMETERS, "the EC key has explicit parameters instead of a named curve"
        return
    if key.algorithm not in (oids.EC_PUBLIC_KEY, oids.ED448):
        yield Reason.KEY_TYPE, f"key of type {oids.name_of(key.algorithm)}, the profile has {_curves(profile)}"
        return
    if key.curve not in profile.curves:
        yield Reason.KEY_CURVE, f"key on {key.curve or 'an unknown curve'}, the profile has {_curves(profile)}"
        return
    try:
        public_key(key.encoded)
    except InvalidPublicKey as error:
        yield Reason.KEY_INVALID, str(error)


def _curves(profile: Profile) -> str:
    return " or ".join(sorted(profile.curves))


def _signature(certificate: Certificate, profile: Profile) -> Findings:
    if not certificate.algorithms_agree:
        yield Reason.SIGNATURE_ALGORITHM_MISMATCH, "inner and outer signature algorithm differ"
    if certificate.signature_algorithm not in {ALGORITHM_OF_CURVE[curve].oid for curve in profile.curves}:
        yield Reason.SIGNATURE_ALGORITHM, f"signed with {oids.name_of(certificate.signature_algorithm)}"


# --- subject -------------------------------------------------------------------------------------------------------


def _common_name(certificate: Certificate, profile: Profile) -> Findings:
    if not certificate.subject.attributes:
        yield Reason.SUBJECT_EMPTY, "the subject is empty"
        return
    names = certificate.subject.values(oids.COMMON_NAME)
    if len(names) != 1:
        reason = Reason.CN_AMBIGUOUS if names else Reason.CN_MISSING
        yield reason, f"the subject has {len(names)} common names, exactly one is needed"
        return
    (name,) = names
    if not name.isprintable() or not 1 <= len(name) <= _MAX_CN_CHARACTERS:
        yield Reason.CN_CHARACTERS, f"the common name is not 1 to {_MAX_CN_CHARACTERS} printable characters"
        return
    try:
        identity.require(profile.identifier, name)
    except InvalidIdentifier as error:
        yield Reason.CN_SYNTAX, f"the common name must be an {profile.identifier}: {error}"


def _domain(certificate: Certificate, profile: Profile) -> Findings:
    rule, values = profile.domain, certificate.subject.values(oids.DOMAIN_COMPONENT)
    if rule.accepted is None:
        if rule.issue and set(values) != {rule.issue}:
            yield Reason.DC_UNUSUAL, f"domain component {', '.join(values) or 'missing'}, the profile has {rule.issue}"
    elif not values:
        yield Reason.DC_MISSING, f"the domain component {' or '.join(sorted(rule.accepted))} is missing"
    elif wrong := set(values) - rule.accepted:
        yield (
            Reason.DC_WRONG,
            f"domain component {', '.join(sorted(wrong))!a}, must be {', '.join(sorted(rule.accepted))}",
        )


def _organization(certificate: Certificate, profile: Profile) -> Findings:
    if not certificate.subject.values(oids.ORGANIZATION):
        yield Reason.ORGANIZATION_MISSING, "the subject names no organization"
    if profile.country is Cell.REQUIRED and not certificate.subject.values(oids.COUNTRY):
        yield Reason.COUNTRY_MISSING, "the subject names no country"


# --- extensions ----------------------------------------------------------------------------------------------------

_UNDERSTOOD: Final = frozenset(
    {
        oids.BASIC_CONSTRAINTS,
        oids.KEY_USAGE,
        oids.EXTENDED_KEY_USAGE,
        oids.SUBJECT_KEY_IDENTIFIER,
        oids.AUTHORITY_KEY_IDENTIFIER,
        oids.SUBJECT_ALT_NAME,
        oids.AUTHORITY_INFORMATION_ACCESS,
        oids.CRL_DISTRIBUTION_POINTS,
        oids.CERTIFICATE_POLICIES,
        oids.OCSP_NO_CHECK,
    }
)
_MAY_BE_CRITICAL: Final = frozenset({oids.BASIC_CONSTRAINTS, oids.KEY_USAGE})


def _extension_set(certificate: Certificate, profile: Profile) -> Findings:
    seen: set[str] = set()
    cells = _cells(profile)
    for extension in certificate.extensions.all:
        name = oids.name_of(extension.oid)
        if extension.oid in seen:
            yield Reason.EXTENSION_DUPLICATE, f"extension {name} occurs twice"
        seen.add(extension.oid)
        if extension.critical and extension.oid not in _MAY_BE_CRITICAL:
            yield Reason.EXTENSION_CRITICAL, f"extension {name} is critical and the profile does not provide for that"
        elif cells.get(extension.oid) is Cell.FORBIDDEN or extension.oid not in _UNDERSTOOD:
            yield Reason.EXTENSION_UNEXPECTED, f"extension {name} has no place in the profile"
    for oid in certificate.extensions.malformed:
        yield Reason.EXTENSION_MALFORMED, f"the content of extension {oids.name_of(oid)} is unreadable"


def _cells(profile: Profile) -> dict[str, Cell]:
    return {
        oids.AUTHORITY_INFORMATION_ACCESS: profile.authority_information_access,
        oids.CRL_DISTRIBUTION_POINTS: profile.crl_distribution_points,
        oids.SUBJECT_ALT_NAME: profile.subject_alt_name,
        oids.OCSP_NO_CHECK: profile.ocsp_no_check,
    }


def _basic_constraints(certificate: Certificate, profile: Profile) -> Findings:
    extensions = certificate.extensions
    encoded, constraints = extensions.find(oids.BASIC_CONSTRAINTS), extensions.basic_constraints
    if encoded is None:
        yield Reason.BC_MISSING, "BasicConstraints is missing"
        return
    if not encoded.critical:
        yield Reason.BC_NOT_CRITICAL, "BasicConstraints is not critical"
    if constraints is None:
        return  # unreadable: reported with the extensions
    if constraints.explicit_default:
        yield Reason.BC_EXPLICIT_DEFAULT, "BasicConstraints writes out the default cA FALSE, which is not DER"
    if profile.ca and not constraints.ca:
        yield Reason.BC_NOT_A_CA, "a CA certificate must have cA TRUE"
    if not profile.ca and constraints.ca:
        yield Reason.BC_LEAF_IS_CA, "a leaf must not have cA TRUE"
    if constraints.path_length is not None and not constraints.ca:
        yield Reason.BC_PATH_LENGTH_ON_LEAF, "pathLenConstraint without cA TRUE"
    if profile.ca and constraints.ca and constraints.path_length != profile.path_length:
        wanted = "none" if profile.path_length is None else profile.path_length
        yield Reason.PATH_LENGTH_UNUSUAL, f"pathLenConstraint {constraints.path_length}, the profile has {wanted}"


def _key_usage(certificate: Certificate, profile: Profile) -> Findings:
    extensions = certificate.extensions
    encoded, usage = extensions.find(oids.KEY_USAGE), extensions.key_usage
    if encoded is None:
        yield Reason.KU_MISSING, "KeyUsage is missing"
        return
    if not encoded.critical:
        yield Reason.KU_NOT_CRITICAL, "KeyUsage is not critical"
    if usage is None:
        return
    if missing := profile.key_usage.required - usage:
        yield Reason.KU_REQUIRED, f"KeyUsage lacks {', '.join(sorted(missing))}"
    if excess := usage - profile.key_usage.accepted:
        yield Reason.KU_FORBIDDEN, f"KeyUsage has {', '.join(sorted(excess))}, which the profile forbids"


def _extended_key_usage(certificate: Certificate, profile: Profile) -> Findings:
    purposes, accepted = certificate.extensions.extended_key_usage, profile.extended_key_usage_accepted
    if purposes is None:
        if oids.OCSP_SIGNING in accepted:
            yield Reason.EKU_REQUIRED, "ExtendedKeyUsage OCSPSigning is missing"
    elif not accepted:
        yield Reason.EXTENSION_FORBIDDEN, "ExtendedKeyUsage is forbidden by the profile"
    elif excess := set(purposes) - accepted:
        yield Reason.EKU_FORBIDDEN, f"ExtendedKeyUsage has {', '.join(sorted(map(oids.name_of, excess)))}"


def _key_identifiers(certificate: Certificate, profile: Profile) -> Findings:
    if certificate.extensions.subject_key_identifier is None:
        yield Reason.SKI_MISSING, "SubjectKeyIdentifier is missing"
    if certificate.extensions.authority_key_identifier is None and not profile.self_signed:
        yield Reason.AKI_MISSING, "AuthorityKeyIdentifier is missing"


def _self_signed(certificate: Certificate, profile: Profile) -> Findings:
    if profile.self_signed and not certificate.self_issued:
        yield Reason.SELF_SIGNED, "a root is its own issuer, this certificate has another"


_RULES: Final[tuple[Callable[[Certificate, Profile], Findings], ...]] = (
    _form,
    _key,
    _signature,
    _common_name,
    _domain,
    _organization,
    _extension_set,
    _basic_constraints,
    _key_usage,
    _extended_key_usage,
    _key_identifiers,
    _self_signed,
)
