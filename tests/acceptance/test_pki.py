"""`plugpass pki` as a user runs it, and what independent software says about what it makes."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import typer
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import crypto

from plugpass.cli.pki import pki_app
from plugpass.pki.bundle import read_certificates

needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the openssl command")

FLAVOURS = {"p256": ("iso2", "p256"), "p521": ("iso20", "p521"), "ed448": ("iso20", "ed448")}


def pki(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """`plugpass pki ...` in a process of its own, without a terminal."""
    return subprocess.run(
        [sys.executable, "-m", "plugpass", "pki", *map(str, arguments)],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
        check=False,
        env=os.environ | environment,
    )


@pytest.fixture(scope="module", params=FLAVOURS)
def ecosystem(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A fresh ecosystem of each kind, as `init --json` reports it."""
    generation, curve = FLAVOURS[request.param]
    folder = tmp_path_factory.mktemp(request.param) / "ws"
    done = pki("init", "--generation", generation, "--curve", curve, "--dir", folder, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout) | {"generation": generation}


def leaves(ecosystem: dict[str, Any]) -> Iterator[tuple[str, Path, Path]]:
    """Role, chain and root of each leaf."""
    for authority in ecosystem["authorities"]:
        for role, chain in authority["leaves"].items():
            yield role, Path(chain), Path(authority["root"])


def test_init_then_verify(ecosystem: dict[str, Any]) -> None:
    for role, chain, root in leaves(ecosystem):
        done = pki("verify", "--role", role, "--generation", ecosystem["generation"], "--trust", root, "--json", chain)
        answer = json.loads(done.stdout)
        assert done.returncode == 0, answer["reason"]
        assert (answer["ok"], len(answer["path"])) == (True, 4)


@needs_openssl
def test_openssl_accepts_our_chains_strictly(ecosystem: dict[str, Any]) -> None:
    for role, chain, root in leaves(ecosystem):
        done = subprocess.run(
            ["openssl", "verify", "-x509_strict", "-CAfile", root, "-untrusted", chain, chain],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{role}: {done.stdout}{done.stderr}"


def test_pyopenssl_accepts_our_chains_strictly(ecosystem: dict[str, Any]) -> None:
    for _, chain, root in leaves(ecosystem):
        store = crypto.X509Store()
        store.set_flags(crypto.X509StoreFlags.X509_STRICT)
        store.set_time(datetime.now(UTC))
        store.add_cert(crypto.X509.from_cryptography(x509.load_pem_x509_certificate(root.read_bytes())))
        leaf, *above = (
            crypto.X509.from_cryptography(x509.load_der_x509_certificate(der))
            for der in read_certificates(chain.read_bytes())
        )
        crypto.X509StoreContext(store, leaf, above).verify_certificate()


def test_errors_are_one_line_without_a_stack_trace(tmp_path: Path) -> None:
    rubbish = tmp_path / "rubbish.pem"
    rubbish.write_bytes(os.urandom(1000))
    big = tmp_path / "big.pem"
    big.write_bytes(b"A" * 10 * 1024 * 1024)
    unwritable = tmp_path / "file"
    unwritable.write_text("no folder")
    for arguments in (
        ("verify", "--role", "secc", "--trust", rubbish, rubbish),
        ("verify", "--role", "secc", "--trust", big, big),
        ("lint", rubbish),
        ("show", big),
        ("show", "--dir", tmp_path / "nothing"),
        ("init", "--dir", unwritable / "ws"),
        ("export", "--role", "secc", "--out", tmp_path / "x", "--dir", tmp_path),
    ):
        done = pki(*arguments)
        assert (done.returncode, "Traceback" in done.stderr) == (2, False), (arguments, done.stderr)
        assert len(done.stderr.strip().splitlines()) == 1, (arguments, done.stderr)
    assert not (tmp_path / "x").exists()


def test_passphrases_are_never_arguments() -> None:
    group: Any = typer.main.get_command(pki_app)
    named = [
        option
        for command in group.commands.values()
        for parameter in command.params
        for option in parameter.opts
        if "pass" in option
    ]
    assert named
    assert all(option.endswith("passphrase-file") for option in named), named


# --- the responder ---------------------------------------------------------------------------------------------------


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """`plugpass pki ocsp serve` on any port; gives its address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "plugpass", "pki", "ocsp", "serve", "--port", "0", "--dir", str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.search(r"http://\S+?(?=;)", line)
        assert found, line
        yield found[0]
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=10)


def ask_openssl(url: str, chain: Path, root: Path, folder: Path) -> str:
    """What `openssl ocsp` learns about the leaf of a chain."""
    leaf, issuer, *_ = x509.load_pem_x509_certificates(chain.read_bytes())
    for name, certificate in (("leaf.pem", leaf), ("issuer.pem", issuer)):
        (folder / name).write_bytes(certificate.public_bytes(Encoding.PEM))
    done = subprocess.run(
        ["openssl", "ocsp", "-issuer", folder / "issuer.pem", "-cert", folder / "leaf.pem", "-url", f"{url}/ocsp/x",
         "-CAfile", root, "-verify_other", chain, "-no_nonce"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stdout + done.stderr


@needs_openssl
def test_the_responder_and_the_lists_answer_to_openssl(tmp_path: Path) -> None:
    folder, scratch = tmp_path / "ws", tmp_path / "scratch"
    scratch.mkdir()
    assert pki("init", "--crl-url", "http://127.0.0.1:1", "--hierarchy", "v2g", "--dir", folder).returncode == 0
    chain, root = folder / "certs/v2g/secc.pem", folder / "roots/v2g.pem"
    with serving(folder) as url:
        before = ask_openssl(url, chain, root, scratch)
        assert "leaf.pem: good" in before, before
        assert "Response verify OK" in before
        (point,) = (
            extension.value[0].full_name[0].value
            for extension in x509.load_pem_x509_certificate(chain.read_bytes()).extensions
            if extension.oid == x509.oid.ExtensionOID.CRL_DISTRIBUTION_POINTS
        )
        name = str(point).rpartition("/")[2]
        with urllib.request.urlopen(f"{url}/crl/{name}") as answer:
            assert answer.headers["content-type"] == "application/pkix-crl"
            assert len(x509.load_der_x509_crl(answer.read())) == 0
        assert pki("revoke", chain, "--reason", "keyCompromise", "--dir", folder).returncode == 0
        assert len(x509.load_der_x509_crl((folder / "crl" / name).read_bytes())) == 1
    with serving(folder) as url:
        after = ask_openssl(url, chain, root, scratch)
        assert "leaf.pem: revoked" in after, after


@needs_openssl
def test_openssl_checks_with_our_list(tmp_path: Path) -> None:
    folder = tmp_path / "ws"
    pki("init", "--hierarchy", "v2g", "--dir", folder)
    chain = folder / "certs/v2g/secc.pem"
    pki("revoke", chain, "--dir", folder)
    crl = tmp_path / "list.pem"
    assert pki("crl", "cpo-sub2", "--pem", "--out", crl, "--dir", folder).returncode == 0
    done = subprocess.run(
        ["openssl", "verify", "-x509_strict", "-crl_check", "-CRLfile", crl, "-CAfile", folder / "roots/v2g.pem",
         "-untrusted", chain, chain],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "certificate revoked" in done.stdout + done.stderr
