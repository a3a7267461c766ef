"""The broker: any user controls the paths of their own connections, and nobody else's.

A small privileged service (`python -m mphttp.broker`). Whoever passes it the descriptor of a
connected MPTCP socket may open and close subflows of that connection, and it can do nothing else.
"""
