"""The parts of V2G TLS that need no connection: root hints, alerts, features."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugpass.errors import LocalError
from plugpass.net import tls
from plugpass.net.credentials import private_key
from plugpass.net.tls import FEATURES, Identity, alert_record, choose_identity, parse_trusted_ca_keys
from plugpass.pki.keys import Signer, generate
from plugpass.ports.keys import Credential

HASH = st.binary(min_size=20, max_size=20)


def hints(*hashes: bytes, tail: bytes = b"") -> bytes:
    authorities = b"".join(b"\x03" + each for each in hashes) + tail
    return len(authorities).to_bytes(2, "big") + authorities


@given(st.lists(HASH, max_size=10))
def test_root_hints_are_read_as_rfc_6066_has_them(hashes: list[bytes]) -> None:
    assert parse_trusted_ca_keys(hints(*hashes)) == tuple(hashes)


@given(st.binary(max_size=80))
def test_any_hint_is_read_or_refused(body: bytes) -> None:
    parsed = parse_trusted_ca_keys(body)
    assert parsed is None or all(len(each) == 20 for each in parsed)


@pytest.mark.parametrize("body", [b"", b"\x00", b"\x00\x01", b"\x00\x15\x03" + bytes(19), b"\x00\x02\x03\x00"])
def test_malformed_hints_are_refused(body: bytes) -> None:
    assert parse_trusted_ca_keys(body) is None


def test_hints_of_another_kind_end_the_list() -> None:
    assert parse_trusted_ca_keys(hints(bytes(20), tail=b"\x00" + b"\x03" * 21)) == (bytes(20),)


def test_the_first_chain_to_a_named_root_is_chosen_else_the_first() -> None:
    credential = Credential(chain=(), signer=generate())
    identities = [Identity(credential=credential, root_sha1=hashlib.sha1(name).digest()) for name in (b"a", b"b", b"c")]
    assert choose_identity(identities, [hashlib.sha1(b"c").digest(), hashlib.sha1(b"b").digest()]) == 1
    assert choose_identity(identities, [hashlib.sha1(b"x").digest()]) == 0
    assert choose_identity([Identity(credential=credential)], []) == 0


def test_an_alert_is_a_plain_fatal_record() -> None:
    assert alert_record("certificate_expired") == bytes.fromhex("15 0303 0002 02 2d")


def test_this_platform_has_every_feature() -> None:
    """A cryptography release that drops one shows up here, not as a quiet loss in the field."""
    assert FEATURES.signature_algorithms
    assert FEATURES.trusted_ca_keys


def test_a_key_in_a_token_cannot_serve_tls() -> None:
    class Token:
        def __init__(self, signer: Signer) -> None:
            self.public_key = signer.public_key
            self.sign = signer.sign
            self.exchange = signer.exchange

    with pytest.raises(LocalError, match="token"):
        private_key(Credential(chain=(), signer=Token(generate())))


async def test_a_server_without_identities_is_a_misuse() -> None:
    with pytest.raises(LocalError, match="identity"):
        await tls.accept_tls(None, None, identities=())  # type: ignore[arg-type]  # refused before they are used
