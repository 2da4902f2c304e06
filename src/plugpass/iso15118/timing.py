"""Timers of ISO 15118 sessions, as data, and the small clockwork that keeps those that run.

Two kinds of figures are kept per message: how long the EVCC waits for the response (running out is an error), and
within which time the SECC has to answer (its performance). The rest belongs to a session. All figures are seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageTimes:
    """How long a message pair may take."""

    timeout: float  #: the EVCC waits this long for the response, then ends the session
    performance: float  #: the SECC answers within this time

    def scaled(self, factor: float) -> MessageTimes:
        """Both figures times `factor`."""
        return MessageTimes(timeout=self.timeout * factor, performance=self.performance * factor)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionTiming:
    """All timers of one generation of ISO 15118."""

    messages: Mapping[str, MessageTimes]  #: by request name, where they differ from `default`
    default: MessageTimes
    sequence_timeout: float  #: the SECC waits this long for the next request `[V2G2-443]`
    sequence_performance: float  #: the EVCC sends its next request within this time
    ongoing_timeout: float  #: how long one step may keep answering "Ongoing"
    secc_communication_setup: float  #: the SECC waits this long for the session to be set up
    evcc_communication_setup: float  #: the same at the EVCC
    cable_check_timeout: float  #: DC: all CableCheckReq together
    pre_charge_timeout: float  #: DC: all PreChargeReq together
    control_pilot_timeout: float  #: CP state change around PowerDelivery `[V2G2-847]` `[V2G2-848]`
    contactor_timeout: float  #: the contactors close or open within this time `[V2G2-862]` `[V2G2-865]`

    def of(self, request: str) -> MessageTimes:
        """The times of the message pair with this request, by the schema's element name."""
        return self.messages.get(request, self.default)

    def relaxed(self, factor: float) -> SessionTiming:
        """The same with all message times `factor` times as long: for tests against peers known to be slow."""
        return replace(
            self,
            messages=MappingProxyType({name: times.scaled(factor) for name, times in self.messages.items()}),
            default=self.default.scaled(factor),
        )


_LONG = MessageTimes(timeout=5.0, performance=4.5)

ISO2_TIMING = SessionTiming(
    messages=MappingProxyType(
        {
            "ServiceDetailReq": _LONG,
            "PaymentDetailsReq": _LONG,
            "PowerDeliveryReq": _LONG,
            "CertificateInstallationReq": _LONG,
            "CertificateUpdateReq": _LONG,
            "CurrentDemandReq": MessageTimes(timeout=0.25, performance=0.025),
        }
    ),
    default=MessageTimes(timeout=2.0, performance=1.5),
    sequence_timeout=60.0,
    sequence_performance=40.0,
    ongoing_timeout=60.0,
    secc_communication_setup=18.0,
    evcc_communication_setup=20.0,
    cable_check_timeout=40.0,
    pre_charge_timeout=7.0,
    control_pilot_timeout=0.25,
    contactor_timeout=3.0,
)
"""ISO 15118-2 (8.7.2, Tables 109 to 111); the field's implementations agree on every figure."""

SDP_RESPONSE_TIMEOUT = 0.25
"""The EVCC waits at least this long for each SDP answer `[V2G2-159]`."""

SDP_MAX_REQUESTS = 50
"""The EVCC sends at most this many SDP requests `[V2G2-161]`."""


class Timer(StrEnum):
    """The timers a session machine runs; the value is how logs and people call it."""

    COMMUNICATION_SETUP = "communication setup"
    MESSAGE = "message timeout"
    SEQUENCE = "sequence timeout"
    PERFORMANCE = "performance time"
    ONGOING = "ongoing timeout"
    PACE = "pace"


class Timers:
    """The timers that run, each with the moment it runs out."""

    def __init__(self) -> None:
        self._due: dict[Timer, float] = {}

    def start(self, timer: Timer, at: float) -> None:
        """Let `timer` run out at `at`; a running one is started anew."""
        self._due[timer] = at

    def stop(self, timer: Timer) -> None:
        """Stop it; one that does not run is fine."""
        self._due.pop(timer, None)

    def stop_all(self) -> None:
        """Stop all of them."""
        self._due.clear()

    def runs(self, timer: Timer) -> bool:
        """Whether it runs."""
        return timer in self._due

    def deadline(self) -> float | None:
        """When the next one runs out; None where none runs."""
        return min(self._due.values(), default=None)

    def expire(self, now: float) -> Timer | None:
        """Stop and return the timer that ran out first by `now`, or None."""
        timer = min(self._due, key=self._due.__getitem__, default=None)
        if timer is None or self._due[timer] > now:
            return None
        del self._due[timer]
        return timer
