"""Choosing a chain by the roots the peer has named."""

from __future__ import annotations

import contextlib
from hashlib import sha1

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pki_factory import ROLE, mint_pki, shared_pki
from plugpass.pki.choice import (
    MalformedAuthorities,
    Presentable,
    by_certificate_authorities,
    by_trusted_ca_keys,
    encode_certificate_authorities,
    parse_certificate_authorities,
)

PKI, OTHER = shared_pki(), mint_pki(prefix="Other")
FIRST = Presentable(chain=PKI.leaf(ROLE.SECC_LEAF).chain, root=PKI[ROLE.V2G_ROOT].der)
SECOND = Presentable(chain=OTHER.leaf(ROLE.SECC_LEAF).chain, root=OTHER[ROLE.V2G_ROOT].der)
STRANGER = mint_pki(prefix="Stranger")[ROLE.V2G_ROOT].der


def digest(root: bytes) -> bytes:
    return sha1(root, usedforsecurity=False).digest()


def test_iso2_presents_the_chain_of_a_named_root_or_else_the_first() -> None:
    chains = (FIRST, SECOND)
    assert by_trusted_ca_keys(chains, [digest(STRANGER), digest(SECOND.root)]).presentable is SECOND
    assert by_trusted_ca_keys(chains, [digest(SECOND.root), digest(FIRST.root)]).presentable is FIRST
    unmatched = by_trusted_ca_keys(chains, [digest(STRANGER)])  # [V2G2-923]
    assert (unmatched.presentable, unmatched.matched) == (FIRST, False)
    assert "trusts none of our roots" in unmatched.because
    silent = by_trusted_ca_keys(chains, [])
    assert (silent.presentable, silent.because) == (FIRST, "the peer named no root")
    assert by_trusted_ca_keys((), [digest(FIRST.root)]).presentable is None


def test_iso20_presents_nothing_where_no_named_root_matches() -> None:
    chains = (FIRST, SECOND)
    named = parse_certificate_authorities(encode_certificate_authorities([STRANGER, SECOND.root]))
    chosen = by_certificate_authorities(chains, named)
    assert (chosen.presentable, chosen.matched) == (SECOND, True)
    assert "Other V2G-ROOT" in chosen.because
    refused = by_certificate_authorities(
        chains, parse_certificate_authorities(encode_certificate_authorities([STRANGER]))
    )
    assert refused.presentable is None  # [V2G20-2379]
    assert by_certificate_authorities(chains, ()).presentable is FIRST  # [V2G20-2378]
    assert by_certificate_authorities(chains, (b"rubbish",)).presentable is None


@pytest.mark.parametrize("body", [b"", b"\x00", b"\x00\x01", b"\x00\x02\x00\x00", b"\x00\x04\x00\x03\x30\x00"])
def test_broken_authorities(body: bytes) -> None:
    with pytest.raises(MalformedAuthorities):
        parse_certificate_authorities(body)


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=10), st.binary(max_size=60))
def test_authorities_round_trip_and_rubbish_is_no_crash(names: list[bytes], rubbish: bytes) -> None:
    content = b"".join(len(name).to_bytes(2) + name for name in names)
    assert parse_certificate_authorities(len(content).to_bytes(2) + content) == tuple(names)
    with contextlib.suppress(MalformedAuthorities):
        parse_certificate_authorities(rubbish)
    by_certificate_authorities((FIRST,), (rubbish,))


def test_too_many_names() -> None:
    content = b"\x00\x01x" * 65
    with pytest.raises(MalformedAuthorities, match="too many"):
        parse_certificate_authorities(len(content).to_bytes(2) + content)
