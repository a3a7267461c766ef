"""Sockets: where a connection starts, how it is made, and how long a call on it may take."""
