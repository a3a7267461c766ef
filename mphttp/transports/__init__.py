"""The doors for httpx and for httpx2: transports whose connections use several paths.

`blocking` and `asynchronous` are the transports, `origin` makes a connection and `http11` speaks
over it, both side by side for threads and event loops. What is pure stands apart: `cycle`
(HTTP/1.1), `route`, `proxy`, `dialogue`, `tls_in_tls`.
"""
