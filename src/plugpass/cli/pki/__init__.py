"""`plugpass pki`: hierarchies, certificates, trust and their checks on the command line. One module a group."""

from plugpass.cli.pki.app import pki_app

__all__ = ["pki_app"]
