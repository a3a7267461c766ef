"""What libcurl's door needs of other libraries."""

from __future__ import annotations

import subprocess
import sys


def test_libcurl_alone_needs_no_httpx() -> None:
    code = "import sys, mphttp.curl; assert not {'httpx', 'httpcore'} & sys.modules.keys()"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=50)
