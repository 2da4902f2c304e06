"""Records for people: a ladder between vehicle and station, with the fields that matter."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.text import Text

from plugpass.iso15118.capture.records import (
    CertificateSummary,
    Discovery,
    Message,
    Record,
    Remark,
    Sender,
    Where,
    time_text,
)

MATTERS = frozenset(
    {
        "AuthorizationServices",
        "CertificateInstallationService",
        "ChargeProgress",
        "ChargedEnergyReadingWh",
        "ChargingComplete",
        "ChargingSession",
        "ContractCertificateStatus",
        "CurrentSOC",
        "DepartureTime",
        "EAmount",
        "EMAID",
        "EVCCID",
        "EVErrorCode",
        "EVMaxCurrent",
        "EVMaxVoltage",
        "EVMaximumChargeCurrent",
        "EVMaximumChargePower",
        "EVMaximumCurrentLimit",
        "EVMaximumVoltageLimit",
        "EVPresentActivePower",
        "EVPresentVoltage",
        "EVProcessing",
        "EVRESSSOC",
        "EVSEID",
        "EVSEIsolationStatus",
        "EVSEMaxCurrent",
        "EVSEMaximumChargeCurrent",
        "EVSEMaximumChargePower",
        "EVSEMaximumCurrentLimit",
        "EVSENominalVoltage",
        "EVSENotification",
        "EVSEPresentActivePower",
        "EVSEPresentCurrent",
        "EVSEPresentVoltage",
        "EVSEProcessing",
        "EVSEStatusCode",
        "EVSETargetActivePower",
        "EVTargetCurrent",
        "EVTargetEnergyRequest",
        "EVTargetVoltage",
        "EnergyTransferMode",
        "EnergyTransferType",
        "FaultCode",
        "GenChallenge",
        "MeterID",
        "MeterReading",
        "PMax",
        "ParameterSetID",
        "PaymentOption",
        "PresentSOC",
        "Processing",
        "ProtocolNamespace",
        "RCD",
        "ReceiptRequired",
        "RemainingContractCertificateChains",
        "RequestedEnergyTransferMode",
        "RequestedEnergyTransferType",
        "RetryCounter",
        "SAScheduleTupleID",
        "ScheduleTupleID",
        "SchemaID",
        "SelectedAuthorizationService",
        "SelectedPaymentOption",
        "ServiceID",
        "ServiceName",
        "TargetSOC",
        "eMAID",
    }
)
"""Elements that a reader of a session looks for, of every schema."""

MAX_FACTS = 10
FEW = 4  #: facts of a message with nothing that matters
SHORT = 40  #: characters of a value
LONG = 120  #: characters of a value with --full

_ARROWS = {Sender.EVCC: ("──▶", "-->"), Sender.SECC: ("◀──", "<--"), None: (" · ", " . ")}
_COLOURS = {Sender.EVCC: "bright_green", Sender.SECC: "bright_yellow", None: "white"}
_INDENT = 24


class Ladder:
    """Prints records as they come."""

    def __init__(self, console: Console, *, full: bool = False) -> None:
        self._console = console
        self._full = full
        self._plain = 0 if console.encoding.lower().startswith("utf") else 1
        self._heading = ""
        self._sessions: dict[int | None, str] = {}

    def show(self, record: Record) -> None:
        """Print one record, and a heading where another connection or day begins."""
        self._head(record.where)
        match record:
            case Message():
                self._message(record)
            case Discovery():
                text = Text(record.text) if record.ok else _fault(record.fault.reason if record.fault else "")
                self._line(record.where, record.name, text)
            case Remark():
                self._line(record.where, record.layer, Text(clean(record.text), "" if record.ok else "red"))
                self._certificates(record.certificates)

    def _print(self, *parts: Text) -> None:
        text = Text.assemble(*parts)
        if self._console.is_terminal:
            self._console.print(text, soft_wrap=True)
        else:
            print(text.plain.rstrip(), file=self._console.file)

    def _head(self, where: Where) -> None:
        day = time_text(where.time_ns)[:10] if where.time_ns is not None else ""
        if where.connection is not None:
            ends = (where.source, where.destination)
            client, server = ends if where.sender is not Sender.SECC else ends[::-1]
            heading = f"connection {where.connection}  {client} {self._arrow(Sender.EVCC)} {server}"
        else:
            heading = "SECC discovery" if day else ""
        heading = f"{heading}  {day}".strip()
        if heading and heading != self._heading:
            self._print(Text(f"\n{heading}", "bold"))
        self._heading = heading

    def _line(self, where: Where, name: str, *rest: Text) -> None:
        time = time_text(where.time_ns)[11:26] if where.time_ns is not None else ""
        arrow = Text(self._arrow(where.sender), _COLOURS[where.sender])
        who = Text(f"{where.sender or '?':<4} ", _COLOURS[where.sender])
        parts = [Text(f"{time:<15} ", "dim"), who, arrow, Text(f" {clean(name):<28} ", "bold")]
        self._print(*parts, *rest)

    def _arrow(self, sender: Sender | None) -> str:
        return _ARROWS[sender][self._plain]

    def _message(self, message: Message) -> None:
        where = message.where
        if message.fault is not None:
            at = "" if where.offset is None else f" at octet {where.offset:,}"
            origin = f" of {where.origin}" if where.origin else ""
            self._line(where, "undecodable", _fault(f"{len(message.exi):,} octets{origin}{at}: {_described(message)}"))
            self._print(Text(f"{'':{_INDENT}} {message.exi[:32].hex()}{'...' if len(message.exi) > 32 else ''}", "dim"))
            self._notes(message)
            return
        code = message.response_code
        rest = [Text(f"{code}  ", response_style(code))] if code else []
        rest += [Text(f"[{where.origin}]  ", "dim")] if where.origin else []
        shown = [] if self._full else list(facts(message))[:MAX_FACTS]
        rest += [part for name, value in (*self._session(message), *shown) for part in _fact(name, value)]
        self._line(where, message.name, *rest)
        if self._full:
            for line in tree(message.value, 0):
                self._print(Text(f"{'':{_INDENT}} {line}"))
        self._certificates(message.certificates)
        self._notes(message)

    def _session(self, message: Message) -> Iterator[tuple[str, str]]:
        """The session's id when it is new, and whether the message is signed."""
        session = str(message.header.get("SessionID", ""))
        if session and self._sessions.get(message.where.connection) != session:
            self._sessions[message.where.connection] = session
            yield "SessionID", session
        if "Signature" in message.header:
            yield "signed", ""

    def _notes(self, message: Message) -> None:
        for note in message.notes:
            self._print(Text(f"{'':{_INDENT}} ! {clean(note)}", "yellow"))

    def _certificates(self, certificates: tuple[CertificateSummary, ...]) -> None:
        for certificate in certificates:
            self._print(Text(f"{'':{_INDENT}} "), certificate_line(certificate))


def response_style(code: str) -> str:
    """The colour of a response code: green for OK, yellow for a warning, red for a refusal."""
    styles = {"ok": "green", "warning": "yellow", "failed": "bold red"}
    return styles.get(code.casefold().partition("_")[0], "")


def certificate_line(certificate: CertificateSummary) -> Text:
    """One line on a certificate."""
    field = certificate.field.rpartition("/")[0].rpartition("/")[2] or certificate.field
    if certificate.fault:
        return Text.assemble((f"{clean(field)}: ", "cyan"), _fault(f"unreadable certificate: {certificate.fault}"))
    days = f"{certificate.not_before[:10]} to {certificate.not_after[:10]}"
    return Text.assemble(
        (f"{clean(field)}: ", "cyan"),
        clean(f"{certificate.subject}; by {certificate.issuer}; {days}; serial {certificate.serial}"),
    )


def facts(message: Message) -> Iterator[tuple[str, str]]:
    """The fields of a message that matter, by name; of one that has none of them, the first few."""
    every = [(name, value) for name, value in leaves(message.body) if name != "ResponseCode"]
    chosen = [(name, value) for name, value in every if name in MATTERS]
    yield from chosen or every[:FEW]


def leaves(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """The simple values in a message, quantities taken together; without certificates and keys."""
    quantity = _quantity(value)
    if quantity:
        yield name, quantity
    elif isinstance(value, dict):
        for member, content in value.items():
            yield from leaves(content, name if member == "value" else member)
    elif isinstance(value, list):
        for item in value:
            yield from leaves(item, name)
    elif not (isinstance(value, str) and len(value) > 2 * SHORT):
        yield name, _shown(value, SHORT)


def tree(value: Any, depth: int) -> Iterator[str]:
    """All fields of a message, one a line."""
    space = "  " * depth
    for name, content in value.items() if isinstance(value, dict) else ():
        for item in content if isinstance(content, list) else [content]:
            simple = _quantity(item) or (None if isinstance(item, dict) else _shown(item, LONG))
            yield f"{space}{clean(name)}" + ("" if simple is None else f": {simple}")
            if simple is None:
                yield from tree(item, depth + 1)


def _quantity(value: Any) -> str:
    """A PhysicalValue (-2, DIN) or RationalNumber (-20) as a number with its unit; "" if it is none."""
    if not isinstance(value, dict) or "Value" not in value:
        return ""
    exponent = value.get("Multiplier", value.get("Exponent"))
    if exponent is None or not value.keys() <= {"Multiplier", "Exponent", "Unit", "Value"}:
        return ""
    number = value["Value"] * 10**exponent if exponent >= 0 else round(value["Value"] / 10**-exponent, -exponent)
    return f"{number} {value.get('Unit', '')}".rstrip()


def _shown(value: object, limit: int) -> str:
    text = {True: "true", False: "false"}[value] if isinstance(value, bool) else clean(str(value))
    return text if len(text) <= limit else f"{text[: limit // 2]}... ({len(text)} characters)"


def _fact(name: str, value: str) -> tuple[Text, Text]:
    return Text(f"{clean(name)} ", "dim"), Text(f"{value}  ")


def _described(message: Message) -> str:
    fault = message.fault
    assert fault is not None
    schema = f"{message.schema}: " if message.schema else ""
    path = f"{fault.path}: " if fault.path else ""
    bit = "" if fault.bit_offset is None else f" (bit {fault.bit_offset})"
    return f"{schema}{path}{fault.reason}{bit}"


def _fault(text: str) -> Text:
    return Text(clean(text), "red")


def clean(text: str) -> str:
    """Text from the wire without what a terminal would obey."""
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
