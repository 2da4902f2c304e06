"""`python -m fuzz [libFuzzer options]` in the repository: fuzz until stopped, or as those say (`-runs=10000000`).

The corpus grows in `build/fuzz/corpus`, from the shared vectors; a finding is left in `build/fuzz`. Needs `atheris`
(`fuzz/requirements.txt`), whose instrumentation of the interpreter guides the search; the C engine runs beside it.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

try:
    import atheris
except ImportError:
    sys.exit("fuzzing needs atheris: pip install --require-hashes -r fuzz/requirements.txt")

with atheris.instrument_imports(include=["plugpass.exi"]):
    from fuzz.target import Target

REPOSITORY = Path(__file__).resolve().parent.parent

OPTIONS = (
    "-max_len=8192",  # longer than the longest real message, so that everything can be reached
    "-timeout=10",
    "-rss_limit_mb=64",
    "-print_final_stats=1",
)


def main() -> None:
    """Set up the corpus, and hand over to libFuzzer, which does not return."""
    work = REPOSITORY / "build" / "fuzz"
    corpus = work / "corpus"
    # In a process of its own: the memory it takes is not the codec's.
    subprocess.run([sys.executable, "-m", "fuzz.seeds", str(corpus)], cwd=REPOSITORY, check=True)
    atheris.Setup([sys.argv[0], *OPTIONS, f"-artifact_prefix={work}/", *sys.argv[1:], str(corpus)], Target())
    atheris.Fuzz()


if __name__ == "__main__":
    main()
