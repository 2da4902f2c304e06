"""EXI decoded by the schema that SupportedAppProtocol negotiated, in the order of the messages of one session."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from plugpass.exi import ExiDecodeError, ExiEncodeError, decode, to_json
from plugpass.iso15118.capture import schemas
from plugpass.iso15118.messages.sap import ResponseCode


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Why a stream could not be decoded: the path of elements down to the fault, and where reading stopped."""

    reason: str
    path: str = ""
    bit_offset: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """What an EXI stream turned out to be: its `value` as `to_json` gives it, or the `fault`."""

    schema: str
    value: dict[str, Any] | None = None
    fault: Fault | None = None
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class Follower:
    """Decodes the messages of one session, in order.

    `forced` is the schema to take where neither the payload type nor a negotiation tells it.
    """

    forced: str | None = None
    _offered: dict[int, str] = field(default_factory=dict)
    _agreed: str | None = None

    def decode(self, exi: bytes, *, payload_type: int | None = None, fragment: bool = False) -> Decoded:
        """The message of one V2GTP payload, or of bare EXI where `payload_type` is None."""
        if payload_type is None:
            return self._bare(exi, fragment)
        if payload_type in schemas.OF_PAYLOAD_TYPE:
            return decode_as(schemas.OF_PAYLOAD_TYPE[payload_type], exi, fragment=fragment)
        if payload_type != schemas.SHARED_PAYLOAD_TYPE:
            fault = Fault(reason=f"V2GTP payload type 0x{payload_type:04x} is unknown")
            return Decoded(schema="", fault=fault)
        expected = self._agreed if self._agreed in schemas.SHARING else self.forced
        candidates = _distinct((expected, *schemas.SHARING))
        found = _first(candidates, exi, fragment=fragment, prefer=expected)
        return self._follow(found, expected, framed=True)

    def _bare(self, exi: bytes, fragment: bool) -> Decoded:
        """Nothing outside tells the schema: what decodes, in the order of likelihood."""
        if self.forced:
            return decode_as(self.forced, exi, fragment=fragment)
        likely = (self._agreed, "xmldsig") if fragment else (self._agreed, *schemas.SHARING)
        candidates = [name for name in _distinct((*likely, *schemas.available())) if name in schemas.available()]
        if not fragment:
            candidates.remove("xmldsig")  # no document of it is ever sent
        found = _first(candidates, exi, fragment=fragment, prefer=self._agreed)
        if found.fault is not None:
            return Decoded(schema="", fault=found.fault, notes=("no schema fits; the reason is of the likeliest",))
        if found.schema in schemas.SHARING and not fragment:
            return self._follow(found, self._agreed, framed=False)
        others = [
            name
            for name in candidates[candidates.index(found.schema) + 1 :]
            if decode_as(name, exi, fragment=fragment).fault is None
        ]
        note = (f"fits {', '.join(others)} as well: nothing but --schema can tell",) if others else ()
        return Decoded(schema=found.schema, value=found.value, notes=note)

    def _follow(self, found: Decoded, expected: str | None, *, framed: bool) -> Decoded:
        """Take note of a negotiation, and of messages that do not keep to it; V2GTP frames should have had one."""
        if found.fault is not None or found.value is None:
            return found
        notes = found.notes
        if found.schema == schemas.SAP:
            notes += self._negotiate(found.value)
        elif found.schema != expected:
            if expected is not None:
                notes += (f"{expected} is spoken here, and this message is of {found.schema}",)
            elif framed:
                notes += (
                    f"no SupportedAppProtocol came before; the message itself tells that it is of {found.schema}",
                )
            if self.forced is None:
                self._agreed = found.schema
        return Decoded(schema=found.schema, value=found.value, notes=notes)

    def _negotiate(self, value: dict[str, Any]) -> tuple[str, ...]:
        if request := value.get("supportedAppProtocolReq"):
            self._offered = {entry["SchemaID"]: entry["ProtocolNamespace"] for entry in request["AppProtocol"]}
            self._agreed = None
            return ()
        response = value["supportedAppProtocolRes"]
        chosen = response.get("SchemaID")
        if chosen is None and len(self._offered) == 1:  # it may be left out where a single protocol had been offered
            chosen = next(iter(self._offered))
        if response["ResponseCode"] == ResponseCode.FAILED_NO_NEGOTIATION or chosen is None or not self._offered:
            return ()
        namespace = self._offered.get(chosen)
        if namespace is None:
            return (f"SchemaID {chosen} was not offered",)
        self._agreed = schemas.schema_of(namespace)
        return (f"agreed on {namespace}" + ("" if self._agreed else ", which is not known here"),)


def decode_as(schema: str, exi: bytes, *, fragment: bool = False) -> Decoded:
    """The message in a stream, by one schema and no other."""
    if schema not in schemas.available():
        return Decoded(schema=schema, fault=Fault(reason=f"this installation has no schema {schema}"))
    try:
        value = to_json(schema, decode(schema, exi, fragment=fragment))
    except ExiDecodeError as error:
        fault = Fault(reason=error.reason, path="/".join(error.path), bit_offset=error.bit_offset)
        return Decoded(schema=schema, fault=fault)
    except ExiEncodeError as error:
        return Decoded(schema=schema, fault=Fault(reason=error.reason, path="/".join(error.path)))
    return Decoded(schema=schema, value=value)


def _first(candidates: Sequence[str], exi: bytes, *, fragment: bool, prefer: str | None) -> Decoded:
    """By the first schema that fits; if none does, the fault of `prefer`, else of the likeliest."""
    failed = []
    for name in candidates:
        found = decode_as(name, exi, fragment=fragment)
        if found.fault is None:
            return found
        failed.append(found)
    return max(failed, key=lambda each: (each.schema == prefer, *_likeness(each)))


def _likeness(failed: Decoded) -> tuple[bool, int]:
    """How much the stream looked like the schema: the envelope of -2 and DIN is telling, else how far reading came."""
    assert failed.fault is not None
    return failed.fault.path.startswith("V2G_Message"), failed.fault.bit_offset or 0


def _distinct(names: Sequence[str | None]) -> list[str]:
    return list(dict.fromkeys(name for name in names if name))
