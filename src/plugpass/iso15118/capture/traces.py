"""JSON that holds EXI: the lines of our own traces, and OCPP frames or any other document with EXI strings in it."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple

from plugpass.errors import PeerError
from plugpass.iso15118.capture.discovery import read_discovery
from plugpass.iso15118.capture.records import CertificateSummary, Discovery, Remark, Sender, Where
from plugpass.iso15118.capture.schemas import schema_of

STREAMS = ("exiRequest", "exiResponse", "certificateInstallationRes", "exi")
"""The members that hold EXI: of OCPP's Get15118EVCertificate, of OPCP, and of whoever calls it by its name."""

MAX_CALLS = 1024  #: OCPP calls whose results may still come
MAX_DEPTH = 32

_KINDS = ("message", "discovery", "remark")
_CALL, _RESULT = 2, 3
_NAMESPACE = "iso15118SchemaVersion"


class BadTrace(PeerError):
    """A line has the kind of a trace's record, but not its members."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Traced:
    """A message of a trace, to be decoded again; `failed` says that it could not be decoded last time."""

    where: Where
    exi: bytes
    payload_type: int | None
    fragment: bool
    schema: str
    notes: tuple[str, ...]
    failed: bool


def is_trace(document: object) -> bool:
    """Whether it is a line of a trace."""
    return isinstance(document, dict) and document.get("kind") in _KINDS


def read(line: Mapping[str, Any]) -> Traced | Discovery | Remark:
    """The record in a line of a trace. Raises BadTrace."""
    try:
        return _READERS[line["kind"]](_where(line), line)
    except (KeyError, TypeError, ValueError) as error:
        raise BadTrace(f"this is no {line['kind']} of a trace: {type(error).__name__} {error}") from None


def _message(where: Where, line: Mapping[str, Any]) -> Traced:
    code = line.get("payload_type")
    return Traced(
        where=where,
        exi=bytes.fromhex(line["exi"]),
        payload_type=None if code is None else int(code, 16),
        fragment=bool(line.get("fragment")),
        schema=str(line.get("schema", "")),
        notes=tuple(map(str, line.get("notes", ()))),
        failed="error" in line,
    )


def _discovery(where: Where, line: Mapping[str, Any]) -> Discovery:
    return read_discovery(where, bytes.fromhex(line["datagram"]))[0]


def _remark(where: Where, line: Mapping[str, Any]) -> Remark:
    return Remark(
        where=where,
        layer=str(line["layer"]),
        text=str(line["text"]),
        ok=bool(line["ok"]),
        certificates=tuple(_certificate(each) for each in line.get("certificates", ())),
    )


def _certificate(summary: Mapping[str, Any]) -> CertificateSummary:
    return CertificateSummary(**{each.name: str(summary.get(each.name, "")) for each in fields(CertificateSummary)})


def _where(line: Mapping[str, Any]) -> Where:
    numbers = {name: _number(line.get(name)) for name in ("time_ns", "connection", "offset")}
    texts = {name: str(line.get(name, "")) for name in ("source", "destination", "origin")}
    sender = line.get("sender")
    return Where(**numbers, **texts, sender=None if sender is None else Sender(sender))  # type: ignore[arg-type]  # by name


def _number(value: object) -> int | None:
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    raise TypeError(f"{value!r} is no integer")


_READERS: dict[str, Callable[[Where, Mapping[str, Any]], Traced | Discovery | Remark]] = {
    "message": _message,
    "discovery": _discovery,
    "remark": _remark,
}


# --- OCPP and others ------------------------------------------------------------------------------------------------


class Found(NamedTuple):
    """An EXI stream as text, what it was in, and its schema where that is said."""

    text: str
    origin: str
    schema: str | None


@dataclass(slots=True)
class OcppFrames:
    """Finds EXI in OCPP-J frames, and knows what a result is the result of."""

    _calls: OrderedDict[str, tuple[str, str | None]] = field(default_factory=OrderedDict)

    def streams(self, document: Any) -> Iterator[Found]:
        """The EXI strings in a document of any shape."""
        match document:
            case [int(kind), str(call), str(action), dict(payload)] if kind == _CALL:
                schema = _named_schema(payload)
                self._calls[call] = (action, schema)
                if len(self._calls) > MAX_CALLS:
                    self._calls.popitem(last=False)
                yield from _walk(payload, f"OCPP {action} ", schema)
            case [int(kind), str(call), dict(payload)] if kind == _RESULT:
                action, schema = self._calls.pop(call, ("result", None))
                yield from _walk(payload, f"OCPP {action} ", schema)
            case list():
                for item in document:
                    yield from self.streams(item)
            case str():
                yield Found(document, "", None)
            case _:
                yield from _walk(document, "", None)


def _walk(value: Any, origin: str, schema: str | None, depth: int = 0) -> Iterator[Found]:
    if depth > MAX_DEPTH:
        return
    if isinstance(value, dict):
        schema = _named_schema(value) or schema
        for name, content in value.items():
            if name in STREAMS and isinstance(content, str):
                yield Found(content, f"{origin}{name}", schema)
            else:
                yield from _walk(_unwrapped(content), origin, schema, depth + 1)
    elif isinstance(value, list):
        for item in value:
            yield from _walk(_unwrapped(item), origin, schema, depth + 1)


def _unwrapped(content: Any) -> Any:
    """The JSON in a string, as OCPP 1.6 wraps the certificate messages in DataTransfer."""
    if isinstance(content, str) and content.lstrip().startswith("{"):
        try:
            return json.loads(content)
        except (ValueError, RecursionError):
            return content
    return content


def _named_schema(payload: Mapping[str, Any]) -> str | None:
    namespace = payload.get(_NAMESPACE)
    return schema_of(namespace) if isinstance(namespace, str) else None
