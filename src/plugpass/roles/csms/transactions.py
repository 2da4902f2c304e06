"""TransactionEvent (E01-E08): the station's reports as the registry keeps them."""

from __future__ import annotations

import base64
import binascii
import math
from typing import Final

import structlog

from plugpass.ids import EMAID, InvalidIdentifier
from plugpass.ocpp.enums import AuthorizationStatus, IdTokenType, Measurand
from plugpass.ocpp.frames import CallRefused, ErrorCode
from plugpass.ocpp.messages import (
    IdToken,
    IdTokenInfo,
    SampledValue,
    TransactionEventRequest,
    TransactionEventResponse,
)
from plugpass.ports.charging import TransactionReport
from plugpass.ports.stations import StationRegistry
from plugpass.roles.csms.contracts import ContractAuthorization
from plugpass.roles.csms.links import StationLink

log = structlog.get_logger(__name__)

_MAX_NUMBER: Final = 2**31 - 1
_MAX_ENERGY_WH: Final = 2**53
_WATT_HOURS: Final = {"Wh": 1, "kWh": 1000}


class Transactions:
    """Keeps every event once, however often it is sent."""

    def __init__(self, registry: StationRegistry, authorization: ContractAuthorization) -> None:
        self._registry = registry
        self._authorization = authorization

    async def event(self, link: StationLink, request: TransactionEventRequest) -> TransactionEventResponse:
        """Store the event and answer; a token in it is answered with its status."""
        emaid = _emaid(request.id_token)
        report = report_of(request, emaid)
        new = await self._registry.record_transaction(link.identity, report)
        log.info(
            "csms.transaction",
            station=link.identity,
            transaction=report.transaction_id,
            phase=report.phase.value,
            sequence=report.sequence,
            repeated=not new,
        )
        if request.id_token is None:
            return TransactionEventResponse()
        return TransactionEventResponse(id_token_info=await self._token(link, request.id_token, emaid))

    async def _token(self, link: StationLink, token: IdToken, emaid: EMAID | None) -> IdTokenInfo:
        if token.type is IdTokenType.NO_AUTHORIZATION:
            return IdTokenInfo(status=AuthorizationStatus.ACCEPTED)
        if emaid is None:
            return IdTokenInfo(status=AuthorizationStatus.UNKNOWN)
        status, text = await self._authorization.known_status(link.identity, emaid)
        if status is not AuthorizationStatus.ACCEPTED:
            log.warning("csms.transaction_token", station=link.identity, status=status.value, cause=text)
        return IdTokenInfo(status=status)


def report_of(request: TransactionEventRequest, emaid: EMAID | None) -> TransactionReport:
    """The event as a report. Raises CallRefused for numbers that no counter or meter reaches."""
    evse = request.evse.id if request.evse else 0
    for name, number in (("seqNo", request.seq_no), ("evse.id", evse)):
        if not 0 <= number <= _MAX_NUMBER:
            raise CallRefused(f"TransactionEvent: {name} is out of range", wire=ErrorCode.PROPERTY_CONSTRAINT_VIOLATION)
    stopped = request.transaction_info.stopped_reason
    values = [value for meter in request.meter_value or () for value in meter.sampled_value]
    return TransactionReport(
        phase=request.event_type,
        transaction_id=request.transaction_info.transaction_id,
        emaid=emaid,
        evse=evse,
        sequence=request.seq_no,
        at=request.timestamp,
        energy_wh=_energy(values),
        signed_receipt=_receipt(values),
        reason=stopped.value if stopped else "",
    )


def _emaid(token: IdToken | None) -> EMAID | None:
    if token is None or token.type is not IdTokenType.EMAID:
        return None
    try:
        return EMAID.parse(token.id_token)
    except InvalidIdentifier:
        log.warning("csms.transaction_token", cause="the eMAID in a TransactionEvent is malformed")
        return None


def _energy(values: list[SampledValue]) -> int | None:
    """The newest reading of the import register, in Wh; the sum over phases is the one without a phase.

    Raises CallRefused for a number that no meter shows.
    """
    readings = [
        value for value in values if value.measurand is Measurand.ENERGY_ACTIVE_IMPORT_REGISTER and value.phase is None
    ]
    if not readings:
        return None
    last = readings[-1]
    unit = last.unit_of_measure
    if unit is not None and (unit.unit not in _WATT_HOURS or abs(unit.multiplier) > 12):
        log.warning("csms.meter_value_dropped", cause="the unit of the energy register is no watt-hour")
        return None
    scale = _WATT_HOURS[unit.unit] * 10.0**unit.multiplier if unit else 1.0
    energy = last.value * scale
    # JSON's 1e999 is read as infinity, and so is the product of two large numbers.
    if not math.isfinite(energy) or abs(energy) > _MAX_ENERGY_WH:
        raise CallRefused(
            "TransactionEvent: the energy register is out of range", wire=ErrorCode.PROPERTY_CONSTRAINT_VIOLATION
        )
    return round(energy)


def _receipt(values: list[SampledValue]) -> bytes | None:
    """The vehicle's signed MeteringReceiptReq (EXI) where a reading carries one."""
    signed = [value.signed_meter_value for value in values if value.signed_meter_value is not None]
    if not signed or signed[-1].encoding_method != "EXI":
        return None
    try:
        return base64.b64decode(signed[-1].signed_meter_data, validate=True)
    except binascii.Error:
        log.warning("csms.receipt_dropped", cause="the signed meter data are not base64")
        return None
