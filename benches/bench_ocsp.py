"""Speed of the OCSP responder: cached responses a second over HTTP on one core.

Run: `python benches/bench_ocsp.py [seconds]` from the repository. The server is a process of its own (uvloop where it
is installed) with a V2G hierarchy, its ledger in SQLite, and a hundred station certificates; `wrk` from Debian's
packages asks about them in turn over persistent connections. Printed are the rate that the load saw, and the rate that
one core has room for: requests by CPU seconds of the server. On a busy machine only the second says something.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import structlog
from cryptography.x509.ocsp import OCSPCertStatus, load_der_ocsp_response
from fastapi import FastAPI
from rich.console import Console
from rich.table import Table

from plugpass.net.clock import SystemClock
from plugpass.net.http_server import HttpServer
from plugpass.net.ocsp_http import REQUEST_TYPE, OcspApp, Responder, ocsp_router
from plugpass.pki.csr import create_csr
from plugpass.pki.keys import generate
from plugpass.pki.ocsp import build_request, cert_id, verify_response
from plugpass.pki.profiles import CertificateRole
from plugpass.providers.local_ca import Hierarchy, LocalCertificateAuthority
from plugpass.store.authority import SqlCertificateLedger
from plugpass.store.database import Database
from plugpass.store.keys import SqlKeyStore

CERTIFICATES = 100
CONNECTIONS = 16
TARGET = 3000  #: cached responses a second on one core

SCRIPTS = {
    "GET": """
local paths, at = {}, 0
for line in io.lines("%s") do paths[#paths + 1] = line end
request = function() at = at %% #paths + 1; return wrk.format("GET", "/ocsp/cpo-sub2/" .. paths[at]) end
""",
    "POST": """
local bodies, at = {}, 0
local binary = function(text) return (text:gsub("..", function(pair) return string.char(tonumber(pair, 16)) end)) end
for line in io.lines("%s") do bodies[#bodies + 1] = binary(line) end
local headers = {["content-type"] = "application/ocsp-request"}
request = function() at = at %% #bodies + 1; return wrk.format("POST", "/ocsp/cpo-sub2", headers, bodies[at]) end
""",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One line of the table."""

    title: str
    method: str
    face: str  #: how the responder is served
    nonce: bool = False  #: with a nonce every response is signed anew
    target: int | None = None


RUNS = (
    Run(title="cached, GET", method="GET", face="app", target=TARGET),
    Run(title="cached, POST", method="POST", face="app", target=TARGET),
    Run(title="cached, GET, by FastAPI routes", method="GET", face="router"),
    Run(title="with nonce, signed anew, POST", method="POST", face="app", nonce=True),
)


# --- the server's process --------------------------------------------------------------------------------------------


async def serve(face: str) -> None:
    """Serve until standard input ends: one line says what to ask, then each line in is answered with CPU seconds."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(30))
    database, clock = await Database.in_memory(), SystemClock()
    authority = await LocalCertificateAuthority.open(
        Hierarchy.V2G,
        keys=SqlKeyStore(database, b"bench"),
        ledger=SqlCertificateLedger(database),
        clock=clock,
        random=os.urandom,
        ocsp_base_url="http://127.0.0.1:1",
    )
    requests: dict[str, list[str]] = {"plain": [], "nonce": []}
    for number in range(CERTIFICATES):
        csr = create_csr(generate(), common_name=f"DE*PLU*E{number}", organization="Bench", country="DE", domain="CPO")
        leaf, issuer, *_ = (await authority.issue(csr, CertificateRole.SECC_LEAF)).certificates
        wanted = cert_id(leaf, issuer)
        response = await authority.respond_ocsp(build_request([wanted]))
        verify_response(response, wanted, issuer, at=clock.now())
        requests["plain"].append(build_request([wanted]).hex())
        requests["nonce"].append(build_request([wanted], nonce=os.urandom(16)).hex())
    async with HttpServer(FACES[face](authority.respond_ocsp, clock), clock=clock) as server:
        print(json.dumps({"url": server.url, "requests": requests}), flush=True)
        while await asyncio.to_thread(sys.stdin.readline):
            print(time.process_time(), flush=True)
    await database.close()


def _among_routes(respond: Responder, clock: SystemClock) -> FastAPI:
    app = FastAPI(openapi_url=None)
    app.include_router(ocsp_router(respond, clock=clock, actor="bench"))
    return app


FACES: dict[str, Callable[[Responder, SystemClock], Any]] = {
    "app": lambda respond, clock: OcspApp(respond, clock=clock, actor="bench"),
    "router": _among_routes,
}


def run_server(face: str) -> None:
    """The server's process."""
    try:
        import uvloop
    except ImportError:
        asyncio.run(serve(face))
    else:
        uvloop.run(serve(face))


# --- the load --------------------------------------------------------------------------------------------------------


@contextmanager
def server(face: str) -> Iterator[tuple[dict[str, Any], Callable[[], float]]]:
    """What the server says of itself, and a function that asks for its CPU seconds."""
    command = [sys.executable, __file__, "--serve", face]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        asking, answers = process.stdin, process.stdout
        assert asking is not None
        assert answers is not None

        def cpu_seconds() -> float:
            asking.write("\n")
            asking.flush()
            return float(answers.readline())

        yield json.loads(answers.readline()), cpu_seconds
        asking.close()


def measure(run: Run, seconds: int, folder: Path) -> tuple[float, float, str]:
    """Requests a second by the load's clock, requests by CPU second of the server, and the 99th percentile."""
    with server(run.face) as (about, cpu_seconds):
        requests = about["requests"]["nonce" if run.nonce else "plain"]
        lines = [_path(request) for request in requests] if run.method == "GET" else requests
        (folder / "requests").write_text("\n".join(lines) + "\n")
        (folder / "load.lua").write_text(SCRIPTS[run.method] % (folder / "requests"))
        check(run, about["url"], lines[0])
        load(about["url"], 1, folder)
        before = cpu_seconds()
        output = load(about["url"], seconds, folder)
        used = cpu_seconds() - before
    assert "Non-2xx" not in output, output
    done = int(re.search(r"(\d+) requests in", output)[1])  # type: ignore[index]  # wrk's summary
    rate = float(re.search(r"Requests/sec:\s*([\d.]+)", output)[1])  # type: ignore[index]
    return rate, done / used, re.search(r"99%\s*(\S+)", output)[1]  # type: ignore[index]


def check(run: Run, url: str, line: str) -> None:
    """What is measured is an OCSP response with content; an error response would be quicker."""
    if run.method == "GET":
        answer = httpx.get(f"{url}/ocsp/cpo-sub2/{line}", trust_env=False)
    else:
        headers = {"content-type": REQUEST_TYPE}
        answer = httpx.post(f"{url}/ocsp/cpo-sub2", content=bytes.fromhex(line), headers=headers, trust_env=False)
    status = load_der_ocsp_response(answer.content).certificate_status
    assert status is OCSPCertStatus.GOOD, status


def _path(request: str) -> str:
    return quote(base64.b64encode(bytes.fromhex(request)), safe="")


def load(url: str, seconds: int, folder: Path) -> str:
    """wrk's report."""
    command = f"wrk --threads 1 --connections {CONNECTIONS} --duration {seconds}s --latency --script load.lua {url}"
    return subprocess.run(command.split(), cwd=folder, check=True, capture_output=True, text=True).stdout


def main() -> None:
    """Print the table."""
    if sys.argv[1:2] == ["--serve"]:
        run_server(sys.argv[2])
        return
    if shutil.which("wrk") is None:
        sys.exit("the OCSP bench needs wrk: apt-get install wrk")
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    table = Table(title=f"OCSP over HTTP, {CERTIFICATES} certificates, {CONNECTIONS} connections, {seconds} s each")
    for heading in ("", "a second", "a core", "99 % in", f"target {TARGET:,}"):
        table.add_column(heading, justify="left" if not heading else "right", no_wrap=True)
    for run in RUNS:
        with tempfile.TemporaryDirectory() as folder:
            rate, by_core, late = measure(run, seconds, Path(folder))
        target = ("met" if by_core >= run.target else "MISSED") if run.target else ""
        table.add_row(run.title, f"{rate:,.0f}", f"{by_core:,.0f}", late, target)
    console = Console()
    console.print(table)
    console.print(f"one-minute load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
