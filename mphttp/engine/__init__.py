"""What every front door shares: it runs the strategies and knows every connection and response.

A door makes a `Request`, sends it over a `Connection`, and lets an `Exchange` count the body.
"""

import logging

from .connection import Connection
from .exchange import Exchange
from .loop import Engine, engine
from .request import Request

logging.getLogger("mphttp").addHandler(logging.NullHandler())  # silent unless asked

__all__ = ["Connection", "Engine", "Exchange", "Request", "engine"]
