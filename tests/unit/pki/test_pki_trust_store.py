"""The trust store: provenance, markets, roll-out, imports, and who lacks what."""

from __future__ import annotations

import base64
import json
from datetime import timedelta

import pytest
from chain_tools import ISO2, root_like

from pki_factory import NOW, ROLE, mint_pki, shared_pki
from plugpass.pki.bundle import MalformedBundle, pem, pkcs7_certs_only
from plugpass.pki.certificate import parse
from plugpass.pki.profiles import RootType
from plugpass.pki.trust_import import Imported, MalformedRootList, import_bundle, import_pool
from plugpass.pki.trust_store import (
    Provenance,
    Source,
    Stage,
    TrustEntry,
    TrustStore,
    TrustStoreError,
    entries_of,
    stations_lacking,
)

PKI = shared_pki()
OTHER = mint_pki(prefix="Other")
V2G, MO = PKI[ROLE.V2G_ROOT].der, PKI[ROLE.MO_ROOT].der
STATIONS = [f"CP{number:03}" for number in range(200)]


def provenance(source: Source = Source.MANUAL, market: str = "") -> Provenance:
    return Provenance(source=source, added_by="alice", added_at=NOW, origin="roots.pem", market=market)


def entry(encoded: bytes = V2G, *, market: str = "", stage: Stage = Stage.ACTIVE, reach: int = 100) -> TrustEntry:
    return TrustEntry(
        root_type=RootType.V2G,
        certificate=parse(encoded),
        provenance=provenance(market=market),
        stage=stage,
        reach=reach,
    )


def test_anchors_by_market_and_stage() -> None:
    here, there = entry(market="EU"), entry(OTHER[ROLE.V2G_ROOT].der, market="US")
    everywhere = TrustEntry(root_type=RootType.MO, certificate=parse(MO), provenance=provenance())
    store = TrustStore().adding(here, there, everywhere, here)
    assert len(store) == 3
    assert len(store.anchors()) == 3
    assert store.anchors("EU").of_type(RootType.V2G) == (V2G,)
    assert store.anchors("US").of_type(RootType.MO) == (MO,)
    staged = TrustStore().adding(entry(stage=Stage.STAGED), entry(OTHER[ROLE.V2G_ROOT].der, stage=Stage.RETIRING))
    assert staged.anchors().of_type(RootType.V2G) == (OTHER[ROLE.V2G_ROOT].der,)


def test_a_root_is_rolled_out_to_more_and_more_stations_and_back() -> None:
    store = TrustStore().adding(entry(stage=Stage.STAGED, reach=10))
    fingerprint = next(iter(store)).fingerprint
    ten = {station for station in STATIONS if store.wanted_on(station)}
    assert 5 <= len(ten) <= 40
    half = store.moved(fingerprint[:12], Stage.STAGED, by="bob", at=NOW, reach=50)
    fifty = {station for station in STATIONS if half.wanted_on(station)}
    assert ten < fifty < set(STATIONS)
    active = half.moved(fingerprint, Stage.ACTIVE, by="bob", at=NOW)
    assert all(active.wanted_on(station) for station in STATIONS)
    assert (active.find(fingerprint).changed_by, active.find(fingerprint).changed_at) == ("bob", NOW)
    retiring = active.moved(fingerprint, Stage.RETIRING, by="bob", at=NOW, reach=10)
    assert {station for station in STATIONS if not retiring.wanted_on(station)} == ten
    assert len(retiring.anchors()) == 1
    removed = retiring.moved(fingerprint, Stage.REMOVED, by="bob", at=NOW)
    assert not any(removed.wanted_on(station) for station in STATIONS)
    assert len(removed) == 1
    assert len(removed.anchors()) == 0


def test_impossible_changes() -> None:
    store = TrustStore().adding(
        entry(), TrustEntry(root_type=RootType.MO, certificate=parse(V2G), provenance=provenance())
    )
    fingerprint = next(iter(store)).fingerprint
    with pytest.raises(TrustStoreError, match="2 entries, say which type"):
        store.moved(fingerprint, Stage.RETIRING, by="bob", at=NOW)
    with pytest.raises(TrustStoreError, match="is active; from there it can become retiring"):
        store.moved(fingerprint, Stage.REMOVED, by="bob", at=NOW, root_type=RootType.MO)
    with pytest.raises(TrustStoreError, match="not in the trust store"):
        store.find("00" * 32)
    with pytest.raises(TrustStoreError, match="not in the trust store"):
        store.find("")
    with pytest.raises(TrustStoreError, match="101 %"):
        store.moved(fingerprint, Stage.RETIRING, by="bob", at=NOW, reach=101, root_type=RootType.MO)


def test_which_stations_lack_a_root_or_have_one_too_many() -> None:
    old, new = entry(stage=Stage.REMOVED), entry(OTHER[ROLE.V2G_ROOT].der)
    store = TrustStore().adding(old, new)
    installed = {"CP1": {old.fingerprint}, "CP2": {new.fingerprint}, "CP3": set[str]()}
    assert stations_lacking(new, installed) == ("CP1", "CP3")
    assert store.lacking(installed) == {"CP1": (new,), "CP3": (new,)}
    assert store.superfluous(installed) == {"CP1": (old,)}


def test_roots_near_their_end_are_known() -> None:
    short = root_like(ISO2, PKI[ROLE.V2G_ROOT])  # 40 years
    store = TrustStore().adding(entry(short), entry(MO, stage=Stage.REMOVED))
    assert store.expiring(NOW, timedelta(days=730)) == ()
    later = NOW + timedelta(days=365 * 39)
    assert [item.certificate.encoded for item in store.expiring(later, timedelta(days=730))] == [short]


# --- imports -------------------------------------------------------------------------------------------------------


def problems(imported: Imported) -> list[str]:
    return [refused.problem for refused in imported.refused]


@pytest.mark.parametrize("form", ["pem", "der", "pkcs7"])
def test_bundles(form: str) -> None:
    roots = (V2G, OTHER[ROLE.V2G_ROOT].der)
    data = {"pem": pem(roots).encode(), "der": b"".join(roots), "pkcs7": pkcs7_certs_only(roots)}[form]
    imported = import_bundle(data, RootType.V2G, provenance(Source.BUNDLE))
    assert [item.certificate.encoded for item in imported.entries] == list(roots)
    assert imported.refused == ()
    assert {item.provenance.source for item in imported.entries} == {Source.BUNDLE}


def test_a_chain_is_no_set_of_roots() -> None:
    expired = root_like(ISO2, PKI[ROLE.V2G_ROOT], lambda tbs: tbs)
    leaf = PKI.leaf(ROLE.SECC_LEAF)
    imported = import_bundle(pem((*leaf.chain, V2G)), RootType.V2G, provenance(), stage=Stage.STAGED)
    assert [item.stage for item in imported.entries] == [Stage.STAGED]
    assert len(imported.refused) == 3
    assert "no CA certificate" in imported.refused[0].problem
    assert "not signed by itself" in imported.refused[1].problem
    late = Provenance(source=Source.MANUAL, added_by="a", added_at=NOW + timedelta(days=365 * 41))
    assert "expired on" in problems(import_bundle(expired, RootType.V2G, late))[0]
    with pytest.raises(MalformedBundle):
        import_bundle(b"rubbish!", RootType.V2G, provenance())


def item(encoded: bytes, **fields: object) -> dict[str, object]:
    return {"caCertificate": base64.b64encode(encoded).decode(), **fields}


def test_opcp_lists() -> None:
    roots = [item(V2G, rootType="V2G", rootCertificateId="x"), item(MO, rootType="MO")]
    for body in (
        {"RootCertificateCollection": {"rootCertificates": roots}},
        {"RootResponse": roots[0]},
        roots[0],
    ):
        imported = import_pool(json.dumps(body), provenance(Source.OPCP))
        assert imported.refused == ()
        assert imported.entries[0].certificate.encoded == V2G
        assert imported.entries[0].root_type is RootType.V2G


def test_opnc_lists_name_several_types_for_one_root() -> None:
    body = {"rootCertificateCollection": [item(V2G, rootTypeList=["V2G", "eMSP"], rootCtlList=["European CTL"])]}
    imported = import_pool(json.dumps(body).encode(), provenance(Source.OPNC))
    assert [entry.root_type for entry in imported.entries] == [RootType.V2G, RootType.MO]


def test_bad_items_of_a_list_are_named_and_the_good_ones_come_in() -> None:
    leaf = PKI.leaf(ROLE.SECC_LEAF).der
    body = {
        "rootCertificateCollection": [
            item(V2G, rootType="V2G"),
            item(V2G, rootType="CPO"),
            item(V2G),
            {"rootType": "V2G"},
            {"rootType": "V2G", "caCertificate": "%%%"},
            {"rootType": "V2G", "caCertificate": "AAAA"},
            item(leaf, rootType="V2G"),
            "nonsense",
        ]
    }
    imported = import_pool(json.dumps(body), provenance())
    assert len(imported.entries) == 1
    assert [refused.item for refused in imported.refused][:5] == ["root 2", "root 3", "root 4", "root 5", "root 6"]
    assert "none of emsp, mo, oem, pe, v2g" in imported.refused[0].problem
    assert "no caCertificate" in imported.refused[2].problem
    assert "no CA certificate" in imported.refused[5].problem


@pytest.mark.parametrize("body", ["", "[]", "{}", "nonsense", '{"RootCertificateCollection": 3}', "[" * 100_000])
def test_no_list_at_all(body: str) -> None:
    with pytest.raises(MalformedRootList):
        import_pool(body, provenance())


def test_entries_of_one_type_at_once() -> None:
    entries = entries_of(RootType.V2G, [parse(V2G)], provenance(), stage=Stage.STAGED)
    assert [(entry.root_type, entry.stage) for entry in entries] == [(RootType.V2G, Stage.STAGED)]


def test_a_huge_list_is_not_even_parsed() -> None:
    with pytest.raises(MalformedRootList, match="more than a list of roots needs"):
        import_pool(b" " * (5 * 1024 * 1024), provenance())
