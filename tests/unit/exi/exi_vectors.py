"""The shared EXI vectors, for the tests of this folder."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

FILES = ("sap", "iso2", "din", "cm20", "ac20", "dc20", "wpt20", "acdp20")
FOLDER = Path(__file__).resolve().parents[2] / "vectors" / "exi"


@dataclass(frozen=True, slots=True)
class Vector:
    """One line of a vectors file; `schema` is the one to code with."""

    name: str
    schema: str
    fragment: bool
    stream: bytes
    xml: str
    json: dict[str, Any]
    agreement: str


@cache
def vectors(file: str) -> tuple[Vector, ...]:
    """All vectors of a file."""
    rows = map(json.loads, (FOLDER / f"{file}.jsonl").read_text(encoding="utf-8").splitlines())
    return tuple(
        Vector(
            name=f"{row['message']}-{row['variant']}-{number}",
            schema=row["grammar"],
            fragment=row["fragment"],
            stream=bytes.fromhex(row["exi"]),
            xml=row["xml"],
            json=row["json"],
            agreement=row["agreement"],
        )
        for number, row in enumerate(rows)
    )


def supported() -> tuple[Vector, ...]:
    """The vectors of every schema that plugpass has.

    That includes those of WPT and ACDP on which the other codecs disagree: `exi` is what the rules of EXI give.
    """
    return tuple(vector for file in FILES for vector in vectors(file))
