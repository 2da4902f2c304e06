"""The trust store: every root with where it came from, for which market, and how far it has been rolled out.

`TrustAnchors` is what a validator needs; a `TrustStore` is what an operator needs to keep those anchors right: who
added which root and when, which stations should have it by now, which do not. It is a value; persistence is someone
else's.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from types import MappingProxyType
from typing import Final, Self

from plugpass.errors import LocalError
from plugpass.pki.certificate import Certificate
from plugpass.pki.profiles import RootType
from plugpass.pki.trust import TrustAnchors

EVERY_STATION: Final = 100


class TrustStoreError(LocalError):
    """A change to the trust store is not possible: the root is unknown, or it is not at that stage."""


class Source(StrEnum):
    """Where a root came from."""

    MANUAL = "manual"
    BUNDLE = "bundle"  #: a PEM, DER or PKCS#7 file
    OPCP = "opcp"  #: the root certificate pool of an OPCP ecosystem
    OPNC = "opnc"
    TRUST_LIST = "trust-list"  #: a signed list


class Stage(StrEnum):
    """The life of a root in the store."""

    STAGED = "staged"  #: being installed on stations, not trusted for decisions yet
    ACTIVE = "active"
    RETIRING = "retiring"  #: still trusted, being removed from stations
    REMOVED = "removed"  #: a record of what was trusted once


MOVES: Final[Mapping[Stage, frozenset[Stage]]] = MappingProxyType(
    {
        Stage.STAGED: frozenset({Stage.STAGED, Stage.ACTIVE, Stage.REMOVED}),
        Stage.ACTIVE: frozenset({Stage.RETIRING}),
        Stage.RETIRING: frozenset({Stage.RETIRING, Stage.ACTIVE, Stage.REMOVED}),
        Stage.REMOVED: frozenset({Stage.STAGED}),
    }
)
_TRUSTED: Final = frozenset({Stage.ACTIVE, Stage.RETIRING})


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Where roots come from and who answers for it."""

    source: Source
    added_by: str
    added_at: datetime
    origin: str = ""  #: file name, address or list identifier
    market: str = ""  #: such as "EU"; "": every market


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustEntry:
    """One root, trusted (at some stage) as a root of one type."""

    root_type: RootType
    certificate: Certificate
    provenance: Provenance
    stage: Stage = Stage.ACTIVE
    reach: int = EVERY_STATION  #: percent of the stations that the installation or removal of this stage is for so far
    changed_by: str = ""  #: who moved it to this stage; "": still where `provenance` put it
    changed_at: datetime | None = None

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate, lower-case hex."""
        return self.certificate.fingerprint

    @property
    def trusted(self) -> bool:
        """Whether decisions may rest on it."""
        return self.stage in _TRUSTED

    def serves(self, market: str | None) -> bool:
        """Whether the root is for this market; None asks for all, and a root without a market serves all."""
        return market is None or self.provenance.market in ("", market)

    def wanted_on(self, station: str) -> bool:
        """Whether the station should have the root by now.

        A station's place in the roll-out of one root never changes, so a larger reach only adds stations.
        """
        if self.stage in (Stage.ACTIVE, Stage.REMOVED):
            return self.stage is Stage.ACTIVE
        place = int.from_bytes(sha256(f"{self.fingerprint}/{station}".encode()).digest()[:4]) % EVERY_STATION
        return (place < self.reach) is (self.stage is Stage.STAGED)


@dataclass(frozen=True, slots=True)
class TrustStore:
    """All entries, one for each root and type."""

    entries: tuple[TrustEntry, ...] = ()

    def adding(self, *entries: TrustEntry) -> Self:
        """This store and more; a root that is there already as that type stays as it is."""
        known = {(entry.root_type, entry.fingerprint): entry for entry in self.entries}
        for entry in entries:
            known.setdefault((entry.root_type, entry.fingerprint), entry)
        return type(self)(tuple(known.values()))

    def find(self, fingerprint: str, root_type: RootType | None = None) -> TrustEntry:
        """The entry with this fingerprint (hex, or an unambiguous beginning of it). Raises TrustStoreError."""
        wanted = fingerprint.lower().replace(":", "")
        found = [
            entry
            for entry in self.entries
            if wanted and entry.fingerprint.startswith(wanted) and root_type in (None, entry.root_type)
        ]
        if len(found) != 1:
            problem = "is not in the trust store" if not found else f"stands for {len(found)} entries, say which type"
            raise TrustStoreError(f"the root {fingerprint} {problem}")
        return found[0]

    def moved(
        self,
        fingerprint: str,
        stage: Stage,
        *,
        by: str,
        at: datetime,
        reach: int = EVERY_STATION,
        root_type: RootType | None = None,
    ) -> Self:
        """This store with a root at another stage, or at the same with another reach. Raises TrustStoreError."""
        entry = self.find(fingerprint, root_type)
        if stage not in MOVES[entry.stage]:
            possible = ", ".join(sorted(MOVES[entry.stage]))
            raise TrustStoreError(f"{entry.certificate.subject} is {entry.stage}; from there it can become {possible}")
        if not 0 <= reach <= EVERY_STATION:
            raise TrustStoreError(f"{reach} % of the stations is not between 0 and {EVERY_STATION}")
        after = replace(entry, stage=stage, reach=reach, changed_by=by, changed_at=at)
        return type(self)(tuple(after if item is entry else item for item in self.entries))

    def anchors(self, market: str | None = None) -> TrustAnchors:
        """What a validator of this market trusts."""
        anchors = TrustAnchors()
        for entry in self.entries:
            if entry.trusted and entry.serves(market):
                anchors = anchors.adding(entry.root_type, entry.certificate)
        return anchors

    def wanted_on(self, station: str, market: str | None = None) -> tuple[TrustEntry, ...]:
        """The roots that a station of this market should have by now."""
        return tuple(entry for entry in self.entries if entry.serves(market) and entry.wanted_on(station))

    def lacking(self, installed: Mapping[str, Collection[str]]) -> dict[str, tuple[TrustEntry, ...]]:
        """By station: the roots it should have and has not. `installed` has the fingerprints of a station's roots."""
        missing = {
            station: tuple(entry for entry in self.wanted_on(station) if entry.fingerprint not in roots)
            for station, roots in installed.items()
        }
        return {station: entries for station, entries in missing.items() if entries}

    def superfluous(self, installed: Mapping[str, Collection[str]]) -> dict[str, tuple[TrustEntry, ...]]:
        """By station: roots of this store that it has and should have no more."""
        extra = {
            station: tuple(
                entry for entry in self.entries if entry.fingerprint in roots and not entry.wanted_on(station)
            )
            for station, roots in installed.items()
        }
        return {station: entries for station, entries in extra.items() if entries}

    def expiring(self, at: datetime, within: timedelta) -> tuple[TrustEntry, ...]:
        """The trusted roots that end within this time, soonest first: pools warn two years ahead."""
        soon = (entry for entry in self.entries if entry.trusted and entry.certificate.not_after <= at + within)
        return tuple(sorted(soon, key=lambda entry: entry.certificate.not_after))

    def __iter__(self) -> Iterator[TrustEntry]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)


def stations_lacking(entry: TrustEntry, installed: Mapping[str, Collection[str]]) -> tuple[str, ...]:
    """Which stations lack this root, whether or not its roll-out has reached them; sorted."""
    return tuple(sorted(station for station, roots in installed.items() if entry.fingerprint not in roots))


def entries_of(
    root_type: RootType, certificates: Iterable[Certificate], provenance: Provenance, *, stage: Stage = Stage.ACTIVE
) -> tuple[TrustEntry, ...]:
    """Entries for roots that came together."""
    return tuple(
        TrustEntry(root_type=root_type, certificate=certificate, provenance=provenance, stage=stage)
        for certificate in certificates
    )
