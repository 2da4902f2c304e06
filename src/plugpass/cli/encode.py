"""`plugpass encode`: messages as JSON or XML to EXI."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from plugpass.errors import LocalError

MAX_INPUT = 1 << 26  #: octets


class Format(StrEnum):
    """How octets are printed."""

    HEX = "hex"
    BASE64 = "base64"
    RAW = "raw"


class Given(NamedTuple):
    """A message to encode: JSON or XML text, and what is already known of it."""

    content: Any
    schema: str = ""
    fragment: bool = False


class Encoded(NamedTuple):
    """A message as EXI, and the schema that took it."""

    exi: bytes
    schema: str


def command(
    file: Annotated[
        str, typer.Argument(metavar="[INPUT]", help="A file, JSON or XML itself, or - for standard input.")
    ] = "-",
    schema: Annotated[
        str, typer.Option("--schema", "-s", help="Schema of the message; found by itself if unique.")
    ] = "",
    fragment: Annotated[
        bool, typer.Option("--fragment", help="Code the element as an EXI fragment, as signatures digest it.")
    ] = False,
    v2gtp: Annotated[bool, typer.Option("--v2gtp", help="Put the V2GTP header before it.")] = False,
    form: Annotated[Format, typer.Option("--format", help="How to print the octets.")] = Format.HEX,
) -> None:
    """Encode messages: JSON or XML to EXI, the reverse of plugpass decode.

    [bold]JSON[/bold] is an object with the root element as its one member, in the shape that plugpass decode --json
    prints as "value"; whole lines of plugpass decode --json are taken as well, one message each. [bold]XML[/bold] is
    the namespaced document or element.

    Nothing is printed unless every message fits its schema. Exit code 0: done; 2: the input is unusable.

    [bold]Examples[/bold]

      plugpass decode 8000dbab9371d3234b71d1b981899189d191818991d26b9b3a232b30020000040040 --json | plugpass encode

      plugpass encode message.xml --format base64

      plugpass encode signed-info.xml --schema xmldsig --fragment
    """
    given = list(_read(file, fragment))
    if not given:
        raise LocalError("there is no message in the input")
    if form is Format.RAW and len(given) > 1 and not v2gtp:
        raise LocalError(
            f"raw EXI of {len(given)} messages cannot be told apart again; add --v2gtp or encode them singly"
        )
    streams = [_encode(each, schema) for each in given]
    frames = [_framed(each) if v2gtp else each.exi for each in streams]
    if form is Format.RAW:
        sys.stdout.buffer.write(b"".join(frames))
        return
    for octets in frames:
        print(octets.hex() if form is Format.HEX else base64.b64encode(octets).decode("ascii"))


def _read(file: str, fragment: bool) -> Iterator[Given]:
    text = _text(file).lstrip("\ufeff").strip()
    if text.startswith("<"):
        yield Given(text, fragment=fragment)
        return
    for document in _documents(text):
        if not isinstance(document, dict) or "kind" not in document:
            yield Given(document, fragment=fragment)
        elif document["kind"] == "message":
            if "value" not in document:
                raise LocalError("a message in the trace has no value: it could not be decoded")
            was_fragment = bool(document.get("fragment"))
            yield Given(document["value"], str(document.get("schema", "")), fragment or was_fragment)


def _text(file: str) -> str:
    if file.lstrip()[:1] in ("{", "<"):
        return file
    try:
        if file == "-":
            octets = sys.stdin.buffer.read(MAX_INPUT + 1)
        else:
            with Path(file).open("rb") as stream:
                octets = stream.read(MAX_INPUT + 1)
        if len(octets) > MAX_INPUT:
            raise LocalError(f"{file} is larger than {MAX_INPUT >> 20} MiB")
        return octets.decode("utf-8")
    except OSError as error:
        raise LocalError(f"cannot read {file[:80]}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise LocalError(f"{file} is no text in UTF-8, so neither JSON nor XML") from None


def _documents(text: str) -> Iterator[Any]:
    """One JSON document, or one a line."""
    try:
        yield json.loads(text)
        return
    except ValueError as error:
        lines = [line for line in text.splitlines() if line.strip()]
        if len(lines) < 2:
            raise LocalError(f"the input is neither JSON nor XML: {error}") from None
    except RecursionError:
        raise LocalError("the JSON is nested too deeply to be a message") from None
    for number, line in enumerate(lines, start=1):
        try:
            yield json.loads(line)
        except (ValueError, RecursionError) as error:
            raise LocalError(f"the input is no JSON, and its line {number} is none either: {error}") from None


def _encode(given: Given, schema: str) -> Encoded:
    """The EXI of a message, by the schema asked for, the one it came with, or the only one that fits."""
    from plugpass.exi import ExiDecodeError, ExiEncodeError, encode, from_json, from_xml
    from plugpass.iso15118.capture.schemas import available

    parse: Callable[[str, Any], Any] = from_xml if isinstance(given.content, str) else from_json
    named = schema or given.schema
    if named and named not in available():
        raise LocalError(f"there is no schema {named}; known are {', '.join(available())}")
    fitting, failed = [], []
    for name in (named,) if named else available():
        try:
            fitting.append(Encoded(encode(name, parse(name, given.content), fragment=given.fragment), name))
        except (ExiDecodeError, ExiEncodeError) as error:
            failed.append(error)
    if not fitting:
        raise LocalError(str(max(failed, key=lambda error: len(error.path))))
    digested = next((each for each in fitting if each.schema == "xmldsig"), None)
    if digested is not None:  # a signature's element is in every schema, and digested by the grammar of its own
        return digested
    if len(fitting) > 1:
        raise LocalError(f"the message fits {' and '.join(each.schema for each in fitting)}: name one with --schema")
    return fitting[0]


def _framed(encoded: Encoded) -> bytes:
    from plugpass.iso15118.capture.schemas import payload_type_of
    from plugpass.iso15118.v2gtp import frame

    payload_type = payload_type_of(encoded.schema)
    if payload_type is None:
        raise LocalError(f"V2GTP carries no {encoded.schema}: encode it without --v2gtp")
    return frame(payload_type, encoded.exi)
