"""`python -m benches [name...]`: run every bench of this folder, or those named (`exi` for `bench_exi.py`)."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path


def main() -> None:
    """Run them, one after the other."""
    known = sorted(path.stem.removeprefix("bench_") for path in Path(__file__).parent.glob("bench_*.py"))
    wanted = sys.argv[1:] or known
    if unknown := sorted(set(wanted) - set(known)):
        sys.exit(f"no bench is called {', '.join(unknown)}; there are {', '.join(known)}")
    sys.argv[1:] = []
    for name in wanted:
        importlib.import_module(f"benches.bench_{name}").main()


if __name__ == "__main__":
    main()
