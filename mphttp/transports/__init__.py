"""The doors for httpx: transports whose connections use several paths."""

from .transport import MultipathTransport

__all__ = ["MultipathTransport"]
