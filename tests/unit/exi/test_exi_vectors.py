"""Every shared vector, byte for byte, and its value as JSON and as XML."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from typing import Any

import pytest
from exi_vectors import Vector, supported

from plugpass.exi import decode, encode, from_json, from_xml, to_json, to_xml

XSI = "{http://www.w3.org/2001/XMLSchema-instance}"

pytestmark = pytest.mark.parametrize("vector", [pytest.param(v, id=f"{v.schema}-{v.name}") for v in supported()])


def test_stream_round_trips(vector: Vector) -> None:
    message = decode(vector.schema, vector.stream, fragment=vector.fragment)
    assert encode(vector.schema, message, fragment=vector.fragment) == vector.stream


def test_json(vector: Vector) -> None:
    message = decode(vector.schema, vector.stream, fragment=vector.fragment)
    assert to_json(vector.schema, message) == vector.json
    assert from_json(vector.schema, vector.json) == message


def test_xml(vector: Vector) -> None:
    message = decode(vector.schema, vector.stream, fragment=vector.fragment)
    text = to_xml(vector.schema, message)
    assert infoset(ElementTree.fromstring(text)) == infoset(ElementTree.fromstring(vector.xml))
    assert from_xml(vector.schema, text) == message
    assert from_xml(vector.schema, vector.xml) == message


def infoset(element: ElementTree.Element) -> tuple[Any, ...]:
    """The value of an element, without prefixes and schema hints."""
    attributes = sorted((name, value) for name, value in element.attrib.items() if not name.startswith(XSI))
    return element.tag, attributes, element.text or "", [infoset(child) for child in element]
