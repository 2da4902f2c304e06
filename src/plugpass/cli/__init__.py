"""The `plugpass` command."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line. Exit codes: 0 done, 1 the work failed, 2 unusable input, 130 interrupted."""
    try:
        from plugpass.cli.app import run

        run()
    except KeyboardInterrupt:
        print("plugpass: interrupted", file=sys.stderr)
        sys.exit(130)
