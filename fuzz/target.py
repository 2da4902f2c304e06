"""What is fuzzed: any octets as a stream of any schema, read by both engines, which must agree.

An input is one octet that selects the schema set and whether the stream is a fragment, then the stream. What both
engines read they must write alike, and read again. Anything but agreement is an exception, and so a finding.
"""

from __future__ import annotations

from tests.unit.exi.engine_agreement import Engines

from plugpass.exi.roots import MODULES

TARGETS = [(schema, fragment) for schema in MODULES for fragment in (False, True)]


class Target:
    """Checks one input at a time."""

    def __init__(self) -> None:
        self._engines = Engines()

    def __call__(self, data: bytes) -> None:
        if data:
            schema, fragment = TARGETS[data[0] % len(TARGETS)]
            self._engines.check(schema, data[1:], fragment=fragment)
