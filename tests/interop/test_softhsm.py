"""Keys in a PKCS#11 token, tried with SoftHSM2: made there, used there, and what happens when the token goes away."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.ocsp import OCSPResponseStatus, load_der_ocsp_response
from structlog.testing import capture_logs

from ca_support import Stores, authority, station_csr, stores
from pki_factory import NOW, ROLE
from plugpass.errors import ConfigurationError, LocalError, Unavailable
from plugpass.net.clock import LabClock
from plugpass.pki.issue import issue, new_serial, self_signed
from plugpass.pki.keys import Curve, UnusableKey, generate, public_key_info, verify
from plugpass.pki.names import subject
from plugpass.pki.ocsp import build_request, cert_id
from plugpass.pki.path import validate
from plugpass.pki.policy import FIELD
from plugpass.pki.profiles import PROFILES_ISO2
from plugpass.pki.trust import TrustAnchors
from plugpass.ports.keys import Credential

pytestmark = pytest.mark.interop

LIBRARIES = tuple(f"{prefix}/lib/softhsm/libsofthsm2.so" for prefix in ("/usr", "/usr/local", "/opt/homebrew"))
PIN = "1234"
CURVES = tuple(Curve)
AGREEING = (Curve.P256, Curve.P521)

pkcs11 = pytest.importorskip("pkcs11", reason="missing python-pkcs11: pip install plugpass[hsm]")

from plugpass.providers.pkcs11 import Token, TokenKeyStore, TokenRefused, TokenSettings  # noqa: E402  # after the skip
from plugpass.providers.pkcs11.keystore import write_certificate  # noqa: E402


@pytest.fixture(scope="session")
def softhsm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library, set up to keep its tokens in a folder of ours."""
    library = next((Path(path) for path in LIBRARIES if Path(path).exists()), None)
    if library is None or shutil.which("softhsm2-util") is None:
        pytest.skip("missing SoftHSM2: apt-get install softhsm2")
    folder = tmp_path_factory.mktemp("softhsm")
    (folder / "tokens").mkdir()
    settings = f"directories.tokendir = {folder / 'tokens'}\nobjectstore.backend = file\nlog.level = ERROR\n"
    (folder / "softhsm2.conf").write_text(settings)
    os.environ["SOFTHSM2_CONF"] = str(folder / "softhsm2.conf")  # the library reads it itself, once
    return library


class Drawer:
    """A token's place on disk: it can be taken out and put back."""

    def __init__(self, library: Path, label: str) -> None:
        self.settings = TokenSettings(module=library, label=label, pin=PIN)
        self._tokens = Path(os.environ["SOFTHSM2_CONF"]).parent / "tokens"
        before = set(self._tokens.iterdir())
        command = f"softhsm2-util --init-token --free --label {label} --so-pin 87654321 --pin {PIN}"
        subprocess.run(command.split(), check=True, capture_output=True)
        (self._place,) = set(self._tokens.iterdir()) - before
        self._away = self._tokens.parent / f"{label}-away"

    def open(self, **changes: object) -> Token:
        return Token(replace(self.settings, **changes), random=os.urandom)  # type: ignore[arg-type]  # fields of it

    def take_out(self) -> None:
        shutil.move(self._place, self._away)

    def put_back(self) -> None:
        shutil.move(self._away, self._place)


@pytest.fixture
def drawer(softhsm: Path, request: pytest.FixtureRequest) -> Drawer:
    return Drawer(softhsm, f"t{abs(hash(request.node.nodeid)):x}"[:32])


@pytest.fixture
def token(drawer: Drawer) -> Iterator[Token]:
    opened = drawer.open()
    yield opened
    opened.close()


# --- keys ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("curve", CURVES)
def test_a_key_signs_in_its_token_and_nowhere_else(token: Token, curve: Curve) -> None:
    signer = token.generate(curve)
    assert verify(signer.public_key, signer.sign(b"data"), b"data")
    assert not verify(signer.public_key, signer.sign(b"data"), b"other data")
    private = token.run(lambda session: session.get_key(object_class=pkcs11.ObjectClass.PRIVATE_KEY, id=signer.key_id))
    wanted = ("SENSITIVE", "ALWAYS_SENSITIVE", "EXTRACTABLE", "NEVER_EXTRACTABLE", "PRIVATE", "DERIVE")
    found = {name: private[pkcs11.Attribute[name]] for name in wanted}
    expected = dict.fromkeys(wanted, True) | {"EXTRACTABLE": False, "DERIVE": False}
    assert found == expected
    with pytest.raises(TokenRefused, match="AttributeSensitive"):
        token.run(lambda session: private[pkcs11.Attribute.VALUE])


@pytest.mark.parametrize("curve", AGREEING)
def test_key_agreement_happens_in_the_token(token: Token, curve: Curve) -> None:
    signer, peer = token.generate(curve, agreement=True), generate(curve)
    assert signer.exchange(peer.public_key) == peer.exchange(signer.public_key)
    with pytest.raises(UnusableKey, match="same curve"):
        signer.exchange(generate(Curve.P521 if curve is Curve.P256 else Curve.P256).public_key)
    with pytest.raises(UnusableKey, match="made to sign"):
        token.generate(curve).exchange(peer.public_key)  # a CA key


WITHOUT_EDDSA = """
import os, sys
from pathlib import Path
from plugpass.pki.keys import Curve, UnusableKey
from plugpass.providers.pkcs11 import Token, TokenSettings
token = Token(TokenSettings(module=Path(sys.argv[1]), label=sys.argv[2], pin=sys.argv[3]), random=os.urandom)
try:
    token.generate(Curve.ED448)
except UnusableKey as error:
    print(error, token.key_ids())
"""


def test_ed448_is_refused_in_words_where_the_token_cannot(drawer: Drawer, tmp_path: Path) -> None:
    settings = Path(os.environ["SOFTHSM2_CONF"]).read_text()
    limited = tmp_path / "softhsm2.conf"
    limited.write_text(settings + "slots.mechanisms = -CKM_MD5,CKM_EC_EDWARDS_KEY_PAIR_GEN\n")  # 2.6.1 skips the first
    output = in_new_process(WITHOUT_EDDSA, drawer, SOFTHSM2_CONF=str(limited))
    assert "cannot hold ed448 keys: it lacks EC_EDWARDS_KEY_PAIR_GEN; use secp256r1 or secp521r1" in output
    assert output.endswith("()")


def in_new_process(script: str, drawer: Drawer, *arguments: str, **environment: str) -> str:
    settings = drawer.settings
    command = [sys.executable, "-c", script, str(settings.module), settings.label, settings.pin, *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ | environment)
    return done.stdout.strip().splitlines()[-1]


def test_a_key_is_named_and_never_shown(token: Token, drawer: Drawer) -> None:
    signer = token.generate(Curve.P256)
    assert repr(signer) == f"TokenSigner(secp256r1, {signer.key_id.hex()})"
    assert PIN not in repr(drawer.settings)
    with pytest.raises(UnusableKey, match="not pickled"):
        signer.__reduce__()


def test_destroyed_and_unknown_keys_are_unusable(token: Token) -> None:
    signer = token.generate(Curve.P256)
    assert token.key_ids() == (signer.key_id,)
    token.destroy(signer.key_id)
    token.destroy(signer.key_id)
    assert token.key_ids() == ()
    with pytest.raises(UnusableKey, match="has no key"):
        token.signer(signer.key_id)
    with pytest.raises(LocalError):
        signer.sign(b"data")


# --- opening ---------------------------------------------------------------------------------------------------------


def test_a_wrong_pin_is_tried_once(drawer: Drawer) -> None:
    with capture_logs() as logs, pytest.raises(TokenRefused, match="the PIN is wrong"):
        drawer.open(pin="9999")
    assert [(line["event"], line["cause"]) for line in logs] == [("token.login_refused", "PinIncorrect")]
    assert "9999" not in str(logs)
    drawer.open().close()


def test_a_pin_changed_meanwhile_is_not_hammered(drawer: Drawer) -> None:
    token = drawer.open()
    signer = token.generate(Curve.P256)
    token.run(lambda session: session.set_pin(PIN, "567890"))
    token.close()
    with pytest.raises(TokenRefused, match="the PIN is wrong"):
        signer.sign(b"data")
    with capture_logs() as logs, pytest.raises(TokenRefused, match="the PIN is wrong"):
        signer.sign(b"data")
    assert logs == [], "the second time it was not even tried"
    again = drawer.open(pin="567890")
    assert verify(signer.public_key, again.signer(signer.key_id).sign(b"data"), b"data")
    again.close()


def test_missing_tokens_and_libraries_are_named(softhsm: Path, drawer: Drawer, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no token 'nobody'"):
        drawer.open(label="nobody")
    with pytest.raises(ConfigurationError, match="no PKCS#11 library at"):
        drawer.open(module=tmp_path / "missing.so")
    (tmp_path / "text.so").write_text("not a library")
    with pytest.raises(ConfigurationError, match="cannot be used as a PKCS#11 library"):
        drawer.open(module=tmp_path / "text.so")


def test_two_tokens_of_one_label_are_ambiguous(softhsm: Path, drawer: Drawer) -> None:
    twin = Drawer(softhsm, drawer.settings.label)
    with pytest.raises(ConfigurationError, match="2 tokens have the label"):
        drawer.open()
    twin.take_out()
    drawer.open().close()


def test_a_token_is_open_once_in_a_process(token: Token, drawer: Drawer) -> None:
    with pytest.raises(TokenRefused, match="share that Token object"):
        drawer.open()
    assert token.generate(Curve.P256).sign(b"data")


# --- the token goes away ---------------------------------------------------------------------------------------------


def test_a_token_that_is_taken_out_is_unavailable_until_it_is_back(token: Token, drawer: Drawer) -> None:
    signer = token.generate(Curve.P256)
    drawer.take_out()
    for _ in range(2):
        with capture_logs() as logs, pytest.raises(Unavailable, match="is not available"):
            signer.sign(b"data")
        assert logs[-1]["event"] == "token.unavailable"
    drawer.put_back()
    assert verify(signer.public_key, signer.sign(b"data"), b"data")


def test_one_token_going_leaves_the_others_working(token: Token, drawer: Drawer, softhsm: Path) -> None:
    other = Drawer(softhsm, "other-" + drawer.settings.label[:20])
    neighbour = other.open()
    kept, lost = token.generate(Curve.P256), neighbour.generate(Curve.P256)
    other.take_out()
    with pytest.raises(Unavailable):
        lost.sign(b"data")
    assert verify(kept.public_key, kept.sign(b"data"), b"data"), "its session was ended by the search, and is new"
    neighbour.close()


RESTARTED = """
import sys
from pathlib import Path
from plugpass.pki.keys import public_key_info
from plugpass.providers.pkcs11 import Token, TokenSettings
module, label, pin, key_id = sys.argv[1:]
token = Token(TokenSettings(module=Path(module), label=label, pin=pin), random=bytes)
signer = token.signer(bytes.fromhex(key_id))
print(public_key_info(signer.public_key).hex(), signer.sign(b"after the restart").hex())
"""


@pytest.mark.parametrize("curve", CURVES)
def test_keys_outlive_the_process(token: Token, drawer: Drawer, curve: Curve) -> None:
    signer = token.generate(curve)
    key, signature = map(bytes.fromhex, in_new_process(RESTARTED, drawer, signer.key_id.hex()).split())
    assert key == public_key_info(signer.public_key)
    assert verify(signer.public_key, signature, b"after the restart")


# --- certificates ----------------------------------------------------------------------------------------------------


def test_a_root_and_what_it_issues_are_signed_in_the_token(token: Token) -> None:
    signer = token.generate(Curve.P256)
    signatures = 0

    class Counting:
        public_key = signer.public_key
        exchange = signer.exchange

        def sign(self, data: bytes) -> bytes:
            nonlocal signatures
            signatures += 1
            return signer.sign(data)

    profile, below = PROFILES_ISO2[ROLE.V2G_ROOT], PROFILES_ISO2[ROLE.CPO_SUB1]
    name = subject(profile, "Root in a token", "plugpass", "DE")
    root = self_signed(profile, name, Counting(), now=NOW, serial=new_serial(os.urandom))
    sub = issue(
        below,
        subject(below, "Sub1", "plugpass", "DE"),
        generate().public_key,
        root,
        Counting(),
        now=NOW,
        serial=new_serial(os.urandom),
        ocsp_url="http://127.0.0.1:1/ocsp/v2g-root",
    )
    root.verify_directly_issued_by(root)
    sub.verify_directly_issued_by(root)
    assert signatures == 2, "one for each certificate: the part to be signed is assembled once"


async def test_a_hierarchy_lives_in_a_token_and_is_found_again(drawer: Drawer, tmp_path: Path) -> None:
    clock = LabClock()
    async with stores() as memory:
        token = drawer.open()
        v2g = await in_token(memory, token, clock)
        chain = (await v2g.issue(station_csr(generate()), ROLE.SECC_LEAF)).certificates
        anchors = TrustAnchors.of(v2g=[v2g.root])
        assert validate(chain, role=ROLE.SECC_LEAF, anchors=anchors, at=clock.now(), policy=FIELD).ok
        assert await memory.keys.names("ca:") == (), "no CA key is in the database"
        assert len(token.key_ids()) == 5
        status = load_der_ocsp_response(await v2g.respond_ocsp(build_request([cert_id(chain[0], chain[1])])))
        assert status.response_status is OCSPResponseStatus.SUCCESSFUL
        token.close()
        again = drawer.open()
        resumed = await in_token(memory, again, clock)
        assert (resumed.root, resumed.sub_cas) == (v2g.root, v2g.sub_cas)
        assert await resumed.issue(station_csr(generate()), ROLE.SECC_LEAF)
        again.close()


async def in_token(memory: Stores, token: Token, clock: LabClock):  # type: ignore[no-untyped-def]  # as `authority`
    keys = TokenKeyStore(token, others=memory.keys)
    return await authority(replace_keys(memory, keys), clock, new_ca_key=lambda name: token.generate(Curve.P256))


def replace_keys(memory: Stores, keys: TokenKeyStore) -> Stores:
    changed = Stores(database=memory.database)
    changed.keys = keys  # type: ignore[assignment]  # another KeyStore
    return changed


async def test_a_ca_whose_token_is_gone_says_so_and_comes_back(drawer: Drawer) -> None:
    clock = LabClock()
    async with stores() as memory:
        token = drawer.open()
        v2g = await in_token(memory, token, clock)
        drawer.take_out()
        with pytest.raises(Unavailable):
            await v2g.issue(station_csr(generate()), ROLE.SECC_LEAF)
        request = build_request([cert_id(v2g.sub_cas[0], v2g.root)])
        response = load_der_ocsp_response(await v2g.respond_ocsp(request))
        assert response.response_status is OCSPResponseStatus.TRY_LATER
        drawer.put_back()
        assert await v2g.issue(station_csr(generate()), ROLE.SECC_LEAF)
        response = load_der_ocsp_response(await v2g.respond_ocsp(request))
        assert response.response_status is OCSPResponseStatus.SUCCESSFUL
        token.close()


# --- the key store ---------------------------------------------------------------------------------------------------


def credential(token: Token, name: str = "A") -> Credential:
    return certified(token.generate(Curve.P256), name)


def certified(signer, name: str) -> Credential:  # type: ignore[no-untyped-def]  # any Signer
    profile = PROFILES_ISO2[ROLE.V2G_ROOT]
    made = (
        self_signed(profile, subject(profile, each, "plugpass", "DE"), key, now=NOW, serial=new_serial(os.urandom))
        for each, key in ((name, signer), ("above", generate()), ("top", generate()))
    )
    return Credential(chain=tuple(each.public_bytes(Encoding.DER) for each in made), signer=signer)


async def test_the_store_keeps_the_credential_and_the_one_before(token: Token) -> None:
    keys = TokenKeyStore(token)
    first, second, third = (credential(token, name) for name in "ABC")
    assert await keys.get("ca:x") is None
    for stored in (first, first, second):
        await keys.put("ca:x", stored)
    await keys.put("ca:y@2", third)
    assert await chain_of(keys, "ca:x") == second.chain
    assert await chain_of(keys, "ca:x#previous") == first.chain
    assert await chain_of(keys, "ca:y@2") == third.chain
    assert await keys.get("ca:y@2#previous") is None
    assert await keys.names() == ("ca:x", "ca:y@2")
    assert await keys.names("ca:y") == ("ca:y@2",)
    found = await keys.get("ca:x")
    assert found is not None
    assert verify(second.signer.public_key, found.signer.sign(b"data"), b"data")
    await keys.put("ca:x", credential(token, "D"))
    assert first.signer.key_id not in token.key_ids(), "the one before the previous one is gone, with its key"
    await keys.delete("ca:x")
    await keys.delete("ca:x")
    assert await keys.names() == ("ca:y@2",)
    assert token.key_ids() == (third.signer.key_id,)


async def chain_of(keys: TokenKeyStore, name: str) -> tuple[bytes, ...]:
    found = await keys.get(name)
    assert found is not None
    return found.chain


async def test_a_key_of_two_names_dies_with_the_second(token: Token) -> None:
    keys, shared = TokenKeyStore(token), credential(token)
    await keys.put("ca:x", shared)
    await keys.put("old-ca:x@1", shared)
    await keys.delete("ca:x")
    assert (await chain_of(keys, "old-ca:x@1")) == shared.chain
    assert shared.signer.sign(b"data")
    await keys.delete("old-ca:x@1")
    assert token.key_ids() == ()


async def test_a_renewed_certificate_of_the_same_key_replaces_the_old_one(token: Token) -> None:
    keys, first = TokenKeyStore(token), credential(token, "old")
    renewed = certified(first.signer, "new")
    for stored in (first, renewed, certified(first.signer, "newest")):
        await keys.put("ca:x", stored)
    assert await chain_of(keys, "ca:x#previous") == renewed.chain
    assert token.key_ids() == (first.signer.key_id,)


@pytest.mark.parametrize("written", [1, 2])
async def test_a_put_that_was_killed_leaves_what_was_there(token: Token, written: int) -> None:
    keys, first, second = TokenKeyStore(token), credential(token, "A"), credential(token, "B")
    await keys.put("ca:x", first)
    kill_after(token, second, written)
    assert await chain_of(keys, "ca:x") == first.chain
    assert await keys.names() == ("ca:x",)
    await keys.put("ca:x", second)
    assert await chain_of(keys, "ca:x") == second.chain
    assert await chain_of(keys, "ca:x#previous") == first.chain
    assert set(token.key_ids()) == {first.signer.key_id, second.signer.key_id}


def kill_after(token: Token, unfinished: Credential, written: int) -> None:
    """What a put has done when it is killed after so many certificates; the leaf comes last."""
    key_id = unfinished.signer.key_id
    for position, encoded in list(enumerate(unfinished.chain))[-written:]:
        token.run(partial(write_certificate, label="ca:x@2", key_id=key_id, position=position, encoded=encoded))


async def test_keys_without_certificates_are_found(token: Token) -> None:
    keys, used, orphan = TokenKeyStore(token), credential(token), token.generate(Curve.P256)
    await keys.put("ca:x", used)
    assert await keys.unused_keys() == (orphan.key_id,)


async def test_keys_of_this_process_go_to_the_other_store(token: Token) -> None:
    local = certified(generate(), "local")
    with pytest.raises(LocalError, match="is not in token"):
        await TokenKeyStore(token).put("ocsp:x", local)
    async with stores() as memory:
        keys = TokenKeyStore(token, others=memory.keys)
        await keys.put("ocsp:x", local)
        await keys.put("ca:x", credential(token))
        assert await keys.names() == ("ca:x", "ocsp:x")
        assert await memory.keys.names() == ("ocsp:x",)
        assert await chain_of(keys, "ocsp:x") == local.chain
        with pytest.raises(LocalError, match="cannot be replaced by this"):
            await keys.put("ca:x", local)
        with pytest.raises(LocalError, match="in the other key store"):
            await keys.put("ocsp:x", credential(token))
        await keys.delete("ocsp:x")
        assert await keys.get("ocsp:x") is None


async def test_unusable_credentials_are_refused(token: Token) -> None:
    keys, good = TokenKeyStore(token), credential(token)
    with pytest.raises(LocalError, match="contains '#'"):
        await keys.put("ca#x", good)
    with pytest.raises(LocalError, match="no certificate"):
        await keys.put("ca:x", Credential(chain=(), signer=good.signer))
    await keys.put("ca:x", Credential(chain=credential(token, "of another key").chain, signer=good.signer))
    with pytest.raises(LocalError, match="of another key"):
        await keys.get("ca:x")


async def test_many_at_once_take_turns(token: Token) -> None:
    signer = token.generate(Curve.P256)
    signatures = await asyncio.gather(*(asyncio.to_thread(signer.sign, b"%d" % each) for each in range(16)))
    assert all(verify(signer.public_key, each, b"%d" % at) for at, each in enumerate(signatures))
