"""Speed of both EXI engines on the messages that other codecs were measured on.

Run: `python -m benches exi`, or `python benches/bench_exi.py CurrentDemand` for some of the messages. The messages, and
the times of libcbv2g (C, without Python objects) and of Josev (Java behind py4j), are in
`tests/vectors/exi/benchmark.json`, measured on a machine of two cores. Josev is measured anew where it is installed
(`make interop` does that); its column then says so.
"""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
import timeit
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from plugpass.errors import ConfigurationError
from plugpass.exi import accelerator, decode, encode

REPOSITORY = Path(__file__).resolve().parent.parent
MESSAGES = REPOSITORY / "tests" / "vectors" / "exi" / "benchmark.json"
ROUNDS = 15
SECONDS_A_ROUND = 0.01

NAMESPACES = {
    "sap": "urn:iso:15118:2:2010:AppProtocol",
    "iso2": "urn:iso:15118:2:2013:MsgDef",
    "cm20": "urn:iso:std:iso:15118:-20:CommonMessages",
    "ac20": "urn:iso:std:iso:15118:-20:AC",
    "dc20": "urn:iso:std:iso:15118:-20:DC",
}

IMPORT_TIME = "import time; before = time.perf_counter(); import plugpass.exi; print(time.perf_counter() - before)"

JOSEV = """
import json, statistics, sys, time
from iso15118.shared.exificient_exi_codec import ExificientEXICodec

def measured(call):
    call()
    times = []
    for _ in range(15):
        before = time.perf_counter()
        call()
        times.append(time.perf_counter() - before)
    return statistics.median(times) * 1e6

codec, answer = ExificientEXICodec(), []
for namespace, stream in json.load(sys.stdin):
    stream = bytes.fromhex(stream)
    text = codec.decode(stream, namespace)
    answer.append([measured(lambda: codec.encode(text, namespace)), measured(lambda: codec.decode(stream, namespace))])
print(json.dumps(answer))
"""


def microseconds(statement: Callable[[], object]) -> float:
    """Median over the rounds of the time of one call, in µs."""
    timer = timeit.Timer(statement)
    count = max(1, int(SECONDS_A_ROUND / max(timer.timeit(20) / 20, 1e-8)))
    return statistics.median(timer.repeat(ROUNDS, count)) / count * 1e6


def ours(row: dict[str, Any], name: str) -> list[float | None]:
    """Times of encode and decode under one engine, None where it is not built."""
    schema, stream = row["schema"], bytes.fromhex(row["exi"])
    before = accelerator.active
    try:
        accelerator.active = accelerator.select(name)
        message = decode(schema, stream)
        assert encode(schema, message) == stream, row["message"]
        return [microseconds(lambda: encode(schema, message)), microseconds(lambda: decode(schema, stream))]
    except ConfigurationError:
        return [None, None]
    finally:
        accelerator.active = before


def josev(rows: list[dict[str, Any]]) -> tuple[str, list[list[float | None]]]:
    """When Josev was measured, and its times: now if it is installed here, else as recorded."""
    installed = [
        path for path in REPOSITORY.glob(".interop/josev-*/bin/python") if (path.parents[1] / "complete").exists()
    ]
    if installed and shutil.which("java"):
        question = json.dumps([(NAMESPACES[row["schema"]], row["exi"]) for row in rows])
        command = [str(installed[0]), "-c", JOSEV]
        done = subprocess.run(command, input=question, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return "this run", json.loads(done.stdout.splitlines()[-1])
        print(f"Josev could not be measured: {done.stderr.strip().splitlines()[-1]}", file=sys.stderr)
    return "recorded", [[row["josev_enc_ms"] * 1000, row["josev_dec_ms"] * 1000] for row in rows]


def import_milliseconds() -> float:
    """Median time of importing `plugpass.exi` in a fresh interpreter, in ms."""
    command = [sys.executable, "-c", IMPORT_TIME]
    return 1000 * statistics.median(float(subprocess.check_output(command)) for _ in range(ROUNDS))


def main() -> None:
    """Print the table."""
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    rows = [row for row in json.loads(MESSAGES.read_text()) if wanted in row["message"]]
    when, peers = josev(rows)
    table = Table(title=f"EXI: µs a message, encode / decode, medians of {ROUNDS} rounds")
    for heading in ("schema", "message", "octets", "C engine", "Python engine", "libcbv2g, recorded", f"Josev, {when}"):
        table.add_column(heading, justify="left" if heading in ("schema", "message") else "right")
    for row, peer in zip(rows, peers, strict=True):
        libcbv2g = [row[key] and row[key] / 1000 for key in ("libcbv2g_enc_ns", "libcbv2g_dec_ns")]
        cells = [pair(ours(row, "c")), pair(ours(row, "python")), pair(libcbv2g), pair(peer)]
        table.add_row(row["schema"], row["message"], str(row["exi_bytes"]), *cells)
    console = Console(width=130)
    console.print(table)
    console.print(f"import plugpass.exi: {import_milliseconds():.0f} ms")


def pair(times: list[float | None]) -> str:
    """Encode and decode, readable."""
    return " / ".join("-" if time is None else f"{time:.2f}" if time < 10 else f"{time:,.0f}" for time in times)


if __name__ == "__main__":
    main()
