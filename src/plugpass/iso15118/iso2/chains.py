"""Judging the certificate chains of a session: the contract at the station, the delivered contract at the vehicle.

Both use the FIELD policy and look at no revocation here: the station asks its backend for that, and the vehicle has no
responder it could ask; its trust in the provisioning service rests on the V2G root alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509

from plugpass.errors import PeerError
from plugpass.ids import EMAID, InvalidIdentifier
from plugpass.iso15118.contract import chain_certificates, open_iso2, sealed_key
from plugpass.iso15118.iso2.config import ContractCredential, KeyedChain, SeccConfig
from plugpass.iso15118.messages import iso2, xmldsig
from plugpass.iso15118.messages.iso2 import ResponseCode
from plugpass.iso15118.signature import verify_installation
from plugpass.pki.certificate import parse, public_key
from plugpass.pki.keys import InvalidPublicKey, PublicKey
from plugpass.pki.path import FIELD, Verdict, validate
from plugpass.pki.profiles import CertificateRole
from plugpass.pki.reasons import Reason
from plugpass.pki.trust import TrustAnchors

EXPIRES_SOON = timedelta(days=21)
"""From here on the vehicle is advised to renew its contract certificate."""

MAX_ROOT_IDS = 20
"""As many roots as the schema lets a vehicle name."""

_ROOT_IS_ELSEWHERE: Final = frozenset({Reason.INCOMPLETE_PATH, Reason.UNKNOWN_ROOT})
"""All that a backend may still heal, because it knows more roots than the station (OCPP C07.FR.06)."""


class ChainRefused(PeerError):
    """A certificate chain, or the EMAID it should be for, does not hold; `wire` is the response code that says so."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason, wire=ResponseCode(code))


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """The contract the vehicle named in PaymentDetailsReq."""

    emaid: EMAID
    chain: tuple[bytes, ...] = field(repr=False)  #: DER, leaf first
    public_key: PublicKey = field(repr=False)
    expires_soon: bool
    validated: bool  #: here, against our own roots


def judge_contract(emaid_text: str, chain: tuple[bytes, ...], config: SeccConfig) -> Contract:
    """The contract of a PaymentDetailsReq, where it holds as far as the station can see. Raises ChainRefused."""
    lenient = config.ignore_emaid_check_digit
    emaid = read_emaid(emaid_text, ignore_check_digit=lenient)
    at = config.wall_clock()
    anchors = config.anchors if config.anchors is not None else TrustAnchors()
    verdict = _contract_verdict(chain, emaid, anchors, at, lenient=lenient)
    left_to_backend = (
        config.central_validation and bool(verdict.findings) and _ROOT_IS_ELSEWHERE.issuperset(verdict.reasons)
    )
    if not left_to_backend:
        _require(verdict, "contract")
    leaf = parse(chain[0])
    return Contract(
        emaid=emaid,
        chain=chain,
        public_key=_key(leaf.key.encoded),
        expires_soon=leaf.not_after - at <= EXPIRES_SOON,
        validated=verdict.ok,
    )


_ANY_CHECK_DIGIT: Final = replace(
    FIELD,
    name="field, any EMAID check digit",
    tolerated=FIELD.tolerated | {(Reason.CN_SYNTAX, CertificateRole.CONTRACT)},
)


def judge_installation(
    response: iso2.CertificateInstallationRes,
    signature: xmldsig.Signature | None,
    *,
    oem: KeyedChain,
    anchors: TrustAnchors,
    at: datetime,
    ignore_emaid_check_digit: bool = False,
) -> ContractCredential:
    """The delivered contract, opened. Raises PeerError at the first check that fails; nothing is installed then.

    The order is fixed: who signed, what was signed, who may pay, whose key it is. Nothing is opened before the
    signature holds.
    """
    cps = chain_certificates(response.sa_provisioning_certificate_chain)
    _require(validate(cps, role=CertificateRole.CPS_LEAF, anchors=anchors, at=at, policy=FIELD), "provisioning service")
    verify_installation(response, signature, _key(parse(cps[0]).key.encoded))
    chain = chain_certificates(response.contract_signature_cert_chain)
    emaid = read_emaid(response.emaid.value, ignore_check_digit=ignore_emaid_check_digit)
    _require(_contract_verdict(chain, emaid, anchors, at, lenient=ignore_emaid_check_digit), "contract")
    signer = open_iso2(sealed_key(response), oem.signer, _key(parse(chain[0]).key.encoded))  # [V2G2-823]
    return ContractCredential(emaid=emaid, chain=chain, signer=signer)


def root_ids(roots: tuple[bytes, ...]) -> iso2.ListOfRootCertificateIDs:
    """The V2G roots a vehicle holds, by issuer (RFC 4514 text, as XML signatures have it) and serial number."""
    return iso2.ListOfRootCertificateIDs(
        root_certificate_id=tuple(
            xmldsig.X509IssuerSerial(
                x509_issuer_name=root.issuer.rfc4514_string(), x509_serial_number=root.serial_number
            )
            for root in map(x509.load_der_x509_certificate, roots[:MAX_ROOT_IDS])
        )
    )


def _require(verdict: Verdict, whose: str) -> None:
    if not verdict.ok:
        raise ChainRefused(verdict.iso2_code, f"{whose} certificate: {verdict.summary}")


def read_emaid(text: str, *, ignore_check_digit: bool = False) -> EMAID:
    """The EMAID in a message or certificate. Raises ChainRefused.

    `ignore_check_digit` reads one whose check digit is wrong as the 14 characters before it.
    """
    try:
        return EMAID.parse(text)
    except InvalidIdentifier as error:
        if not ignore_check_digit:
            raise ChainRefused(ResponseCode.FAILED_CERT_CHAIN_ERROR, str(error)) from None
    return read_emaid(text[:-1])


def _contract_verdict(
    chain: tuple[bytes, ...], emaid: EMAID, anchors: TrustAnchors, at: datetime, *, lenient: bool
) -> Verdict:
    if not lenient:
        return validate(
            chain, role=CertificateRole.CONTRACT, anchors=anchors, at=at, policy=FIELD, expected_cn=str(emaid)
        )
    verdict = validate(chain, role=CertificateRole.CONTRACT, anchors=anchors, at=at, policy=_ANY_CHECK_DIGIT)
    # The validator compares identifiers that hold; here the comparison has to be made without the check digit.
    if verdict.path and read_emaid(verdict.path[0].common_name, ignore_check_digit=True) != emaid:
        raise ChainRefused(ResponseCode.FAILED_CERT_CHAIN_ERROR, f"the contract certificate is not the one of {emaid}")
    return verdict


def _key(info: bytes) -> PublicKey:
    """The key of a certificate whose key has been judged already."""
    try:
        return public_key(info)
    except InvalidPublicKey as error:
        raise ChainRefused(ResponseCode.FAILED_CERT_CHAIN_ERROR, str(error)) from None
