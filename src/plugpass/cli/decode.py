"""`plugpass decode`: V2G traffic, from a capture down to a line of hex, made readable."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from plugpass.errors import LocalError

if TYPE_CHECKING:
    from rich.console import Console

    from plugpass.cli.decode_input import Decoder, Input
    from plugpass.iso15118.capture.records import Record

LARGE = 1 << 22  #: octets from which a progress bar is worth its line


def command(
    inputs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[INPUT]...",
            help="A file, hex or base64, or - for standard input (the default when something is piped in).",
            show_default=False,
        ),
    ] = None,
    schema: Annotated[
        str, typer.Option("--schema", "-s", help="Schema where nothing tells it: a capture that starts mid-session.")
    ] = "",
    fragment: Annotated[
        bool, typer.Option("--fragment", help="The EXI is fragments, as signatures digest them (not for captures).")
    ] = False,
    keylog: Annotated[
        Path | None, typer.Option("--keylog", "-k", help="NSS key log (SSLKEYLOGFILE) that opens TLS 1.2 and 1.3.")
    ] = None,
    port: Annotated[
        list[int] | None, typer.Option("--port", "-p", help="TCP port where V2G is spoken, if SDP is not captured.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object a line, with all fields; decode reads it back.")
    ] = False,
    full: Annotated[bool, typer.Option("--full", "-f", help="Show all fields of every message.")] = False,
) -> None:
    """Decode V2G traffic: captures, EXI, V2GTP, SDP, traces, OCPP certificate messages.

    [bold]Captures[/bold] (pcap, pcapng, gzip'd or not): Ethernet, Linux cooked and raw IP; TCP put together in order,
    TLS opened with a key log (or with the secrets in a pcapng), DIN SPEC 70121, ISO 15118-2 and -20 told apart by
    SupportedAppProtocol and V2GTP payload type.

    [bold]Text[/bold]: hex or base64, one message a line or wrapped; JSON with exiRequest, exiResponse or
    certificateInstallationRes in it, as OCPP and OPCP send them; lines that --json wrote.

    What cannot be decoded is shown with its offset and the reason, and the rest goes on. Exit code 0: everything was
    decoded; 1: something was not; 2: the input is unusable.

    [bold]Examples[/bold]

      plugpass decode 8098004011d01a0802f0bca41400

      plugpass decode session.pcapng --keylog keys.log

      plugpass decode session.pcap --json > session.jsonl

      tcpdump -i eth1 -U -w - | plugpass decode
    """
    from plugpass.cli.decode_input import Decoder, find_inputs, read_key_log
    from plugpass.iso15118.capture.schemas import available

    if schema and schema not in available():
        raise LocalError(f"there is no schema {schema}; known are {', '.join(available())}")
    given = find_inputs(inputs or _default())
    tally: Counter[str] = Counter()
    with _view(given, as_json=as_json, full=full) as (show, advance):
        decoder = Decoder(
            keys=read_key_log(keylog),
            schema=schema or None,
            fragment=fragment,
            ports=frozenset(port or ()),
            advance=advance,
        )
        try:
            _decode(decoder, given, show, tally)
        except BrokenPipeError:  # whoever reads our output has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(1) from None
    _conclude(decoder, tally, as_json=as_json)


def _default() -> list[str]:
    if sys.stdin.isatty():
        raise LocalError("nothing to decode: name a file, give hex or base64, or pipe something in (see --help)")
    return ["-"]


def _decode(decoder: Decoder, given: list[Input], show: Callable[[Record], None], tally: Counter[str]) -> None:
    for each in given:
        for record in decoder.records(each):
            show(record)
            tally[type(record).__name__] += 1
            tally["failed"] += not record.ok
    sys.stdout.flush()


@contextmanager
def _view(
    given: list[Input], *, as_json: bool, full: bool
) -> Iterator[tuple[Callable[[Record], None], Callable[[int], None]]]:
    """How to show a record, and whom to tell of octets read: a progress bar for large inputs, on a terminal only."""
    from rich.console import Console

    sizes = [each.size for each in given]
    total = sum(size or 0 for size in sizes)
    if not sys.stderr.isatty() or None in sizes or total < LARGE:
        yield _show(Console(highlight=False), as_json=as_json, full=full), lambda _: None
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    stderr = Console(stderr=True, highlight=False)
    # Where both are the terminal, one console has to draw bar and ladder.
    console = stderr if sys.stdout.isatty() and not as_json else Console(highlight=False)
    columns = (TextColumn("decoding"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=stderr, transient=True, redirect_stdout=sys.stdout.isatty()) as progress:
        task = progress.add_task("", total=total)
        yield _show(console, as_json=as_json, full=full), lambda size: progress.advance(task, size)


def _show(console: Console, *, as_json: bool, full: bool) -> Callable[[Record], None]:
    from plugpass.cli.ladder import Ladder
    from plugpass.iso15118.capture.records import record_json

    if as_json:
        return lambda record: print(json.dumps(record_json(record)))
    return Ladder(console, full=full).show


def _conclude(decoder: Decoder, tally: Counter[str], *, as_json: bool) -> None:
    """The closing line, and the exit code."""
    hints = [f"{count} packets passed over: {reason}" for reason, count in decoder.unread.items()]
    if decoder.closed_tls:
        hints.append(f"{decoder.closed_tls} TLS connections passed over: --port says that V2G is spoken there")
    if not tally["Message"] + tally["Discovery"] + tally["failed"]:
        raise LocalError("; ".join(["there is no V2G traffic in the input", *hints]))
    if not as_json and (tally["Message"] + tally["Discovery"] > 1 or hints):
        counts = f"messages: {tally['Message']}, SDP: {tally['Discovery']}, undecodable: {tally['failed']}"
        print("; ".join([counts, *hints]), file=sys.stderr)
    if tally["failed"]:
        raise typer.Exit(1)
