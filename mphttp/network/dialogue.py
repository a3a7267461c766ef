"""Talks of a few messages, such as a handshake, without their input and output.

A dialogue yields the bytes to send, or None to be sent what has come; `b""` is the end of what
comes. One generator so serves threads and event loops alike.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from typing import TypeVar

T = TypeVar("T")
Dialogue = Generator[bytes | None, bytes, T]


def recorded(dialogue: Dialogue[T], heard: bytearray) -> Dialogue[T]:
    """Hold the same dialogue, and keep what comes.

    Args:
        dialogue: what is said.
        heard: takes what comes.
    """
    try:
        to_send = next(dialogue)
        while True:
            came = yield to_send
            heard += came or b""
            to_send = dialogue.send(came)
    except StopIteration as end:
        outcome: T = end.value
        return outcome


def hold(dialogue: Dialogue[T], read: Callable[[], bytes], write: Callable[[bytes], object]) -> T:
    """Carry on a dialogue to its end, and return what came of it.

    Args:
        dialogue: what is said.
        read: returns what comes next.
        write: sends.
    """
    try:
        to_send = next(dialogue)
        while True:
            if to_send is None:
                to_send = dialogue.send(read())
            else:
                write(to_send)
                to_send = next(dialogue)
    except StopIteration as end:
        outcome: T = end.value
        return outcome


async def hold_async(
    dialogue: Dialogue[T],
    read: Callable[[], Awaitable[bytes]],
    write: Callable[[bytes], Awaitable[object]],
) -> T:
    """Do as `hold` does, where reading and writing are awaited."""
    try:
        to_send = next(dialogue)
        while True:
            if to_send is None:
                to_send = dialogue.send(await read())
            else:
                await write(to_send)
                to_send = next(dialogue)
    except StopIteration as end:
        outcome: T = end.value
        return outcome
