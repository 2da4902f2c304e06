"""The trust store of a workspace, for the command line."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from plugpass.cli.pki.inputs import UnusableFile, read_bounded, read_certificates_of
from plugpass.cli.pki.workspace import Workspace
from plugpass.errors import ConfigurationError, LocalError, PeerError
from plugpass.pki.profiles import RootType
from plugpass.pki.signed_list import open_signed_list
from plugpass.pki.trust_import import Imported, import_bundle, import_pool
from plugpass.pki.trust_store import Provenance, Source, Stage, TrustEntry, stations_lacking
from plugpass.store.csms import SqlStationRegistry
from plugpass.store.database import Database
from plugpass.store.trust import roots_of_stations


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportWish:
    """What is to be imported, and what is known about it."""

    file: Path
    root_type: str
    market: str
    origin: str
    signer: Path | None
    staged: bool


async def import_roots(workspace: Workspace, wish: ImportWish) -> dict[str, Any]:
    """Take the roots of a file into the trust store."""
    content = read_bounded(wish.file)
    if wish.signer is not None:
        content = _opened(wish, content, workspace.clock.now())
    found = _imported(workspace, wish, content)
    added = await workspace.trust.add(found.entries)
    fresh = {(entry.fingerprint, entry.root_type) for entry in added}
    return {
        "ok": bool(found.entries),
        "added": [describe_entry(entry) for entry in added],
        "known": [
            describe_entry(entry) for entry in found.entries if (entry.fingerprint, entry.root_type) not in fresh
        ],
        "refused": [{"item": item.item, "problem": item.problem} for item in found.refused],
    }


def _opened(wish: ImportWish, content: bytes, at: datetime) -> bytes:
    """What the signer signed. Raises UnusableFile where the signature is not the signer's."""
    signers = read_certificates_of(wish.signer) if wish.signer else ()
    try:
        return open_signed_list(content, signers[0], at=at)
    except PeerError as error:
        raise UnusableFile(f"{wish.file}: {error}") from None


def _imported(workspace: Workspace, wish: ImportWish, content: bytes) -> Imported:
    stage = Stage.STAGED if wish.staged else Stage.ACTIVE
    try:
        if content.lstrip()[:1] == b"{":
            source = (
                Source.OPCP if b"RootCertificateCollection" in content or b"RootResponse" in content else Source.OPNC
            )
            return import_pool(content, _provenance(workspace, wish, source), stage=stage)
        if not wish.root_type:
            raise LocalError(f"{wish.file} does not say what its roots are for: add --type v2g, mo, oem or pe")
        provenance = _provenance(workspace, wish, Source.BUNDLE)
        return import_bundle(content, RootType(wish.root_type.upper()), provenance, stage=stage)
    except PeerError as error:
        raise UnusableFile(f"{wish.file}: {error}") from None


def _provenance(workspace: Workspace, wish: ImportWish, source: Source) -> Provenance:
    return Provenance(
        source=Source.TRUST_LIST if wish.signer else source,
        added_by=workspace.by,
        added_at=workspace.clock.now(),
        origin=wish.origin or wish.file.name,
        market=wish.market,
    )


def describe_entry(entry: TrustEntry) -> dict[str, Any]:
    """A root of the trust store, for JSON."""
    return {
        "type": entry.root_type.value.lower(),
        "subject": str(entry.certificate.subject),
        "sha256": entry.fingerprint,
        "not_after": entry.certificate.not_after.isoformat(),
        "stage": entry.stage.value,
        "reach": entry.reach,
        "market": entry.provenance.market,
        "source": entry.provenance.source.value,
        "origin": entry.provenance.origin,
        "added_by": entry.provenance.added_by,
        "added_at": entry.provenance.added_at.isoformat(),
        "changed_by": entry.changed_by,
        "changed_at": entry.changed_at.isoformat() if entry.changed_at else None,
    }


async def stations_without(workspace: Workspace, csms: Path, fingerprint: str) -> dict[str, Any]:
    """By station of a CSMS: the subjects of the roots it lacks."""
    store = await workspace.trust.load()
    installed = await _installed(csms, workspace)
    missing = store.lacking(installed)
    if fingerprint:
        entry = store.find(fingerprint)
        missing = dict.fromkeys(stations_lacking(entry, installed), (entry,))
    return {
        "ok": not missing,
        "stations": len(installed),
        "lacking": {
            station: [f"{entry.fingerprint[:16]} {entry.certificate.subject}" for entry in entries]
            for station, entries in sorted(missing.items())
        },
    }


async def _installed(csms: Path, workspace: Workspace) -> dict[str, frozenset[str]]:
    if not _is_file(csms):
        raise ConfigurationError(f"{csms} is no file: name the database of the CSMS, such as csms/state.db")
    database = await Database.at(csms)
    try:
        return await roots_of_stations(SqlStationRegistry(database), await workspace.trust.load())
    finally:
        await database.close()


def _is_file(path: Path) -> bool:
    return path.is_file()
