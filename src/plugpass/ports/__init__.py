"""The seams between parties: small Protocol classes and frozen value objects, nothing else.

Roles meet only here. Every Protocol has at least one adapter that speaks the real wire (`plugpass.providers`) and can
be swapped for a real external party. Methods raise `plugpass.errors.Unavailable` where the party cannot be reached and
a `plugpass.errors.PeerError` where it refuses.
"""
