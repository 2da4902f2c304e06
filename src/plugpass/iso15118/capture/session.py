"""One TCP connection of a capture: its streams, TLS if it has it, V2GTP frames, and the messages in them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from plugpass.iso15118.capture import tls
from plugpass.iso15118.capture.decoding import decoded_message
from plugpass.iso15118.capture.following import Follower
from plugpass.iso15118.capture.frames import VERSION, Cut, Frame, FrameCutter, find_header
from plugpass.iso15118.capture.packets import Endpoint, Segment
from plugpass.iso15118.capture.records import Record, Remark, Sender, Where
from plugpass.iso15118.capture.summary import chain_summary
from plugpass.iso15118.capture.tcp import Gap, Piece, Stream
from plugpass.iso15118.capture.tls_keys import KeyLog
from plugpass.iso15118.v2gtp import HEADER_SIZE

SEARCHED = 64 * 1024  #: octets looked at for a first V2GTP header before a connection counts as something else
_LINK_LOCAL = bytes.fromhex("fe80")
_HELD = 16


@dataclass(slots=True)
class _Direction:
    """What one end sends."""

    source: Endpoint
    destination: Endpoint
    stream: Stream = field(default_factory=Stream)
    whole: bool = False  # whether its first octet was captured
    head: bytes = b""  # the first octets, while they are too few to tell anything
    seen: int = 0  # octets that told nothing
    finished: bool = False
    cutter: FrameCutter | None = None
    hidden: int = 0  # octets of TLS records that stay closed, since the last that opened
    hidden_reason: str = ""


class Connection:
    """A connection; it takes one of `numbers` when it has something to tell.

    `expected` says that V2G is spoken there for sure.
    """

    def __init__(
        self, first: Segment, *, numbers: Iterator[int], keys: KeyLog, forced: str | None, expected: bool
    ) -> None:
        self._numbers = numbers
        self._number = 0
        self._expected = expected
        self._local = all(end.address[:2] == _LINK_LOCAL for end in (first.source, first.destination))
        self._done = False  # it is closed, or turned out not to be V2G
        self._directions = (
            _Direction(first.source, first.destination),
            _Direction(first.destination, first.source),
        )
        self._client: int | None = None
        self._keys = keys
        self._tls: tls.TlsConnection | None = None
        self._v2gtp_seen = False
        self._held: list[Remark] = []  # what TLS told before it was clear that this is V2G
        self._follower = Follower(forced=forced)
        self._time_ns: int | None = None

    @property
    def closed_tls(self) -> bool:
        """Whether this is TLS of which nothing tells that it carries V2G."""
        return self._tls is not None and not self._speaks_v2g

    @property
    def _speaks_v2g(self) -> bool:
        """Whether V2GTP was seen or is expected. TLS between link-local addresses is nothing else."""
        return self._v2gtp_seen or self._expected or (self._local and self._tls is not None)

    def starts_anew(self, segment: Segment) -> bool:
        """Whether the segment opens another connection between the same ends."""
        if self._done and segment.syn and segment.acknowledged is None:
            return True
        return segment.syn and self._directions[self._side(segment)].stream.starts_anew(segment.sequence)

    def receive(self, segment: Segment) -> Iterator[Record]:
        """What a segment tells."""
        self._time_ns = segment.time_ns
        side = self._side(segment)
        own, peer = self._directions[side], self._directions[1 - side]
        if segment.syn:
            own.stream.open(segment.sequence)
            own.whole = True
            self._client = side if segment.acknowledged is None else 1 - side
        if self._done:
            return
        if segment.acknowledged is not None:
            yield from self._pieces(1 - side, peer.stream.acknowledged(segment.acknowledged))
        yield from self._pieces(side, own.stream.segment((segment.sequence + segment.syn) % (1 << 32), segment.payload))
        own.finished |= segment.fin
        both = own.finished and peer.finished and not (own.stream.waiting or peer.stream.waiting)
        if segment.reset or both:
            yield from self.flush()

    def flush(self) -> Iterator[Record]:
        """The end of the connection or of the capture."""
        if self._done:
            return
        for side, direction in enumerate(self._directions):
            yield from self._pieces(side, direction.stream.flush())
            if self._tls is not None:
                for seen in self._tls.flush(side):
                    yield from self._tls_seen(side, seen)
                yield from self._report_hidden(side)
            if direction.cutter is not None:
                yield from self._cuts(side, direction.cutter.flush())
        self._done = True

    # --- layers -----------------------------------------------------------------------------------------------------

    def _pieces(self, side: int, pieces: list[Piece]) -> Iterator[Record]:
        for piece in pieces:
            if self._tls is not None:
                seen = self._tls.lose(side, piece.size) if isinstance(piece, Gap) else self._tls.receive(side, piece)
                if self._tls.client is not None:
                    self._client = self._tls.client
                for each in seen:
                    yield from self._tls_seen(side, each)
            elif self._v2gtp_seen:
                yield from self._v2gtp(side, piece)
            else:
                yield from self._recognise(side, piece)

    def _recognise(self, side: int, piece: Piece) -> Iterator[Record]:
        """Tell by the first octets whether this is TLS, V2GTP, or none of our business."""
        direction = self._directions[side]
        if isinstance(piece, Gap):
            direction.whole, direction.head = False, b""
            return
        direction.head += piece
        head = direction.head
        if len(head) < HEADER_SIZE:
            return
        if tls.starts_record(head):
            self._tls = tls.TlsConnection(self._keys)
        elif head.startswith(VERSION) or self._expected or find_header(head) >= 0:
            self._v2gtp_seen = True
        else:
            direction.head = b""
            direction.seen += len(head)
            self._done = direction.whole or direction.seen > SEARCHED
            return
        for each, other in enumerate(self._directions):
            waiting, other.head = other.head, b""
            yield from self._pieces(each, [waiting] if waiting else [])

    def _v2gtp(self, side: int, piece: Piece) -> Iterator[Record]:
        direction = self._directions[side]
        if direction.cutter is None:
            at_frame = direction.whole or (not isinstance(piece, Gap) and piece.startswith(VERSION))
            searching = "" if at_frame and not direction.seen else "the capture starts within the connection"
            direction.cutter = FrameCutter(searching=searching, passed=direction.seen)
        if isinstance(piece, Gap):
            direction.cutter.lose(piece.size)
        else:
            yield from self._cuts(side, direction.cutter.receive(piece))

    def _tls_seen(self, side: int, seen: tls.Seen) -> Iterator[Record]:
        if isinstance(seen, tls.Opened):
            yield from self._opened(side, seen.octets)
        elif isinstance(seen, tls.Hidden):
            direction = self._directions[side]
            direction.hidden += seen.size
            direction.hidden_reason = direction.hidden_reason or seen.reason
        elif self._speaks_v2g:
            yield tls_remark(self._where(side), seen)
        elif len(self._held) < _HELD:
            self._held.append(tls_remark(self._where(side, numbered=False), seen))

    def _opened(self, side: int, octets: bytes) -> Iterator[Record]:
        """Decrypted octets: V2GTP, or something else that uses TLS."""
        direction = self._directions[side]
        if not self._v2gtp_seen and (octets.startswith(VERSION) or find_header(octets) >= 0):
            self._v2gtp_seen = True
            held, self._held = self._held, []
            yield from (replace(each, where=replace(each.where, connection=self._called())) for each in held)
        if direction.hidden:
            yield from self._report_hidden(side)
            if direction.cutter is not None:
                direction.cutter.lose(0)
        if self._speaks_v2g:
            yield from self._v2gtp(side, octets)

    def _report_hidden(self, side: int) -> Iterator[Record]:
        direction = self._directions[side]
        if direction.hidden and self._speaks_v2g:
            text = f"{direction.hidden:,} octets stay closed: {direction.hidden_reason}"
            yield Remark(where=self._where(side), layer="TLS", text=text, ok=False)
        direction.hidden, direction.hidden_reason = 0, ""

    def _cuts(self, side: int, cuts: list[Cut]) -> Iterator[Record]:
        for cut in cuts:
            where = replace(self._where(side), offset=cut.offset)
            if isinstance(cut, Frame):
                yield decoded_message(self._follower, where, cut.payload, payload_type=cut.payload_type)
                continue
            text = f"{cut.size:,} octets are no readable frame: {cut.reason}"
            if cut.start:
                text += f"; they start with {cut.start.hex()}"
            yield Remark(where=where, layer="V2GTP", text=text, ok=False)

    # --- who and when -----------------------------------------------------------------------------------------------

    def _side(self, segment: Segment) -> int:
        first = self._directions[0]
        return 0 if (segment.source, segment.destination) == (first.source, first.destination) else 1

    def _where(self, side: int, *, numbered: bool = True) -> Where:
        direction = self._directions[side]
        sender = None if self._client is None else Sender.EVCC if side == self._client else Sender.SECC
        return Where(
            time_ns=self._time_ns,
            source=str(direction.source),
            destination=str(direction.destination),
            sender=sender,
            connection=self._called() if numbered else None,
        )

    def _called(self) -> int:
        """Its number, taken when it is first needed."""
        self._number = self._number or next(self._numbers)
        return self._number


def tls_remark(where: Where, seen: tls.Negotiated | tls.Presented | tls.Alerted) -> Remark:
    """What to tell of a TLS handshake or alert."""
    match seen:
        case tls.Negotiated():
            known = "the key log has its secrets" if seen.keys else "without its secrets it stays closed"
            return Remark(where=where, layer="TLS", text=f"{seen.version}, {seen.suite}; {known}")
        case tls.Presented(chain):
            text = f"presents {len(chain)} certificates" if chain else "presents no certificate"
            return Remark(where=where, layer="TLS", text=text, certificates=chain_summary("TLS", chain))
        case tls.Alerted():
            return Remark(where=where, layer="TLS", text=f"{'fatal alert' if seen.fatal else 'alert'}: {seen.name}")
