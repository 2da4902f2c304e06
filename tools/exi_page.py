#!/usr/bin/env python3
"""Make the worked example and the table of agreement in docs/exi.md from the codec; `--check` only compares."""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from plugpass.exi import decode, encode
from plugpass.exi.bits import BitWriter
from plugpass.exi.engine import walk
from plugpass.exi.grammar import Kind, Production, State
from plugpass.exi.roots import MODULES, load

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "exi.md"
VECTORS = ROOT / "tests" / "vectors" / "exi"
EXAMPLE = bytes.fromhex("8098004011d01a0802f0bca41400")
SECTION = re.compile(r"(<!-- made by tools/exi_page.py: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def page(text: str) -> str:
    """The page with its two sections made anew."""
    sections = {"example": example, "agreement": agreement}
    return SECTION.sub(lambda found: found[1] + sections[found[2]]() + found[3], text)


# --- the worked example ---------------------------------------------------------------------------------------------


def example() -> str:
    """A real message bit by bit, as the grammars have it."""
    message = decode("iso2", EXAMPLE)
    roots = load("iso2").documents
    code, production, value = roots.find(message)
    rows = [
        (f"{EXAMPLE[0]:08b}", "the header octet"),
        (f"{code:0{roots.width}b}", f"root {production.name}, number {code} of {len(roots.productions)}"),
        *_element(production, value, ()),
    ]
    size = sum(len(bits) for bits, _ in rows)
    rows.append(("0" * (-size % 8), "padding to a whole octet"))
    assert int("".join(bits for bits, _ in rows), 2).to_bytes(len(EXAMPLE)) == EXAMPLE
    lines = ["| bits | meaning |", "|---|---|", *(f"| `{bits}` | {text} |" for bits, text in rows)]
    return f"`{EXAMPLE.hex(' ')}`\n\n" + "\n".join(lines) + "\n"


def _element(production: Production, value: Any, path: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """What is written after the event code of an element."""
    if production.grammar is None:
        yield "0", f"characters of {production.name} begin"
        shown = f"how many octets, and these: {value.hex(' ')}" if isinstance(value, bytes) else value
        yield _bits(production, value), f"its value: {shown}"
        yield "0", f"{production.name} ends"
        return
    path = (*path, production.name)
    state = production.grammar.start
    for code, width, event, item in walk(production.grammar, value):
        name = f"{production.name} ends" if event.kind is Kind.END else f"{event.name} begins"
        yield f"{code:0{width}b}", f"{name}: {_choice(state, code)}"
        if event.kind is not Kind.END:
            yield from _element(event, item, path)
            assert event.next is not None
            state = event.next


def _choice(state: State, code: int) -> str:
    """What the state offered."""
    labels = [production.label for production in state.productions]
    if len(labels) == 1:
        return "nothing else may come"
    shown = labels if len(labels) <= 4 else [f"{len(labels)} productions"]
    return f"number {code} of {{{', '.join(shown)}}}"


def _bits(production: Production, value: Any) -> str:
    """The bits of a simple value, told apart from the padding by a one on either side."""
    assert production.coder is not None
    target = BitWriter()
    target.bits(1, 1)
    production.coder.write(target, value)
    target.bits(1, 1)
    octets = target.finish()
    return f"{int.from_bytes(octets):0{8 * len(octets)}b}".rstrip("0")[1:-1]


# --- the table of agreement -----------------------------------------------------------------------------------------


def agreement() -> str:
    """For each schema, how many vectors there are, who agrees on them, and how many we give back octet for octet."""
    rows = [
        "| schema | documents | fragments | both codecs agree | EXIficient alone | they differ | we agree |",
        "|---|---|---|---|---|---|---|",
    ]
    total: Counter[str] = Counter()
    for name in (name for name in MODULES if (VECTORS / f"{name}.jsonl").exists()):
        counts = _counts(name)
        total += counts
        rows.append(_row(f"`{name}`", counts))
    return "\n".join([*rows, _row("all", total)]) + "\n"


def _counts(name: str) -> Counter[str]:
    counts: Counter[str] = Counter()
    for row in map(json.loads, (VECTORS / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()):
        stream, schema, fragment = bytes.fromhex(row["exi"]), row["grammar"], row["fragment"]
        same = encode(schema, decode(schema, stream, fragment=fragment), fragment=fragment) == stream
        counts.update({"all": 1, "same": same, "fragments": fragment, row["agreement"]: 1})
    return counts


def _row(name: str, counts: Counter[str]) -> str:
    differ = counts["conflict"] + counts["unverified"]
    cells = (
        counts["all"] - counts["fragments"],
        counts["fragments"],
        counts["both"],
        counts["exificient_only"],
        differ,
        f"{counts['same']} of {counts['all']}",
    )
    return f"| {name} | " + " | ".join(map(str, cells)) + " |"


def main() -> None:
    """Write the page, or with --check fail where it is stale."""
    text = PAGE.read_text(encoding="utf-8")
    fresh = page(text)
    if "--check" not in sys.argv:
        PAGE.write_text(fresh, encoding="utf-8")
    elif fresh != text:
        sys.exit("docs/exi.md is stale: run python tools/exi_page.py")


if __name__ == "__main__":
    main()
