"""Sockets: where a connection starts, how it is made, through which proxies, and reading it.

`dial` and `channel` are for threads, those named `_async` for event loops; what is said to proxies
and inside two layers of TLS is a `dialogue`, pure, for both.
"""
