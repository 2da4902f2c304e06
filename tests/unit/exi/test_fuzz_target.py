"""The fuzz target works, and a bounded run of it finds nothing. `make fuzz` is the long one."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from plugpass.exi import accelerator

REPOSITORY = Path(__file__).resolve().parents[3]

pytestmark = pytest.mark.skipif(accelerator.select("") is None, reason="the C engine is needed, and not built")

RUN_SEEDS = """
import sys
from pathlib import Path
from fuzz.target import Target
target = Target()
for path in Path(sys.argv[1]).iterdir():
    data = path.read_bytes()
    for end in (0, 1, len(data) // 2, len(data)):
        target(data[:end])
"""


def run(*arguments: str) -> str:
    done = subprocess.run([sys.executable, *arguments], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout + done.stderr


def test_every_vector_is_a_seed_that_passes(tmp_path: Path) -> None:
    assert int(run("-m", "fuzz.seeds", str(tmp_path)).split()[0]) > 700
    run("-c", RUN_SEEDS, str(tmp_path))


@pytest.mark.slow
@pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None,
    reason="needs atheris: pip install --require-hashes -r fuzz/requirements.txt",
)
def test_a_bounded_run(tmp_path: Path) -> None:
    run("-m", "fuzz.seeds", str(tmp_path))
    assert "Done 20000 runs" in run("-m", "fuzz", "-runs=20000", "-seed=15118")
