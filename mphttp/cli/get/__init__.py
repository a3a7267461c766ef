"""`mphttp get`: downloads with curl's options, and a strategy for their paths.

The rooms: `settings` says each option once, `options` and `jobs` read the command line; `command`
does one download after the other; `download` makes attempts at one of them, `attempt` is one
exchange with the server. The decisions are pure: `resume` (what an answer means for what is here
already), `retry` (whether and when to try again), `pace` (how long to wait), `decode` (codings) and
`writeout` (what `-w` writes).
"""

from .command import run
from .options import add_arguments

__all__ = ["add_arguments", "run"]
