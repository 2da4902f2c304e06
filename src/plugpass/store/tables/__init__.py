"""The tables, one module a concern; all share one metadata so that one migration history serves every database."""
