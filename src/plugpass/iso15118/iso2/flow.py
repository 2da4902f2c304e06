"""The one table of ISO 15118-2: which request is legal in which phase, and which phase follows.

A phase is what the SECC waits for. The SECC refuses a request that the table does not list for its phase
(`[V2G2-538]`), the EVCC uses the same table to check its own requests, and the diagrams in the documentation are drawn
from it. Where a request has several successors the handler decides; `when` says by what, for people.

A request that fails leaves the phase as it is (`[V2G2-735]`): no edge is needed for that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from plugpass.iso15118.messages import iso2


class Phase(StrEnum):
    """What the SECC waits for."""

    SESSION_SETUP = "session setup"
    SERVICE_DISCOVERY = "service discovery"
    SERVICE_SELECTION = "service selection"
    CERTIFICATE = "contract certificate or payment details"
    PAYMENT_DETAILS = "payment details"
    AUTHORIZATION = "authorization"
    CHARGE_PARAMETERS = "charge parameters"
    AC_START = "start of AC power"
    AC_CHARGING = "AC charging"
    AC_RECEIPT = "receipt in AC charging"
    CABLE_CHECK = "cable check"
    PRE_CHARGE = "pre-charge"
    DC_CHARGING = "DC charging"
    DC_RECEIPT = "receipt in DC charging"
    WELDING_DETECTION = "welding detection"
    STOPPED = "end of session"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Edge:
    """The phase that follows a positive response, and in which case."""

    to: Phase
    when: str = ""


Request = type[iso2.BodyElement]
Edges = Mapping[Request, tuple[Edge, ...]]

_END = (Edge(Phase.ENDED),)


def _after(edges: dict[Request, tuple[Edge, ...]], *, may_stop: bool = True) -> Edges:
    """The edges of a phase; `may_stop` adds SessionStopReq, which is legal wherever no power flows."""
    return MappingProxyType({**edges, iso2.SessionStopReq: _END} if may_stop else edges)


_SELECTED = (
    Edge(Phase.CERTIFICATE, "Contract, with the certificate service"),
    Edge(Phase.PAYMENT_DETAILS, "Contract"),
    Edge(Phase.AUTHORIZATION, "ExternalPayment"),
)
_PARAMETERS = (
    Edge(Phase.AC_START, "Finished, AC"),
    Edge(Phase.CABLE_CHECK, "Finished, DC"),
    Edge(Phase.CHARGE_PARAMETERS, "Ongoing"),
)
_AC_POWER = (
    Edge(Phase.STOPPED, "Stop"),
    Edge(Phase.CHARGE_PARAMETERS, "Renegotiate"),
)
_DC_POWER = (
    Edge(Phase.WELDING_DETECTION, "Stop"),
    Edge(Phase.CHARGE_PARAMETERS, "Renegotiate"),
)
_IDENTIFIED: dict[Request, tuple[Edge, ...]] = {iso2.PaymentDetailsReq: (Edge(Phase.AUTHORIZATION),)}

FLOW: Mapping[Phase, Edges] = MappingProxyType(
    {
        Phase.SESSION_SETUP: _after({iso2.SessionSetupReq: (Edge(Phase.SERVICE_DISCOVERY),)}, may_stop=False),
        Phase.SERVICE_DISCOVERY: _after({iso2.ServiceDiscoveryReq: (Edge(Phase.SERVICE_SELECTION),)}),
        Phase.SERVICE_SELECTION: _after(
            {
                iso2.ServiceDetailReq: (Edge(Phase.SERVICE_SELECTION),),
                iso2.PaymentServiceSelectionReq: _SELECTED,
            }
        ),
        Phase.CERTIFICATE: _after(
            {
                iso2.CertificateInstallationReq: (Edge(Phase.PAYMENT_DETAILS),),
                iso2.CertificateUpdateReq: (Edge(Phase.PAYMENT_DETAILS),),
                **_IDENTIFIED,
            }
        ),
        Phase.PAYMENT_DETAILS: _after(_IDENTIFIED),
        Phase.AUTHORIZATION: _after(
            {
                iso2.AuthorizationReq: (
                    Edge(Phase.CHARGE_PARAMETERS, "Finished"),
                    Edge(Phase.AUTHORIZATION, "Ongoing"),
                )
            }
        ),
        Phase.CHARGE_PARAMETERS: _after({iso2.ChargeParameterDiscoveryReq: _PARAMETERS}),
        Phase.AC_START: _after(
            {
                iso2.PowerDeliveryReq: (Edge(Phase.AC_CHARGING, "Start"), Edge(Phase.STOPPED, "Stop")),
                iso2.ChargeParameterDiscoveryReq: _PARAMETERS,
            }
        ),
        Phase.AC_CHARGING: _after(
            {
                iso2.ChargingStatusReq: (Edge(Phase.AC_CHARGING), Edge(Phase.AC_RECEIPT, "ReceiptRequired")),
                iso2.PowerDeliveryReq: _AC_POWER,
            },
            may_stop=False,
        ),
        Phase.AC_RECEIPT: _after(
            {
                iso2.MeteringReceiptReq: (Edge(Phase.AC_CHARGING),),
                iso2.PowerDeliveryReq: _AC_POWER,
            },
            may_stop=False,
        ),
        Phase.CABLE_CHECK: _after(
            {iso2.CableCheckReq: (Edge(Phase.PRE_CHARGE, "Finished"), Edge(Phase.CABLE_CHECK, "Ongoing"))}
        ),
        Phase.PRE_CHARGE: _after(
            {
                iso2.PreChargeReq: (Edge(Phase.PRE_CHARGE),),
                iso2.PowerDeliveryReq: (Edge(Phase.DC_CHARGING, "Start"), Edge(Phase.WELDING_DETECTION, "Stop")),
            }
        ),
        Phase.DC_CHARGING: _after(
            {
                iso2.CurrentDemandReq: (Edge(Phase.DC_CHARGING), Edge(Phase.DC_RECEIPT, "ReceiptRequired")),
                iso2.PowerDeliveryReq: _DC_POWER,
            },
            may_stop=False,
        ),
        Phase.DC_RECEIPT: _after(
            {
                iso2.MeteringReceiptReq: (Edge(Phase.DC_CHARGING),),
                iso2.PowerDeliveryReq: _DC_POWER,
            },
            may_stop=False,
        ),
        Phase.WELDING_DETECTION: _after({iso2.WeldingDetectionReq: (Edge(Phase.WELDING_DETECTION),)}),
        Phase.STOPPED: _after({}),
        Phase.ENDED: _after({}, may_stop=False),
    }
)


def _response_of(request: Request) -> Request:
    response = getattr(iso2, request.__name__.removesuffix("Req") + "Res")
    if not (isinstance(response, type) and issubclass(response, iso2.BodyElement)):
        raise TypeError(f"{request.__name__} has no response type")
    return response


RESPONSE_OF: Mapping[Request, Request] = MappingProxyType(
    {
        request: _response_of(request)
        for request in sorted({request for edges in FLOW.values() for request in edges}, key=lambda cls: cls.__name__)
    }
)
"""The response type of each request."""


def legal(phase: Phase, request: Request) -> bool:
    """Whether the request may be sent in this phase."""
    return request in FLOW[phase]


def follows(phase: Phase, request: Request, to: Phase) -> bool:
    """Whether `to` may follow a positive response to `request` in `phase`."""
    return any(edge.to is to for edge in FLOW[phase].get(request, ()))
