"""Fail if a test of this JUnit report was skipped, or if it has none: no_skips.py REPORT."""

import sys
from xml.etree import ElementTree

cases = list(ElementTree.parse(sys.argv[1]).iter("testcase"))
skipped = [
    f"{case.get('classname')}::{case.get('name')}"
    for case in cases
    if case.find("skipped") is not None
]
if skipped or not cases:
    sys.exit("error: these tests must run here, and were skipped: " + (", ".join(skipped) or "all"))
