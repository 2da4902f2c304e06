"""Building the C engine: strictly, under sanitizers, into a wheel, and not at all."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from plugpass.exi import engine_name

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[2]
SOURCE = REPOSITORY / "src" / "plugpass" / "exi" / "_engine.c"
COMPILER = (sysconfig.get_config_var("CC") or "cc").split()[0]
HEADERS = Path(sysconfig.get_paths()["include"]) / "Python.h"

needs_compiler = pytest.mark.skipif(
    shutil.which(COMPILER) is None or not HEADERS.exists(),
    reason=f"needs a C compiler ({COMPILER}) and the headers of Python ({HEADERS})",
)


def compile_engine(*options: str) -> subprocess.CompletedProcess[str]:
    command = [COMPILER, *options, "-I", str(HEADERS.parent), str(SOURCE)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@needs_compiler
def test_the_compiler_has_nothing_to_say() -> None:
    done = compile_engine("-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-fsyntax-only")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
@needs_compiler
@pytest.mark.skipif(sys.platform != "linux", reason="preloading a sanitizer works on Linux only")
@pytest.mark.parametrize(("job", "count"), [("roam", 3000), ("starve", 300), ("leaks", 30_000)])
def test_sanitizers_have_nothing_to_say(job: str, count: int, tmp_path: Path) -> None:
    """Address and undefined behaviour: vectors and mutations, failing allocations, refusals in every place."""
    extension = tmp_path / f"_engine{sysconfig.get_config_var('EXT_SUFFIX')}"
    checks = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
    done = compile_engine("-shared", "-fPIC", "-g", "-O1", *checks, "-o", str(extension))
    if done.returncode != 0:
        pytest.skip(f"{COMPILER} has no sanitizers: {done.stderr.splitlines()[:1]}")
    libraries = [library(f"lib{name}.so") for name in ("asan", "ubsan")]
    environment = {
        "LD_PRELOAD": " ".join(libraries),
        "ASAN_OPTIONS": "detect_leaks=0",  # Python itself frees little when it ends; `leaks` counts instead
        "PYTHONMALLOC": "malloc",
        "PLUGPASS_EXI_ENGINE": "c",
    }
    command = [sys.executable, str(HERE / "engine_workout.py"), job, str(count), str(extension)]
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    assert json.loads(done.stdout)


def library(name: str) -> str:
    """The path of a library of the compiler."""
    path = subprocess.run([COMPILER, f"-print-file-name={name}"], capture_output=True, text=True, check=True)
    if not Path(path.stdout.strip()).is_absolute():
        pytest.skip(f"needs {name} beside {COMPILER}")
    return path.stdout.strip()


PROBE = """
import plugpass.exi as exi
stream = bytes.fromhex("8098004011d01a0802f0bca41400")
assert exi.encode("iso2", exi.decode("iso2", stream)) == stream
print(exi.engine_name())
"""


def wheel_contents(tmp_path: Path, **environment: str) -> Path:
    """A wheel of a copy of this repository, unpacked."""
    copy, wheels, unpacked = tmp_path / "copy", tmp_path / "wheels", tmp_path / "unpacked"
    ignored = shutil.ignore_patterns("*.so", "__pycache__", "*.egg-info")
    shutil.copytree(REPOSITORY / "src", copy / "src", ignore=ignored)
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, copy)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "wheel", "--no-index", "--no-deps"]
    command = [*pip, "--no-build-isolation", "--wheel-dir", str(wheels), str(copy)]
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = wheels.iterdir()
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(unpacked)
    return unpacked


def probe(packages: Path, setting: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PLUGPASS_EXI_ENGINE": setting, "PYTHONPATH": str(packages)}
    return subprocess.run([sys.executable, "-c", PROBE], env=environment, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_without_a_compiler_everything_works_with_the_interpreter(tmp_path: Path) -> None:
    packages = wheel_contents(tmp_path, CC="/bin/false")
    assert not list((packages / "plugpass" / "exi").glob("_engine*.so"))
    assert probe(packages, "").stdout.strip() == "python"
    forced = probe(packages, "c")
    assert forced.returncode != 0
    assert "PLUGPASS_EXI_ENGINE asks for the C engine, but its extension module is not built" in forced.stderr


@pytest.mark.slow
@needs_compiler
def test_with_a_compiler_the_c_engine_is_in_the_wheel(tmp_path: Path) -> None:
    packages = wheel_contents(tmp_path)
    assert list((packages / "plugpass" / "exi").glob("_engine*.so"))
    assert (packages / "plugpass" / "exi" / "_engine.pyi").exists()
    assert probe(packages, "").stdout.strip() == "c"


def test_the_engine_at_work_is_the_one_asked_for() -> None:
    """So that a run of the whole suite under one engine is one."""
    assert engine_name() == (os.environ.get("PLUGPASS_EXI_ENGINE") or engine_name())
