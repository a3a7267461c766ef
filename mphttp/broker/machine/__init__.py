"""The machine's path manager: what it does for connections that no client claims.

With the userspace path manager selected, the kernel opens no subflow by itself any more. `care`
decides what it would have done, by its endpoints and limits; `rules` gives connections a strategy
instead; `machine` carries both out.
"""
