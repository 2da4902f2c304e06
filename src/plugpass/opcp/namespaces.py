"""XML namespaces by which the pools tell the generations of ISO 15118 apart."""

from __future__ import annotations

from typing import Final

from plugpass.opcp.errors import bad_request

ISO2_NAMESPACE: Final = "urn:iso:15118:2:2013:MsgDef"


def require_served(namespace: str) -> None:
    """Raise 400 unless the namespace is one that the pools serve."""
    if namespace != ISO2_NAMESPACE:
        raise bad_request(f"xsdMsgDefNamespace {namespace[:64]!r} is not served; use {ISO2_NAMESPACE}.")
