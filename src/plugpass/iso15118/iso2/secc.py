"""The SECC's side of an ISO 15118-2 session: SupportedAppProtocol, then the messages in the order of `flow`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import structlog

from plugpass.errors import LocalError, PeerError
from plugpass.exi import decode
from plugpass.iso15118.iso2 import secc_charging, secc_contract, secc_setup
from plugpass.iso15118.iso2.config import RandomSource, SeccConfig
from plugpass.iso15118.iso2.engine import SessionMachine
from plugpass.iso15118.iso2.events import ChargingStopped, ProtocolAgreed, RequestRefused
from plugpass.iso15118.iso2.failures import failed, response_code
from plugpass.iso15118.iso2.flow import RESPONSE_OF, Phase, Request, follows, legal
from plugpass.iso15118.iso2.secc_session import Context, Handler, Hold, Outcome, Question, Refused, Reply, Session
from plugpass.iso15118.messages import iso2, sap
from plugpass.iso15118.messages.iso2 import PaymentOption, ResponseCode
from plugpass.iso15118.sap import ISO2, Protocol, negotiate
from plugpass.iso15118.timing import Timer

log = structlog.get_logger(__name__)

PROTOCOLS: tuple[Protocol, ...] = (ISO2,)
"""The application protocols served."""

MAX_REFUSALS = 16
"""A vehicle that is refused this often in one session is cut off."""

HANDLERS: Mapping[Request, Handler] = MappingProxyType(
    {
        iso2.SessionSetupReq: secc_setup.session_setup,
        iso2.ServiceDiscoveryReq: secc_setup.service_discovery,
        iso2.ServiceDetailReq: secc_setup.service_detail,
        iso2.PaymentServiceSelectionReq: secc_setup.payment_service_selection,
        iso2.CertificateInstallationReq: secc_contract.certificate_installation,
        iso2.CertificateUpdateReq: secc_contract.certificate_update,
        iso2.PaymentDetailsReq: secc_contract.payment_details,
        iso2.AuthorizationReq: secc_contract.authorization,
        iso2.ChargeParameterDiscoveryReq: secc_charging.charge_parameter_discovery,
        iso2.PowerDeliveryReq: secc_charging.power_delivery,
        iso2.ChargingStatusReq: secc_charging.charging_status,
        iso2.MeteringReceiptReq: secc_charging.metering_receipt,
        iso2.SessionStopReq: secc_charging.session_stop,
    }
)
"""What each request does. A request of `flow` that is missing here is answered FAILED `[V2G2-558]`."""

_CODES = frozenset(ResponseCode)
_ENDS_SESSION = frozenset({ResponseCode.FAILED_SEQUENCE_ERROR, ResponseCode.FAILED_UNKNOWN_SESSION})


@dataclass(frozen=True, slots=True)
class _Held:
    """A request that waits for the host."""

    request: Request
    hold: Hold
    context: Context


class Secc(SessionMachine):
    """One session with one vehicle; the host is asked and told through events."""

    def __init__(self, config: SeccConfig, *, random: RandomSource, now: float) -> None:
        super().__init__("secc")
        self._config = config
        self._random = random
        self._protocol: Protocol | None = None
        self._session = Session()
        self._held: _Held | None = None
        self._next_id = 1
        self._refusals = 0
        self.timers.start(Timer.COMMUNICATION_SETUP, now + config.timing.secc_communication_setup)

    @property
    def phase(self) -> Phase:
        """What the station waits for."""
        return self._session.phase

    # --- answers of the host ----------------------------------------------------------------------------------------

    def provide_installation(self, exi: bytes | None, now: float, *, request_id: int) -> None:
        """The backend's answer to ContractInstallationRequested: the response as EXI, or None where it has none."""
        question = self._open(self._session.installation, request_id)
        if question is not None:
            answered = replace(question, answer=exi or None, answered=True)
            self._session = replace(self._session, installation=answered)
            self._resume(now)

    def provide_authorization(self, code: ResponseCode, now: float, *, request_id: int) -> None:
        """The answer to AuthorizationRequested or ExternalAuthorizationRequested: OK, or the reason for a refusal."""
        question = self._open(self._session.authorization, request_id)
        if question is not None:
            answered = replace(question, answer=code, answered=True)
            self._session = replace(self._session, authorization=answered)
            if self._held is not None:
                self._resume(now)

    def stop_charging(self, now: float) -> None:
        """Ask the vehicle to stop, with the next ChargingStatusRes."""
        self._session = replace(self._session, stop_wanted=True)

    def abort(self, reason: str, now: float) -> None:
        """End the session at once."""
        self.end(reason)

    def _open(self, question: Question | None, request_id: int) -> Question | None:
        """The question, where it is the one asked and may still be answered."""
        if self.ended or question is None or question.request_id != request_id:
            log.info("late_answer_ignored", request_id=request_id)
            return None
        external = self._session.payment_option is PaymentOption.EXTERNAL_PAYMENT
        if question.answered and not external:
            log.warning("second_answer_ignored", request_id=request_id)
            return None
        return question

    # --- SessionMachine ---------------------------------------------------------------------------------------------

    def on_message(self, exi: bytes, now: float) -> None:
        """Judge one message."""
        if self._protocol is None:
            self._negotiate(exi, now)
            return
        message = decode("iso2", exi)
        if not isinstance(message, iso2.V2GMessage):
            raise PeerError(f"expected a V2G_Message, received a {type(message).__name__}")
        body = message.body.element
        self.received(body, exi)
        if type(body) not in RESPONSE_OF:
            raise PeerError(f"a vehicle does not send {type(body).__name__}, and there is no response to it")
        self.timers.stop(Timer.SEQUENCE)
        context = Context(
            config=self._config, random=self._random, now=now, header=message.header, exi=exi, next_id=self._next_id
        )
        self._answer(body, context)

    def on_timer(self, timer: Timer, now: float) -> None:
        """Answer a held request, or end the session `[V2G2-443]`."""
        if timer is Timer.PERFORMANCE:
            self._resume(now)
        else:
            self.end(f"{timer} ran out at the station while it waited for {self._session.phase}")

    def on_end(self, reason: str) -> None:
        """Open the contactors of a session that breaks off while charging."""
        self._held = None
        if self._session.charging:
            self._session = replace(self._session, charging=False)
            self.emit(ChargingStopped(reason=reason))

    # --- requests ---------------------------------------------------------------------------------------------------

    def _negotiate(self, exi: bytes, now: float) -> None:
        request = decode("sap", exi)
        if not isinstance(request, sap.SupportedAppProtocolReq):
            raise PeerError(f"expected a supportedAppProtocolReq, received a {type(request).__name__}")
        self.received(request, exi)
        response, self._protocol = negotiate(request, PROTOCOLS)
        self.send(response)
        if self._protocol is None:
            self.end("the vehicle offers no protocol that this station speaks")
        else:
            self.emit(ProtocolAgreed(protocol=self._protocol.name))

    def _answer(self, body: iso2.BodyElement, context: Context) -> None:
        request = type(body)
        if self._held is not None:
            self._held = None
            self._refuse(request, _sequence_error("the vehicle did not wait for the response"), context)
        elif (refusal := self._admission(request, context.header)) is not None:
            self._refuse(request, refusal, context)
        else:
            self._next_id += 1
            self._run(request, lambda: HANDLERS[request](self._session, body, context), context)

    def _admission(self, request: Request, header: iso2.MessageHeader) -> Refused | None:
        """What keeps a request from being looked at: its session, its kind, its place in the sequence."""
        if request is not iso2.SessionSetupReq and header.session_id != self._session.session_id:  # [V2G2-460]
            return Refused(ResponseCode.FAILED_UNKNOWN_SESSION, "the SessionID is not the one of this session")
        if request not in HANDLERS:
            return Refused(ResponseCode.FAILED, f"{request.__name__} is not served")
        if not legal(self._session.phase, request):  # [V2G2-538]
            return _sequence_error(f"{request.__name__} while waiting for {self._session.phase}")
        return None

    def _resume(self, now: float) -> None:
        held, self._held = self._held, None
        if held is None:
            return
        self.timers.stop(Timer.PERFORMANCE)
        context = replace(held.context, now=now)
        self._run(held.request, lambda: held.hold.resume(self._session, context), context)

    def _run(self, request: Request, step: Callable[[], Outcome], context: Context) -> None:
        """Take one step of a handler; a PeerError that names a response code is the refusal it stands for."""
        try:
            outcome = step()
        except PeerError as error:
            if error.wire not in _CODES:
                raise
            self._refuse(request, error, context)
            return
        if isinstance(outcome, Hold):
            self._session = outcome.session
            self._held = _Held(request, outcome, context)
            self.timers.start(Timer.PERFORMANCE, outcome.until)
            self.emit(*outcome.events)
        else:
            self._reply(request, outcome, context)

    # --- responses --------------------------------------------------------------------------------------------------

    def _reply(self, request: Request, reply: Reply, context: Context) -> None:
        code = response_code(reply.response)
        positive = not code.startswith("FAILED")
        if positive and not follows(self._session.phase, request, reply.session.phase):
            raise LocalError(f"{reply.session.phase} does not follow {request.__name__} in {self._session.phase}")
        self._session = reply.session
        header = reply.header if reply.header is not None else iso2.MessageHeader(session_id=b"")
        self._send(reply.response, header)
        self.emit(*reply.events)
        if not positive:
            self._count_refusal(request, code, "the backend's answer, relayed")
        self._after_response(request, context)

    def _refuse(self, request: Request, error: PeerError, context: Context) -> None:
        code = ResponseCode(error.wire)
        self._send(failed(request, code, self._config.evse_id), iso2.MessageHeader(session_id=b""))
        self._count_refusal(request, code, str(error))
        if code in _ENDS_SESSION:
            self.end(f"{code}: {error}")
        elif self._refusals >= MAX_REFUSALS:
            self.end(f"{self._refusals} requests were refused, the last one with {code}")
        else:
            self._after_response(request, context)

    def _count_refusal(self, request: Request, code: ResponseCode, reason: str) -> None:
        self._refusals += 1
        self.emit(RequestRefused(request=request.__name__, response_code=code, reason=reason))
        log.warning("request_refused", request=request.__name__, response_code=str(code), reason=reason)

    def _send(self, response: iso2.BodyElement, header: iso2.MessageHeader) -> None:
        header = replace(header, session_id=self._session.session_id or bytes(secc_setup.SESSION_ID_SIZE))
        self.send(iso2.V2GMessage(header=header, body=iso2.Body(response)))

    def _after_response(self, request: Request, context: Context) -> None:
        if self._session.phase is Phase.ENDED:
            self.end("the vehicle stopped the session", ok=True)
            return
        if self._session.session_id:
            self.timers.stop(Timer.COMMUNICATION_SETUP)
            self.timers.start(Timer.SEQUENCE, context.now + self._config.timing.sequence_timeout)


def _sequence_error(reason: str) -> Refused:
    return Refused(ResponseCode.FAILED_SEQUENCE_ERROR, reason)
