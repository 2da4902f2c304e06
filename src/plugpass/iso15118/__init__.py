"""The protocols between vehicle and station: framing, discovery, negotiation, sessions, signatures. Sans-IO."""
