"""The composition root: every party of the chain, built from its parts and connected by URLs and trust anchors only."""

from plugpass.lab.topology.ground import Ground
from plugpass.lab.topology.lab import Lab

__all__ = ["Ground", "Lab"]
