"""What a decoder tells: messages, discovery datagrams, and remarks on everything else; and all of it as JSON.

The JSON of a record is one line of a trace. It holds the octets it was made from, so that a trace can be decoded again,
by a later version too (`plugpass.iso15118.capture.traces`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from plugpass.iso15118.capture.following import Fault

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Sender(StrEnum):
    """Whose octets they are."""

    EVCC = "EVCC"
    SECC = "SECC"


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """Where and when something was seen; nothing of it is known of a message that came as hex."""

    time_ns: int | None = None  #: nanoseconds since 1970 UTC
    source: str = ""
    destination: str = ""
    sender: Sender | None = None
    connection: int | None = None  #: counted from 1 in the order of appearance
    offset: int | None = None  #: octets of the stream, in the clear, before this
    origin: str = ""  #: what it was wrapped in, such as "OCPP Get15118EVCertificate exiRequest"


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateSummary:
    """The fields of a certificate that people compare; `fault` alone where it is unreadable."""

    field: str  #: the path of elements it was in
    subject: str = ""
    issuer: str = ""
    serial: str = ""  #: hex
    not_before: str = ""
    not_after: str = ""
    fault: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """An EXI message, decoded (`value`, as `to_json` gives it) or not (`fault`)."""

    where: Where
    exi: bytes
    payload_type: int | None = None
    fragment: bool = False
    schema: str = ""
    value: dict[str, Any] | None = None
    fault: Fault | None = None
    notes: tuple[str, ...] = ()
    certificates: tuple[CertificateSummary, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether it could be decoded."""
        return self.fault is None

    @property
    def name(self) -> str:
        """The message's name, as SessionSetupReq; "" if it could not be decoded."""
        return self._named[0]

    @property
    def body(self) -> dict[str, Any]:
        """The content of the message, without envelope and header."""
        return {name: content for name, content in self._named[1].items() if name != "Header"}

    @property
    def header(self) -> dict[str, Any]:
        """The message's header, {} where it has none."""
        if not self.value:
            return {}
        (content,) = self.value.values()
        header = content.get("Header") if isinstance(content, dict) else None
        return header if isinstance(header, dict) else {}

    @property
    def response_code(self) -> str:
        """Its ResponseCode, "" where it has none."""
        return str(self.body.get("ResponseCode", ""))

    @property
    def _named(self) -> tuple[str, dict[str, Any]]:
        if not self.value:
            return "", {}
        ((name, content),) = self.value.items()
        if name == "V2G_Message" and content.get("Body"):  # -2 and DIN: the body element names the message
            ((name, content),) = content["Body"].items()
        return name, content if isinstance(content, dict) else {"value": content}


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovery:
    """An SDP datagram: what it says, or why it is none."""

    where: Where
    datagram: bytes
    name: str = "SDP"
    text: str = ""
    fault: Fault | None = None

    @property
    def ok(self) -> bool:
        """Whether it could be read."""
        return self.fault is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """Anything else worth a line. `ok` is False where something of the traffic could not be read."""

    where: Where
    layer: str  #: "TCP", "TLS", "V2GTP" or "capture"
    text: str
    ok: bool = True
    certificates: tuple[CertificateSummary, ...] = ()


Record = Message | Discovery | Remark


# --- JSON -----------------------------------------------------------------------------------------------------------


def record_json(record: Record) -> dict[str, Any]:
    """One line of a trace, ready for a JSON writer. What is not known is left out."""
    line = {"kind": type(record).__name__.lower()} | _where_json(record.where)
    match record:
        case Message():
            line |= _message_json(record)
        case Discovery():
            line |= {"message": record.name, "text": record.text, "datagram": record.datagram.hex()}
            line |= _fault_json(record.fault)
        case Remark():
            line |= {"layer": record.layer, "text": record.text, "ok": record.ok}
    if not isinstance(record, Discovery) and record.certificates:
        line["certificates"] = [_present(certificate) for certificate in record.certificates]
    return line


def _where_json(where: Where) -> dict[str, Any]:
    line = _present(where)
    if where.time_ns is not None:
        line["time_ns"] = where.time_ns
        if text := time_text(where.time_ns):
            line = {"time": text} | line
    return line


def _message_json(message: Message) -> dict[str, Any]:
    line: dict[str, Any] = {
        "payload_type": None if message.payload_type is None else f"0x{message.payload_type:04x}",
        "schema": message.schema,
        "fragment": message.fragment or None,
        "message": message.name,
        "response_code": message.response_code,
        "exi": message.exi.hex(),
        "value": message.value,
        "notes": list(message.notes),
    }
    return {name: value for name, value in line.items() if value not in (None, "", [])} | _fault_json(message.fault)


def _fault_json(fault: Fault | None) -> dict[str, Any]:
    return {} if fault is None else {"error": _present(fault)}


def _present(value: Where | Fault | CertificateSummary) -> dict[str, Any]:
    pairs = ((name, getattr(value, name)) for name in value.__dataclass_fields__)
    return {name: content for name, content in pairs if content not in (None, "")}


def time_text(time_ns: int) -> str:
    """ISO 8601 in UTC with microseconds; "" for a time no calendar has."""
    try:
        moment = _EPOCH + timedelta(microseconds=time_ns // 1000)
    except OverflowError:
        return ""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
