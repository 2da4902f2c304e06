"""What happened on the wires, as structured data: the lab's live view, its report, and the console read it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class WireEvent:
    """One exchange that an actor completed: a request and its answer, or a handshake.

    `size` counts octets on the wire of the request plus the answer as far as the actor sees them, `ms` is the time
    from sending to the complete answer, `ok` is whether the answer was positive.
    """

    actor: str  #: who reports it: "vehicle", "station", "csms", "emsp", "cps", "oem", "v2g-ca", "pools"
    peer: str  #: the other side, by the same names
    protocol: str  #: "EST", "OPCP", "OCPP", "OCSP", "OCPI", "SDP", "TLS", "SAP", "ISO 15118-2"
    message: str  #: the protocol's own name, such as "CertificateInstallationReq" or "PUT /v1/oem/provCerts"
    size: int = 0
    ms: float = 0.0
    ok: bool = True
    detail: str = ""  #: the one fact worth reading: a response code, a serial number, an EMAID


class Trace(Protocol):
    """Where a party reports its wire events. Reporting never fails and never blocks."""

    def record(self, event: WireEvent) -> None:
        """Take note of `event`."""
        ...


class NullTrace:
    """Discards everything; the default of every role."""

    def record(self, event: WireEvent) -> None:
        """Do nothing."""
