"""Folder layouts that other stacks read their certificates and keys from, and writing them all or not at all."""

from plugpass.store.layouts.everest import everest_layout
from plugpass.store.layouts.josev import josev_layout
from plugpass.store.layouts.model import Ecosystem, Layout
from plugpass.store.layouts.output import write_file, write_private, write_tree

__all__ = ["Ecosystem", "Layout", "everest_layout", "josev_layout", "write_file", "write_private", "write_tree"]
