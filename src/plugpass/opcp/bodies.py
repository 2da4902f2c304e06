"""JSON bodies of OPCP 1.0, as far as plugpass serves and uses them; certificates in them are base64 DER.

Senders differ in the case of field names (`subCA1Certificate`, `subCa1Certificate`; `metadata`, `metaData`), so reading
ignores case and unknown fields; writing uses the spelling of the specification.
"""

from __future__ import annotations

from typing import Any, Final, TypeVar

import msgspec

from plugpass.opcp.errors import bad_request
from plugpass.opcp.namespaces import ISO2_NAMESPACE

MAX_DEPTH: Final = 8
"""No body of the protocol nests deeper than five levels."""


class Body(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """Base of all bodies."""


class ErrorBody(Body, frozen=True):
    """Every refusal."""

    error_messages: tuple[str, ...]
    trace_id: str


# --- tokens ---------------------------------------------------------------------------------------------------------


class TokenRequest(Body, frozen=True, rename=None):
    """OAuth 2.0 client credentials (RFC 6749 §4.4), as JSON or as a form."""

    client_id: str
    client_secret: str
    grant_type: str
    audience: str = ""


class TokenResponse(Body, frozen=True, rename=None, omit_defaults=False):
    """A bearer token, valid for `expires_in` seconds."""

    access_token: str
    expires_in: int
    token_type: str = "Bearer"
    scope: str = ""


# --- roots ----------------------------------------------------------------------------------------------------------


class RootCertificate(Body, frozen=True):
    """A root of the pool; everything but the certificate and its type is informative."""

    ca_certificate: str
    root_type: str
    root_certificate_id: str = ""
    distinguished_name: str = ""
    common_name: str = ""
    root_authority_key_identifier: str = ""
    root_issuer_serial_number: str = ""
    valid_from: str = ""
    valid_to: str = ""
    organization_name: str = ""
    fingerprint: str = ""


class RootCertificates(Body, frozen=True, omit_defaults=False):
    """List of roots."""

    root_certificates: tuple[RootCertificate, ...] = ()


class RootCollection(Body, frozen=True):
    """Answer to a list request."""

    collection: RootCertificates = msgspec.field(name="RootCertificateCollection")


class RootResponse(Body, frozen=True):
    """Answer about one root."""

    root: RootCertificate = msgspec.field(name="RootResponse")


# --- provisioning certificates --------------------------------------------------------------------------------------


class ProvisioningCertificate(Body, frozen=True):
    """A provisioning certificate with its chain."""

    vehicle_certificate: str
    sub_ca1_certificate: str = msgspec.field(name="subCA1Certificate")
    sub_ca2_certificate: str = msgspec.field(name="subCA2Certificate", default="")
    xsd_msg_def_namespace: str = ISO2_NAMESPACE
    previous_pcid: str = ""


class ProvisioningCertificateData(Body, frozen=True):
    """The same as the pool answers it, with what it knows of the root."""

    vehicle_certificate: str
    sub_ca1_certificate: str = msgspec.field(name="subCA1Certificate")
    sub_ca2_certificate: str = msgspec.field(name="subCA2Certificate", default="")
    xsd_msg_def_namespace: str = msgspec.field(name="xsdMsgDefNamespace", default=ISO2_NAMESPACE)
    root_issuer_distinguished_name: str = ""
    root_issuer_serial_number: str = ""
    root_authority_key_identifier: str = ""
    fingerprint: str = ""


class OemMessage(Body, frozen=True):
    """Answer to a request for one provisioning certificate."""

    message: ProvisioningCertificateData = msgspec.field(name="OEMMessage")


# --- signing service ------------------------------------------------------------------------------------------------


class ContractDataBody(Body, frozen=True):
    """Contract chain and sealed key, to be signed."""

    contract_certificate: str
    contract_sub_ca1_certificate: str
    contract_signature_encrypted_private_key: str
    dh_public_key: str = msgspec.field(name="dHpublickey")
    contract_sub_ca2_certificate: str = ""


class SignRequest(Body, frozen=True):
    """Contract data to be signed; with a PCID it is also stored in the contract pool."""

    contract_data: ContractDataBody
    xsd_msg_def_namespace: str
    pcid: str = ""
    fingerprint: str = msgspec.field(name="cpsV2GRootCertificateFingerprint", default="")


class SignResponse(Body, frozen=True):
    """Signed contract data: `signed_data` is the message as XML, base64."""

    emaid: str
    xsd_msg_def_namespace: str
    signed_data: str
    pcid: str = ""
    fingerprint: str = msgspec.field(name="cpsV2GRootCertificateFingerprint", default="")
    cps_root_distinguished_name: str = ""


class CpsSigner(Body, frozen=True):
    """A certificate the service signs with, and its chain."""

    cps_distinguished_name: str
    cps_certificate: str
    valid_from: str
    valid_to: str
    organization_name: str
    cps_sub_ca1_certificate: str
    fingerprint: str = msgspec.field(name="cpsV2GRootCertificateFingerprint")
    cps_root_distinguished_name: str
    xsd_msg_def_namespace: str
    cps_sub_ca2_certificate: str = ""


class CpsSigners(Body, frozen=True):
    """Answer to a request for all signers."""

    cps_certificates: tuple[CpsSigner, ...]


# --- contract pool --------------------------------------------------------------------------------------------------


class InstallationRequest(Body, frozen=True):
    """A vehicle's CertificateInstallationReq, EXI in base64."""

    certificate_installation_req: str
    xsd_msg_def_namespace: str


class MessageDef(Body, frozen=True):
    """A CertificateInstallationRes, EXI in base64."""

    certificate_installation_res: str
    emaid: str = ""
    fingerprint: str = msgspec.field(name="cpsV2GRootCertificateFingerprint", default="")


class EmaidContent(Body, frozen=True):
    """One contract's answer."""

    message_def: MessageDef


class CcpContent(Body, frozen=True):
    """All contracts' answers; exactly one in ISO 15118-2."""

    emaid_content: tuple[EmaidContent, ...]


class CcpResponse(Body, frozen=True):
    """Answer to a vehicle's request."""

    response: CcpContent = msgspec.field(name="CCPResponse")


class SignedContractData(Body, frozen=True):
    """Signed contract data to be stored: the message as XML, base64."""

    xsd_msg_def_namespace: str
    emaid: str
    pcid: str
    signed_contract_data_xml: str = msgspec.field(name="signedContractDataXML")
    fingerprint: str = msgspec.field(name="cpsV2GRootCertificateFingerprint", default="")


class ProvideResponse(Body, frozen=True, omit_defaults=False):
    """Signed contract data for the vehicle's maker."""

    certificate_installation_res: str
    xsd_msg_def_namespace: str
    fingerprint: str = msgspec.field(name="cpsV2GRootCertificateFingerprint")


class ContractItem(Body, frozen=True, omit_defaults=False):
    """One contract of a list."""

    pcid: str
    emaid: str
    xsd_msg_def_namespace: str
    contract_certificate: str
    default_contract: bool
    cert_valid_from: str
    cert_valid_to: str
    root_dn: str = msgspec.field(name="cpsRootCertificateDN")
    fingerprint: str = msgspec.field(name="cpsV2GRootCertificateFingerprint")


class ContractList(Body, frozen=True):
    """Answer to the look-ups by EMAID and by PCID."""

    contracts: tuple[ContractItem, ...] = msgspec.field(name="XMLContracts")


# --- reading and writing --------------------------------------------------------------------------------------------

B = TypeVar("B", bound=Body)


_SPELLING: Final[dict[str, str]] = {
    name.lower(): name for cls in Body.__subclasses__() for name in cls.__struct_encode_fields__
}


def parse(cls: type[B], raw: bytes) -> B:
    """The body of type `cls` in JSON `raw`. Raises OpcpError 400, naming the field that is missing or wrong."""
    try:
        value = msgspec.json.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise bad_request("The body is not valid JSON.") from None
    return from_mapping(cls, value)


def from_mapping(cls: type[B], value: Any) -> B:
    """The body of type `cls` in decoded JSON or a decoded form. Raises OpcpError 400."""
    try:
        return msgspec.convert(_respell(value, MAX_DEPTH), cls)
    except msgspec.ValidationError as error:
        raise bad_request(f"The body does not fit {cls.__name__}: {error}") from None


def dump(body: Body) -> bytes:
    """JSON."""
    return msgspec.json.encode(body)


def _respell(value: Any, depth: int) -> Any:
    if depth == 0:
        raise bad_request("The body is nested too deeply.")
    if isinstance(value, dict):
        # null is how some senders leave a field out
        return {
            _SPELLING.get(key.lower(), key): _respell(item, depth - 1)
            for key, item in value.items()
            if item is not None
        }
    if isinstance(value, list):
        return [_respell(item, depth - 1) for item in value]
    return value
