"""Renewing CAs and rolling roots over: old leaves stay valid, both roots lead to the new ones, all is audited."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from pki_cli import Pki
from plugpass.pki.bundle import read_certificates
from plugpass.pki.certificate import Certificate, parse


def certificates_of(path: str | Path) -> tuple[Certificate, ...]:
    return tuple(map(parse, read_certificates(Path(path).read_bytes())))


def verifies(pki: Pki, chain: Path, *roots: Path) -> bool:
    trust = [item for root in roots for item in ("--trust", str(root))]
    return pki("verify", "--role", "secc", *trust, chain).code == 0


def old_root(folder: Path) -> Path:
    (found,) = (folder / "roots").glob("v2g-????????.pem")
    return found


def test_a_renewed_ca_keeps_its_key_and_its_leaves(pki: Pki, workspace: Path) -> None:
    before = certificates_of(workspace / "certs/v2g/cpo-sub2.pem")[0]
    done = pki("renew-ca", "cpo-sub2", "--dir", workspace, "--json")
    assert done.code == 0, done.err
    after = certificates_of(done.json["file"])[0]
    assert (after.key, after.subject) == (before.key, before.subject)
    assert after.serial != before.serial
    assert verifies(pki, workspace / "certs/v2g/secc.pem", workspace / "roots")
    fresh = pki("issue", "secc", "DE*PLU*E9", "--dir", workspace, "--json").json["file"]
    assert certificates_of(fresh)[1] == after


def test_a_rekeyed_ca_issues_with_its_new_key_and_answers_for_the_old_one(pki: Pki, workspace: Path) -> None:
    before = certificates_of(workspace / "certs/v2g/cpo-sub2.pem")[0]
    done = pki("renew-ca", "cpo-sub2", "--new-key", "--dir", workspace, "--json")
    after = certificates_of(done.json["file"])[0]
    assert (after.subject, after.key != before.key) == (before.subject, True)
    fresh = Path(pki("issue", "secc", "DE*PLU*E9", "--dir", workspace, "--json").json["file"])
    assert verifies(pki, fresh, workspace / "roots")
    assert verifies(pki, workspace / "certs/v2g/secc.pem", workspace / "roots")
    assert pki("revoke", workspace / "certs/v2g/secc.pem", "--dir", workspace).code == 0, "issued with the old key"


def test_renewing_the_root_keeps_its_key(pki: Pki, workspace: Path) -> None:
    before = certificates_of(workspace / "roots/v2g.pem")[0]
    assert pki("renew-ca", "v2g-root", "--dir", workspace).code == 0
    after = certificates_of(workspace / "roots/v2g.pem")[0]
    assert (after.key, after.serial != before.serial) == (before.key, True)
    assert verifies(pki, workspace / "certs/v2g/secc.pem", workspace / "roots/v2g.pem")
    done = pki("renew-ca", "v2g-root", "--new-key", "--dir", workspace)
    assert (done.code, "roll-over" in done.err) == (2, True)


def test_a_ca_that_is_not_there(pki: Pki, workspace: Path) -> None:
    done = pki("renew-ca", "no-such-ca", "--dir", workspace)
    assert (done.code, "cpo-sub2" in done.err) == (2, True)
    pki("init", "--dir", workspace, "--generation", "iso20", "--no-leaves")
    done = pki("renew-ca", "cpo-sub2", "--dir", workspace)
    assert (done.code, "--authority" in done.err) == (2, True)


def test_a_root_rolls_over_in_stages(pki: Pki, workspace: Path) -> None:
    assert pki("rollover", "activate", "--dir", workspace).code == 2, "nothing is prepared"
    prepared = pki("rollover", "prepare", "--dir", workspace, "--json").json
    assert pki("rollover", "prepare", "--dir", workspace, "--json").json == prepared, "asking again gives the same"
    roots = {root["stage"] for root in pki("trust", "list", "--dir", workspace, "--json").json["roots"]}
    assert roots == {"active", "staged"}
    done = pki("rollover", "activate", "--dir", workspace, "--json")
    assert len(done.json["new_certificates"]) == 3, "the root and the two Sub-CAs below it"
    fresh = Path(pki("issue", "secc", "DE*PLU*E9", "--dir", workspace, "--json").json["file"])
    assert verifies(pki, fresh, workspace / "roots/v2g.pem")
    assert not verifies(pki, fresh, old_root(workspace))
    assert verifies(pki, workspace / "certs/v2g/secc.pem", old_root(workspace)), "what was issued before stays valid"
    retired = pki("rollover", "retire", "--dir", workspace, "--json")
    assert len(retired.json["retiring"]) == 1
    assert pki("rollover", "retire", "--dir", workspace).code == 2


def test_after_a_roll_over_each_leaf_has_a_chain_to_each_root(pki: Pki, workspace: Path, tmp_path: Path) -> None:
    old = certificates_of(workspace / "roots/v2g.pem")[0].fingerprint
    pki("rollover", "prepare", "--dir", workspace)
    pki("rollover", "activate", "--dir", workspace)
    new = certificates_of(workspace / "roots/v2g.pem")[0].fingerprint
    for fingerprint, root in ((old, old_root(workspace)), (new, workspace / "roots/v2g.pem")):
        chain = tmp_path / f"{fingerprint[:8]}.pem"
        done = pki("export", "--role", "secc", "--root", fingerprint[:20], "--out", chain, "--dir", workspace)
        assert done.code == 0, done.err
        assert verifies(pki, chain, root)
    missing = pki("export", "--role", "secc", "--root", "00", "--out", tmp_path / "x.pem", "--dir", workspace)
    assert (missing.code, old[:16] in missing.err) == (2, True)


def test_cross_signing_a_root_from_a_file(pki: Pki, workspace: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    pki("init", "--dir", other, "--hierarchy", "v2g", "--organization", "Other", "--tiers", "1")
    done = pki("cross-sign", "--from", "v2g", "--to", other / "roots/v2g.pem", "--dir", workspace, "--json")
    assert done.code == 0, done.err
    chain = tmp_path / "chain.pem"
    chain.write_bytes((other / "certs/v2g/secc.pem").read_bytes() + Path(done.json["file"]).read_bytes())
    assert verifies(pki, chain, workspace / "roots/v2g.pem")
    for wrong in (workspace / "certs/v2g/secc.pem", workspace / "certs/v2g/cpo-sub1.pem", workspace / "roots/v2g.pem"):
        refused = pki("cross-sign", "--from", "v2g", "--to", wrong, "--dir", workspace)
        assert (refused.code, len(refused.err.splitlines())) == (2, 1)


# --- audit ---------------------------------------------------------------------------------------------------------


def test_every_ceremony_is_audited_with_its_actor(pki: Pki, workspace: Path, tmp_path: Path) -> None:
    pki("renew-ca", "cpo-sub2", "--new-key", "--by", "alice", "--dir", workspace)
    pki("rollover", "prepare", "--by", "bob", "--dir", workspace)
    pki("revoke", workspace / "certs/v2g/secc.pem", "--by", "carol", "--dir", workspace)
    entries = pki("audit", "list", "--dir", workspace, "--json").json["entries"]
    done = {(entry["actor"], entry["action"]) for entry in entries}
    assert {
        ("alice", "ca.rekeyed"),
        ("bob", "ca.created"),
        ("bob", "ca.cross-signed"),
        ("bob", "trust.changed"),
    } <= done
    assert {("carol", "certificate.revoked"), ("carol", "crl.signed")} <= done
    assert pki("audit", "verify", "--dir", workspace).code == 0
    assert "unbroken" in pki("audit", "verify", "--dir", workspace).out


def test_the_database_refuses_to_change_the_audit_log(workspace: Path) -> None:
    with sqlite3.connect(workspace / "pki.db") as database:
        for statement in ("UPDATE audit_entry SET actor = 'nobody'", "DELETE FROM audit_entry"):
            with pytest.raises(sqlite3.IntegrityError, match="never changed"):
                database.execute(statement)
    database.close()


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("UPDATE audit_entry SET actor = 'nobody' WHERE sequence = 3", "entry 3 (ca.created"),
        ("UPDATE audit_entry SET details = '{}' WHERE sequence = 2", "entry 2 (ca.created"),
        ("DELETE FROM audit_entry WHERE sequence = 2", "entry 2 is missing"),
        ("DELETE FROM audit_entry WHERE sequence = 1", "entry 1 is missing"),
    ],
)
def test_a_changed_audit_log_is_found(pki: Pki, workspace: Path, statement: str, problem: str) -> None:
    with sqlite3.connect(workspace / "pki.db") as database:
        database.execute("DROP TRIGGER audit_entry_no_update")
        database.execute("DROP TRIGGER audit_entry_no_delete")
        database.execute(statement)
    database.close()
    done = pki("audit", "verify", "--dir", workspace, "--json")
    assert (done.code, done.json["ok"]) == (1, False)
    assert problem in done.json["reason"]


def test_a_cut_off_end_is_found_with_a_noted_head(pki: Pki, workspace: Path) -> None:
    head = pki("audit", "verify", "--dir", workspace, "--json").json["head"]
    with sqlite3.connect(workspace / "pki.db") as database:
        database.execute("DROP TRIGGER audit_entry_no_delete")
        database.execute("DELETE FROM audit_entry WHERE sequence = (SELECT max(sequence) FROM audit_entry)")
    database.close()
    assert pki("audit", "verify", "--dir", workspace).code == 0, "by itself a shorter chain is a chain"
    done = pki("audit", "verify", "--head", head, "--dir", workspace)
    assert (done.code, "cut off" in done.err) == (1, True)
