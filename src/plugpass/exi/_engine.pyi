"""The C engine, built where there is a compiler. `plugpass.exi.tables` calls the constructors; see `_engine.c`."""

from collections.abc import Callable
from typing import Any, final

@final
class Coder:
    """How one datatype is coded."""

@final
class Grammar:
    """The states of one class: `derive` gives their rows when an object of the class is first read or written.

    `fields` has (name, whether it repeats, whether it is required) for each.
    """

    def __new__(
        cls, cls_: type, fields: tuple[tuple[str, bool, bool], ...], derive: Callable[[], tuple[Any, ...]], /
    ) -> Grammar: ...

@final
class Roots:
    """What a stream may begin with: (kind, content, wrapper of the result or None) in the order of the codes.

    `end` is the code that ends a fragment, -1 for a document; `codes` has each class's natural one.
    """

    def __new__(
        cls, *, width: int, end: int, max_depth: int, roots: tuple[tuple[Any, ...], ...], codes: dict[type, int]
    ) -> Roots: ...
    def decode(self, data: bytes, /) -> Any:
        """The message in a stream, or None if it is refused; the interpreter knows why."""

    def encode(self, message: object, code: int = ..., /) -> bytes | None:
        """The stream of a message, or None if it is refused; the interpreter knows why."""

def fixed(values: tuple[Any, ...], /) -> Coder:
    """One of a list, coded as its number."""

def integer(minimum: int, maximum: int, most: int, /) -> Coder:
    """Groups of seven bits, `most` bits in all; with a sign if the minimum is negative."""

def string(shortest: int, longest: int, most: int, /) -> Coder:
    """A length of at most `most` bits, then code points."""

def binary(shortest: int, longest: int, most: int, /) -> Coder:
    """A length of at most `most` bits, then octets."""
