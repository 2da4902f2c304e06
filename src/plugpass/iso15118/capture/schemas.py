"""Which schema an EXI stream is of: by V2GTP payload type, by namespace, or by trying."""

from __future__ import annotations

from functools import cache
from typing import Final

from plugpass.exi.errors import UnknownSchemaError
from plugpass.exi.roots import MODULES, load
from plugpass.iso15118.v2gtp import PayloadType

SAP: Final = "sap"

OF_PAYLOAD_TYPE: Final[dict[int, str]] = {
    PayloadType.MAINSTREAM_20: "cm20",
    PayloadType.AC_20: "ac20",
    PayloadType.DC_20: "dc20",
    PayloadType.ACDP_20: "acdp20",
    PayloadType.WPT_20: "wpt20",
}
"""The schema that a payload type alone names. 0x8001 is shared by SupportedAppProtocol, DIN and -2."""

SHARED_PAYLOAD_TYPE: Final = PayloadType.SAP
SHARING: Final = (SAP, "iso2", "din")
"""The schemas of payload type 0x8001. The codes of their root elements differ: a document fits one of them only."""


@cache
def available() -> tuple[str, ...]:
    """The names of the schemas that this installation has."""
    return tuple(name for name in MODULES if _present(name))


def namespace_of(name: str) -> str:
    """The namespace of a schema's messages."""
    return load(name).schema.namespaces[0].uri


@cache
def schema_of(namespace: str) -> str | None:
    """The schema of a namespace, as SupportedAppProtocol and OCPP name it; None if we have not got it."""
    return next((name for name in available() if namespace_of(name) == namespace), None)


def payload_type_of(name: str) -> PayloadType | None:
    """The V2GTP payload type that carries messages of a schema; None for one that is only signed, never sent."""
    if name in SHARING:
        return SHARED_PAYLOAD_TYPE
    return next((PayloadType(code) for code, schema in OF_PAYLOAD_TYPE.items() if schema == name), None)


def _present(name: str) -> bool:
    try:
        load(name)
    except (UnknownSchemaError, ImportError):
        return False
    return True
