"""Netlink itself: messages as bytes, and the two sockets that carry them. It knows no family."""
