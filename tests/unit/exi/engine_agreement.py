"""The C engine against the interpreter, one input at a time. For the tests of this folder and for `fuzz/`."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from plugpass.errors import PlugpassError
from plugpass.exi import accelerator, decode, encode
from plugpass.exi.roots import NamedElement, Roots, load

Path = tuple[tuple[str, int | None], ...]
"""Where a value is in a message: field by field, with the number of the item for a list."""


@contextmanager
def engine(name: str) -> Iterator[None]:
    """Within the block, `decode` and `encode` work with this engine."""
    before = accelerator.active
    accelerator.active = accelerator.select(name)
    try:
        yield
    finally:
        accelerator.active = before


class Engines:
    """The C engine alone, without the interpreter behind it, and the interpreter alone."""

    def __init__(self) -> None:
        native = accelerator.select("c")
        assert native is not None
        self.native = native

    def decode(self, schema: str, stream: bytes, *, fragment: bool) -> Any:
        """The message that both read, None if both refuse the stream; AssertionError if they disagree."""
        found = self.native.decode(self._roots(schema, fragment), stream)
        with engine("python"):
            try:
                expected = decode(schema, stream, fragment=fragment)
            except PlugpassError:
                expected = None
        assert found == expected, f"{schema} {stream.hex()}: C reads {found!r}, the interpreter {expected!r}"
        assert repr(found) == repr(expected), f"{schema} {stream.hex()}: equal, but of other types"
        return found

    def encode(self, schema: str, message: object, *, fragment: bool) -> bytes | None:
        """The stream that both write, None if both refuse the message; AssertionError if they disagree."""
        found = self.native.encode(self._roots(schema, fragment), message, "")
        with engine("python"):
            try:
                expected = encode(schema, message, fragment=fragment)
            except PlugpassError:
                expected = None
        assert found == expected, f"{schema} {message!r}: C writes {found!r}, the interpreter {expected!r}"
        return found

    def check(self, schema: str, stream: bytes, *, fragment: bool) -> None:
        """Both read the same or refuse it; what they read they write alike, and read again."""
        message = self.decode(schema, stream, fragment=fragment)
        if message is None:
            return
        again = self.encode(schema, message, fragment=fragment)
        assert again is not None, f"{schema} {stream.hex()} is read but cannot be written"
        assert self.native.decode(self._roots(schema, fragment), again) == message

    @staticmethod
    def _roots(schema: str, fragment: bool) -> Roots:
        loaded = load(schema)
        return loaded.fragments if fragment else loaded.documents


def places(message: object, prefix: Path = ()) -> Iterator[Path]:
    """Every place in a message where a value is."""
    if isinstance(message, NamedElement):
        yield from places(message.value, (*prefix, ("value", None)))
    elif dataclasses.is_dataclass(message):
        for field in dataclasses.fields(message):
            value = getattr(message, field.name)
            yield (*prefix, (field.name, None))
            items = enumerate(value) if isinstance(value, tuple) else [(None, value)]
            for number, item in items:
                if number is not None:
                    yield (*prefix, (field.name, number))
                yield from places(item, (*prefix, (field.name, number)))


def replaced(message: Any, path: Path, value: object) -> Any:
    """The message with another value in one place."""
    if not path:
        return value
    (name, number), *rest = path
    old = getattr(message, name)
    if number is None:
        return dataclasses.replace(message, **{name: replaced(old, tuple(rest), value)})
    new = replaced(old[number], tuple(rest), value)
    return dataclasses.replace(message, **{name: (*old[:number], new, *old[number + 1 :])})
