"""V2G traffic as somebody captured it, made readable: from packets up to ISO 15118 messages. Sans-IO.

The layers, each a module that knows only the one below: `files` (pcap, pcapng) gives packets, `packets` takes them
apart, `tcp` puts streams together, `tls` opens them with a key log, `frames` cuts V2GTP, `following` decodes EXI by
the negotiated schema, and `dissector` runs all of it and gives `records`. `texts` and `traces` read messages from hex,
base64 and JSON instead; `synthesis` is the reverse, a capture of traffic that need not have been on a network.

Captures hold whatever the network held: every module takes any octets, bounds what it keeps, reports what it could not
read and goes on.
"""
