"""Reading what the kernel tells of MPTCP connections: of one by its socket, or of all of them."""
