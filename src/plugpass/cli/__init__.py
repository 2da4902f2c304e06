"""The `plugpass` command."""

from plugpass.cli.app import main

__all__ = ["main"]
