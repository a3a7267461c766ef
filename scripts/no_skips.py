"""Fail if a test of these JUnit reports was skipped, or one has none: no_skips.py REPORT..."""

import sys
from xml.etree import ElementTree

reports = [list(ElementTree.parse(report).iter("testcase")) for report in sys.argv[1:]]
cases = [case for report in reports for case in report]
skipped = [
    f"{case.get('classname')}::{case.get('name')}"
    for case in cases
    if case.find("skipped") is not None
]
if skipped or not all(reports):
    sys.exit("error: these tests must run here, and were skipped: " + (", ".join(skipped) or "all"))
