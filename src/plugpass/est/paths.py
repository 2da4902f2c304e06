"""Where EST lives: the three URL styles that clients in the field use, mapped to the same operations.

1. `/.well-known/est[/<label>]/<operation>` (RFC 7030 §3.2.2), in OPCP with an ISO version behind it;
2. `/<label>/<operation>/<iso-version>[/<algorithm>]` (OPCP clients);
3. `/.well-known/<label>/<operation>` (clients that leave out `est`).

A label may carry an operator's prefix (`acme-cpo`); a trailing slash is tolerated everywhere.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from plugpass.est.messages import EstRefusal, Label, Operation

ISO2_VERSION = "ISO15118-2"
ISO20_VERSION = "ISO15118-20"

_LABEL = re.compile(r"(?:[A-Za-z0-9_]+-)?(cpo|cps|mo|oem|veh)")
_OPERATIONS = frozenset(str(operation) for operation in Operation)

#: What may follow the operation: nothing, the ISO version, or the version and its signature algorithm.
_VERSION_TAILS = frozenset({(), (ISO2_VERSION,), (ISO2_VERSION, "secp256r1")})

#: Leading segments of a style, and whether a label may be missing behind them. Tried in this order.
_STYLES: tuple[tuple[tuple[str, ...], bool], ...] = (
    ((".well-known", "est"), True),
    ((".well-known",), False),
    ((), False),
)

_METHOD = {
    Operation.CACERTS: "GET",
    Operation.CSR_ATTRS: "GET",
    Operation.SIMPLE_ENROLL: "POST",
    Operation.SIMPLE_REENROLL: "POST",
    Operation.FULL_CMC: "POST",
    Operation.SERVER_KEYGEN: "POST",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a path addresses; `label` is None where the client left the choice of the CA to the server."""

    operation: Operation
    label: Label | None


def parse_target(method: str, path: str) -> Target:
    """The operation and label that `method` and `path` address.

    Raises EstRefusal: 404 for a path, label or version that does not exist, 501 for one of ISO 15118-20,
    405 for the wrong method.
    """
    segments = tuple(path.removeprefix("/").removesuffix("/").split("/"))
    prefix, label_optional = next(style for style in _STYLES if segments[: len(style[0])] == style[0])
    target = _target(segments[len(prefix) :], label_optional)
    expected = _METHOD[target.operation]
    if method != expected:
        raise EstRefusal(
            405, f"{target.operation} is a {expected} operation, not {method}", headers={"allow": expected}
        )
    return target


def _target(segments: tuple[str, ...], label_optional: bool) -> Target:
    label: Label | None = None
    if not (label_optional and segments and segments[0] in _OPERATIONS):
        label, segments = _label(segments), segments[1:]
    if not segments or segments[0] not in _OPERATIONS:
        raise EstRefusal(404, f"no such EST operation: {'/'.join(segments)[:64] or 'none named'}")
    _check_version(segments[1:])
    return Target(operation=Operation(segments[0]), label=label)


def _label(segments: tuple[str, ...]) -> Label:
    match = _LABEL.fullmatch(segments[0]) if segments else None
    if match is None:
        named = segments[0][:32] if segments and segments[0] else "none"
        raise EstRefusal(404, f"no CA is known by the label {named!r}: use one of {', '.join(Label)}")
    return Label(match[1])


def _check_version(segments: tuple[str, ...]) -> None:
    if segments and segments[0] == ISO20_VERSION:
        raise EstRefusal(501, "ISO 15118-20 certificates are not offered here: ask for ISO15118-2")
    if segments not in _VERSION_TAILS:
        raise EstRefusal(404, f"no such EST resource: {'/'.join(segments)[:64]}")
