"""The OCPP 2.0.1 messages plugpass speaks, as frozen structs; names and limits are those of the official schemas.

A struct says what a field means; whether a value is allowed on the wire (length, enumeration, format) is decided by the
official JSON schema (`plugpass.ocpp.schemas`), in both directions. `customData` is tolerated and ignored.

Each request names its response type: `await client.call(HeartbeatRequest())` is typed as a `HeartbeatResponse`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Generic, TypeVar

import msgspec

from plugpass.ocpp.enums import (
    AuthorizationStatus,
    AuthorizeCertificateStatus,
    BootReason,
    CertificateAction,
    CertificateSigningUse,
    ChargingState,
    ConnectorStatus,
    DeleteCertificateStatus,
    GenericStatus,
    GetCertificateIdUse,
    GetInstalledCertificateStatus,
    HashAlgorithm,
    IdTokenType,
    InstallCertificateStatus,
    InstallCertificateUse,
    Iso15118EVCertificateStatus,
    Measurand,
    MessageTrigger,
    ReadingContext,
    RegistrationStatus,
    StopReason,
    TransactionEventType,
    TriggerMessageStatus,
    TriggerReason,
)

SUBPROTOCOL = "ocpp2.0.1"

#: Field limits of the 2.0.1 schemas that senders must plan for, in characters.
MAX_CSR = 5500
MAX_CERTIFICATE = 5500
MAX_CERTIFICATE_CHAIN = 10_000
MAX_EXI_REQUEST = 5600
MAX_EXI_RESPONSE = 7500
MAX_OCSP_RESULT = 5500


class Data(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A data type or message: a JSON object with camelCase names; absent optional fields are not sent."""


class Response(Data, frozen=True, kw_only=True):
    """The payload of a CALLRESULT."""


ResponseT = TypeVar("ResponseT", bound=Response)


class Request(Data, Generic[ResponseT], frozen=True, kw_only=True):
    """The payload of a CALL that is answered by a `ResponseT`."""


# Data types ----------------------------------------------------------------------------------------------------------


class StatusInfo(Data, frozen=True, kw_only=True):
    """Why a status is what it is: a code for machines (<= 20) and a text for people (<= 512)."""

    reason_code: str
    additional_info: str | None = None


class CertificateHashData(Data, frozen=True, kw_only=True):
    """Names a certificate by the CertID of RFC 6960 §4.1.1; all hexadecimal, the serial without leading zeros."""

    hash_algorithm: HashAlgorithm
    issuer_name_hash: str
    issuer_key_hash: str
    serial_number: str


class CertificateHashDataChain(Data, frozen=True, kw_only=True):
    """An installed certificate; a V2G chain is listed by its leaf with the Sub-CAs as children (M03.FR.05)."""

    certificate_type: GetCertificateIdUse
    certificate_hash_data: CertificateHashData
    child_certificate_hash_data: tuple[CertificateHashData, ...] | None = None


class OCSPRequestData(Data, frozen=True, kw_only=True):
    """A certificate by its CertID, and where to ask for its status."""

    hash_algorithm: HashAlgorithm
    issuer_name_hash: str
    issuer_key_hash: str
    serial_number: str
    responder_url: str = msgspec.field(name="responderURL")


class EVSE(Data, frozen=True, kw_only=True):
    """An EVSE of the station, numbered from 1, and optionally one of its connectors."""

    id: int
    connector_id: int | None = None


class AdditionalInfo(Data, frozen=True, kw_only=True):
    """A further token that comes with the id token."""

    additional_id_token: str
    type: str


class IdToken(Data, frozen=True, kw_only=True):
    """Who wants to charge: for Plug & Charge the eMAID (<= 36), type `eMAID`."""

    id_token: str
    type: IdTokenType
    additional_info: tuple[AdditionalInfo, ...] | None = None


class MessageContent(Data, frozen=True, kw_only=True):
    """A text to show."""

    format: str
    content: str
    language: str | None = None


class IdTokenInfo(Data, frozen=True, kw_only=True):
    """What the CSMS says about an id token."""

    status: AuthorizationStatus
    cache_expiry_date_time: datetime | None = None
    charging_priority: int | None = None
    language1: str | None = None
    language2: str | None = None
    evse_id: tuple[int, ...] | None = None
    group_id_token: IdToken | None = None
    personal_message: MessageContent | None = None


class Modem(Data, frozen=True, kw_only=True):
    """The station's radio modem."""

    iccid: str | None = None
    imsi: str | None = None


class ChargingStation(Data, frozen=True, kw_only=True):
    """What the station is."""

    model: str
    vendor_name: str
    serial_number: str | None = None
    firmware_version: str | None = None
    modem: Modem | None = None


class SignedMeterValue(Data, frozen=True, kw_only=True):
    """A signed reading. plugpass puts an ISO 15118 MeteringReceiptReq here: base64 of its EXI, method `EXI`."""

    signed_meter_data: str
    signing_method: str
    encoding_method: str
    public_key: str


class UnitOfMeasure(Data, frozen=True, kw_only=True):
    """Unit and decimal exponent of a sampled value; Wh and 0 where not given."""

    unit: str = "Wh"
    multiplier: int = 0


class SampledValue(Data, frozen=True, kw_only=True):
    """One measured value."""

    value: float
    context: ReadingContext = ReadingContext.SAMPLE_PERIODIC
    measurand: Measurand = Measurand.ENERGY_ACTIVE_IMPORT_REGISTER
    phase: str | None = None
    location: str = "Outlet"
    signed_meter_value: SignedMeterValue | None = None
    unit_of_measure: UnitOfMeasure | None = None


class MeterValue(Data, frozen=True, kw_only=True):
    """Values sampled at one moment."""

    timestamp: datetime
    sampled_value: tuple[SampledValue, ...]


class Transaction(Data, frozen=True, kw_only=True):
    """The transaction an event belongs to; the station chooses the id (<= 36)."""

    transaction_id: str
    charging_state: ChargingState | None = None
    time_spent_charging: int | None = None
    stopped_reason: StopReason | None = None
    remote_start_id: int | None = None


# Messages, each response before its request --------------------------------------------------------------------------


class BootNotificationResponse(Response, frozen=True, kw_only=True):
    """Whether the station may go on; `interval` is the heartbeat, or the wait before the next boot, in seconds."""

    current_time: datetime
    interval: int
    status: RegistrationStatus
    status_info: StatusInfo | None = None


class BootNotificationRequest(Request[BootNotificationResponse], frozen=True, kw_only=True):
    """The station introduces itself (B01)."""

    charging_station: ChargingStation
    reason: BootReason


class HeartbeatResponse(Response, frozen=True, kw_only=True):
    """The CSMS's time."""

    current_time: datetime


class HeartbeatRequest(Request[HeartbeatResponse], frozen=True, kw_only=True):
    """The station is alive."""


class StatusNotificationResponse(Response, frozen=True, kw_only=True):
    """Taken note of."""


class StatusNotificationRequest(Request[StatusNotificationResponse], frozen=True, kw_only=True):
    """A connector changed its state."""

    timestamp: datetime
    connector_status: ConnectorStatus
    evse_id: int
    connector_id: int


class SignCertificateResponse(Response, frozen=True, kw_only=True):
    """Whether the CSMS takes the CSR (A02.FR.11); the certificate follows with CertificateSigned."""

    status: GenericStatus
    status_info: StatusInfo | None = None


class SignCertificateRequest(Request[SignCertificateResponse], frozen=True, kw_only=True):
    """The station asks for a certificate: PKCS#10 as PEM (<= 5500)."""

    csr: str
    certificate_type: CertificateSigningUse | None = None


class CertificateSignedResponse(Response, frozen=True, kw_only=True):
    """Whether the station installed the chain (A02.FR.06)."""

    status: GenericStatus
    status_info: StatusInfo | None = None


class CertificateSignedRequest(Request[CertificateSignedResponse], frozen=True, kw_only=True):
    """The signed certificate: PEM, leaf first, then the Sub-CAs, no root (<= 10000)."""

    certificate_chain: str
    certificate_type: CertificateSigningUse | None = None


class InstallCertificateResponse(Response, frozen=True, kw_only=True):
    """Accepted; Rejected where invalid or expired (M05.FR.07); Failed where it could not be stored."""

    status: InstallCertificateStatus
    status_info: StatusInfo | None = None


class InstallCertificateRequest(Request[InstallCertificateResponse], frozen=True, kw_only=True):
    """One root for the station's trust store, as PEM (<= 5500)."""

    certificate_type: InstallCertificateUse
    certificate: str


class GetInstalledCertificateIdsResponse(Response, frozen=True, kw_only=True):
    """What is installed; NotFound where nothing of the asked kinds is (M03.FR.02)."""

    status: GetInstalledCertificateStatus
    status_info: StatusInfo | None = None
    certificate_hash_data_chain: tuple[CertificateHashDataChain, ...] | None = None


class GetInstalledCertificateIdsRequest(Request[GetInstalledCertificateIdsResponse], frozen=True, kw_only=True):
    """List the installed certificates of these kinds, all where none is given."""

    certificate_type: tuple[GetCertificateIdUse, ...] | None = None


class DeleteCertificateResponse(Response, frozen=True, kw_only=True):
    """Whether the certificate is gone."""

    status: DeleteCertificateStatus
    status_info: StatusInfo | None = None


class DeleteCertificateRequest(Request[DeleteCertificateResponse], frozen=True, kw_only=True):
    """Delete the certificate, named exactly as the station reported it (M04.FR.07)."""

    certificate_hash_data: CertificateHashData


class TriggerMessageResponse(Response, frozen=True, kw_only=True):
    """Whether the station will send the message."""

    status: TriggerMessageStatus
    status_info: StatusInfo | None = None


class TriggerMessageRequest(Request[TriggerMessageResponse], frozen=True, kw_only=True):
    """Ask the station to send a message, for one EVSE or for the whole station."""

    requested_message: MessageTrigger
    evse: EVSE | None = None


class Get15118EVCertificateResponse(Response, frozen=True, kw_only=True):
    """The complete answer for the vehicle, base64 of EXI (<= 7500); required, also on Failed: then it may be empty."""

    status: Iso15118EVCertificateStatus
    exi_response: str
    status_info: StatusInfo | None = None


class Get15118EVCertificateRequest(Request[Get15118EVCertificateResponse], frozen=True, kw_only=True):
    """The vehicle's CertificateInstallationReq or CertificateUpdateReq, unread: base64 of EXI (<= 5600)."""

    iso15118_schema_version: str
    action: CertificateAction
    exi_request: str


class GetCertificateStatusResponse(Response, frozen=True, kw_only=True):
    """The OCSP response, base64 of DER (<= 5500); Failed where the responder gave none (M06)."""

    status: Iso15118EVCertificateStatus
    status_info: StatusInfo | None = None
    ocsp_result: str | None = None


class GetCertificateStatusRequest(Request[GetCertificateStatusResponse], frozen=True, kw_only=True):
    """Fetch an OCSP response for the station, which staples it."""

    ocsp_request_data: OCSPRequestData


class AuthorizeResponse(Response, frozen=True, kw_only=True):
    """The pair of verdicts of C07: on the token, and on the contract certificate chain where there was one."""

    id_token_info: IdTokenInfo
    certificate_status: AuthorizeCertificateStatus | None = None


class AuthorizeRequest(Request[AuthorizeResponse], frozen=True, kw_only=True):
    """May this token charge? With Plug & Charge also the contract chain as PEM (<= 5500) and its OCSP data (1..4)."""

    id_token: IdToken
    certificate: str | None = None
    iso15118_certificate_hash_data: tuple[OCSPRequestData, ...] | None = None


class TransactionEventResponse(Response, frozen=True, kw_only=True):
    """What the CSMS thinks of the transaction."""

    total_cost: float | None = None
    charging_priority: int | None = None
    id_token_info: IdTokenInfo | None = None
    updated_personal_message: MessageContent | None = None


class TransactionEventRequest(Request[TransactionEventResponse], frozen=True, kw_only=True):
    """A transaction started, changed or ended; `seq_no` counts from 0 without gaps per transaction."""

    event_type: TransactionEventType
    timestamp: datetime
    trigger_reason: TriggerReason
    seq_no: int
    transaction_info: Transaction
    offline: bool = False
    number_of_phases_used: int | None = None
    cable_max_current: int | None = None
    reservation_id: int | None = None
    meter_value: tuple[MeterValue, ...] | None = None
    evse: EVSE | None = None
    id_token: IdToken | None = None


class SecurityEventNotificationResponse(Response, frozen=True, kw_only=True):
    """Taken note of."""


class SecurityEventNotificationRequest(Request[SecurityEventNotificationResponse], frozen=True, kw_only=True):
    """Something that concerns security happened at the station (A04)."""

    type: str
    timestamp: datetime
    tech_info: str | None = None


# The table -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One action: its request and its response type."""

    request: type[Request[Any]]
    response: type[Response]


EXCHANGES: Mapping[str, Exchange] = MappingProxyType(
    {
        "Authorize": Exchange(request=AuthorizeRequest, response=AuthorizeResponse),
        "BootNotification": Exchange(request=BootNotificationRequest, response=BootNotificationResponse),
        "CertificateSigned": Exchange(request=CertificateSignedRequest, response=CertificateSignedResponse),
        "DeleteCertificate": Exchange(request=DeleteCertificateRequest, response=DeleteCertificateResponse),
        "Get15118EVCertificate": Exchange(request=Get15118EVCertificateRequest, response=Get15118EVCertificateResponse),
        "GetCertificateStatus": Exchange(request=GetCertificateStatusRequest, response=GetCertificateStatusResponse),
        "GetInstalledCertificateIds": Exchange(
            request=GetInstalledCertificateIdsRequest, response=GetInstalledCertificateIdsResponse
        ),
        "Heartbeat": Exchange(request=HeartbeatRequest, response=HeartbeatResponse),
        "InstallCertificate": Exchange(request=InstallCertificateRequest, response=InstallCertificateResponse),
        "SecurityEventNotification": Exchange(
            request=SecurityEventNotificationRequest, response=SecurityEventNotificationResponse
        ),
        "SignCertificate": Exchange(request=SignCertificateRequest, response=SignCertificateResponse),
        "StatusNotification": Exchange(request=StatusNotificationRequest, response=StatusNotificationResponse),
        "TransactionEvent": Exchange(request=TransactionEventRequest, response=TransactionEventResponse),
        "TriggerMessage": Exchange(request=TriggerMessageRequest, response=TriggerMessageResponse),
    }
)

_ACTIONS: Mapping[type[Request[Any]], str] = {exchange.request: action for action, exchange in EXCHANGES.items()}


def action_of(request: Request[Any]) -> str:
    """The OCPP action name of `request`."""
    return _ACTIONS[type(request)]
