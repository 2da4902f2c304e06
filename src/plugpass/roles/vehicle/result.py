"""What came of one plug-in."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

from plugpass.ids import EMAID


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeRecord:
    """One request of the vehicle and the station's answer."""

    request: str  #: such as "PaymentDetailsReq"
    response_code: str
    ms: float  #: from sending the request to the decoded response
    size: int  #: octets of EXI, both messages


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargingResult:
    """One plug-in from SDP to the closed connection.

    `ok` says that the vehicle charged and stopped in good order; everything else says what happened on the way. A
    refusal is a result and no exception, whoever refused.
    """

    ok: bool
    reason: str  #: one line for people; "" where nothing is worth saying
    emaid: EMAID | None = None  #: the contract presented
    installed: EMAID | None = None  #: the contract that was installed in this session
    installation_refusal: str = ""  #: response code, where a requested installation came to nothing
    refused: str = ""  #: response code with which the station refused the contract
    tls_alert: str = ""  #: TLS alert name, where the handshake was refused by either side
    protocol: str = ""  #: agreed on in SAP, such as "ISO 15118-2"
    session_id: bytes = b""
    evse_id: str = ""
    server_serial: int | None = None  #: of the SECC leaf that the station presented
    exchanges: tuple[ExchangeRecord, ...] = ()
    receipts: int = 0  #: readings the vehicle has signed for
    energy_wh: int = 0
    """Last minus first register value the station has shown in this session, in watt-hours.

    ISO 15118-2 shows the register in ChargingStatusRes only: what flowed before the first of them, or after the last,
    is not in it, and with fewer than two readings it is 0. What is billed is the station's transaction.
    """
    expires_soon: bool = False  #: the station said OK_CertificateExpiresSoon
    ms_to_charging: float | None = None  #: from the TCP connection to PowerDelivery(Start)
    ms: float = 0.0  #: from plugging in to the closed connection

    def as_dict(self) -> dict[str, Any]:
        """For JSON: identifiers as text, the session id in hexadecimal, the serial number as openssl prints it."""
        return {
            **{item.name: getattr(self, item.name) for item in fields(self)},
            "emaid": str(self.emaid) if self.emaid else None,
            "installed": str(self.installed) if self.installed else None,
            "session_id": self.session_id.hex(),
            "server_serial": f"{self.server_serial:x}" if self.server_serial is not None else None,
            "exchanges": [asdict(exchange) for exchange in self.exchanges],
        }

    def response_code(self, request: str) -> str:
        """The answer to the last request of that name, or ""."""
        return next((item.response_code for item in reversed(self.exchanges) if item.request == request), "")
