"""Adapters to external parties: each speaks the real wire behind a port."""
