"""The page of `docs/pki-cases.md`, made from the tables that the tests run on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import bad_chains  # noqa: F401  # enters its cases on import
import bad_contents  # noqa: F401
import bad_iso20  # noqa: F401
from chain_tools import CASES, WORLDS, BadChain, Case, case_of, judge
from test_pki_pkits import SUITE

from interop.josev.expected_findings import FILES, FINDINGS, WHY
from plugpass.pki.path import FIELD, Status
from plugpass.pki.profiles import Generation

HEAD = """\
# Certificate chains that must be refused

Generated from the tests by `python tools/pki_cases.py`; every line is a test. Do not edit.
"""
MATRIX = """\
## The matrix

Each case is made for ISO 15118-2 (P-256) and for ISO 15118-20 (P-521 and Ed448), as far as it exists there, and judged
under the policy `annex-f`. *Undetermined* is no acceptance: nothing wrong was proven, but a status could not be found
out. Under the policy `field` the same cases are refused, but for those marked with a dagger. The last column is what
OpenSSL (pyOpenSSL `X509Store`) makes of the same input, and why it differs.
"""
PKITS = """\
## Cases of the NIST suite PKITS, rebuilt as V2G chains
"""
JOSEV = """\
## What `lint` says about Josev's own certificates

Minted by `create_certs.sh` of the PyPI package `iso15118` as it ships, `-v iso-2` and `-v iso-20`. Certificates that
are not listed have no findings. `aki-missing` (a notice) comes on top where an OpenSSL before 3.0 ran the script.
"""


def page() -> str:
    """The whole page."""
    parts = [HEAD, MATRIX, *_table(_MATRIX_HEAD, _matrix()), PKITS, *_table(_PKITS_HEAD, _pkits())]
    return "\n".join([*parts, JOSEV, *_table(_JOSEV_HEAD, _josev())])


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    lines = [head, ("---",) * len(head), *rows]
    return [*(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines), ""]


_MATRIX_HEAD = ("case", "what is wrong", "in", "verdict", "reasons", "-2 code", "-20 code", "OCPP status", "OpenSSL")


def _matrix() -> Iterator[tuple[str, ...]]:
    for name, bad in CASES.items():
        world = bad.worlds[0]
        verdict = judge(case_of(name, world))
        generations = dict.fromkeys(world.generation for world in bad.worlds)
        yield (
            f"`{name}`" + (" †" if judge(_under_field(name, bad)).ok else ""),
            bad.title,
            ", ".join("-2" if one is Generation.ISO2 else "-20" for one in generations),
            "undetermined" if verdict.status is Status.INDETERMINATE else "refused",
            _reasons(bad),
            verdict.iso2_code.removeprefix("FAILED_") if Generation.ISO2 in generations else "",
            verdict.iso20_code.removeprefix("WARNING_") if Generation.ISO20 in generations else "",
            verdict.ocpp_status,
            _oracle(bad),
        )


def _under_field(name: str, bad: BadChain) -> Case:
    return replace(case_of(name, bad.worlds[0]), policy=FIELD)


def _reasons(bad: BadChain) -> str:
    more = bad.reasons_iso20 - bad.reasons
    return ", ".join(sorted(bad.reasons)) + (f"; in -20 also {', '.join(sorted(more))}" if more else "")


def _oracle(bad: BadChain) -> str:
    if bad.oracle is None:
        return f"not asked: {bad.why}"
    return bad.oracle + (f": {bad.why}" if bad.why else "")


_PKITS_HEAD = ("PKITS", "title", "suite", "plugpass", "why")


def _pkits() -> Iterator[tuple[str, ...]]:
    for number, case in SUITE.items():
        ours = case.valid is not bool(case.differs)
        yield number, case.title, *("valid" if ok else "invalid" for ok in (case.valid, ours)), case.differs


_JOSEV_HEAD = ("file", "role", "generation", "findings", "why")


def _josev() -> Iterator[tuple[str, ...]]:
    for generation, by_role in FINDINGS.items():
        for name, role in FILES.items():
            if reasons := sorted(by_role.get(role, ())):
                why = "; ".join(dict.fromkeys(WHY[reason] for reason in reasons))
                yield f"`{name}`", role, "-2" if generation is Generation.ISO2 else "-20", ", ".join(reasons), why


def summary() -> str:
    """One line: how many cases there are for each world."""
    return ", ".join(f"{world.name}: {sum(world in bad.worlds for bad in CASES.values())}" for world in WORLDS)
