"""Errors of the codec, and the internal fault they are made from."""

from __future__ import annotations

from plugpass.errors import LocalError, PeerError


class ExiDecodeError(PeerError):
    """The received stream, XML or JSON is no valid message of the schema.

    `path` names the elements from the root to the fault, `bit_offset` is where reading stopped, from the first bit of
    the stream (None for XML and JSON), `reason` says what is wrong. No protocol has an answer: `wire` is empty.
    """

    def __init__(self, *, schema: str, path: tuple[str, ...], reason: str, bit_offset: int | None = None) -> None:
        where = "/".join(path) or "the document"
        at = "" if bit_offset is None else f" at bit {bit_offset}"
        super().__init__(f"{schema}: {where}{at}: {reason}")
        self.schema = schema
        self.path = path
        self.reason = reason
        self.bit_offset = bit_offset


class ExiEncodeError(LocalError):
    """The object does not fit its schema, and nothing was written.

    `path` names the elements from the root to the fault, `reason` says what is wrong.
    """

    def __init__(self, *, schema: str, path: tuple[str, ...], reason: str) -> None:
        super().__init__(f"{schema}: {'/'.join(path) or 'the document'}: {reason}")
        self.schema = schema
        self.path = path
        self.reason = reason


class UnknownSchemaError(LocalError):
    """No schema of this name is known."""


class Fault(Exception):
    """Internal: something does not fit. It gathers the path on its way up; public functions make an error of it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self._steps: list[str] = []

    def under(self, step: str) -> Fault:
        """Note that the fault lies below the element or attribute `step`."""
        self._steps.append(step)
        return self

    @property
    def path(self) -> tuple[str, ...]:
        """Names from the root to the fault."""
        return tuple(reversed(self._steps))
