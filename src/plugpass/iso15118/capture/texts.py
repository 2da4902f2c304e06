"""Messages given as text: hex, base64, our own traces, OCPP frames; one a line, or wrapped over lines.

Lines that each start a message (hex `80` or `01fe`, or the same in base64) are one message each; other lines stand
together up to an empty line. `#` starts a comment. A JSON document may have one line or many.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from plugpass.iso15118.capture import traces
from plugpass.iso15118.capture.decoding import decoded_message, message_record
from plugpass.iso15118.capture.discovery import read_discovery
from plugpass.iso15118.capture.following import Decoded, Follower, decode_as
from plugpass.iso15118.capture.frames import VERSION, Frame, FrameCutter
from plugpass.iso15118.capture.records import Record, Remark, Where
from plugpass.iso15118.v2gtp import PayloadType, frame

MAX_LINE = 4 * 1024 * 1024  #: characters
MAX_DOCUMENT = 64 * 1024 * 1024  #: characters of one JSON document over several lines
MAX_BLOCK = 4096  #: lines that stand together
MAX_SESSIONS = 1024

_DECORATION = re.compile(r"0x|\\x|[\s:;,-]", re.IGNORECASE)
_HEX = re.compile(r"(?:[0-9a-f]{2})+", re.IGNORECASE)
_STARTS_MESSAGE = re.compile(r"80|01[fF][eE]|g[A-P]|Af[4-7]")
_MARK = 20  #: characters of a line that such a start may take, decorated


class NotOctets(ValueError):
    """Text that is neither hex nor base64."""


def octets_of(text: str) -> bytes:
    """The octets that a piece of text stands for: hex, also with spaces, colons or 0x, or base64. Raises NotOctets."""
    bare = _DECORATION.sub("", text)
    if _HEX.fullmatch(bare):
        return bytes.fromhex(bare)
    try:
        octets = base64.b64decode("".join(text.split()).translate(_FROM_URL_SAFE), validate=True)
    except (binascii.Error, ValueError):
        octets = b""
    if not octets:
        raise NotOctets("neither hex nor base64")
    return octets


_FROM_URL_SAFE = str.maketrans("-_", "+/")


@dataclass(slots=True)
class TextDecoder:
    """Records from text; `fragment` says that bare EXI in it is EXI fragments, `forced` is their schema if known."""

    forced: str | None = None
    fragment: bool = False
    _sessions: dict[int | None, Follower] = field(default_factory=dict)
    _frames: traces.OcppFrames = field(default_factory=traces.OcppFrames)
    _line: int = 0
    _start: int = 0  # the line that a block of lines or a document begins in

    def lines(self, lines: Iterable[str]) -> Iterator[Record]:
        """The records of a text, line by line."""
        block: list[str] = []
        remaining = iter(lines)
        for line in remaining:
            self._line += 1
            text = line.strip()
            if text.startswith("#"):
                continue
            if not text or text[0] in '{["' or len(block) >= MAX_BLOCK:
                yield from self._block(block)
                block = []
            if text and text[0] in '{["':
                self._start = self._line
                yield from self._json(text, remaining)
            elif text:
                self._start = self._start if block else self._line
                block.append(text)
        yield from self._block(block)

    def octets(self, octets: bytes, where: Where | None = None) -> Iterator[Record]:
        """The records of V2GTP frames, or of one bare EXI stream."""
        where = where or Where()
        if not octets.startswith(VERSION):
            yield decoded_message(self._follower(None), where, octets, fragment=self.fragment)
            return
        cutter = FrameCutter()
        for cut in (*cutter.receive(octets), *cutter.flush()):
            placed = replace(where, offset=cut.offset)
            if not isinstance(cut, Frame):
                text = f"{cut.size:,} octets are no readable frame: {cut.reason}"
                yield Remark(where=placed, layer="V2GTP", text=text, ok=False)
            elif cut.payload_type in (PayloadType.SDP_REQUEST, PayloadType.SDP_RESPONSE):
                yield read_discovery(where, frame(PayloadType(cut.payload_type), cut.payload))[0]
            else:
                yield decoded_message(self._follower(None), placed, cut.payload, payload_type=cut.payload_type)

    def _block(self, block: list[str]) -> Iterator[Record]:
        if not all(_STARTS_MESSAGE.match(_DECORATION.sub("", line[:_MARK])) for line in block):
            block = ["".join(block)]
        for text in block:
            try:
                octets = octets_of(text)
            except NotOctets:
                yield self._unreadable(f"{text[:40]!a} is neither hex nor base64 nor JSON")
            else:
                yield from self.octets(octets)

    def _json(self, text: str, remaining: Iterator[str]) -> Iterator[Record]:
        """A JSON document that starts with this line."""
        try:
            document = json.loads(text)
        except ValueError:
            document = self._long_document(text, remaining)
        except RecursionError:
            document = None
        if document is None:
            yield self._unreadable(f"{text[:40]!a} is no JSON")
        elif traces.is_trace(document):
            yield self._traced(document)
        else:
            yield from self._found(document)

    def _long_document(self, text: str, remaining: Iterator[str]) -> Any:
        """A document over several lines, if the rest of the text completes it."""
        parts, size = [text], len(text)
        for line in remaining:
            self._line += 1
            parts.append(line)
            size += len(line)
            if size > MAX_DOCUMENT:
                return None
        try:
            return json.loads("\n".join(parts))
        except (ValueError, RecursionError):
            return None

    def _found(self, document: Any) -> Iterator[Record]:
        """The EXI strings of an OCPP frame, or of any other JSON."""
        found = False
        for stream in self._frames.streams(document):
            found = True
            where = Where(origin=stream.origin)
            try:
                octets = octets_of(stream.text)
            except NotOctets:
                yield Remark(where=where, layer="capture", text=f"{stream.origin} is neither base64 nor hex", ok=False)
                continue
            if stream.schema and not self.forced:
                yield message_record(where, decode_as(stream.schema, octets), octets)
            else:
                yield from self.octets(octets, where)
        if not found:
            yield self._unreadable(f"there is no EXI in this JSON, no {', no '.join(traces.STREAMS)}")

    def _traced(self, line: dict[str, Any]) -> Record:
        """A record of a trace, decoded again."""
        try:
            record = traces.read(line)
        except traces.BadTrace as error:
            return self._unreadable(str(error))
        if not isinstance(record, traces.Traced):
            return record
        if record.schema and not (self.forced and record.failed):
            decoded = decode_as(record.schema, record.exi, fragment=record.fragment)
            decoded = Decoded(schema=decoded.schema, value=decoded.value, fault=decoded.fault, notes=record.notes)
            return message_record(
                record.where, decoded, record.exi, payload_type=record.payload_type, fragment=record.fragment
            )
        return decoded_message(
            self._follower(record.where.connection),
            record.where,
            record.exi,
            payload_type=record.payload_type,
            fragment=record.fragment,
        )

    def _follower(self, connection: int | None) -> Follower:
        if connection not in self._sessions and len(self._sessions) >= MAX_SESSIONS:
            self._sessions.clear()
        return self._sessions.setdefault(connection, Follower(forced=self.forced))

    def _unreadable(self, text: str) -> Remark:
        return Remark(where=Where(), layer="capture", text=f"line {self._start}: {text}", ok=False)
