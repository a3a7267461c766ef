"""What is behind the doors for httpx and httpx2: transports whose connections use several paths.

`blocking` and `asynchronous` are the transports, `origin` makes a connection, `http11` and `http2`
speak over it, all side by side for threads and event loops. `cycle` (HTTP/1.1), `multiplex`
(HTTP/2) and `route` are pure.
"""
