"""A whole capture, packet by packet: finds the V2G connections and SDP in it, and tells what was said."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import count

from plugpass.iso15118.capture.discovery import is_discovery, read_datagram
from plugpass.iso15118.capture.packets import Datagram, Endpoint, Segment, Unread, parse
from plugpass.iso15118.capture.pcap import DamagedCapture, Packet, Secrets
from plugpass.iso15118.capture.records import Discovery, Record, Remark, Where
from plugpass.iso15118.capture.session import Connection
from plugpass.iso15118.capture.tls_keys import KeyLog

MAX_CONNECTIONS = 1024  #: followed at once; of more, the one longest silent is given up
MAX_ANNOUNCED = 1024  #: endpoints that SDP announced

_Key = frozenset[Endpoint]


@dataclass(slots=True)
class Dissector:
    """Takes packets, gives records; what it keeps does not grow with the capture.

    V2G is expected where SDP announced it and on `ports`; elsewhere it is recognised by its first octets. TLS is opened
    with `keys`. `forced` is the schema for sessions whose negotiation is not in the capture.
    """

    keys: KeyLog = field(default_factory=KeyLog)
    forced: str | None = None
    ports: Container[int] = ()
    unread: Counter[str] = field(default_factory=Counter)  #: packets that nothing here reads, by reason
    closed_tls: int = 0  #: connections with TLS that was not opened, and that nothing tells to be V2G
    _connections: OrderedDict[_Key, Connection] = field(default_factory=OrderedDict)
    _announced: OrderedDict[Endpoint, None] = field(default_factory=OrderedDict)
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def run(self, items: Iterable[Packet | Secrets]) -> Iterator[Record]:
        """The records of a whole capture, in order; one remark more where it breaks off."""
        try:
            for item in items:
                yield from self.receive(item)
        except DamagedCapture as error:
            yield from self.flush()
            yield Remark(where=Where(), layer="capture", text=str(error), ok=False)
        else:
            yield from self.flush()

    def receive(self, item: Packet | Secrets) -> Iterator[Record]:
        """What a packet tells."""
        if isinstance(item, Secrets):
            self.keys.add(item.lines.splitlines())
            return
        match parse(item):
            case Segment() as segment:
                yield from self._segment(segment)
            case Datagram() as datagram if is_discovery(datagram):
                yield self._discovery(datagram)
            case Unread(reason):
                self.unread[reason] += 1

    def flush(self) -> Iterator[Record]:
        """The end of the capture."""
        while self._connections:
            _, connection = self._connections.popitem(last=False)
            yield from self._close(connection)

    def _segment(self, segment: Segment) -> Iterator[Record]:
        key = frozenset((segment.source, segment.destination))
        connection = self._connections.get(key)
        if connection is not None and connection.starts_anew(segment):
            yield from self._close(self._connections.pop(key))
            connection = None
        if connection is None:
            connection = self._connections[key] = self._open(segment)
            if len(self._connections) > MAX_CONNECTIONS:
                yield from self._close(self._connections.popitem(last=False)[1])
        self._connections.move_to_end(key)
        yield from connection.receive(segment)

    def _open(self, segment: Segment) -> Connection:
        ends = (segment.source, segment.destination)
        expected = any(end in self._announced or end.port in self.ports for end in ends)
        return Connection(segment, numbers=self._numbers, keys=self.keys, forced=self.forced, expected=expected)

    def _close(self, connection: Connection) -> Iterator[Record]:
        yield from connection.flush()
        self.closed_tls += connection.closed_tls

    def _discovery(self, datagram: Datagram) -> Discovery:
        record, announced = read_datagram(datagram)
        if announced is not None:
            self._announced[announced] = None
            if len(self._announced) > MAX_ANNOUNCED:
                self._announced.popitem(last=False)
        return record
