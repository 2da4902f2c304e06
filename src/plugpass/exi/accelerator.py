"""Which of the two engines works: the C engine where it is built, else the interpreter.

The environment variable `PLUGPASS_EXI_ENGINE` decides otherwise: `python`, or `c`, which then must be there.
"""

from __future__ import annotations

import os
from typing import Any

from plugpass.errors import ConfigurationError
from plugpass.exi.errors import Fault
from plugpass.exi.roots import NamedElement, Roots

SETTING = "PLUGPASS_EXI_ENGINE"


class Accelerator:
    """The C engine, in front of the interpreter: it does its work, or refuses and leaves it to the interpreter.

    Its verdicts need no words: whatever does not fit is refused, and the interpreter, which is the reference, then
    finds the same fault and can name it.
    """

    def __init__(self) -> None:
        # Not before it is wanted: the extension may not be there.
        from plugpass.exi.tables import compile_roots

        self._compile = compile_roots

    def decode(self, roots: Roots, data: bytes) -> Any:
        """The message in a stream; None if refused."""
        if roots.compiled is None:
            roots.compiled = self._compile(roots)
        return roots.compiled.decode(data if type(data) is bytes else bytes(data))

    def encode(self, roots: Roots, message: object, element: str) -> bytes | None:
        """The stream of a message; None if refused."""
        if roots.compiled is None:
            roots.compiled = self._compile(roots)
        if not element and type(message) is not NamedElement:
            return roots.compiled.encode(message)
        try:
            code, _, value = roots.find(message, element)
        except Fault:
            return None
        return roots.compiled.encode(value, code)


def select(wanted: str) -> Accelerator | None:
    """The engine of this name: None for the interpreter. An empty name takes what there is.

    Raises ConfigurationError if the name is unknown, or the C engine is wanted and not built.
    """
    if wanted not in ("", "c", "python"):
        raise ConfigurationError(f"{SETTING} is {wanted!r}; it can be 'c' or 'python', or empty for the faster one")
    if wanted == "python":
        return None
    try:
        return Accelerator()
    except ImportError as error:
        if not wanted:
            return None
        raise ConfigurationError(
            f"{SETTING} asks for the C engine, but its extension module is not built ({error}); install plugpass where "
            f"there is a C compiler, or unset {SETTING}"
        ) from error


active = select(os.environ.get(SETTING, ""))
"""The engine that `decode` and `encode` try first."""


def engine_name() -> str:
    """`c` or `python`: the engine at work."""
    return "python" if active is None else "c"
