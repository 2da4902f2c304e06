"""`plugpass decode` and `plugpass encode` as their users meet them."""

from __future__ import annotations

import gzip
import io
import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any, Protocol

import pytest

from capture_support import NAMES, pcap_file, plain_session, session, tls_packets, tls_session
from plugpass.cli import main
from plugpass.exi import encode, from_json

SETUP = "8098004011d01a0802f0bca41400"
VECTORS = Path(__file__).parents[1] / "vectors" / "exi"


Done = subprocess.CompletedProcess[bytes]


class Run(Protocol):
    def __call__(self, *arguments: str | Path, stdin: str | bytes = b"") -> Done: ...


def process(*arguments: str | Path, stdin: bytes = b"", env: dict[str, str] | None = None) -> Done:
    """The command as a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "plugpass", *arguments],
        capture_output=True,
        input=stdin,
        timeout=60,
        check=False,
        env={**os.environ, "COLUMNS": "200", **(env or {})},
    )
    assert b"Traceback" not in done.stderr, done.stderr.decode()
    return done


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]) -> Run:
    """The command in this process: the same `main`, without a second to start it each time."""

    def call(*arguments: str | Path, stdin: str | bytes = b"") -> Done:
        octets = stdin.encode() if isinstance(stdin, str) else stdin
        monkeypatch.setattr(sys, "argv", ["plugpass", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(octets)))
        with pytest.raises(SystemExit) as left:
            main()
        out, err = capsysbinary.readouterr()
        code = left.value.code if isinstance(left.value.code, int) else 0
        return Done(arguments, code, out, err)

    return call


def told(done: Done) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.stdout.splitlines()]


def messages(done: Done) -> list[str]:
    return [line["message"] for line in told(done) if line["kind"] == "message"]


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    file = tmp_path / "session.pcap"
    file.write_bytes(pcap_file(plain_session()))
    return file


# --- decode ---------------------------------------------------------------------------------------------------------


def test_a_capture_becomes_a_ladder(capture: Path) -> None:
    done = process("decode", capture, env={"PYTHONIOENCODING": "utf-8"})
    assert done.returncode == 0
    text = done.stdout.decode()
    at = [text.index(f" {name}") for name in NAMES]
    assert at == sorted(at)
    assert "EVCC ──▶ SessionSetupReq" in text
    assert done.stderr.decode() == f"messages: {len(NAMES)}, SDP: 2, undecodable: 0\n"


def test_a_capture_from_standard_input_and_gzipped(run: Run, capture: Path, tmp_path: Path) -> None:
    assert messages(process("decode", "--json", stdin=capture.read_bytes())) == NAMES
    zipped = tmp_path / "session.pcap.gz"
    zipped.write_bytes(gzip.compress(capture.read_bytes()))
    assert messages(run("decode", "--json", zipped)) == NAMES
    zipped.write_bytes(gzip.compress(capture.read_bytes())[:-200])
    broken = run("decode", zipped)
    assert broken.returncode == 1
    assert b"the gzip file breaks off" in broken.stdout


def test_a_trace_is_input_too(run: Run, capture: Path, tmp_path: Path) -> None:
    first = run("decode", "--json", capture)
    trace = tmp_path / "session.jsonl"
    trace.write_bytes(first.stdout)
    assert run("decode", "--json", trace).stdout == first.stdout
    ladder = run("decode", capture).stdout
    assert run("decode", trace).stdout == ladder


def test_tls_with_a_key_log(run: Run, tmp_path: Path) -> None:
    recorded = tls_session()
    file, keys = tmp_path / "tls.pcap", tmp_path / "keys.log"
    file.write_bytes(pcap_file(tls_packets(recorded)))
    keys.write_bytes(b"# SSLKEYLOGFILE\n" + recorded.keylog)
    opened = run("decode", "--json", file, "--keylog", keys)
    assert opened.returncode == 0
    assert messages(opened) == NAMES
    closed = run("decode", file)
    assert closed.returncode == 1
    assert b"the key log has no secret of this connection" in closed.stdout


def test_hex_on_the_command_line(run: Run) -> None:
    for arguments in ([SETUP], ["80", "98", "0040", SETUP[8:]]):
        done = run("decode", "--json", *arguments)
        assert done.returncode == 0
        assert messages(done) == ["SessionSetupReq"]
    full = run("decode", "--full", SETUP)
    assert b"EVCCID: 8200BC2F2905" in full.stdout
    assert full.stderr == b""


def test_raw_exi_and_raw_v2gtp(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "raw"
    for octets in (bytes.fromhex(SETUP), session()[2].octets):
        file.write_bytes(octets)
        assert messages(run("decode", "--json", file)) == ["SessionSetupReq"]


def test_text_in_the_encodings_people_have(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "hex.txt"
    for encoding in ("ascii", "utf-8-sig", "utf-16"):
        file.write_text(f"{SETUP}\n", encoding=encoding)
        assert messages(run("decode", "--json", file)) == ["SessionSetupReq"]


def test_an_ocpp_frame(run: Run) -> None:
    frame = [
        2,
        "7",
        "Get15118EVCertificate",
        {"iso15118SchemaVersion": "urn:iso:15118:2:2013:MsgDef", "exiRequest": SETUP},
    ]
    done = run("decode", stdin=json.dumps(frame))
    assert b"[OCPP Get15118EVCertificate exiRequest]" in done.stdout
    assert run("decode", json.dumps(frame)).stdout == done.stdout


def test_something_undecodable_is_exit_code_one_and_the_rest_goes_on(run: Run) -> None:
    done = run("decode", "--json", stdin=f"{SETUP[:-8]}\n{SETUP}\n\nno message!\n\n{SETUP}\n")
    assert done.returncode == 1
    first, second, third, fourth = told(done)
    assert first["error"] == {
        "reason": "the stream ends here",
        "path": "V2G_Message/Body/SessionSetupReq/EVCCID",
        "bit_offset": first["error"]["bit_offset"],
    }
    assert (second["message"], third["ok"], fourth["message"]) == ("SessionSetupReq", False, "SessionSetupReq")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["no-such-file.pcap"], "no such file, and no hex, base64 or JSON either"),
        (["!" * 5000], "no such file"),
        (["{tmp}"], "is a directory"),
        (["--schema", "iso3", SETUP], "there is no schema iso3; known are sap"),
        (["{tmp}/empty"], "there is no V2G traffic in the input"),
        (["{tmp}/zip"], "is neither pcap nor pcapng, nor EXI or V2GTP, nor text: it starts with 504b0304"),
        (["{tmp}/web.pcap"], "there is no V2G traffic in the input; 2 packets passed over: neither IPv4 nor IPv6"),
        ([SETUP, "--keylog", "{tmp}/none"], "cannot read the key log"),
        ([SETUP, "--keylog", "{tmp}/zip"], "is no NSS key log"),
    ],
)
def test_unusable_input_is_exit_code_two_and_one_line(
    run: Run, arguments: list[str], reason: str, tmp_path: Path
) -> None:
    from plugpass.iso15118.capture.pcap import Packet

    (tmp_path / "empty").touch()
    (tmp_path / "zip").write_bytes(b"PK\x03\x04\x00\x00\x00\x00")
    (tmp_path / "web.pcap").write_bytes(pcap_file([Packet(time_ns=0, link=1, octets=bytes(60))] * 2))
    done = run("decode", *(argument.replace("{tmp}", str(tmp_path)) for argument in arguments))
    assert done.returncode == 2
    assert done.stdout == b""
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith("plugpass: ")
    assert reason in line


def test_a_capture_that_ends_early_says_so_last(run: Run, capture: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.pcap"
    cut.write_bytes(capture.read_bytes()[:-30])
    done = run("decode", "--json", cut)
    assert done.returncode == 1
    assert told(done)[-1]["text"].startswith("the pcap file ends within")


def test_a_reader_that_leaves_early_is_no_crash(capture: Path) -> None:
    command = f"{sys.executable} -m plugpass decode --json {capture} {capture} | head -n 1"
    done = subprocess.run(["sh", "-c", command], capture_output=True, timeout=60, check=True)
    assert len(done.stdout.splitlines()) == 1
    assert done.stderr == b""


def test_a_large_capture_shows_its_progress_on_a_terminal_only(tmp_path: Path) -> None:
    packets = plain_session()
    filler = [packet for packet in packets if len(packet.octets) > 1000] * 4000
    file = tmp_path / "large.pcap"
    file.write_bytes(pcap_file([*packets, *filler]))
    assert file.stat().st_size > 1 << 22
    leader, follower = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "plugpass", "decode", "--json", str(file)],
        stdout=subprocess.PIPE,
        stderr=follower,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "TERM": "xterm"},
    ) as child:
        os.close(follower)
        drawn = b""
        while chunk := _read(leader):
            drawn += chunk
        assert child.stdout is not None
        lines = child.stdout.read().splitlines()
    os.close(leader)
    assert b"decoding" in drawn
    assert child.returncode == 0
    assert [json.loads(line).get("message") for line in lines][2:] == NAMES
    assert process("decode", "--json", file).stderr == b""


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # the other end of the terminal is closed
        return b""


def test_memory_stays_bounded(tmp_path: Path) -> None:
    """Ten times the capture, the same memory."""
    packets = plain_session()
    peaks = []
    for times in (200, 2000):
        file = tmp_path / f"{times}.pcap"
        file.write_bytes(pcap_file(packets * times))
        code = (
            "import resource, sys; from plugpass.cli.app import app\n"
            "try: app(['decode', '--json', sys.argv[1]])\n"
            "except SystemExit: print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)"
        )
        done = subprocess.run([sys.executable, "-c", code, str(file)], capture_output=True, timeout=100, check=True)
        assert done.stdout.count(b'"kind": "message"') == times * len(NAMES)
        peaks.append(int(done.stderr.split()[-1]))
    assert peaks[1] < peaks[0] * 1.2


# --- encode ---------------------------------------------------------------------------------------------------------


def test_decode_and_back(run: Run) -> None:
    trace = run("decode", "--json", SETUP).stdout
    assert run("encode", stdin=trace).stdout.decode().strip() == SETUP
    value = json.dumps(json.loads(trace)["value"])
    assert run("encode", value, "--schema", "iso2").stdout.decode().strip() == SETUP
    framed = run("encode", "--v2gtp", "--format", "base64", stdin=trace).stdout.decode()
    assert messages(run("decode", "--json", framed.strip())) == ["SessionSetupReq"]
    assert run("encode", "--format", "raw", stdin=trace).stdout == bytes.fromhex(SETUP)


def test_a_whole_trace_back_to_frames(run: Run, capture: Path) -> None:
    trace = run("decode", "--json", capture).stdout
    frames = run("encode", "--v2gtp", "--format", "raw", stdin=trace).stdout
    assert frames == b"".join(said.octets for said in session())


@pytest.mark.parametrize("file", ["iso2", "cm20", "dc20"])
def test_vectors_from_xml_and_json(run: Run, file: str, tmp_path: Path) -> None:
    lines = (VECTORS / f"{file}.jsonl").read_text(encoding="utf-8").splitlines()
    row = next(row for row in map(json.loads, lines) if not row["fragment"] and row["variant"].startswith("max"))
    xml = tmp_path / "message.xml"
    xml.write_text(row["xml"], encoding="utf-8")
    assert run("encode", xml).stdout.decode().strip() == row["exi"]
    value = json.dumps(row["json"])
    expected = encode(file, from_json(file, row["json"])).hex()
    assert run("encode", "-", "--schema", file, stdin=value).stdout.decode().strip() == expected


def test_a_fragment_as_a_signature_digests_it(run: Run, tmp_path: Path) -> None:
    lines = (VECTORS / "iso2.jsonl").read_text(encoding="utf-8").splitlines()
    row = next(row for row in map(json.loads, lines) if row["message"] == "SignedInfo")
    xml = tmp_path / "signed-info.xml"
    xml.write_text(row["xml"], encoding="utf-8")
    done = run("encode", xml, "--fragment")
    assert done.stdout.decode().strip() == row["exi"]
    assert messages(run("decode", "--fragment", "--json", row["exi"])) == ["SignedInfo"]


BOTH = '{"V2G_Message": {"Header": {"SessionID": "00"}, "Body": {"SessionSetupReq": {"EVCCID": "020304050607"}}}}'


@pytest.mark.parametrize(
    ("arguments", "stdin", "reason"),
    [
        ([], BOTH, "the message fits din and iso2: name one with --schema"),
        ([], "hello", "the input is neither JSON nor XML"),
        ([], "", "the input is neither JSON nor XML"),
        ([], "{}\nno", "its line 2 is none either"),
        ([], '{"kind": "remark"}', "there is no message in the input"),
        ([], '{"kind": "message"}', "it could not be decoded"),
        ([], '{"nonsense": 1}', "nonsense is no"),
        ([], "<unclosed>", "no well-formed XML"),
        ([], b"\xff\xfe\x00", "is no text in UTF-8"),
        (["--schema", "iso3"], BOTH, "there is no schema iso3"),
        (["--schema", "iso2", "--format", "raw"], f"{BOTH}\n{BOTH}", "cannot be told apart"),
        (["--schema", "iso2"], BOTH.replace("020304050607", "02030405060708"), "EVCCID"),
        (["no-such-file.xml"], "", "cannot read no-such-file.xml"),
        (["--v2gtp", "--fragment", "{xml}"], "", "V2GTP carries no xmldsig"),
    ],
)
def test_what_cannot_be_encoded(
    run: Run, arguments: list[str], stdin: str | bytes, reason: str, tmp_path: Path
) -> None:
    lines = (VECTORS / "iso2.jsonl").read_text(encoding="utf-8").splitlines()
    row = next(row for row in map(json.loads, lines) if row["message"] == "SignedInfo")
    xml = tmp_path / "signed-info.xml"
    xml.write_text(row["xml"], encoding="utf-8")
    done = run("encode", *(argument.replace("{xml}", str(xml)) for argument in arguments), stdin=stdin)
    assert done.returncode == 2
    assert done.stdout == b""
    (line,) = done.stderr.decode().splitlines()
    assert reason in line


@pytest.mark.parametrize("command", ["decode", "encode"])
def test_help_one_can_learn_from(command: str) -> None:
    text = process(command, "--help").stdout.decode()
    assert f"plugpass {command}" in text
    assert "Examples" in text
    assert "Exit code" in text
