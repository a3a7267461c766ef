"""A proxy for any program: HTTP (CONNECT and forwarding) and SOCKS5 come in, strategies go out.

`socks5`, `target`, `destinations`, `limits` and `users` are pure; `server` takes clients in one
event loop, `forward` carries requests on, and everything else is a tunnel (`mphttp.tunnel`).
"""
