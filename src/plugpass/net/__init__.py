"""The only asyncio, ssl, sockets, HTTP and WebSocket code: thin shells around the sans-IO packages."""
