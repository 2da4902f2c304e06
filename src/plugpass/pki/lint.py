"""Judging one certificate against its profile, before it is signed and when it comes from somewhere else.

Each rule is one small function that yields what it finds; `lint` runs them all. Nothing here knows the time, an issuer
or a path: that is `path`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Final

from plugpass.ids import InvalidIdentifier
from plugpass.pki import identity, oids
from plugpass.pki.certificate import Certificate, CertificateLike, as_certificate, public_key
from plugpass.pki.der import UTF8_STRING, MalformedDer
from plugpass.pki.keys import ALGORITHM_OF_CURVE, InvalidPublicKey
from plugpass.pki.names import string_tags
from plugpass.pki.profiles import Cell, Profile
from plugpass.pki.reasons import Finding, Reason, Severity

Findings = Iterator[tuple[Reason, str]]

_MAX_SERIAL_OCTETS: Final = 20  # RFC 5280 §4.1.2.2
_MAX_CN_CHARACTERS: Final = 64  # RFC 5280 appendix A, ub-common-name
_UTF8_ATTRIBUTES: Final = frozenset({oids.COMMON_NAME, oids.ORGANIZATION, oids.ORGANIZATIONAL_UNIT})


def lint(certificate: CertificateLike, profile: Profile) -> tuple[Finding, ...]:
    """Everything in which the certificate departs from the profile, errors first; empty for a perfect one."""
    try:
        parsed = as_certificate(certificate)
    except MalformedDer as error:
        return (Finding(reason=Reason.ENCODING, text=str(error), generation=profile.generation),)
    return _findings(parsed, profile)


@lru_cache(maxsize=1024)
def _findings(certificate: Certificate, profile: Profile) -> tuple[Finding, ...]:
    """Remembered: the Sub-CAs and roots above many leaves are judged once."""
    found = [pair for rule in _RULES for pair in rule(certificate, profile)]
    if not found:
        return ()
    subject, order = str(certificate.subject), list(Severity)
    findings = [
        Finding(reason=reason, text=text, subject=subject, generation=profile.generation) for reason, text in found
    ]
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
        yield Reason.CN_SYNTAX, f"the common name is no {profile.identifier}: {error}"


def _domain(certificate: Certificate, profile: Profile) -> Findings:
    rule, values = profile.domain, certificate.subject.values(oids.DOMAIN_COMPONENT)
    if rule.any_value:
        if rule.issue and set(values) != {rule.issue}:
            yield Reason.DC_UNUSUAL, f"domain component {', '.join(values) or 'missing'}, the profile has {rule.issue}"
    elif not values:
        yield Reason.DC_MISSING, f"the domain component is missing, must be {rule.wanted}"
    elif wrong := sorted({value for value in values if not rule.accepts(value)}):
        yield Reason.DC_WRONG, f"domain component {', '.join(wrong)!a}, must be {rule.wanted}"


def _attributes(certificate: Certificate, profile: Profile) -> Findings:
    """Subjects that may have these attributes and no others, each once [V2G20-2598], and as UTF8String [V2G20-3038]."""
    if profile.subject_attributes is not None:
        counts = Counter(kind for kind, _ in certificate.subject.attributes)
        for kind, count in counts.items():
            if kind not in profile.subject_attributes:
                yield Reason.SUBJECT_ATTRIBUTE, f"the subject has {oids.name_of(kind)}, which the profile forbids"
            elif count > 1 and kind != oids.COMMON_NAME:
                yield Reason.SUBJECT_ATTRIBUTE, f"the subject has {oids.name_of(kind)} {count} times"
    if profile.utf8_subject:
        for kind, tag in string_tags(certificate.subject):
            if kind in _UTF8_ATTRIBUTES and tag != UTF8_STRING:
                yield Reason.SUBJECT_STRING_TYPE, f"{oids.name_of(kind)} is no UTF8String"


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
    for extension in certificate.extensions.all:
        oid = extension.oid
        if oid in seen:
            yield Reason.EXTENSION_DUPLICATE, f"extension {oids.name_of(oid)} occurs twice"
        seen.add(oid)
        if extension.critical and oid not in _MAY_BE_CRITICAL and not _critical_purposes(oid, profile):
            text = f"extension {oids.name_of(oid)} is critical and the profile does not provide for that"
            yield Reason.EXTENSION_CRITICAL, text
        elif oid not in _UNDERSTOOD or _cell(oid, profile) is Cell.FORBIDDEN:
            yield Reason.EXTENSION_UNEXPECTED, f"extension {oids.name_of(oid)} has no place in the profile"
    for oid in certificate.extensions.malformed:
        yield Reason.EXTENSION_MALFORMED, f"the content of extension {oids.name_of(oid)} is unreadable"
    if profile.authority_information_access is Cell.REQUIRED and oids.AUTHORITY_INFORMATION_ACCESS not in seen:
        yield Reason.EXTENSION_MISSING, "AuthorityInformationAccess is missing"


def _critical_purposes(oid: str, profile: Profile) -> bool:
    return oid == oids.EXTENDED_KEY_USAGE and profile.extended_key_usage_critical is not Cell.FORBIDDEN


def _cell(oid: str, profile: Profile) -> Cell:
    if oid == oids.AUTHORITY_INFORMATION_ACCESS:
        return profile.authority_information_access
    if oid == oids.CRL_DISTRIBUTION_POINTS:
        return profile.crl_distribution_points
    if oid == oids.SUBJECT_ALT_NAME:
        return profile.subject_alt_name
    return profile.ocsp_no_check if oid == oids.OCSP_NO_CHECK else Cell.OPTIONAL


def _ocsp_url(certificate: Certificate, profile: Profile) -> Findings:
    if not profile.single_ocsp_url or certificate.extensions.find(oids.AUTHORITY_INFORMATION_ACCESS) is None:
        return
    urls = certificate.extensions.ocsp_urls
    usable = [url for url in urls if url.startswith(("http://", "https://"))]
    if len(urls) != 1 or len(usable) != 1:
        text = f"{len(usable)} usable OCSP responders of {len(urls)} named, exactly one http or https URL is needed"
        yield Reason.EXTENSION_OCSP_URL, text


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
    if unusual := usage & profile.key_usage.discouraged:
        yield Reason.KU_UNUSUAL, f"KeyUsage has {', '.join(sorted(unusual))}, which some read as forbidden here"


def _extended_key_usage(certificate: Certificate, profile: Profile) -> Findings:
    purposes, accepted = certificate.extensions.extended_key_usage, profile.extended_key_usage_accepted
    if missing := profile.extended_key_usage_required - set(purposes or ()):
        yield Reason.EKU_REQUIRED, f"ExtendedKeyUsage lacks {', '.join(sorted(map(oids.name_of, missing)))}"
    if purposes is None:
        return
    if not accepted:
        yield Reason.EXTENSION_FORBIDDEN, "ExtendedKeyUsage is forbidden by the profile"
    elif excess := set(purposes) - accepted:
        yield Reason.EKU_FORBIDDEN, f"ExtendedKeyUsage has {', '.join(sorted(map(oids.name_of, excess)))}"
    encoded = certificate.extensions.find(oids.EXTENDED_KEY_USAGE)
    if profile.extended_key_usage_critical is Cell.REQUIRED and encoded is not None and not encoded.critical:
        yield Reason.EKU_NOT_CRITICAL, "ExtendedKeyUsage is not critical"


def _key_identifiers(certificate: Certificate, profile: Profile) -> Findings:
    own = certificate.extensions.subject_key_identifier
    if own is None:
        yield Reason.SKI_MISSING, "SubjectKeyIdentifier is missing"
    elif len(own) not in profile.ski_lengths:
        wanted = " or ".join(map(str, sorted(profile.ski_lengths)))
        yield Reason.SKI_LENGTH, f"SubjectKeyIdentifier has {len(own)} octets, the profile has {wanted}"
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
    _attributes,
    _organization,
    _extension_set,
    _ocsp_url,
    _basic_constraints,
    _key_usage,
    _extended_key_usage,
    _key_identifiers,
    _self_signed,
)
