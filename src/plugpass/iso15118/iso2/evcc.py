"""The EVCC's side of an ISO 15118-2 session: SupportedAppProtocol, then the messages in the order of `flow`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

import structlog

from plugpass.errors import LocalError, PeerError
from plugpass.exi import decode
from plugpass.iso15118.iso2 import evcc_charging, evcc_contract, evcc_setup
from plugpass.iso15118.iso2.config import EvccConfig, RandomSource
from plugpass.iso15118.iso2.engine import SessionMachine
from plugpass.iso15118.iso2.evcc_session import Context, Giveup, Handler, Session, Step
from plugpass.iso15118.iso2.events import ChargingStopped, ProtocolAgreed
from plugpass.iso15118.iso2.failures import response_code
from plugpass.iso15118.iso2.flow import RESPONSE_OF, Phase, Request, follows, legal
from plugpass.iso15118.messages import iso2, sap, xmldsig
from plugpass.iso15118.messages.iso2 import PaymentOption, ResponseCode
from plugpass.iso15118.sap import ISO2, Protocol, accept, offer
from plugpass.iso15118.signature import SignedBody, sign_body
from plugpass.iso15118.timing import Timer

log = structlog.get_logger(__name__)

PROTOCOLS: tuple[Protocol, ...] = (ISO2,)
"""The application protocols offered, the most wanted first."""

HANDLERS: Mapping[Request, Handler] = MappingProxyType(
    {
        iso2.SessionSetupReq: evcc_setup.session_setup,
        iso2.ServiceDiscoveryReq: evcc_setup.service_discovery,
        iso2.ServiceDetailReq: evcc_setup.service_detail,
        iso2.PaymentServiceSelectionReq: evcc_setup.payment_service_selection,
        iso2.CertificateInstallationReq: evcc_contract.certificate_installation,
        iso2.PaymentDetailsReq: evcc_contract.payment_details,
        iso2.AuthorizationReq: evcc_contract.authorization,
        iso2.ChargeParameterDiscoveryReq: evcc_charging.charge_parameter_discovery,
        iso2.PowerDeliveryReq: evcc_charging.power_delivery,
        iso2.ChargingStatusReq: evcc_charging.charging_status,
        iso2.MeteringReceiptReq: evcc_charging.metering_receipt,
    }
)
"""What follows from a positive response, by the request it answers."""

_STATION_ENDED = frozenset({ResponseCode.FAILED_SEQUENCE_ERROR, ResponseCode.FAILED_UNKNOWN_SESSION})
_SHOWS_CONTRACT = frozenset({iso2.PaymentDetailsReq, iso2.AuthorizationReq})


class Evcc(SessionMachine):
    """One session with one station, begun by construction: the first request is ready to be sent.

    `random` belongs to the signature all machines share; a vehicle of ISO 15118-2 draws no random values itself.
    """

    def __init__(self, config: EvccConfig, *, random: RandomSource, now: float) -> None:
        super().__init__("evcc")
        self._config = config
        self._session = Session(contract=config.contract)
        self._protocol: Protocol | None = None
        self._awaiting: Request | None = None
        self._next: Step | None = None  #: waits for its delay
        self.timers.start(Timer.COMMUNICATION_SETUP, now + config.timing.evcc_communication_setup)
        self.timers.start(Timer.MESSAGE, now + config.timing.of("supportedAppProtocolReq").timeout)
        self.send(offer(PROTOCOLS))

    @property
    def phase(self) -> Phase:
        """What the station waits for, as far as the vehicle knows."""
        return self._session.phase

    def stop(self, now: float) -> None:
        """End charging and the session as soon as the protocol allows."""
        self._session = replace(self._session, stop_wanted=True)
        if self._next is not None:
            self._next = replace(self._next, session=replace(self._next.session, stop_wanted=True))

    # --- SessionMachine ---------------------------------------------------------------------------------------------

    def on_message(self, exi: bytes, now: float) -> None:
        """Judge one response."""
        if self._protocol is None:
            self._negotiated(exi, now)
            return
        message = decode("iso2", exi)
        if not isinstance(message, iso2.V2GMessage):
            raise PeerError(f"expected a V2G_Message, received a {type(message).__name__}")
        body = message.body.element
        self.received(body, exi)
        request = self._awaiting
        if request is None or type(body) is not RESPONSE_OF[request]:
            expected = "nothing" if request is None else RESPONSE_OF[request].__name__
            raise PeerError(f"the station sent a {type(body).__name__} where {expected} was expected")
        if request is not iso2.SessionSetupReq and message.header.session_id != self._session.session_id:
            raise PeerError(f"the station answered {request.__name__} in another session")
        self._awaiting = None
        self.timers.stop(Timer.MESSAGE)
        self._judge(request, body, Context(config=self._config, header=message.header), now)

    def on_timer(self, timer: Timer, now: float) -> None:
        """Send the request that was waiting, or end the session."""
        if timer is Timer.PACE:
            step, self._next = self._next, None
            if step is not None:
                self._send(step, now)
            return
        self.end(
            f"{timer} ran out at the vehicle while the station was in {self._session.phase}{_open(self._awaiting)}"
        )

    def on_end(self, reason: str) -> None:
        """Stop taking power."""
        self._next = None
        if self._session.charging:
            self._session = replace(self._session, charging=False)
            self.emit(ChargingStopped(reason=reason))

    # --- responses --------------------------------------------------------------------------------------------------

    def _negotiated(self, exi: bytes, now: float) -> None:
        response = decode("sap", exi)
        if not isinstance(response, sap.SupportedAppProtocolRes):
            raise PeerError(f"expected a supportedAppProtocolRes, received a {type(response).__name__}")
        self.received(response, exi)
        self.timers.stop(Timer.MESSAGE)
        self._protocol = accept(response, PROTOCOLS)
        self.emit(ProtocolAgreed(protocol=self._protocol.name))
        self._send(Step(session=self._session, request=iso2.SessionSetupReq(evcc_id=self._config.evcc_id)), now)

    def _judge(self, request: Request, body: iso2.BodyElement, context: Context, now: float) -> None:
        try:
            step = self._step(request, body, context)
        except Giveup as error:
            self.emit(*error.events)
            self._leave(str(error), now)
            return
        if step is not None:
            self._advance(request, step, now)

    def _step(self, request: Request, body: iso2.BodyElement, context: Context) -> Step | None:
        """What follows from the response; None where the session is over. Raises Giveup."""
        code = response_code(body)
        if request is iso2.SessionStopReq:
            self._finish(code)
            return None
        if not code.startswith("FAILED"):
            return HANDLERS[request](self._session, body, context)
        log.warning("request_refused", request=request.__name__, response_code=str(code))
        if code in _STATION_ENDED:
            self.end(f"the station ended the session with {code} to {request.__name__}")
            return None
        if request is iso2.CertificateInstallationReq:
            return evcc_contract.without_installation(self._session, code, "the station's answer")
        if request in _SHOWS_CONTRACT and self._session.payment_option is PaymentOption.CONTRACT:
            raise evcc_contract.contract_refused(self._session, request.__name__, code)
        raise Giveup(f"the station answered {request.__name__} with {code}")

    def _advance(self, request: Request, step: Step, now: float) -> None:
        """Take the step, where the flow allows it."""
        if step.session.phase is not self._session.phase and not follows(
            self._session.phase, request, step.session.phase
        ):
            raise LocalError(f"{step.session.phase} does not follow {request.__name__} in {self._session.phase}")
        self._session = step.session
        self.emit(*step.events)
        if request is iso2.SessionSetupReq:
            self.timers.stop(Timer.COMMUNICATION_SETUP)
        if not step.ongoing:
            self.timers.stop(Timer.ONGOING)
        elif not self.timers.runs(Timer.ONGOING):
            self.timers.start(Timer.ONGOING, now + self._config.timing.ongoing_timeout)
        if self._session.stop_wanted and not (self._session.charged or self._session.failure):
            self._leave("the driver stopped the session", now)
        elif step.delay > 0:
            self._next = step
            self.timers.start(Timer.PACE, now + step.delay)
        else:
            self._send(step, now)

    # --- requests ---------------------------------------------------------------------------------------------------

    def _send(self, step: Step, now: float) -> None:
        request = type(step.request)
        if not legal(step.session.phase, request):
            raise LocalError(f"{request.__name__} is not legal while the station waits for {step.session.phase}")
        self._session = step.session
        header = iso2.MessageHeader(session_id=self._session.session_id, signature=_signature(step))
        self.send(iso2.V2GMessage(header=header, body=iso2.Body(step.request)))
        self._awaiting = request
        self.timers.start(Timer.MESSAGE, now + self._config.timing.of(request.__name__).timeout)

    def _leave(self, reason: str, now: float) -> None:
        """Stop the session as the protocol allows: power first, then the session."""
        first = not self._session.failure
        self._session = replace(self._session, failure=self._session.failure or reason)
        self.timers.stop(Timer.ONGOING)
        if first and legal(self._session.phase, iso2.SessionStopReq):
            self._send(evcc_charging.session_stop_request(self._session), now)
        elif first and legal(self._session.phase, iso2.PowerDeliveryReq):
            self._send(evcc_charging.stop_request(self._session), now)
        else:
            self.end(self._session.failure)

    def _finish(self, code: ResponseCode) -> None:
        session = self._session = replace(self._session, phase=Phase.ENDED)
        if session.failure:
            self.end(session.failure)
        elif code.startswith("FAILED"):
            self.end(f"the station answered SessionStopReq with {code}")
        else:
            self.end("the session is complete", ok=session.charged)


def _signature(step: Step) -> xmldsig.Signature | None:
    if step.signer is None:
        return None
    if not isinstance(step.request, SignedBody):
        raise LocalError(f"{type(step.request).__name__} is not a message that is signed")
    return sign_body(step.request, step.signer)


def _open(request: Request | None) -> str:
    return "" if request is None else f", {request.__name__} unanswered"
