"""`python -m plugpass` is the `plugpass` command."""

from plugpass.cli import main

main()
