"""Making certificates from profiles. What would break its profile is refused before the key is touched."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from cryptography import x509

from plugpass.errors import LocalError
from plugpass.ids import EVSEID
from plugpass.pki import assemble
from plugpass.pki.certificate import Certificate, CertificateLike, Extension, as_certificate, public_key
from plugpass.pki.keys import Curve, PublicKey, Signer, algorithm_identifier, curve_of, public_key_info
from plugpass.pki.lint import lint
from plugpass.pki.profiles import Cell, KeyUsage, Profile
from plugpass.pki.reasons import Severity

RandomBytes: TypeAlias = Callable[[int], bytes]

BACKDATE: Final = timedelta(minutes=10)  #: notBefore lies this far back: clocks of stations differ (A02.FR.06)
_SERIAL_OCTETS: Final = 16
_LONGEST_SIGNATURE: Final = {Curve.P256: 72, Curve.P521: 139, Curve.ED448: 114}


class ProfileViolation(LocalError):
    """A certificate was not signed because it would break its profile."""


def new_serial(random: RandomBytes) -> int:
    """A positive serial number of 128 random bits."""
    return int.from_bytes(random(_SERIAL_OCTETS)) or new_serial(random)


def self_signed(
    profile: Profile,
    subject: x509.Name,
    signer: Signer,
    *,
    now: datetime,
    serial: int,
    validity: timedelta | None = None,
) -> x509.Certificate:
    """A root certificate. Raises ProfileViolation."""
    tbs = assemble.Tbs(
        serial=serial,
        algorithm=algorithm_identifier(signer.public_key),
        issuer=subject.public_bytes(),
        not_before=_seconds(now - BACKDATE),
        not_after=_seconds(now + (validity or profile.validity)),
        subject=subject.public_bytes(),
        key=public_key_info(signer.public_key),
        extensions=_extensions(profile, signer.public_key, issuer=None),
    )
    return _sign(tbs, profile, signer)


def issue(
    profile: Profile,
    subject: x509.Name,
    public_key: PublicKey,
    issuer_certificate: CertificateLike,
    issuer_signer: Signer,
    *,
    now: datetime,
    serial: int,
    validity: timedelta | None = None,
    ocsp_url: str | None = None,
    ca_issuers_url: str | None = None,
    crl_url: str | None = None,
    evse_id: EVSEID | None = None,
    key_usage: frozenset[KeyUsage] | None = None,
) -> x509.Certificate:
    """A certificate below `issuer_certificate`, for `validity` (else the profile's) but never longer than its issuer.

    `evse_id` becomes the SubjectAltName `urn:evseid:` (switch S10); `key_usage` replaces the profile's issued bits
    (switch S12, see `csr.key_usage_for`). Raises ProfileViolation where the result would
    break its profile, and LocalError where the issuer cannot sign now.
    """
    issuer = as_certificate(issuer_certificate)
    if public_key_info(issuer_signer.public_key) != issuer.key.encoded:
        raise LocalError(f"the signing key does not belong to the issuer certificate {issuer.subject}")
    if not issuer.not_before <= now < issuer.not_after:
        raise LocalError(f"the issuer {issuer.subject} is not valid at {now:%Y-%m-%d %H:%M}Z; renew it first")
    tbs = assemble.Tbs(
        serial=serial,
        algorithm=algorithm_identifier(issuer_signer.public_key),
        issuer=issuer.subject.encoded,
        not_before=_seconds(max(now - BACKDATE, issuer.not_before)),
        not_after=_seconds(min(now + (validity or profile.validity), issuer.not_after)),
        subject=subject.public_bytes(),
        key=public_key_info(public_key),
        extensions=(
            *_extensions(profile, public_key, issuer=issuer, usage=key_usage),
            *_status_urls(ocsp_url, ca_issuers_url, crl_url),
            *((assemble.subject_alt_name((evse_id.uri,)),) if evse_id else ()),
        ),
    )
    return _sign(tbs, profile, issuer_signer)


def cross_certify(
    profile: Profile,
    root: CertificateLike,
    issuer_certificate: CertificateLike,
    issuer_signer: Signer,
    *,
    now: datetime,
    serial: int,
    validity: timedelta | None = None,
    ocsp_url: str | None = None,
    crl_url: str | None = None,
) -> x509.Certificate:
    """A cross certificate: name and key of `root`, signed by another root, so that those who trust only the other one
    reach what `root` has signed. `profile` is that of the role CROSS. It does not outlive either root.

    Raises ProfileViolation, and LocalError where `root` is no CA or is over.
    """
    above = as_certificate(root)
    constraints = above.extensions.basic_constraints
    if constraints is None or not constraints.ca or now >= above.not_after:
        raise LocalError(f"{above.subject} cannot be cross-certified: it is no CA certificate, or has expired")
    return issue(
        profile,
        x509.load_der_x509_certificate(above.encoded).subject,
        public_key(above.key.encoded),
        issuer_certificate,
        issuer_signer,
        now=now,
        serial=serial,
        validity=min(validity or profile.validity, above.not_after - now),
        ocsp_url=ocsp_url,
        crl_url=crl_url,
    )


def _seconds(moment: datetime) -> datetime:
    return moment.replace(microsecond=0)


def _extensions(
    profile: Profile, key: PublicKey, *, issuer: Certificate | None, usage: frozenset[KeyUsage] | None = None
) -> tuple[Extension, ...]:
    own = assemble.key_identifier(key, profile.ski_method)
    above = issuer.extensions.subject_key_identifier if issuer else own
    items = [
        assemble.basic_constraints(ca=profile.ca, path_length=profile.path_length),
        assemble.key_usage(profile.key_usage.issue if usage is None else usage),
        assemble.subject_key_identifier(own),
    ]
    if profile.authority_key_identifier and above is not None:
        items.append(assemble.authority_key_identifier(above))
    if profile.extended_key_usage:
        critical = profile.extended_key_usage_critical is Cell.REQUIRED
        items.append(assemble.extended_key_usage(profile.extended_key_usage, critical=critical))
    if profile.ocsp_no_check is not Cell.FORBIDDEN:
        items.append(assemble.ocsp_no_check())
    return tuple(items)


def _status_urls(ocsp: str | None, ca_issuers: str | None, crl: str | None) -> Iterator[Extension]:
    if ocsp or ca_issuers:
        yield assemble.authority_information_access(ocsp=ocsp, ca_issuers=ca_issuers)
    if crl:
        yield assemble.crl_distribution_points(crl)


def _sign(tbs: assemble.Tbs, profile: Profile, signer: Signer) -> x509.Certificate:
    """Lint with the longest signature the key can make, then sign."""
    curve = curve_of(signer.public_key)
    longest = _LONGEST_SIGNATURE[curve] if curve else 0
    draft = assemble.signed(tbs.encode(), tbs.algorithm, bytes(longest))
    problems = [finding for finding in lint(draft, profile) if finding.severity is not Severity.NOTICE]
    if problems:
        raise ProfileViolation(f"not signed, it would break the {profile.role} profile: {problems[0]}")
    return x509.load_der_x509_certificate(assemble.sign(tbs, signer))
