"""OCPP 2.0.1 without I/O: frames, correlation, message types, and the certificate and authorization rules."""
