"""`python -m fuzz.seeds FOLDER`: every shared vector as an input of the target, a file each."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

from tests.unit.exi.exi_vectors import supported

from fuzz.target import TARGETS


def write(folder: Path) -> int:
    """Write the seeds into a folder; how many there are."""
    folder.mkdir(parents=True, exist_ok=True)
    inputs = {bytes([TARGETS.index((v.schema, v.fragment))]) + v.stream for v in supported()}
    for data in inputs:
        (folder / hashlib.sha256(data).hexdigest()[:40]).write_bytes(data)
    return len(inputs)


if __name__ == "__main__":
    print(f"{write(Path(sys.argv[1]))} seeds")
