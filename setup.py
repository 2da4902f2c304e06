"""The C engine of the EXI codec. Optional: without a compiler everything works with the interpreter, only slower."""

from __future__ import annotations

from pathlib import Path

from setuptools import Extension, setup

EXI = Path("src/plugpass/exi")

setup(
    ext_modules=[
        Extension(
            "plugpass.exi._engine",
            sources=[str(EXI / "_engine.c")],
            depends=sorted(map(str, (EXI / "native").glob("*.h"))),
            optional=True,
        )
    ]
)
