"""Speed of the path validator: a chain of four P-256 certificates (leaf, Sub-CA 2, Sub-CA 1, root), parse included.

Run: `python benches/bench_pki.py` from the repository. Three measurements, since what is remembered decides:

* *strangers*: every chain comes from a hierarchy of its own that nobody has seen before; nothing can be remembered but
  what all certificates have in common (object identifiers, the encoding of an extension);
* *new leaf*: a leaf never seen before, below Sub-CAs that came by before: what a CSMS or a station does all day;
* *again*: the very same chain.

Beside them: the bare signature checks that nobody can save, and OpenSSL's own validator on the same chains, which knows
none of the V2G rules.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path

from rich.console import Console
from rich.table import Table

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY / "tests"))

from OpenSSL import crypto  # noqa: E402

from pki_factory import NOW, ROLE, Pki, mint_pki  # noqa: E402
from plugpass.pki import certificate  # noqa: E402
from plugpass.pki.keys import load_public_key, verify  # noqa: E402
from plugpass.pki.names import parse_name  # noqa: E402
from plugpass.pki.path import validate  # noqa: E402
from plugpass.pki.profiles import PROFILES_ISO20  # noqa: E402
from plugpass.pki.trust import TrustAnchors  # noqa: E402

TARGET = 2_500  #: validations a second
COUNT = 400
Chain = tuple[tuple[bytes, ...], TrustAnchors]


def per_second(work: Callable[[Chain], None], chains: Iterable[Chain]) -> float:
    """Best of three runs over slices of `chains`, each chain used once."""
    listed = list(chains)
    size = len(listed) // 3
    rates = []
    for at in range(0, 3 * size, size):
        begin = time.perf_counter()
        for chain in listed[at : at + size]:
            work(chain)
        rates.append(size / (time.perf_counter() - begin))
    return max(rates)


def ours(chain: Chain) -> None:
    """The whole answer: parse, profiles, names, constraints, signatures."""
    certificates, anchors = chain
    assert validate(certificates, role=ROLE.SECC_LEAF, anchors=anchors, at=NOW).ok


def ours_iso20(chain: Chain) -> None:
    """The same by the -20 profiles."""
    certificates, anchors = chain
    assert validate(certificates, role=ROLE.SECC_LEAF, anchors=anchors, at=NOW, profiles=PROFILES_ISO20).ok


def signatures_only(chain: Chain) -> None:
    """Three signature checks with keys and octets at hand."""
    for key, signature, tbs in LINKS[chain[0]]:
        assert verify(key, signature, tbs)


def openssl(chain: Chain) -> None:
    """pyOpenSSL's X509Store, parse included, the store built for the hierarchy."""
    certificates, anchors = chain
    store = crypto.X509Store()
    for anchor in anchors.anchors:
        store.add_cert(crypto.load_certificate(crypto.FILETYPE_ASN1, anchor.certificate.encoded))
    store.set_time(NOW)
    leaf, *others = (crypto.load_certificate(crypto.FILETYPE_ASN1, one) for one in certificates)
    crypto.X509StoreContext(store, leaf, others).verify_certificate()


LINKS: dict[tuple[bytes, ...], list[tuple[object, bytes, bytes]]] = {}


def links(pki: Pki, chain: tuple[bytes, ...]) -> list[tuple[object, bytes, bytes]]:
    """(key, signature, octets) of every link, without touching what the validator remembers."""
    parsed = [certificate.parse.__wrapped__(one) for one in (*chain, pki[ROLE.V2G_ROOT].der)]
    return [(load_public_key(issuer.key.encoded), child.signature, child.tbs) for child, issuer in pairwise(parsed)]


def forget() -> None:
    """Drop what issuing the test certificates has left in memory, and keep the collector from walking over them."""
    for remembering in (certificate.parse, certificate.public_key, parse_name):
        remembering.cache_clear()
    gc.collect()
    gc.freeze()


def strangers(count: int) -> list[Chain]:
    """Chains of hierarchies that have nothing in common."""
    made = []
    for number in range(count):
        pki = mint_pki(prefix=f"Stranger {number}")
        chain = pki.leaf(ROLE.SECC_LEAF, f"DE*PLU*E{number}").chain
        LINKS[chain] = links(pki, chain)
        made.append((chain, TrustAnchors.of(v2g=[pki[ROLE.V2G_ROOT].der])))
    return made


def siblings(pki: Pki, count: int) -> list[Chain]:
    """Chains that differ in the leaf."""
    anchors = pki.anchors
    return [(pki.leaf(ROLE.SECC_LEAF, f"DE*PLU*E{number}").chain, anchors) for number in range(count)]


def main() -> int:
    """Print the table; 1 where the target is missed with a new leaf."""
    foreign, p256 = strangers(COUNT), siblings(mint_pki(), 3 * COUNT)
    p521 = siblings(mint_pki(profiles=PROFILES_ISO20), 150)
    forget()
    new_leaf = per_second(ours, p256)
    rows = (
        ("strangers: nothing seen before", per_second(ours, foreign)),
        ("new leaf below known Sub-CAs", new_leaf),
        ("the same chain again", per_second(ours, [p256[0]] * 3 * COUNT)),
        ("-20, P-521: new leaf below known Sub-CAs", per_second(ours_iso20, p521)),
        ("for comparison: three signature checks only", per_second(signatures_only, foreign)),
        ("for comparison: OpenSSL X509Store, no V2G rules", per_second(openssl, foreign)),
    )
    table = Table(title=f"path validation, 4 certificates, one thread (target {TARGET:,}/s)")
    table.add_column("what")
    table.add_column("validations/s", justify="right")
    for what, rate in rows:
        table.add_row(what, f"{rate:,.0f}")
    Console(width=100).print(table)
    return 0 if new_leaf >= TARGET else 1


if __name__ == "__main__":
    sys.exit(main())
