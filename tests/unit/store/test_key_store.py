"""Key store: encrypted at rest, atomic replacement, contracts of a vehicle."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import text

from plugpass.errors import LocalError
from plugpass.ids import EMAID
from plugpass.pki.keys import LocalSigner, PublicKey, UnusableKey, generate, public_key_info
from plugpass.ports.keys import Credential
from plugpass.store.database import Database
from plugpass.store.keys import SqlKeyStore

PASSPHRASE = b"correct horse"
FIRST = EMAID.create("DE", "8AA", "001234567")
SECOND = EMAID.create("DE", "8AA", "007654321")


def credential(*chain: bytes) -> Credential:
    return Credential(chain=chain or (b"leaf", b"sub2", b"sub1"), signer=generate())


def same(stored: Credential | None, expected: Credential) -> bool:
    assert stored is not None
    assert stored.chain == expected.chain
    return public_key_info(stored.signer.public_key) == public_key_info(expected.signer.public_key)


def _everything_in(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir())


@pytest.fixture
async def database() -> AsyncIterator[Database]:
    database = await Database.in_memory()
    yield database
    await database.close()


@pytest.fixture
def store(database: Database) -> SqlKeyStore:
    return SqlKeyStore(database, PASSPHRASE)


async def test_what_is_put_is_got(store: SqlKeyStore) -> None:
    original = credential()
    await store.put("station-tls", original)
    assert same(await store.get("station-tls"), original)
    assert await store.get("secc:DE*ICE*E1") is None


async def test_the_replaced_one_stays_as_previous(store: SqlKeyStore) -> None:
    first, second, third = credential(b"1", b"ca"), credential(b"2"), credential(b"3")
    for each in (first, second, third):
        await store.put("secc:DE*ICE*E1", each)
    assert same(await store.get("secc:DE*ICE*E1"), third)
    assert same(await store.get("secc:DE*ICE*E1#previous"), second)


async def test_the_same_again_does_not_push_out_the_previous_one(store: SqlKeyStore) -> None:
    first, second = credential(b"1"), credential(b"2")
    for each in (first, second, second):
        await store.put("cps", each)
    assert same(await store.get("cps#previous"), first)


async def test_delete_forgets_both_and_is_idempotent(store: SqlKeyStore) -> None:
    await store.put("cps", credential(b"1"))
    await store.put("cps", credential(b"2"))
    await store.delete("cps")
    await store.delete("cps")
    assert await store.get("cps") is None
    assert await store.get("cps#previous") is None


async def test_names_are_sorted_filtered_and_without_previous_ones(store: SqlKeyStore) -> None:
    for name in ("ca:root", "secc:B", "secc:A", "secc:A", "secc_B"):
        await store.put(name, credential(name.encode()))
    await store.put("secc:A", credential(b"newer"))
    assert await store.names("secc:") == ("secc:A", "secc:B")
    assert await store.names() == ("ca:root", "secc:A", "secc:B", "secc_B")


async def test_nothing_of_the_key_is_at_rest_in_the_clear(tmp_path: Path) -> None:
    database = await Database.at(tmp_path / "state.db")
    original = credential()
    await SqlKeyStore(database, PASSPHRASE).put("ca:v2g-root", original)
    await database.close()
    assert isinstance(original.signer, LocalSigner)
    content = _everything_in(tmp_path)
    assert original.signer.scalar not in content
    assert b"BEGIN ENCRYPTED PRIVATE KEY" in content
    assert b"BEGIN PRIVATE KEY" not in content


async def test_survives_a_restart_and_needs_the_passphrase(tmp_path: Path) -> None:
    original = credential()
    database = await Database.at(tmp_path / "state.db")
    await SqlKeyStore(database, PASSPHRASE).install(FIRST, original)
    await database.close()

    database = await Database.at(tmp_path / "state.db")
    current = await SqlKeyStore(database, PASSPHRASE).current()
    assert current is not None
    assert current[0] == FIRST
    assert same(current[1], original)
    with pytest.raises(UnusableKey, match="passphrase"):
        await SqlKeyStore(database, b"wrong").current()
    await database.close()


def test_an_empty_passphrase_is_refused(database: Database) -> None:
    with pytest.raises(LocalError, match="passphrase"):
        SqlKeyStore(database, b"")


async def test_the_mark_of_replaced_ones_is_no_name(store: SqlKeyStore) -> None:
    with pytest.raises(LocalError, match="'#'"):
        await store.put("cps#previous", credential())


async def test_a_token_key_is_not_stored(store: SqlKeyStore) -> None:
    class TokenSigner:
        @property
        def public_key(self) -> PublicKey:
            return generate().public_key

        def sign(self, data: bytes) -> bytes:
            return data

        def exchange(self, peer_public_key: PublicKey) -> bytes:
            return b""

    with pytest.raises(LocalError, match="token"):
        await store.put("ca:v2g-root", Credential(chain=(), signer=TokenSigner()))


async def test_the_contract_installed_last_is_current(store: SqlKeyStore) -> None:
    assert await store.current() is None
    first, second, renewed = credential(b"1"), credential(b"2"), credential(b"3")
    await store.install(FIRST, first)
    await store.install(SECOND, second)
    assert (current := await store.current())
    assert current[0] == SECOND
    await store.install(FIRST, renewed)
    assert (current := await store.current())
    assert current[0] == FIRST
    assert str(current[0]) == str(FIRST), "the check digit is kept"
    assert same(current[1], renewed)
    assert same(await store.get(f"contract:{FIRST.key}#previous"), first)


async def test_after_a_discard_the_contract_before_it_is_current(store: SqlKeyStore) -> None:
    await store.install(FIRST, credential(b"1"))
    await store.install(SECOND, credential(b"2"))
    await store.discard(SECOND)
    await store.discard(SECOND)
    assert (current := await store.current())
    assert current[0] == FIRST
    assert await store.get(f"contract:{SECOND.key}") is None
    await store.discard(FIRST)
    assert await store.current() is None


async def test_a_failed_replacement_leaves_the_old_credential(store: SqlKeyStore, database: Database) -> None:
    original = credential(b"1")
    await store.install(FIRST, original)
    async with database.begin() as connection:
        await connection.execute(
            text("CREATE TRIGGER full BEFORE INSERT ON installed_contract BEGIN SELECT RAISE(ABORT, 'disk full'); END")
        )
    with pytest.raises(Exception, match="disk full"):
        await store.install(FIRST, credential(b"2"))
    assert (current := await store.current())
    assert same(current[1], original)
    assert await store.get(f"contract:{FIRST.key}#previous") is None


async def test_a_contract_whose_key_was_deleted_is_named(store: SqlKeyStore) -> None:
    await store.install(FIRST, credential())
    await store.delete(f"contract:{FIRST.key}")
    with pytest.raises(LocalError, match="discard it first"):
        await store.current()
