"""Frames of HTTP/2 (RFC 9113, section 4), cut out of what comes; hyperframe knows their insides."""

from __future__ import annotations

from collections.abc import Iterator

from hyperframe.exceptions import HyperframeError, InvalidDataError
from hyperframe.frame import (
    AltSvcFrame,
    ContinuationFrame,
    Frame,
    HeadersFrame,
    PriorityFrame,
    WindowUpdateFrame,
)

from .http2_errors import Broken, Code

LARGEST_FRAME = 16384
"""Bytes of a payload that a peer may send (section 4.2): the default, which we leave as it is."""
_HEAD = 9
_LONGEST_BLOCK = 131072
"""Bytes of one compressed header section: several times what any server sends."""
_MOST_CONTINUATIONS = 64
"""Frames of one header section, so that empty ones come to an end, too."""


class FrameReader:
    """Cuts what comes into frames; a header section is one HEADERS frame, however it was cut."""

    def __init__(self) -> None:
        self._held = b""
        self._section: HeadersFrame | None = None
        self._continuations = 0

    def read(self, data: bytes) -> Iterator[Frame]:
        """Give the frames that are complete.

        Args:
            data: what came, cut anywhere.

        Raises:
            Broken: what follows makes no sense (RFC 9113, section 5.4.1).
        """
        data, self._held = self._held + data, b""
        view, start = memoryview(data), 0
        while len(data) - start >= _HEAD:
            frame, length = _begun(view[start : start + _HEAD])
            end = start + _HEAD + length
            if end > len(data):
                break
            _fill(frame, view[start + _HEAD : end])
            start = end
            whole = self._whole(frame)
            if whole is not None:
                yield whole
        self._held = data[start:]

    def _whole(self, frame: Frame) -> Frame | None:
        """Return what a frame completes: itself, or the header section that it ends."""
        section = self._section
        if section is not None:
            if not isinstance(frame, ContinuationFrame) or frame.stream_id != section.stream_id:
                raise Broken("a header section was broken off by another frame")
            self._continuations += 1
            section.data += frame.data
            if len(section.data) > _LONGEST_BLOCK or self._continuations > _MOST_CONTINUATIONS:
                raise Broken("a header section without end", Code.ENHANCE_YOUR_CALM)
        elif isinstance(frame, ContinuationFrame):
            raise Broken("a CONTINUATION frame continues nothing")
        elif isinstance(frame, HeadersFrame):
            self._section, self._continuations = frame, 0
        else:
            return frame
        if "END_HEADERS" not in frame.flags:
            return None
        section, self._section = self._section, None
        return section


def _begun(head: memoryview) -> tuple[Frame, int]:
    try:
        frame, length = Frame.parse_frame_header(head)
    except HyperframeError as error:
        raise Broken(str(error)) from error
    if length > LARGEST_FRAME:
        raise Broken(f"a frame of {length} bytes", Code.FRAME_SIZE_ERROR)
    return frame, length


def _fill(frame: Frame, payload: memoryview) -> None:
    """Read a frame's payload; where only one stream is hurt, the frame says so by itself."""
    try:
        frame.parse_body(payload)
    except HyperframeError as error:
        if isinstance(frame, PriorityFrame | AltSvcFrame):
            return  # what nobody heeds can't hurt
        if isinstance(frame, WindowUpdateFrame) and isinstance(error, InvalidDataError):
            frame.window_increment = 0  # an error of the stream (section 6.9)
            return
        code = Code.PROTOCOL_ERROR if isinstance(error, InvalidDataError) else Code.FRAME_SIZE_ERROR
        raise Broken(str(error), code) from error
