"""From a backend's verdict to the response code the vehicle gets.

Backends speak OCPP 2.0.1: a status of the contract certificate (AuthorizeCertificateStatusEnumType) and one of the
eMAID (AuthorizationStatusEnumType). Charging needs both to be Accepted; what is not in a table is a refusal.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from plugpass.iso15118.messages.iso2 import ResponseCode

ACCEPTED = "Accepted"

CODE_OF_CERTIFICATE_STATUS: Mapping[str, ResponseCode] = MappingProxyType(
    {
        ACCEPTED: ResponseCode.OK,
        "SignatureError": ResponseCode.FAILED_SIGNATURE_ERROR,
        "CertificateExpired": ResponseCode.FAILED_CERTIFICATE_EXPIRED,
        "CertificateRevoked": ResponseCode.FAILED_CERTIFICATE_REVOKED,
        "NoCertificateAvailable": ResponseCode.FAILED_NO_CERTIFICATE_AVAILABLE,
        "CertChainError": ResponseCode.FAILED_CERT_CHAIN_ERROR,
        "ContractCancelled": ResponseCode.FAILED_CONTRACT_CANCELED,
    }
)

CODE_OF_TOKEN_STATUS: Mapping[str, ResponseCode] = MappingProxyType(
    {
        ACCEPTED: ResponseCode.OK,
        # The contract itself does not hold (C07.FR.13 pairs these with ContractCancelled).
        "Blocked": ResponseCode.FAILED_CONTRACT_CANCELED,
        "Expired": ResponseCode.FAILED_CONTRACT_CANCELED,
        "Invalid": ResponseCode.FAILED_CONTRACT_CANCELED,
        "Unknown": ResponseCode.FAILED_CONTRACT_CANCELED,
        # The contract holds, but not here.
        "NotAllowedTypeEVSE": ResponseCode.FAILED_CERTIFICATE_NOT_ALLOWED_AT_THIS_EVSE,
        "NotAtThisLocation": ResponseCode.FAILED_CERTIFICATE_NOT_ALLOWED_AT_THIS_EVSE,
        # The contract holds, but not now: -2 has no code of its own for that.
        "NotAtThisTime": ResponseCode.FAILED,
        "ConcurrentTx": ResponseCode.FAILED,
        "NoCredit": ResponseCode.FAILED,
    }
)

AUTHORIZATION_CODES = frozenset(
    {
        ResponseCode.OK,
        ResponseCode.FAILED,
        ResponseCode.FAILED_SEQUENCE_ERROR,
        ResponseCode.FAILED_UNKNOWN_SESSION,
        ResponseCode.FAILED_CHALLENGE_INVALID,
        ResponseCode.FAILED_SIGNATURE_ERROR,
    }
)
"""The codes AuthorizationRes may carry; the verdicts on a contract belong into PaymentDetailsRes."""


def response_code(certificate_status: str, token_status: str) -> ResponseCode:
    """The code for a pair of OCPP statuses; what is wrong with the certificate is said first."""
    code = CODE_OF_CERTIFICATE_STATUS.get(certificate_status, ResponseCode.FAILED)
    if code is not ResponseCode.OK:
        return code
    return CODE_OF_TOKEN_STATUS.get(token_status, ResponseCode.FAILED)


def in_authorization(code: ResponseCode) -> ResponseCode:
    """The code as AuthorizationRes may say it."""
    return code if code in AUTHORIZATION_CODES else ResponseCode.FAILED
