"""Enrolment over Secure Transport (RFC 7030, RFC 8951) without I/O: bytes and values in, decisions and bytes out.

`server` decides what a request deserves, `client` builds requests and reads answers; who carries the bytes is not
their business (`plugpass.roles.v2g_ca`, `plugpass.providers.est`).
"""
