"""The lab: every party of the chain in one process, meeting only over their real wires on loopback."""
