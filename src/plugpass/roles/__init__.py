"""Our own parties. Each is one package; they meet only through ports and wires."""
