"""What `plugpass decode` is given: a capture, octets or text; from a file, standard input or the command line."""

from __future__ import annotations

import codecs
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

from plugpass.errors import LocalError
from plugpass.iso15118.capture.dissector import Dissector
from plugpass.iso15118.capture.files import is_capture, read_capture
from plugpass.iso15118.capture.pcap import DamagedCapture
from plugpass.iso15118.capture.records import Record
from plugpass.iso15118.capture.source import Source
from plugpass.iso15118.capture.texts import MAX_LINE, NotOctets, TextDecoder, octets_of
from plugpass.iso15118.capture.tls_keys import KeyLog

CHUNK = 1 << 16  #: octets read at once
MAX_BINARY = 1 << 26  #: octets of a file that is raw EXI or V2GTP

_GZIP = b"\x1f\x8b"
_GZIP_FORMAT = 31  # zlib: a gzip header, the largest window
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_RAW = (b"\x80", b"\x01")  # an EXI header, a V2GTP header; no text starts so


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """One thing to decode; `size` in octets where it is known before reading."""

    name: str
    size: int | None
    open: Callable[[], AbstractContextManager[BinaryIO]] | None
    text: str = ""  #: given on the command line itself


def find_input(argument: str) -> Input:
    """What an argument means. Raises LocalError where it is neither a file nor hex nor base64."""
    if argument == "-":
        return Input(name="standard input", size=None, open=lambda: nullcontext(sys.stdin.buffer))
    path = Path(argument)
    try:
        if path.is_file() or path.is_fifo():
            return Input(name=argument, size=path.stat().st_size, open=lambda: path.open("rb"))
        is_directory = path.is_dir()
    except (OSError, ValueError):  # too long for a name, or not allowed to look
        is_directory = False
    if is_directory:
        raise LocalError(f"{argument} is a directory; name the files in it")
    if argument.lstrip()[:1] not in ("{", "["):
        try:
            octets_of(argument)
        except NotOctets:
            raise LocalError(f"{argument[:60]}: no such file, and no hex, base64 or JSON either") from None
    return Input(name="argument", size=None, open=None, text=argument)


def find_inputs(arguments: list[str]) -> list[Input]:
    """What the arguments mean, in order; hex or base64 that stands side by side is one text, as its lines would be."""
    inputs: list[Input] = []
    for each in map(find_input, arguments):
        if inputs and inputs[-1].open is None and each.open is None:
            each = replace(each, text=f"{inputs.pop().text}\n{each.text}")
        inputs.append(each)
    return inputs


@dataclass(slots=True)
class Decoder:
    """Turns inputs into records. `unread` and `closed_tls` tell afterwards what a capture held beside V2G."""

    keys: KeyLog
    schema: str | None
    fragment: bool
    ports: frozenset[int]
    advance: Callable[[int], None]  #: told of every chunk of octets read
    closed_tls: int = 0
    unread: dict[str, int] = field(default_factory=dict)

    def records(self, given: Input) -> Iterator[Record]:
        """The records of one input, as they are read. Raises LocalError or PeerError where it is unusable."""
        if given.open is None:
            yield from self._texts().lines(given.text.splitlines())
            return
        try:
            with given.open() as stream:
                yield from self._read(given.name, Source(self._chunks(stream)))
        except OSError as error:
            raise LocalError(f"cannot read {given.name}: {error.strerror or error}") from None

    def _read(self, name: str, source: Source) -> Iterator[Record]:
        if source.peek(2) == _GZIP:
            source = Source(_unzipped(source))
        start = source.peek(4)
        if is_capture(start):
            yield from self._captured(source)
        elif start[:1] in _RAW:
            octets = source.take(MAX_BINARY)
            if source.peek(1):
                raise LocalError(f"{name} is larger than {MAX_BINARY >> 20} MiB and no capture")
            yield from self._texts().octets(octets)
        elif b"\0" in source.arrived() and start[:2] not in _UTF16:
            raise LocalError(
                f"{name} is neither pcap nor pcapng, nor EXI or V2GTP, nor text: it starts with {start.hex()}"
            )
        else:
            yield from self._texts().lines(_lines(name, source))

    def _captured(self, source: Source) -> Iterator[Record]:
        dissector = Dissector(keys=self.keys, forced=self.schema, ports=self.ports)
        yield from dissector.run(read_capture(source))
        self.closed_tls += dissector.closed_tls
        for reason, count in dissector.unread.items():
            self.unread[reason] = self.unread.get(reason, 0) + count

    def _texts(self) -> TextDecoder:
        return TextDecoder(forced=self.schema, fragment=self.fragment)

    def _chunks(self, stream: BinaryIO) -> Iterator[bytes]:
        read = getattr(stream, "read1", stream.read)  # of a pipe, what is there: a capture may still be running
        while chunk := read(CHUNK):
            self.advance(len(chunk))
            yield chunk


def _unzipped(source: Source) -> Iterator[bytes]:
    inflate = zlib.decompressobj(_GZIP_FORMAT)
    try:
        while octets := source.take(len(source.arrived())):
            while octets:
                if inflate.eof:  # another member follows
                    inflate = zlib.decompressobj(_GZIP_FORMAT)
                yield inflate.decompress(octets, CHUNK)
                octets = inflate.unused_data if inflate.eof else inflate.unconsumed_tail
    except zlib.error as error:
        raise DamagedCapture(f"the gzip file is damaged: {error}") from None
    if not inflate.eof:
        raise DamagedCapture("the gzip file breaks off")


def _lines(name: str, source: Source) -> Iterator[str]:
    encoding = "utf-16" if source.peek(2) in _UTF16 else "utf-8-sig"
    decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
    rest = ""
    while chunk := source.take(len(source.arrived())):
        *lines, rest = (rest + decoder.decode(chunk)).split("\n")
        yield from lines
        if len(rest) > MAX_LINE:
            raise LocalError(f"{name} has a line of more than {MAX_LINE >> 20} MiB, which is no message")
    yield rest + decoder.decode(b"", final=True)


def read_key_log(path: Path | None) -> KeyLog:
    """The TLS secrets in a file. Raises LocalError where there is none."""
    keys = KeyLog()
    if path is None:
        return keys
    try:
        with path.open("rb") as stream:
            found = keys.add(stream)
    except OSError as error:
        raise LocalError(f"cannot read the key log {path}: {error.strerror}") from None
    if not found:
        raise LocalError(f"{path} is no NSS key log: it has no line like CLIENT_RANDOM <hex> <hex>")
    return keys
