"""Everything that expires is found and renewed in time."""
