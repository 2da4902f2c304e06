"""Two machines in memory with a fake clock, and a hand-driven station: what the session tests share."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any, TypeVar

from pki_factory import NOW, ROLE, Minted, shared_pki
from plugpass.exi import decode, encode
from plugpass.ids import EMAID
from plugpass.iso15118.contract import build_installation_response, certificate_chain, seal_iso2
from plugpass.iso15118.iso2 import Evcc, Secc
from plugpass.iso15118.iso2.config import (
    ContractCredential,
    EvccConfig,
    MeterReading,
    SeccConfig,
)
from plugpass.iso15118.iso2.events import AuthorizationRequested, ContractInstallationRequested
from plugpass.iso15118.iso2.flow import Phase
from plugpass.iso15118.machine import Event, Machine, MessageSent, SessionEnded
from plugpass.iso15118.messages import iso2
from plugpass.iso15118.messages.iso2 import ChargeProgress, EnergyTransferMode, PaymentOption, ResponseCode, UnitSymbol
from plugpass.iso15118.sap import ISO2, offer
from plugpass.iso15118.signature import sign_body
from plugpass.iso15118.v2gtp import EXI_ISO2, FrameDecoder, frame
from plugpass.ports.keys import Credential

E = TypeVar("E", bound=Event)
EVSE_ID = "DE*PLU*E45B*78C"
EVCC_ID = bytes.fromhex("0a1b2c3d4e5f")
CONTRACT_ID = "DEPLUC12345678Q"


class Meter:
    """A meter that gains 100 Wh each time it is read."""

    def __init__(self) -> None:
        self.energy_wh = 1000

    def __call__(self) -> MeterReading:
        self.energy_wh += 100
        return MeterReading(meter_id="METER-1", energy_wh=self.energy_wh)


@cache
def oem() -> Credential:
    """The vehicle's provisioning credential."""
    minted = shared_pki().leaf(ROLE.OEM_PROVISIONING)
    return Credential(chain=minted.chain, signer=minted.signer)


@cache
def cps() -> Minted:
    """The provisioning service."""
    return shared_pki().leaf(ROLE.CPS_LEAF)


def emaid() -> EMAID:
    """The contract's identifier."""
    return EMAID.parse(CONTRACT_ID[:14]).with_check_digit()


def mint_contract(*, now: datetime = NOW, validity: timedelta | None = None) -> Minted:
    """A contract certificate with its key."""
    return shared_pki().leaf(ROLE.CONTRACT, str(emaid()), now=now, validity=validity)


@cache
def contract() -> ContractCredential:
    """The contract that most tests use."""
    minted = mint_contract()
    return ContractCredential(emaid=emaid(), chain=minted.chain, signer=minted.signer)


@cache
def installation_response(receiver: Credential | None = None) -> bytes:
    """What a backend answers: the signed contract, sealed for the vehicle, waiting in no session."""
    minted = mint_contract()
    key = (receiver or oem()).signer.public_key
    message = build_installation_response(
        emaid=emaid(),
        contract_chain=minted.chain,
        sealed=seal_iso2(minted.signer, key, random=os.urandom),
        cps_chain=cps().chain,
        cps_signer=cps().signer,
    )
    return encode("iso2", message)


def secc_config(**changes: Any) -> SeccConfig:
    """A station that validates contracts itself."""
    settings: dict[str, Any] = {
        "evse_id": EVSE_ID,
        "wall_clock": lambda: NOW,
        "meter": Meter(),
        "tls": True,
        "anchors": shared_pki().anchors,
    }
    return SeccConfig(**{**settings, **changes})


def evcc_config(**changes: Any) -> EvccConfig:
    """A vehicle with a contract."""
    settings: dict[str, Any] = {
        "evcc_id": EVCC_ID,
        "wall_clock": lambda: NOW,
        "anchors": shared_pki().anchors,
        "tls": True,
        "oem": oem(),
        "contract": contract(),
    }
    return EvccConfig(**{**settings, **changes})


def drain(machine: Machine) -> list[Event]:
    """All events not yet taken."""
    events = []
    while (event := machine.next_event()) is not None:
        events.append(event)
    return events


Rewrite = Callable[[iso2.V2GMessage], iso2.V2GMessage]


@dataclass
class Pair:
    """A station and a vehicle on a wire that a test may listen to, rewrite or cut in pieces."""

    secc_config: SeccConfig = field(default_factory=secc_config)
    evcc_config: EvccConfig = field(default_factory=evcc_config)
    verdict: ResponseCode | None = ResponseCode.OK  #: of the backend; None: it never answers
    installation: Callable[[], bytes | None] | None = installation_response  #: None: it never answers
    rewrite_request: Rewrite | None = None
    rewrite_response: Rewrite | None = None
    split: int | None = None  #: octets handed over at a time

    def __post_init__(self) -> None:
        self.now = 100.0
        self.secc = Secc(self.secc_config, random=os.urandom, now=self.now)
        self.evcc = Evcc(self.evcc_config, random=os.urandom, now=self.now)
        self.station: list[Event] = []
        self.vehicle: list[Event] = []

    def run(self, until: float = 1000.0) -> Pair:
        """Go on until both sides have ended or the clock has reached `until`."""
        self._pump()
        while not (self.secc.ended and self.evcc.ended):
            deadlines = [at for at in (self.secc.deadline(), self.evcc.deadline()) if at is not None]
            if not deadlines or min(deadlines) > until:
                break
            self.now = max(self.now, min(deadlines))
            self.secc.handle_timeout(self.now)
            self.evcc.handle_timeout(self.now)
            self._pump()
        return self

    def _pump(self) -> None:
        while self._transfer(self.evcc, self.secc, self.rewrite_request) | self._transfer(
            self.secc, self.evcc, self.rewrite_response
        ):
            pass

    def _transfer(self, sender: Evcc | Secc, receiver: Evcc | Secc, rewrite: Rewrite | None) -> bool:
        data = sender.data_to_send()
        self._collect()
        for chunk in self._chunks(_rewritten(data, rewrite)):
            receiver.receive(chunk, self.now)
        if sender.ended and not data and not receiver.ended:
            receiver.receive(b"", self.now)
        self._collect()
        return bool(data)

    def _chunks(self, data: bytes) -> list[bytes]:
        size = self.split or max(len(data), 1)
        return [data[at : at + size] for at in range(0, len(data), size)]

    def _collect(self) -> None:
        self.vehicle += drain(self.evcc)
        for event in drain(self.secc):
            self.station.append(event)
            self._host(event)

    def _host(self, event: Event) -> None:
        if isinstance(event, AuthorizationRequested) and self.verdict is not None:
            self.secc.provide_authorization(self.verdict, self.now, request_id=event.request_id)
        if isinstance(event, ContractInstallationRequested) and self.installation is not None:
            self.secc.provide_installation(self.installation(), self.now, request_id=event.request_id)

    def requests(self) -> list[str]:
        """The requests the vehicle sent."""
        return [event.name for event in self.vehicle if isinstance(event, MessageSent)]

    def codes(self) -> dict[str, str | None]:
        """The last response code of each response the station sent."""
        return {event.name: event.response_code for event in self.station if isinstance(event, MessageSent)}


def _rewritten(data: bytes, rewrite: Rewrite | None) -> bytes:
    if rewrite is None:
        return data
    frames = FrameDecoder().receive(data)
    return b"".join(frame(kind, _rewritten_exi(exi, rewrite)) for kind, exi in frames)


def _rewritten_exi(exi: bytes, rewrite: Rewrite) -> bytes:
    # Messages of SupportedAppProtocol share the payload type; they begin the session and are left alone.
    if exi[:2] != b"\x80\x98":
        return exi
    message = decode("iso2", exi)
    return encode("iso2", rewrite(message))


def of_type(events: list[Event], kind: type[E]) -> list[E]:
    """The events of one kind."""
    return [event for event in events if isinstance(event, kind)]


def only(events: list[Event], kind: type[E]) -> E:
    """The one event of a kind."""
    (event,) = of_type(events, kind)
    return event


def ended(events: list[Event]) -> SessionEnded:
    """The last event, which has to be the end."""
    assert isinstance(events[-1], SessionEnded)
    return only(events, SessionEnded)


# --- a station driven by hand ---------------------------------------------------------------------------------------


def physical(value: int, unit: UnitSymbol) -> iso2.PhysicalValue:
    """A physical value without multiplier."""
    return iso2.PhysicalValue(multiplier=0, unit=unit, value=value)


AC_PARAMETER = iso2.AC_EVChargeParameter(
    e_amount=physical(20_000, UnitSymbol.WH),
    ev_max_voltage=physical(400, UnitSymbol.V),
    ev_max_current=physical(32, UnitSymbol.A),
    ev_min_current=physical(6, UnitSymbol.A),
)
CHARGE_PARAMETERS = iso2.ChargeParameterDiscoveryReq(
    requested_energy_transfer_mode=EnergyTransferMode.AC_THREE_PHASE_CORE, ev_charge_parameter=AC_PARAMETER
)


def power_delivery(progress: ChargeProgress) -> iso2.PowerDeliveryReq:
    """A PowerDeliveryReq under the schedule on offer."""
    return iso2.PowerDeliveryReq(charge_progress=progress, sa_schedule_tuple_id=1)


def selection(
    option: PaymentOption = PaymentOption.CONTRACT, *services: int, parameter_set: int | None = None
) -> iso2.PaymentServiceSelectionReq:
    """A PaymentServiceSelectionReq; without services it takes the charging service."""
    return iso2.PaymentServiceSelectionReq(
        selected_payment_option=option,
        selected_service_list=iso2.SelectedServiceList(
            selected_service=tuple(
                iso2.SelectedService(service_id=service, parameter_set_id=parameter_set if service == 2 else None)
                for service in services or (1,)
            )
        ),
    )


def payment_details(chain: tuple[bytes, ...] | None = None, text: str | None = None) -> iso2.PaymentDetailsReq:
    """A PaymentDetailsReq; the good contract by default."""
    return iso2.PaymentDetailsReq(
        emaid=text or str(emaid()),
        contract_signature_cert_chain=certificate_chain(chain if chain is not None else contract().chain),
    )


class Station:
    """A Secc and the vehicle that a test plays by hand, request by request."""

    def __init__(self, *, verdict: ResponseCode | None = ResponseCode.OK, **changes: Any) -> None:
        self.now = 100.0
        self.secc = Secc(secc_config(**changes), random=os.urandom, now=self.now)
        self.verdict = verdict
        self.session_id = b"\x00"
        self.challenge: bytes | None = None
        self.events: list[Event] = []
        self._decoder = FrameDecoder()

    def send(self, exi: bytes) -> None:
        """Hand over the EXI of one message."""
        self.secc.receive(frame(EXI_ISO2, exi), self.now)
        self.collect()

    def collect(self) -> None:
        """Take events, and answer the ones a backend answers."""
        for event in drain(self.secc):
            self.events.append(event)
            if isinstance(event, AuthorizationRequested) and self.verdict is not None:
                self.secc.provide_authorization(self.verdict, self.now, request_id=event.request_id)
                self.collect()

    def response(self) -> iso2.V2GMessage | None:
        """The message the station has sent, if any."""
        self.collect()
        frames = self._decoder.receive(self.secc.data_to_send())
        if not frames:
            return None
        (frame_,) = frames
        message = decode("iso2", frame_[1])
        assert isinstance(message, iso2.V2GMessage)
        return message

    def message(self, body: iso2.BodyElement, signer: Any = None, session_id: bytes | None = None) -> iso2.V2GMessage:
        """The message that carries `body` in this session."""
        signature = sign_body(body, signer) if signer is not None else None  # type: ignore[arg-type]  # a test's choice
        header = iso2.MessageHeader(
            session_id=self.session_id if session_id is None else session_id, signature=signature
        )
        return iso2.V2GMessage(header=header, body=iso2.Body(body))

    def ask(self, body: iso2.BodyElement, signer: Any = None, session_id: bytes | None = None) -> Any:
        """Send a request and return the response's body, or None while the station holds it back."""
        return self.ask_message(self.message(body, signer, session_id))

    def ask_message(self, message: iso2.V2GMessage) -> Any:
        """Send a message as it is."""
        self.send(encode("iso2", message))
        answer = self.response()
        if answer is None:
            return None
        self.session_id = answer.header.session_id
        body = answer.body.element
        if isinstance(body, iso2.PaymentDetailsRes):
            self.challenge = body.gen_challenge
        return body

    def handshake(self) -> None:
        """SupportedAppProtocol."""
        self.send(encode("sap", offer((ISO2,))))
        ((_, answer),) = self._decoder.receive(self.secc.data_to_send())
        assert decode("sap", answer).response_code.startswith("OK")

    def tick(self, seconds: float) -> None:
        """Move the clock, firing timers one by one on the way."""
        target = self.now + seconds
        while (at := self.secc.deadline()) is not None and at <= target:
            self.now = at
            self.secc.handle_timeout(at)
            self.collect()
        self.now = target

    def authorization_req(self) -> iso2.AuthorizationReq:
        """The request that answers the challenge."""
        return iso2.AuthorizationReq(id="id1", gen_challenge=self.challenge)

    def step(self, body: iso2.BodyElement, signer: Any = None) -> None:
        """A step that has to succeed."""
        answer = self.ask(body, signer)
        assert answer is not None
        assert answer.response_code.startswith("OK"), answer

    def reach(self, phase: Phase) -> Station:
        """Go the straight way to a phase of AC charging with a contract."""
        self.handshake()
        for step_phase, step in self._way(phase):
            if step_phase is phase:
                break
            step()
        assert self.secc.phase is phase
        return self

    def _way(self, goal: Phase) -> list[tuple[Phase, Callable[[], None]]]:
        services = (1, 2) if goal is Phase.CERTIFICATE else (1,)
        signer = contract().signer
        return [
            (Phase.SESSION_SETUP, lambda: self.step(iso2.SessionSetupReq(evcc_id=EVCC_ID))),
            (Phase.SERVICE_DISCOVERY, lambda: self.step(iso2.ServiceDiscoveryReq())),
            (Phase.SERVICE_SELECTION, lambda: self.step(selection(PaymentOption.CONTRACT, *services))),
            (
                Phase.CERTIFICATE if goal is Phase.CERTIFICATE else Phase.PAYMENT_DETAILS,
                lambda: self.step(payment_details()),
            ),
            (Phase.AUTHORIZATION, lambda: self.step(self.authorization_req(), signer)),
            (Phase.CHARGE_PARAMETERS, lambda: self.step(CHARGE_PARAMETERS)),
            (Phase.AC_START, lambda: self.step(power_delivery(ChargeProgress.START))),
            (Phase.AC_RECEIPT if goal is Phase.AC_RECEIPT else Phase.AC_CHARGING, self._charge),
            (Phase.AC_CHARGING, lambda: self.step(power_delivery(ChargeProgress.STOP))),
            (Phase.STOPPED, lambda: self.step(iso2.SessionStopReq(charging_session=iso2.ChargingSession.TERMINATE))),
            (Phase.ENDED, lambda: None),
        ]

    def _charge(self) -> None:
        self.step(iso2.ChargingStatusReq())


def with_body(message: iso2.V2GMessage, **changes: Any) -> iso2.V2GMessage:
    """The message with fields of its body changed, signature untouched."""
    return replace(message, body=iso2.Body(replace(message.body.element, **changes)))
