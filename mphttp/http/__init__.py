"""HTTP/1.1 on one connection, without input and output (RFC 9112)."""
