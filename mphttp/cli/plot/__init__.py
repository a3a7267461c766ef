"""`mphttp plot`: what happened to one response, as a picture.

`facts` reads a report, `series` makes rates of its samples, `lanes` lays out the subflows, `marks`
says how paths and events look, `svg` writes shapes and `picture` puts them together: all pure.
"""

from .command import add_arguments, run

__all__ = ["add_arguments", "run"]
