"""plugpass: the whole ISO 15118 Plug & Charge chain in one package."""

__version__ = "0.1.0"
