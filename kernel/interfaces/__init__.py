"""Interfaces of this machine, the paths that leave by them, and when they come and go."""
