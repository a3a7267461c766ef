"""What is behind the doors for httpx and httpx2: transports whose connections use several paths.

`blocking` and `asynchronous` are the transports, `origin` makes a connection and `http11` speaks
over it, both side by side for threads and event loops. `cycle` (HTTP/1.1) and `route` are pure.
"""
