"""The composition root: every party of the chain, built from its parts and connected by URLs and trust anchors only."""

from plugpass.lab.topology.ground import Ground
from plugpass.lab.topology.lab import Lab
from plugpass.lab.topology.roadside import RENEWAL

__all__ = ["RENEWAL", "Ground", "Lab"]
