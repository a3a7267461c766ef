"""What tests of libcurl's transfers expect: a body, and errors."""

from __future__ import annotations

from typing import Any

import pycurl
import pytest

BODY = bytes(range(256)) * 4000


def fails(code: int, match: str | None = None) -> Any:
    """Expect libcurl's error."""
    return pytest.raises(pycurl.error, match=rf"\({code}, .*{match or ''}")
