"""The migration history; one for all tables. `tools/new-migration` writes the next step."""
